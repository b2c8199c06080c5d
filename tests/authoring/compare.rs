//! What a page shows beside what came.
//! Must not know where either is from.

use std::fmt::Write as _;

use crate::page::Output;

/// Stands for whatever is there: in a line, or alone for any number of lines.
const LEFT_OUT: &str = "…";
/// Words that belong to a number.
const UNITS: [&str; 8] = ["ns", "µs", "ms", "s", "B", "kB", "MB", "KiB"];
/// A shorter hexadecimal word may be an ordinary one.
const DIGEST_DIGITS_MIN: usize = 12;

/// All of what came must be what is expected.
pub(crate) fn all(expected: Output<'_>, found: &str) -> Result<(), String> {
    let (pattern, lines) = (lines(expected.text, expected.roughly), lines(found, expected.roughly));
    if fits(&pattern, &lines) {
        return Ok(());
    }
    Err(in_words(expected.text, found))
}

/// What is expected must be somewhere in what came, line after line.
pub(crate) fn part(expected: Output<'_>, found: &str) -> Result<(), String> {
    let any = [LEFT_OUT.to_owned()];
    let pattern = [&any[..], &lines(expected.text, expected.roughly), &any].concat();
    if fits(&pattern, &lines(found, expected.roughly)) {
        return Ok(());
    }
    Err(in_words(expected.text, found))
}

fn in_words(expected: &str, found: &str) -> String {
    let mut words = String::from("what came is not what the page shows\n--- the page shows\n");
    let _ = write!(words, "{expected}--- what came\n{found}---");
    words
}

fn lines(text: &str, roughly: bool) -> Vec<String> {
    let text = text.trim_end();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    text.lines()
        .map(|line| if roughly { masked(words(line)) } else { words(line) })
        .map(|words| words.join(" "))
        .collect()
}

/// Numbers become `#`, and their units go.
fn masked(words: Vec<String>) -> Vec<String> {
    let mut masked: Vec<String> = Vec::new();
    for word in words {
        let core = word.trim_end_matches([',', ';', ')', '.']);
        if UNITS.contains(&core) && masked.last().is_some_and(|last| last.ends_with('#')) {
            let tail = &word[core.len()..];
            if let Some(last) = masked.last_mut() {
                last.push_str(tail);
            }
            continue;
        }
        masked.push(if is_digest(&word) {
            "#".into()
        } else {
            without_digits(&word)
        });
    }
    masked
}

fn is_digest(word: &str) -> bool {
    word.len() >= DIGEST_DIGITS_MIN && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn without_digits(word: &str) -> String {
    let mut masked = String::new();
    let mut rest = word.chars().peekable();
    while let Some(c) = rest.next() {
        if !c.is_ascii_digit() {
            masked.push(c);
            continue;
        }
        masked.push('#');
        while rest.next_if(|c| c.is_ascii_digit() || *c == '.').is_some() {}
    }
    masked
}

fn fits(pattern: &[String], lines: &[String]) -> bool {
    match pattern.split_first() {
        None => lines.is_empty(),
        Some((first, rest)) if first == LEFT_OUT => (0..=lines.len()).any(|skipped| fits(rest, &lines[skipped..])),
        Some((first, rest)) => lines
            .split_first()
            .is_some_and(|(line, lines)| line_fits(first, line) && fits(rest, lines)),
    }
}

fn line_fits(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split(LEFT_OUT).map(str::trim);
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(expected: &str, roughly: bool, found: &str) -> bool {
        let text = expected;
        all(Output { text, roughly }, found).is_ok()
    }

    #[test]
    fn what_is_left_out_may_be_anything_and_the_rest_may_not() {
        for (expected, found) in [
            ("a b\n", "a   b"),
            ("a … c", "a b c"),
            ("a …", "a"),
            ("a\n…\nd", "a\nb\nc\nd"),
            ("a\n…\nb", "a\nb"),
            ("…\"v\":1,…\"w\":2…", "{\"u\":0,\"v\":1,\"x\":[],\"w\":2}"),
        ] {
            assert!(holds(expected, false, found), "{expected:?} {found:?}");
        }
        for (expected, found) in [
            ("a", "a b"),
            ("a\nb", "a"),
            ("a\n…\nc", "a\nb"),
            ("a … c", "a b"),
            ("…1…", "2"),
            ("a 1 ms", "a 2 ms"),
        ] {
            assert!(!holds(expected, false, found), "{expected:?} {found:?}");
        }
    }

    #[test]
    fn roughly_means_that_figures_are_not_compared() {
        for (expected, found) in [
            ("built in 8.59 s", "built in 912 ms"),
            ("sha256 c99833921cdd", "sha256 0123456789ab"),
            ("computed 1 ms, waited 2 ms", "computed 300 µs, waited 0 ns"),
            ("size 354 kB with 9 cases", "size 1.2 MB with 9 cases"),
        ] {
            assert!(holds(expected, true, found), "{expected:?} {found:?}");
        }
        assert!(!holds("9 cases: 9 passed", true, "9 cases: all passed"));
        assert!(!holds("1 s", true, "1 step"));
    }

    #[test]
    fn a_part_may_stand_anywhere() {
        let expected = Output {
            text: "b\nc\n",
            roughly: false,
        };
        assert!(part(expected, "a\nb\nc\nd\n").is_ok());
        assert!(part(expected, "a\nb\nd\n").is_err());
    }
}
