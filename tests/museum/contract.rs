//! Two texts of the contract compared: what a change of it means for elements that are compiled already.
//! Must not know the text of wit/element.wit: it compares any two.

use wit_component::{
    ComponentEncoder, StringEncoding, WitPrinter, dummy_module, embed_component_metadata, semver_check,
};
use wit_parser::{ManglingAndAbi, PackageId, Resolve, WorldId};

/// The world that every element is compiled for.
pub(crate) const WORLD: &str = "element";

/// What a change asks of the package's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Change {
    /// Nothing but comments.
    None,
    /// What is compiled for the old text runs with the new one.
    Minor,
    Major,
}

impl Change {
    /// As the document says it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minor => "minor",
            Self::Major => "major",
        }
    }
}

/// Two texts, and which elements run with which gateway.
pub(crate) struct Comparison {
    pub(crate) change: Change,
    /// An element compiled for the old text, in a gateway with the new one; the error says why not.
    pub(crate) old_element: Result<(), String>,
    /// An element compiled for the new text that uses all of it, in a gateway with the old one.
    pub(crate) new_element: Result<(), String>,
}

pub(crate) fn compare(old: &str, new: &str) -> Comparison {
    let old_element = fits(old, new);
    let change = if old_element.is_err() {
        Change::Major
    } else if types(old) == types(new) {
        Change::None
    } else {
        Change::Minor
    };
    Comparison {
        change,
        old_element,
        new_element: fits(new, old),
    }
}

/// `1.0.0` in `package tidegate:element@1.0.0;`
pub(crate) fn version(text: &str) -> [u64; 3] {
    let (resolve, package) = parse(text);
    let version = resolve.packages[package].name.version.as_ref();
    let version = version.expect("the package has a version");
    [version.major, version.minor, version.patch]
}

/// The released text and the one to be released: an error in words where the version does not say what changed.
pub(crate) fn judge(released: &str, now: &str) -> Result<(), String> {
    let comparison = compare(released, now);
    let ([old_major, old_minor, _], [major, minor, _]) = (version(released), version(now));
    let shown = |version: [u64; 3]| version.map(|number| number.to_string()).join(".");
    let (old, new) = (shown(version(released)), shown(version(now)));
    if version(now) < version(released) {
        return Err(format!("the version went back from {old} to {new}"));
    }
    let raised = match comparison.change {
        Change::None => true,
        Change::Minor => (major, minor) > (old_major, old_minor),
        Change::Major => major > old_major,
    };
    if raised {
        return Ok(());
    }
    Err(match comparison.old_element {
        Err(why) => format!(
            "an element compiled for {old} does not run with this text, which calls itself {new}: {why}. Undo the change, or \
             say it in the manifest, in an `other` case or in an interface of another world; else it is version {}.0.0",
            old_major + 1
        ),
        Ok(()) => format!(
            "the types differ from those of {old}, and the version is {new}; expected {old_major}.{}.0 \
             (docs/compatibility.md)",
            old_minor + 1
        ),
    })
}

/// A component that is compiled for a world of this text, uses all of it, and traps at every call.
pub(crate) fn component(text: &str, world: &str) -> Vec<u8> {
    let (resolve, package) = parse(text);
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).unwrap();
    ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

/// Does an element compiled for `element` run in a gateway with `gateway`?
fn fits(element: &str, gateway: &str) -> Result<(), String> {
    let mut resolve = Resolve::default();
    // Versions are not compared, but two packages of one version would be taken for one.
    let element = resolve.push_source("element", &versioned(element, "0.1.0")).unwrap();
    let gateway = resolve.push_source("gateway", &versioned(gateway, "0.2.0")).unwrap();
    let (element, gateway) = (world(&resolve, element), world(&resolve, gateway));
    semver_check(resolve, element, gateway).map_err(|error| error.root_cause().to_string().replace('\n', ", "))
}

/// The same text as this version of the package.
pub(crate) fn versioned(text: &str, version: &str) -> String {
    let (before, rest) = text.split_once("\npackage ").expect("the text has a package");
    let (name, rest) = rest.split_once('@').expect("the package has a version");
    let (_, after) = rest.split_once(';').expect("the package's line ends");
    format!("{before}\npackage {name}@{version};{after}")
}

/// All but comments and the version.
fn types(text: &str) -> String {
    let (resolve, package) = parse(&versioned(text, "0.1.0"));
    let mut printer = WitPrinter::default();
    printer.emit_docs(false).print(&resolve, package, &[]).unwrap();
    printer.output.to_string()
}

fn parse(text: &str) -> (Resolve, PackageId) {
    let mut resolve = Resolve::default();
    let package = resolve.push_source("element.wit", text);
    let package = package.unwrap_or_else(|error| panic!("{error:#}\n{text}"));
    (resolve, package)
}

fn world(resolve: &Resolve, package: PackageId) -> WorldId {
    resolve.select_world(&[package], Some(WORLD)).unwrap()
}
