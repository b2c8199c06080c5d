//! What wit-bindgen makes of `wit/element.wit`, and nothing else.
//! Must not be used by authors: every type has a friendlier one in this crate.
#![allow(
    unsafe_code,
    reason = "generated code passes pointers through the canonical ABI; the lint sees it on one target only"
)]
#![allow(
    missing_docs,
    unreachable_pub,
    unused_lifetimes,
    clippy::allow_attributes_without_reason,
    clippy::cast_lossless,
    clippy::mod_module_files,
    reason = "generated code keeps its own style"
)]

wit_bindgen::generate!({
    path: "../../wit",
    world: "element",
    pub_export_macro: true,
    export_macro_name: "export_guest",
    default_bindings_module: "::tidegate_sdk::bindings",
});
