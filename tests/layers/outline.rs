//! Reads what a Rust file names: paths, and the modules it declares.
//! Must not judge. It reads words, not meaning: so what stands inside a macro's arguments counts too, and what stands in
//! comments and strings does not.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::CRATE_NAME;

pub(crate) struct Outline {
    pub(crate) references: Vec<Reference>,
    /// Modules declared with `mod name;`.
    pub(crate) children: Vec<Child>,
}

pub(crate) struct Child {
    pub(crate) path: Vec<String>,
    /// Declared under `#[cfg(test)]`.
    pub(crate) is_for_tests: bool,
}

pub(crate) struct Reference {
    segments: Vec<String>,
    pub(crate) line: usize,
    /// The module that the path is written in, inline modules included.
    module: Vec<String>,
    /// Written with a leading `::`, so that the first segment is surely a crate.
    absolute: bool,
}

pub(crate) enum Target {
    /// In our own crate, from its root.
    Own(Vec<String>),
    /// In another crate, or relative to something that was imported (which is seen where it is imported).
    Foreign(Vec<String>),
    /// A child of the module that names it.
    Local,
}

/// Names that count although no path follows them.
const LONE_WORDS: [&str; 2] = ["async", "await"];

/// Words that a path may follow but never begins with.
const NOT_IN_PATHS: [&str; 8] = ["as", "dyn", "else", "for", "impl", "in", "return", "use"];

impl Outline {
    /// The error is one line: where the text stops being Rust.
    pub(crate) fn read(text: &str, module: &[String]) -> Result<Self, String> {
        let tokens: TokenStream = match text.parse() {
            Ok(tokens) => tokens,
            Err(problem) => return Err(format!("cannot be read as Rust: {problem}")),
        };
        let mut outline = Self {
            references: Vec::new(),
            children: Vec::new(),
        };
        outline.walk(tokens, module);
        Ok(outline)
    }

    pub(crate) fn target(&self, reference: &Reference) -> Target {
        let Reference { segments, module, .. } = reference;
        match segments[0].as_str() {
            _ if reference.absolute => Target::Foreign(segments.clone()),
            "crate" | CRATE_NAME => Target::Own(segments[1..].to_vec()),
            "self" => Target::Own([module, &segments[1..]].concat()),
            "super" => {
                let supers = segments.iter().take_while(|segment| *segment == "super").count();
                let ancestor = &module[..module.len().saturating_sub(supers)];
                Target::Own([ancestor, &segments[supers..]].concat())
            }
            // A module named like a crate, as `sled` in `store`.
            first if self.children.iter().any(|child| child.is(module, first)) => Target::Local,
            _ => Target::Foreign(segments.clone()),
        }
    }

