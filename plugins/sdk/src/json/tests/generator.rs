//! Random documents, valid and damaged, from a seed.
//! It must not depend on the scanner: what it writes is judged by serde_json.

/// splitmix64: small, and the same documents on every machine.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) % bound as u64) as usize
    }

    pub(super) fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }
}

const PIECES: &[&str] = &[
    "a",
    "B",
    "7",
    " ",
    "é",
    "€",
    "😀",
    "/",
    "\u{7f}",
    "\\n",
    "\\\"",
    "\\\\",
    "\\/",
    "\\u0041",
    "\\u00e9",
    "\\u001f",
    "\\u001F",
    "\\ud83d\\ude00",
    "\\t",
    "\\b",
    "\\u000a",
    "sixteen bytes...",
    "a run of plain text that is longer than two blocks",
];

/// Serde_json reformats numbers with a fraction, so only such as it leaves alone.
const NUMBERS: &[&str] = &[
    "0",
    "-1",
    "12",
    "1.5",
    "-0.25",
    "1234567890123456789",
    "9007199254740993",
    "29682885",
    "100",
];

fn space(dice: &mut Dice, out: &mut String) {
    if dice.below(8) == 0 {
        out.push_str(dice.pick(&[" ", "\n", "\t", "\r\n", "    "]));
    }
}

fn string(dice: &mut Dice, out: &mut String) {
    out.push('"');
    for _ in 0..dice.below(7) {
        out.push_str(dice.pick(PIECES));
    }
    out.push('"');
}

fn name(dice: &mut Dice, out: &mut String) {
    if dice.below(4) == 0 {
        string(dice, out);
    } else {
        let known = [
            "id",
            "name",
            "value",
            "Id",
            "userDefinedFields",
            "a",
            "\\u0061",
            "aNameThatIsLongerThanThirtyTwoBytesInAll",
        ];
        out.extend(["\"", dice.pick(&known), "\""]);
    }
}

pub(super) fn value(dice: &mut Dice, levels: usize, out: &mut String) {
    match dice.below(if levels == 0 { 5 } else { 8 }) {
        0 => out.push_str(dice.pick(&["null", "true", "false"])),
        1 | 2 => out.push_str(dice.pick(NUMBERS)),
        3 | 4 => string(dice, out),
        5 => items(dice, '[', ']', out, |dice, out| value(dice, levels - 1, out)),
        _ => object(dice, levels, out),
    }
}

fn object(dice: &mut Dice, levels: usize, out: &mut String) {
    items(dice, '{', '}', out, |dice, out| {
        name(dice, out);
        space(dice, out);
        out.push(':');
        space(dice, out);
        value(dice, levels.saturating_sub(1), out);
    });
}

fn items(dice: &mut Dice, open: char, close: char, out: &mut String, mut item: impl FnMut(&mut Dice, &mut String)) {
    out.push(open);
    space(dice, out);
    for index in 0..dice.below(6) {
        if index > 0 {
            out.push(',');
            space(dice, out);
        }
        item(dice, out);
        space(dice, out);
    }
    out.push(close);
}

/// A page of records that mostly share a shape.
pub(super) fn page(dice: &mut Dice) -> String {
    let (colon, comma) = if dice.below(3) == 0 { (": ", ",\n") } else { (":", ",") };
    let mut out = String::from("{\"before\":1,\"items\":[");
    let names = [
        "id",
        "aNameThatIsLongerThanThirtyTwoBytesInAll",
        "sixteen bytes...",
        "",
        "b",
        "\\u0061",
        "a",
        "é",
    ];
    for record in 0..dice.below(7) {
        out.push_str(if record > 0 { comma } else { "" });
        if dice.below(6) == 0 {
            object(dice, 2, &mut out);
            continue;
        }
        out.push('{');
        let mut is_first = true;
        for name in names {
            if dice.below(7) == 0 {
                continue;
            }
            out.push_str(if is_first { "" } else { comma });
            out.extend(["\"", name, "\"", colon]);
            value(dice, 2, &mut out);
            is_first = false;
        }
        out.push('}');
    }
    out.push_str("],\"after\":");
    value(dice, 1, &mut out);
    out + "}"
}

/// The document with a few bytes flipped, replaced, doubled, removed, or cut off.
pub(super) fn damaged(dice: &mut Dice, document: &str) -> Vec<u8> {
    const TELLING: &[u8] = b"\"\\{}[],:0123456789.-+eEntfu \n\x00\x1f\x7f\x80\xc3\xed\xff";
    let mut bytes = document.as_bytes().to_vec();
    for _ in 0..=dice.below(3) {
        if bytes.is_empty() {
            break;
        }
        let at = dice.below(bytes.len());
        match dice.below(6) {
            0 => bytes[at] ^= 1 << dice.below(8),
            1 | 2 => bytes[at] = TELLING[dice.below(TELLING.len())],
            3 => bytes.insert(at, TELLING[dice.below(TELLING.len())]),
            4 => drop(bytes.remove(at)),
            _ => bytes.truncate(at),
        }
    }
    bytes
}
