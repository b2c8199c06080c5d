//! The rules about imports, applied to what each file names.
//! Must not hold the architecture: the tables in tests/layers.rs do.

use std::collections::BTreeSet;

use crate::files::{Sources, module_path};
use crate::outline::{Outline, Target};
use crate::{BANS, Ban, EVERYTHING, LAYERS, Modules, OWNERS, has_word};

/// One line for each broken rule, with file and line. Tests may use what they like.
pub(crate) fn violations(sources: &Sources) -> Vec<String> {
    let tests: Vec<_> = sources
        .children()
        .into_iter()
        .filter(|child| child.is_for_tests)
        .collect();
    let mut violations = Vec::new();
    for (file, text) in &sources.files {
        let module = module_path(file);
        if tests.iter().any(|test| module.starts_with(&test.path)) {
            continue;
        }
        let found: BTreeSet<(usize, String)> = file_violations(&module, text).into_iter().collect();
        let lines = found.into_iter();
        violations.extend(lines.map(|(line, rule)| format!("{}{file}:{line}: {rule}", sources.prefix)));
    }
    violations
}

fn file_violations(module: &[String], text: &str) -> Vec<(usize, String)> {
    let top = module[0].as_str();
    let Some(uses) = uses_of(top) else {
        let rule = format!("`{top}` is in no layer: give it a place in the table of tests/layers.rs");
        return vec![(1, rule)];
    };
    let outline = match Outline::read(text, module) {
        Ok(outline) => outline,
        Err(problem) => return vec![(1, problem)],
    };
    let mut violations = Vec::new();
    for reference in &outline.references {
        let rules = match outline.target(reference) {
            Target::Own(path) => [arrow_rule(top, uses, &path), None],
            Target::Foreign(path) => [owner_rule(module, &path), ban_rule(top, &path)],
            Target::Local => [None, None],
        };
        violations.extend(rules.into_iter().flatten().map(|rule| (reference.line, rule)));
    }
    violations
}

/// What the modules of this layer may use; `None` if the module is in no layer.
fn uses_of(top: &str) -> Option<&'static str> {
    let layer = LAYERS.iter().find(|(modules, _)| has_word(modules, top));
    layer.map(|(_, uses)| *uses)
}

/// Why `top` may not use the module of our own crate at `path`; `None` if it may.
fn arrow_rule(top: &str, uses: &str, path: &[String]) -> Option<String> {
    let used = path.first()?;
    if uses == EVERYTHING || used == top || has_word(uses, used) {
        return None;
    }
    if used == "*" {
        return Some("names everything in the crate: name the module that is meant".to_owned());
    }
    let shown = format!("crate::{}", path.join("::"));
    if uses_of(used).is_none() {
        return Some(format!(
            "`{shown}` is not in a module of the table: name the module that has it"
        ));
    }
    let may = match uses {
        "" => "no other module".to_owned(),
        uses => format!("only {}", uses.replace(' ', ", ")),
    };
    Some(format!("`{top}` may use {may}, not `{used}` (`{shown}`)"))
}

fn owner_rule(module: &[String], path: &[String]) -> Option<String> {
    let (krate, owner) = OWNERS.iter().find(|(krate, _)| path[0] == *krate)?;
    let module = module.join("::");
    let is_owner = module == *owner || module.starts_with(&format!("{owner}::"));
    (!is_owner).then(|| format!("only `{owner}` may use the crate `{krate}` (`{}`)", path.join("::")))
}

fn ban_rule(top: &str, path: &[String]) -> Option<String> {
    let ban = BANS.iter().find(|ban| ban.concerns(top) && ban.names(path))?;
    Some(format!("`{top}` may not use `{}`: {}", path.join("::"), ban.why))
}

impl Ban {
    fn concerns(&self, top: &str) -> bool {
        match self.modules {
            Modules::Only(modules) => has_word(modules, top),
            Modules::AllBut(modules) => !has_word(modules, top),
        }
    }

    fn names(&self, path: &[String]) -> bool {
        self.paths.split(' ').any(|banned| {
            let banned: Vec<&str> = banned.split("::").collect();
            path.windows(banned.len()).any(|part| part == banned)
        })
    }
}
