//! May these bytes be compiled as an element? Refuses in words, before any time is spent on compiling.
//! Must not run or compile anything, and must not look at what a call returns.

use wasmparser::{Encoding, Parser, Payload, Validator};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::limits::{Limits, MEMORIES, TABLE_ELEMENTS, TABLES};

/// Elements of this major version of the contract are served.
const MAJOR: &str = "1";
const PACKAGE: &str = "tidegate:element/";
/// What an element may import.
const OFFERED: [&str; 2] = ["types", "log"];
/// What an element must export.
const REQUIRED: [&str; 2] = ["meta", "operate"];

/// The error is a whole sentence for whoever built or uploads the file.
pub(super) fn admit(bytes: &[u8], bytes_max: usize) -> Result<(), String> {
    if bytes.len() > bytes_max {
        return Err(format!(
            "the file has {} bytes, more than the limit of {bytes_max}",
            bytes.len()
        ));
    }
    // Loading machine code is as good as running it.
    if Engine::detect_precompiled(bytes).is_some() {
        return Err("this is machine code compiled by wasmtime; expected the component it was made from".into());
    }
    let outline = Outline::read(bytes)?;
    Validator::new()
        .validate_all(bytes)
        .map_err(|error| format!("this is not valid WebAssembly: {error}"))?;
    outline.check()
}

/// Does it ask for no more at its start than a guest may have?
pub(super) fn check_resources(component: &Component, limits: &Limits) -> Result<(), String> {
    let Some(needs) = component.resources_required() else {
        return Err("it instantiates something of its imports; expected an element that stands alone".into());
    };
    // In pages, of which those of other sizes than the usual are smaller.
    let memory_bytes = needs.max_initial_memory_size.unwrap_or(0).saturating_mul(65_536);
    let found = [
        ("memories", u64::from(needs.num_memories), MEMORIES as u64),
        ("tables", u64::from(needs.num_tables), TABLES as u64),
        ("bytes of memory at its start", memory_bytes, limits.memory_bytes as u64),
        (
            "entries in a table",
            needs.max_initial_table_size.unwrap_or(0),
            TABLE_ELEMENTS as u64,
        ),
    ];
    for (what, found, most) in found {
        if found > most {
            return Err(format!("it declares {found} {what}; expected at most {most}"));
        }
    }
    Ok(())
}

/// The names at the outside of a component.
#[derive(Default)]
struct Outline {
    imports: Vec<String>,
    exports: Vec<String>,
}