    fn walk(&mut self, tokens: TokenStream, module: &[String]) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            at = match (&tokens[at], ident(&tokens, at + 1)) {
                (TokenTree::Group(group), _) => {
                    self.walk(group.stream(), module);
                    at + 1
                }
                (TokenTree::Ident(word), Some(name)) if word == "mod" => {
                    let path = [module, &[name]].concat();
                    let is_for_tests = is_for_tests(&tokens[..at]);
                    at + self.module(tokens.get(at + 2), Child { path, is_for_tests })
                }
                (TokenTree::Ident(word), _) if NOT_IN_PATHS.iter().any(|other| word == other) => at + 1,
                (TokenTree::Ident(_), _) => self.path(&tokens, at, &Start::of(module, imports(&tokens, at))),
                _ if separator(&tokens, at) => self.after_separator(&tokens, at, module),
                _ => at + 1,
            };
        }
    }

    /// A module, declared or written out. Gives how many words it took.
    fn module(&mut self, body: Option<&TokenTree>, child: Child) -> usize {
        match body {
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                // What tests use is theirs to choose.
                let before = self.references.len();
                self.walk(group.stream(), &child.path);
                if child.is_for_tests {
                    self.references.truncate(before);
                }
                3
            }
            _ => {
                self.children.push(child);
                2
            }
        }
    }

    /// A `::` that no name precedes: a path from the root of all crates, or the rest of a type's path as in
    /// `Vec::<u8>::new`.
    fn after_separator(&mut self, tokens: &[TokenTree], at: usize, module: &[String]) -> usize {
        let follows_type = at > 0 && matches!(&tokens[at - 1], TokenTree::Punct(mark) if mark.as_char() == '>');
        if follows_type || ident(tokens, at + 2).is_none() {
            return at + 2 + usize::from(follows_type);
        }
        let start = Start {
            absolute: true,
            ..Start::of(module, true)
        };
        self.path(tokens, at + 2, &start)
    }

    /// The path whose first name is at `at`, with all that its braces hold. Gives where the path ends.
    fn path(&mut self, tokens: &[TokenTree], mut at: usize, start: &Start<'_>) -> usize {
        let line = tokens[at].span().start().line;
        let mut segments = start.prefix.to_vec();
        segments.extend(ident(tokens, at));
        at += 1;
        while separator(tokens, at) {
            match tokens.get(at + 2) {
                Some(TokenTree::Ident(_)) => segments.extend(ident(tokens, at + 2)),
                Some(TokenTree::Punct(mark)) if mark.as_char() == '*' => segments.push("*".to_owned()),
                Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                    self.branches(
                        group.stream(),
                        &Start {
                            prefix: &segments,
                            ..*start
                        },
                    );
                    return at + 3;
                }
                _ => break,
            }
            at += 3;
        }
        // `use a::{self}` names `a`.
        if segments.len() > 1 && segments.last().is_some_and(|last| last == "self") {
            segments.pop();
        }
        if segments.len() > 1 || start.imported || LONE_WORDS.contains(&segments[0].as_str()) {
            self.references.push(start.reference(segments, line));
        }
        at
    }

    /// The branches of a `use` tree: `a::{b, c::d as e, *}`.
    fn branches(&mut self, tokens: TokenStream, start: &Start<'_>) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            at = match &tokens[at] {
                TokenTree::Ident(word) if word == "as" => at + 2,
                TokenTree::Ident(_) => self.path(&tokens, at, start),
                TokenTree::Punct(mark) if mark.as_char() == '*' => {
                    let segments = [start.prefix, &["*".to_owned()]].concat();
                    self.references
                        .push(start.reference(segments, mark.span().start().line));
                    at + 1
                }
                _ => at + 1,
            };
        }
    }
}

impl Child {
    fn is(&self, parent: &[String], name: &str) -> bool {
        let own = self.path.split_last();
        own.is_some_and(|(own_name, own_parent)| own_name == name && own_parent == parent)
    }
}

/// What is known of a path before its first name is read.
struct Start<'a> {
    prefix: &'a [String],
    module: &'a [String],
    absolute: bool,
    /// In a `use`: then a single name is a path too.
    imported: bool,
}

impl<'a> Start<'a> {
    fn of(module: &'a [String], imported: bool) -> Self {
        Self {
            prefix: &[],
            module,
            absolute: false,
            imported,
        }
    }

    fn reference(&self, segments: Vec<String>, line: usize) -> Reference {
        Reference {
            segments,
            line,
            module: self.module.to_vec(),
            absolute: self.absolute,
        }
    }
}

/// Whether `#[cfg(test)]` is among the attributes at the end of `before`, where a module's visibility may follow.
fn is_for_tests(mut before: &[TokenTree]) -> bool {
    while let Some((last, rest)) = before.split_last() {
        match last {
            TokenTree::Ident(word) if word == "pub" => {}
            TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis => {}
            TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => {
                if group.stream().to_string().replace(' ', "") == "cfg(test)" {
                    return true;
                }
            }
            TokenTree::Punct(mark) if mark.as_char() == '#' => {}
            _ => return false,
        }
        before = rest;
    }
    false
}

/// Whether the name at `at` follows `use` or `extern crate`.
fn imports(tokens: &[TokenTree], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).and_then(|at| ident(tokens, at));
    match before(1).as_deref() {
        Some("use") => true,
        Some("crate") => before(2).as_deref() == Some("extern"),
        _ => false,
    }
}

fn ident(tokens: &[TokenTree], at: usize) -> Option<String> {
    match tokens.get(at) {
        Some(TokenTree::Ident(word)) => Some(word.to_string().trim_start_matches("r#").to_owned()),
        _ => None,
    }
}

fn separator(tokens: &[TokenTree], at: usize) -> bool {
    let is_colon = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(mark)) if mark.as_char() == ':');
    is_colon(at) && is_colon(at + 1)
}
