//! The fenced blocks of a page, and what their words say.
//! Must not run anything, and must not pass over a block or a word that it does not know.

use crate::language::Language;

#[derive(Debug)]
pub(crate) struct Block {
    /// Where it begins, counted from 1.
    pub(crate) line: usize,
    pub(crate) kind: Kind,
    pub(crate) text: String,
    /// Of readers that it is for; empty: of all.
    languages: Vec<Language>,
    roughly: bool,
    /// What follows a command, for one language or for all.
    outputs: Vec<Block>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Run,
    Fail,
    Until,
    Beforehand,
    Terminal(String),
    /// What a terminal shows. Without a name it belongs to the command before it.
    Shown(String),
    Change,
    Excerpt(String),
}

/// What is expected.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output<'b> {
    pub(crate) text: &'b str,
    pub(crate) roughly: bool,
}

impl Block {
    pub(crate) fn is_for(&self, language: Language) -> bool {
        self.languages.is_empty() || self.languages.contains(&language)
    }

    /// What must come of the command.
    pub(crate) fn expected(&self, language: Language) -> Option<Output<'_>> {
        let output = self.outputs.iter().find(|output| output.is_for(language))?;
        Some(output.output())
    }

    /// Its own text as what is expected.
    pub(crate) fn output(&self) -> Output<'_> {
        Output {
            text: &self.text,
            roughly: self.roughly,
        }
    }

    fn new(line: usize, words: &str) -> Self {
        let mut block = Self {
            line,
            kind: Kind::Run,
            text: String::new(),
            languages: Vec::new(),
            roughly: false,
            outputs: Vec::new(),
        };
        let mut words = words.split(' ');
        let colour = words.next().unwrap_or_default();
        let mut kind = match colour {
            "sh" => Some(Kind::Run),
            "text" => Some(Kind::Shown(String::new())),
            "diff" => Some(Kind::Change),
            _ => None,
        };
        for word in words {
            match word {
                "rust" => block.languages.push(Language::Rust),
                "js" => block.languages.push(Language::JavaScript),
                "python" => block.languages.push(Language::Python),
                "roughly" => block.roughly = true,
                "fails" => kind = Some(Kind::Fail),
                "until" => kind = Some(Kind::Until),
                "beforehand" => kind = Some(Kind::Beforehand),
                _ => match (colour, word.split_once('=')) {
                    ("sh", Some(("terminal", name))) => kind = Some(Kind::Terminal(name.into())),
                    ("text", Some(("terminal", name))) => kind = Some(Kind::Shown(name.into())),
                    (_, Some(("excerpt", file))) => kind = Some(Kind::Excerpt(file.into())),
                    _ => panic!("docs/authoring.md:{line}: the test does not know the word {word:?}"),
                },
            }
        }
        block.kind = kind.unwrap_or_else(|| panic!("docs/authoring.md:{line}: no test does anything with `{colour}`"));
        block
    }
}

/// All blocks in their order; what is expected of a command is inside of its block.
pub(crate) fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in page.lines().enumerate() {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (None, None) => {}
            (None, Some(words)) => open = Some(Block::new(index + 1, words)),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
        }
    }
    assert!(open.is_none(), "the last block has no end");
    nested(blocks)
}

fn nested(blocks: Vec<Block>) -> Vec<Block> {
    let mut nested: Vec<Block> = Vec::new();
    for block in blocks {
        let is_output = block.kind == Kind::Shown(String::new());
        match nested.last_mut() {
            Some(command) if is_output => command.outputs.push(block),
            _ if is_output => panic!("docs/authoring.md:{}: what writes this?", block.line),
            _ => nested.push(block),
        }
    }
    nested
}

#[test]
fn a_page_is_its_blocks_with_what_is_expected_of_them() {
    let page = "\
Text.
```sh
one
```
```text rust roughly
1
```
```text
2
```
```sh js terminal=other
two
```
```js excerpt=a/b.js
three
```
";
    let [one, two, three] = &blocks(page)[..] else {
        panic!("three blocks")
    };
    assert_eq!((one.line, one.text.as_str(), &one.kind), (2, "one\n", &Kind::Run));
    let expected = |language| one.expected(language).map(|output| (output.text, output.roughly));
    assert_eq!(expected(Language::Rust), Some(("1\n", true)));
    assert_eq!(expected(Language::Python), Some(("2\n", false)));
    assert_eq!(two.kind, Kind::Terminal("other".into()));
    assert!(two.is_for(Language::JavaScript) && !two.is_for(Language::Rust));
    assert_eq!(three.kind, Kind::Excerpt("a/b.js".into()));
}

#[test]
#[should_panic(expected = "docs/authoring.md:1: no test does anything with `json`")]
fn a_block_that_nothing_is_done_with_is_an_error() {
    blocks("```json\n{}\n```\n");
}