impl Outline {
    fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut outline = Self::default();
        // Modules and components inside have imports and exports too, which are nobody else's business.
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.map_err(|error| format!("this is not WebAssembly, or cut short: {error}"))? {
                Payload::Version {
                    encoding: Encoding::Module,
                    ..
                } if depth == 0 => {
                    return Err(
                        "this is a core module; expected a component (`wasm-tools component new` makes one)".into(),
                    );
                }
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 0 => {
                    for import in section {
                        outline.imports.push(import.map_err(unreadable)?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    for export in section {
                        outline.exports.push(export.map_err(unreadable)?.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(outline)
    }

    fn check(&self) -> Result<(), String> {
        let foreign: Vec<_> = self
            .imports
            .iter()
            .filter(|name| !is_one_of(name, &OFFERED))
            .map(String::as_str)
            .collect();
        if !foreign.is_empty() {
            return Err(format!(
                "it imports {}; an element may import {PACKAGE}types and {PACKAGE}log of version {MAJOR} only: \
                 it has no clock, socket, file or randomness",
                foreign.join(", ")
            ));
        }
        let missing: Vec<_> = REQUIRED
            .into_iter()
            .filter(|interface| !self.exports.iter().any(|name| is_one_of(name, &[interface])))
            .map(|interface| format!("{PACKAGE}{interface}@{MAJOR}"))
            .collect();
        if !missing.is_empty() {
            let found = if self.exports.is_empty() {
                "nothing".into()
            } else {
                self.exports.join(", ")
            };
            return Err(format!(
                "it does not export {}; it exports {found}",
                missing.join(" and ")
            ));
        }
        Ok(())
    }
}

fn unreadable(error: wasmparser::BinaryReaderError) -> String {
    format!("this is not valid WebAssembly: {error}")
}

/// Is `name` one of our interfaces, in a version that is served?
fn is_one_of(name: &str, interfaces: &[&str]) -> bool {
    let Some((interface, version)) = name.strip_prefix(PACKAGE).and_then(|rest| rest.split_once('@')) else {
        return false;
    };
    interfaces.contains(&interface) && version.split('.').next() == Some(MAJOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(bytes: &[u8]) -> String {
        admit(bytes, 10_000).expect_err("should be refused")
    }

    fn component(content: &str) -> Vec<u8> {
        wat::parse_str(format!("(component {content})")).expect("the test's text is right")
    }

    const META: &str = r#"(instance) (export "tidegate:element/meta@1.0.0" (instance 0))"#;
    const OPERATE: &str = r#"(instance) (export "tidegate:element/operate@1.2.0" (instance 1))"#;

    #[test]
    fn admits_a_component_that_exports_the_contract() {
        let imports = r#"(import "tidegate:element/log@1.1.0" (instance))"#;
        assert_eq!(
            admit(&component(&format!("{imports} {META} {OPERATE}")), 10_000),
            Ok(())
        );
    }

    #[test]
    fn names_every_foreign_import() {
        let imports = r#"(import "wasi:io/poll@0.2.0" (instance)) (import "tidegate:element/log@2.0.0" (instance))
            (import "tidegate:element/socket@1.0.0" (instance))"#;
        let refusal = refusal(&component(&format!("{imports} {META} {OPERATE}")));
        let named = "it imports wasi:io/poll@0.2.0, tidegate:element/log@2.0.0, tidegate:element/socket@1.0.0;";
        assert!(refusal.starts_with(named), "{refusal}");
    }

    #[test]
    fn names_what_is_not_exported_and_what_is() {
        let refused = refusal(&component(META));
        assert_eq!(
            refused,
            "it does not export tidegate:element/operate@1; it exports tidegate:element/meta@1.0.0"
        );
        assert!(refusal(&component("")).ends_with("it exports nothing"));
    }

    #[test]
    fn imports_inside_of_the_component_are_its_own_business() {
        let inside = r#"(core module (import "env" "f" (func))) (component (import "a" (instance)))"#;
        assert_eq!(admit(&component(&format!("{inside} {META} {OPERATE}")), 10_000), Ok(()));
    }

    #[test]
    fn refuses_a_core_module() {
        assert!(refusal(&wat::parse_str("(module)").unwrap()).contains("core module"));
    }

    #[test]
    fn refuses_machine_code() {
        let engine = Engine::default();
        let compiled = engine.precompile_component(&component("")).unwrap();
        assert!(admit(&compiled, usize::MAX).unwrap_err().contains("machine code"));
    }

    #[test]
    fn refuses_a_file_cut_short_at_any_byte() {
        let whole = component(&format!("{META} {OPERATE}"));
        for length in 0..whole.len() {
            assert!(admit(&whole[..length], 10_000).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn refuses_what_does_not_validate() {
        let mut invalid = wat::parse_str("(component (core module (func (result i32) i32.const 7)))").unwrap();
        let constant = invalid.windows(2).rposition(|bytes| bytes == [0x41, 7]).unwrap();
        invalid[constant] = 0x42; // i64.const
        assert!(refusal(&invalid).contains("not valid WebAssembly"));
    }

    #[test]
    fn refuses_what_asks_for_more_than_a_guest_may_have() {
        let engine = Engine::default();
        let needs = |module: &str| {
            let text = format!("(component (core module $m {module}) (core instance (instantiate $m)))");
            let component = Component::new(&engine, wat::parse_str(text).unwrap()).unwrap();
            check_resources(&component, &Limits::default())
        };
        assert_eq!(needs("(memory 1024)"), Ok(()));
        let refused = needs("(memory 1025)").unwrap_err();
        assert_eq!(
            refused,
            "it declares 67174400 bytes of memory at its start; expected at most 67108864"
        );
        assert!(
            needs("(table 100001 funcref)")
                .unwrap_err()
                .contains("100001 entries in a table")
        );
    }

    #[test]
    fn refuses_a_file_over_the_limit() {
        assert_eq!(
            admit(&[0; 11], 10),
            Err("the file has 11 bytes, more than the limit of 10".into())
        );
    }
}
