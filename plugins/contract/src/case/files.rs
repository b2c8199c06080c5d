//! Cases in a directory: one JSON file each. The only part of this crate that touches files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::Case;

/// The largest file of a case, in bytes: a few pages of a vendor, as the gateway takes them.
pub const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A case and where it lies.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseFile {
    pub path: PathBuf,
    pub case: Case,
}

impl CaseFile {
    /// # Errors
    /// Names the file, the field, what was found and what was expected.
    pub fn load(path: &Path) -> Result<Self, String> {
        let in_file = |error: String| format!("{}: {error}", path.display());
        let length = fs::metadata(path).map_err(|error| in_file(error.to_string()))?.len();
        if length > BYTES_MAX {
            return Err(in_file(format!("found {length} bytes; expected at most {BYTES_MAX}")));
        }
        let bytes = fs::read(path).map_err(|error| in_file(error.to_string()))?;
        let case = Case::parse(&bytes).map_err(in_file)?;
        Ok(Self {
            path: path.to_owned(),
            case,
        })
    }

    /// All of a directory's `*.json`, in the order of their names.
    ///
    /// # Errors
    /// For the first file that holds no case, for two cases of one name, and where the directory cannot be read.
    pub fn load_dir(directory: &Path) -> Result<Vec<Self>, String> {
        let files = json_files(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        let files: Vec<Self> = files.iter().map(|path| Self::load(path)).collect::<Result<_, _>>()?;
        let mut names = BTreeMap::new();
        for file in &files {
            if let Some(other) = names.insert(&file.case.name, &file.path) {
                return Err(format!(
                    "{}: name: found `{}`, which {} has too; expected names that differ",
                    file.path.display(),
                    file.case.name,
                    other.display()
                ));
            }
        }
        Ok(files)
    }

    /// Writes the file, so that nobody ever reads half of it.
    ///
    /// # Errors
    /// Names the file.
    pub fn save(&self) -> Result<(), String> {
        let in_file = |error: std::io::Error| format!("{}: {error}", self.path.display());
        let beside = self.path.with_extension("json.new");
        fs::write(&beside, self.case.to_text()).map_err(in_file)?;
        fs::rename(&beside, &self.path).map_err(in_file)
    }
}

fn json_files(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
