//! The files of a crate, and the rules about files: a header, a parent, a name.
//! Must not look at what a file imports; that is `rules`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::outline::{Child, Outline};

/// Files of projects that authors get: not modules of ours.
const TEMPLATES: &str = "src/kit/templates";

/// The files of one crate's `src`, read once.
#[derive(Default)]
pub(crate) struct Sources {
    /// The crate's directory, for messages: empty, or ending in a slash.
    pub(crate) prefix: String,
    /// Text by path from the crate's directory, with slashes.
    pub(crate) files: BTreeMap<String, String>,
}

impl Sources {
    pub(crate) fn read(repository: &Path, name: &str) -> Self {
        let prefix = if name.is_empty() {
            String::new()
        } else {
            format!("{name}/")
        };
        let mut sources = Self {
            prefix,
            ..Self::default()
        };
        sources.add(&repository.join(name).join("src"), "src");
        sources
    }

    /// Every module that a `mod name;` declares, whether its file exists or not: the compiler looks after those that do not.
    pub(crate) fn children(&self) -> Vec<Child> {
        let outlines = self.files.iter().map(|(file, text)| {
            let module = match file.as_str() {
                program if program.starts_with("src/bin/") => vec!["bin".to_owned()],
                root if is_crate_root(root) => vec![],
                _ => module_path(file),
            };
            Outline::read(text, &module)
        });
        // What cannot be read declares nothing, and the compiler says more about it than we can.
        outlines
            .filter_map(Result::ok)
            .flat_map(|outline| outline.children)
            .collect()
    }

    fn add(&mut self, directory: &Path, name: &str) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{name}/{}", path.file_name().unwrap().to_str().unwrap());
            if path.is_dir() && name == TEMPLATES {
                continue;
            }
            if path.is_dir() {
                self.add(&path, &name);
            } else if name.ends_with(".rs") {
                self.files.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
}

pub(crate) fn violations(sources: &Sources) -> Vec<String> {
    let (mut declared, mut for_tests) = (BTreeSet::new(), BTreeSet::new());
    for child in sources.children() {
        let files = ["", "/mod"].map(|end| format!("src/{}{end}.rs", child.path.join("/")));
        if child.is_for_tests {
            for_tests.extend(files.clone());
        }
        declared.extend(files);
    }
    let mut violations = Vec::new();
    for (file, text) in &sources.files {
        let mut violate = |rule: &str| violations.push(format!("{}{file}:1: {rule}", sources.prefix));
        if !text.starts_with("//!") && !for_tests.contains(file) {
            violate("starts without a `//!` header: one line what the file is, one line what it must not do");
        }
        if file.ends_with("/mod.rs") {
            violate("is named mod.rs: use `foo.rs` beside the directory `foo`");
        }
        if !is_crate_root(file) && !declared.contains(file) {
            violate("no module declares this file: declare it with `mod`, or delete it");
        }
    }
    violations
}

/// `src/store/sled.rs` is `store`, `sled`; a crate's root is named after its file. Never empty.
pub(crate) fn module_path(file: &str) -> Vec<String> {
    let path = file.trim_start_matches("src/").trim_end_matches(".rs");
    path.trim_end_matches("/mod").split('/').map(str::to_owned).collect()
}

fn is_crate_root(file: &str) -> bool {
    let program = file.strip_prefix("src/bin/");
    ["src/lib.rs", "src/main.rs"].contains(&file) || program.is_some_and(|name| !name.contains('/'))
}
