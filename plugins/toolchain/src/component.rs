//! Looks into a built file: is it a component, and does it import only what the gateway gives to every element?
//! Must not judge more than that: full admission is the gateway's, this only stops a bad build early.

use anyhow::{Context, Result, bail};
use wasmparser::{ComponentExternalKind, Encoding, Parser, Payload};

/// Everything an element may import lies under this prefix.
const OWN_INTERFACES: &str = "tidegate:element/";

/// Is this a component that exports something and imports nothing foreign?
///
/// # Errors
/// Names all foreign imports, or says what is missing.
pub fn check(bytes: &[u8]) -> Result<()> {
    let outline = Outline::read(bytes).context("reading the built component")?;
    if let Some(foreign) = outline.foreign_imports() {
        bail!(
            "the component imports {foreign}, but an element may import only {OWN_INTERFACES}*: \
             it has no clock, socket, file or randomness (look for a dependency that wants them)"
        );
    }
    if outline.exported_interfaces == 0 {
        bail!("the component exports no interface: does the crate export its element through the SDK?");
    }
    Ok(())
}

/// What the component imports, in its own order.
///
/// # Errors
/// The bytes are no component.
pub fn imports(bytes: &[u8]) -> Result<Vec<String>> {
    Ok(Outline::read(bytes)?.imports)
}

#[derive(Default)]
struct Outline {
    imports: Vec<String>,
    exported_interfaces: usize,
}

impl Outline {
    /// Reads the outermost component only: what the modules inside import from each other is their own business.
    fn read(bytes: &[u8]) -> Result<Self> {
        let mut outline = Self::default();
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::Version {
                    encoding: Encoding::Module,
                    ..
                } if depth == 0 => {
                    bail!("this is a core module, not a component")
                }
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 0 => {
                    for import in section {
                        outline.imports.push(import?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    for export in section {
                        outline.exported_interfaces += usize::from(export?.kind == ComponentExternalKind::Instance);
                    }
                }
                _ => {}
            }
        }
        Ok(outline)
    }

    fn foreign_imports(&self) -> Option<String> {
        let foreign: Vec<&str> = self
            .imports
            .iter()
            .map(String::as_str)
            .filter(|name| !name.starts_with(OWN_INTERFACES))
            .collect();
        (!foreign.is_empty()).then(|| foreign.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPONENT: [u8; 8] = [0, b'a', b's', b'm', 0x0d, 0, 1, 0];
    const MODULE: [u8; 8] = [0, b'a', b's', b'm', 1, 0, 0, 0];

    fn section(id: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![id, u8::try_from(content.len()).expect("test sections are short")];
        bytes.extend_from_slice(content);
        bytes
    }

    fn named(name: &str) -> Vec<u8> {
        let mut bytes = vec![0, u8::try_from(name.len()).expect("test names are short")];
        bytes.extend_from_slice(name.as_bytes());
        bytes
    }

    /// A component with one instance import and one instance export, whose type is the empty instance.
    fn component(import: &str) -> Vec<u8> {
        const INSTANCE: u8 = 5;
        const EMPTY_INSTANCE_TYPE: [u8; 3] = [1, 0x42, 0];
        let imports = [vec![1], named(import), vec![INSTANCE, 0]].concat();
        let exports = [vec![1], named("tidegate:element/operate@1.0.0"), vec![INSTANCE, 0, 0]].concat();
        [
            COMPONENT.to_vec(),
            section(7, &EMPTY_INSTANCE_TYPE),
            section(10, &imports),
            section(11, &exports),
        ]
        .concat()
    }

    fn refusal(bytes: &[u8]) -> String {
        format!("{:#}", check(bytes).expect_err("should be refused"))
    }

    #[test]
    fn accepts_a_component_that_imports_our_own_interfaces() {
        check(&component("tidegate:element/log@1.0.0")).expect("only our own interface is imported");
    }

    #[test]
    fn names_a_foreign_import() {
        assert!(refusal(&component("wasi:clocks/wall-clock@0.2.0")).contains("imports wasi:clocks/wall-clock@0.2.0,"));
    }

    #[test]
    fn refuses_a_core_module() {
        assert!(refusal(&MODULE).contains("core module"));
    }

    #[test]
    fn refuses_a_component_without_exports() {
        assert!(refusal(&COMPONENT).contains("exports no interface"));
    }

    #[test]
    fn refuses_what_is_not_wasm() {
        assert!(refusal(b"#!/bin/sh").contains("reading the built component"));
    }

    #[test]
    fn refuses_a_file_cut_short() {
        let whole = component("tidegate:element/log@1.0.0");
        assert!(refusal(&whole[..whole.len() - 3]).contains("reading the built component"));
    }
}
