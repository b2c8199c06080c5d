//! Which environment variables a nested cargo may see.
//! Must not set anything: what a build needs is set by the toolchain that builds.

use std::process::Command;

/// cargo's own settings that belong to the person or the machine, not to the build we may be running inside.
const KEPT_PREFIXES: [&str; 6] = [
    "CARGO_HTTP_",
    "CARGO_NET_",
    "CARGO_REGISTRIES_",
    "CARGO_REGISTRY_",
    "CARGO_SOURCE_",
    "CARGO_TERM_",
];

/// `CARGO_MAKEFLAGS` carries the jobserver: with it the nested build shares the outer one's slots.
const KEPT_NAMES: [&str; 3] = ["CARGO_BUILD_JOBS", "CARGO_HOME", "CARGO_MAKEFLAGS"];

/// Described to build scripts and programs that cargo runs; some build scripts of dependencies read them.
const BUILD_SCRIPT_NAMES: [&str; 7] = ["DEBUG", "HOST", "NUM_JOBS", "OPT_LEVEL", "OUT_DIR", "PROFILE", "TARGET"];

/// Hides from `command` what an outer cargo told this process, and what would change how an element is compiled:
/// an element's bytes must not depend on who asked for them.
pub(crate) fn forget_outer_build(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(belongs_to_outer_build) {
            command.env_remove(name);
        }
    }
}

fn belongs_to_outer_build(name: &str) -> bool {
    let kept = KEPT_NAMES.contains(&name) || KEPT_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    let cargos = ["CARGO", "DEP_", "RUSTC", "RUSTDOC", "RUSTFLAGS", "__CARGO"]
        .iter()
        .any(|p| name.starts_with(p));
    !kept && (cargos || BUILD_SCRIPT_NAMES.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_what_an_outer_cargo_says() {
        for name in [
            "CARGO",
            "CARGO_CFG_TARGET_ARCH",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_PROFILE_RELEASE_LTO",
            "CARGO_TARGET_DIR",
            "OUT_DIR",
            "RUSTC",
            "RUSTC_WRAPPER",
            "RUSTDOCFLAGS",
            "RUSTFLAGS",
            "TARGET",
        ] {
            assert!(belongs_to_outer_build(name), "{name}");
        }
    }

    #[test]
    fn keeps_what_the_machine_needs() {
        for name in [
            "CARGO_HOME",
            "CARGO_HTTP_PROXY",
            "CARGO_MAKEFLAGS",
            "HOME",
            "PATH",
            "RUSTUP_HOME",
        ] {
            assert!(!belongs_to_outer_build(name), "{name}");
        }
    }
}
