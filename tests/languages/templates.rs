//! Projects as `tidegate element new` makes them.
//! Must not write what is the same already.

use std::path::{Path, PathBuf};

use crate::language::Language;
use crate::projects::{Project, root, work_dir};

/// Where the template lies; none for Rust, whose project the kit's own tests build.
pub(crate) fn template(language: Language) -> Option<PathBuf> {
    (language != Language::Rust).then(|| root().join("src/kit/templates").join(language.name()))
}

/// A copy of the template with a name of its own.
pub(crate) fn from_template(language: Language) -> Project {
    let key = format!("new-in-{}", language.name());
    let path = work_dir().join(&key);
    let project = Project { language, path, key };
    let _one_at_a_time = project.lock();
    copy(&template(language).unwrap(), &project.path, &project.key);
    project
}

/// Leaves what is the same alone, with its time: so nothing is built again.
fn copy(from: &Path, to: &Path, key: &str) {
    std::fs::create_dir_all(to).unwrap();
    for entry in from.read_dir().unwrap() {
        let source = entry.unwrap().path();
        let target = to.join(source.file_name().unwrap());
        // Made by whoever tried the template where it is.
        if ["node_modules", "build", ".venv", "__pycache__"]
            .iter()
            .any(|made| target.ends_with(made))
        {
            continue;
        }
        if source.is_dir() {
            copy(&source, &target, key);
            continue;
        }
        let text = crate::read(&source).replace("my-element", key);
        if std::fs::read_to_string(&target).ok().as_ref() != Some(&text) {
            std::fs::write(&target, text).unwrap();
        }
    }
}
