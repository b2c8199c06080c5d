//! `tidegate element new`: a project out of a template, complete without this repository.
//! Must not build it, and must not write over anything.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};

use super::args::{Lang, New};
use super::sources::{TEMPLATES, VENDORED};
use super::{Kit, Verdict};

/// What stands in the templates for the element's key, for the same as an identifier, and for its name.
const KEY: &str = "my-element";
const IDENTIFIER: &str = "my_element";
const NAME: &str = "My element";

/// Longest key of a new element: it names files, crates and routes.
const KEY_CHARS_MAX: usize = 64;

/// Where a Rust project finds the SDK.
const VENDOR: &str = "vendor/tidegate";

/// Crates of [`VENDOR`], with the rest of the repository's workspace left out.
const VENDORED_MEMBERS: &str = r#"members = ["plugins/contract", "plugins/sdk"]"#;

impl Kit {
    pub(super) fn new_project(&mut self, arguments: &New) -> anyhow::Result<Verdict> {
        let directory = &arguments.name;
        let key = key_of(directory)?;
        let taken = fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some()) || directory.is_file();
        ensure!(
            !taken,
            "{} is there already and not empty: choose another name, or remove it first",
            directory.display()
        );
        for (path, content) in files(&key, arguments.lang)? {
            let path = directory.join(path);
            let parent = path.parent().context("a file's path has a parent")?;
            fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
            fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
        }
        let shown = directory.display();
        writeln!(
            self.out,
            "{shown} is an element of a made-up vendor that works: change it into yours.\n\n  \
             tidegate element build {shown}     makes {shown}/build/{key}.wasm\n  \
             tidegate element check {shown}     does it keep the contract?\n  \
             tidegate element test {shown}      do its recorded cases come out as they did?\n\n\
             {shown}/README.md says what lies where and what to change first."
        )?;
        Ok(Verdict::Good)
    }
}

/// The last part of the path, if it can be a key, a crate and a file.
fn key_of(directory: &Path) -> anyhow::Result<String> {
    let name = directory.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let rest = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let good =
        name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(rest) && name.len() <= KEY_CHARS_MAX;
    if !good {
        bail!(
            "{:?} can't be an element's key: expected a small letter, then small letters, digits, `-` or `_`, at most \
             {KEY_CHARS_MAX} of them, such as my-crm",
            directory.display().to_string()
        );
    }
    Ok(name.to_owned())
}

/// `my-crm` is called `My crm` until its author knows better.
fn name_of(key: &str) -> String {
    let spaced = key.replace(['-', '_'], " ");
    let (first, rest) = spaced.split_at(1);
    first.to_uppercase() + rest
}

/// Path and content of every file of the project.
fn files(key: &str, lang: Lang) -> anyhow::Result<Vec<(PathBuf, Vec<u8>)>> {
    let folder = match lang {
        Lang::Rust => "rust/",
        Lang::Js => "js/",
        Lang::Python => "python/",
    };
    let template = TEMPLATES
        .iter()
        .filter_map(|(path, content)| Some((path.strip_prefix(folder)?, *content)));
    // Theirs are copies.
    let template = template.filter(|(path, _)| !path.starts_with("wit/"));
    let mut files: Vec<(PathBuf, Vec<u8>)> = template
        .map(|(path, content)| (PathBuf::from(fill(path, key)), fill_bytes(content, key)))
        .collect();
    ensure!(
        !files.is_empty(),
        "this program was built without a template for {folder}"
    );
    match lang {
        Lang::Rust => files.extend(vendored()?),
        Lang::Js | Lang::Python => files.extend(
            VENDORED
                .iter()
                .filter(|(path, _)| path.starts_with("wit/"))
                .map(|(path, content)| (PathBuf::from(path), content.to_vec())),
        ),
    }
    Ok(files)
}

fn fill(text: &str, key: &str) -> String {
    text.replace(KEY, key)
        .replace(IDENTIFIER, &key.replace('-', "_"))
        .replace(NAME, &name_of(key))
}

fn fill_bytes(content: &[u8], key: &str) -> Vec<u8> {
    match std::str::from_utf8(content) {
        Ok(text) => fill(text, key).into_bytes(),
        Err(_) => content.to_vec(),
    }
}

/// The SDK with the versions of crates that it is tested with.
fn vendored() -> anyhow::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut files = Vec::new();
    for (path, content) in VENDORED {
        let (path, content) = match *path {
            // cargo drops what the project does not use.
            "Cargo.lock" => (PathBuf::from("Cargo.lock"), content.to_vec()),
            "Cargo.toml" => (Path::new(VENDOR).join(path), workspace(content)?.into_bytes()),
            path => (Path::new(VENDOR).join(path), content.to_vec()),
        };
        files.push((path, content));
    }
    Ok(files)
}

/// The repository's Cargo.toml down to where the gateway's own package begins.
fn workspace(manifest: &[u8]) -> anyhow::Result<String> {
    let manifest = std::str::from_utf8(manifest).context("Cargo.toml is text")?;
    let (tables, _) = manifest
        .split_once("\n[package]\n")
        .context("Cargo.toml has a package")?;
    let lines = tables.lines().map(|line| match line.starts_with("members = ") {
        true => VENDORED_MEMBERS,
        false => line,
    });
    Ok(lines.collect::<Vec<_>>().join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_what_a_crate_and_a_file_can_be_called() {
        for (path, key) in [("my-crm", "my-crm"), ("a/b/x_1", "x_1"), ("./z", "z"), ("a/", "a")] {
            assert_eq!(key_of(Path::new(path)).unwrap(), key);
        }
        let long = "a".repeat(KEY_CHARS_MAX + 1);
        for path in ["", ".", "..", "/", "My-crm", "1x", "-x", "my crm", "ü", &long] {
            let refusal = key_of(Path::new(path)).unwrap_err().to_string();
            assert!(refusal.contains("such as my-crm"), "{path}: {refusal}");
        }
    }

    #[test]
    fn every_template_is_complete_and_filled_in() {
        for lang in [Lang::Rust, Lang::Js, Lang::Python] {
            let files = files("my-crm", lang).unwrap();
            let has = |name: &str| files.iter().any(|(path, _)| path == Path::new(name));
            for name in ["README.md", "manifest.json", ".gitignore"] {
                assert!(has(name), "{lang:?} has {name}");
            }
            assert!(
                files.iter().any(|(path, _)| path.starts_with("cases")),
                "{lang:?} has cases"
            );
            let manifest = files
                .iter()
                .find(|(path, _)| path == Path::new("manifest.json"))
                .unwrap();
            let (manifest, _) = crate::domain::element::Manifest::parse(&manifest.1).unwrap();
            assert_eq!(manifest.key, "my-crm", "{lang:?}");
            for (path, content) in &files {
                let text = String::from_utf8_lossy(content);
                for placeholder in [KEY, IDENTIFIER, NAME] {
                    assert!(!text.contains(placeholder), "{} has {placeholder}", path.display());
                }
            }
        }
    }

    #[test]
    fn the_vendored_workspace_has_the_sdk_alone() {
        let files = vendored().unwrap();
        let (_, workspace) = files
            .iter()
            .find(|(path, _)| path == Path::new("vendor/tidegate/Cargo.toml"))
            .unwrap();
        let workspace: toml::Table = toml::from_str(std::str::from_utf8(workspace).unwrap()).unwrap();
        assert_eq!(
            workspace["workspace"]["members"].as_array().unwrap().len(),
            2,
            "{workspace:?}"
        );
        assert!(workspace.get("package").is_none() && workspace.get("dependencies").is_none());
    }
}
