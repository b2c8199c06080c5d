//! The WIT world as Rust types, generated.
//! Must not hold anything else: `bindgen!` writes unsafe code, which lints do not look into.

wasmtime::component::bindgen!({
    path: "wit",
    world: "element",
    // What goes in is borrowed: a response's body is copied once, into the guest.
    ownership: Borrowing { duplicate_if_necessary: true },
    imports: { default: trappable },
});
