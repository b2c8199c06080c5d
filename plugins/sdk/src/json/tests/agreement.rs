//! Thousands of random documents: the scanner against serde_json, and a page's fast way against the plain one.
//! It must not be read for what JSON is: the tables next door say it.
use super::super::{Error, ObjectWriter, Value, scan_page, write_object};
use super::generator::{Dice, damaged, page, value};

const ROUNDS: u64 = 10_000;

/// Serde_json converts numbers and refuses those beyond an f64, which the scanner leaves as text.
fn is_only_too_big(error: &serde_json::Error) -> bool {
    error.to_string().starts_with("number out of range")
}

fn canonical(value: &Value<'_>) -> String {
    let mut out = Vec::new();
    value.write_canonical(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn valid_documents_mean_the_same_to_serde_json() {
    for seed in 0..ROUNDS {
        let mut document = String::new();
        value(&mut Dice(seed), 4, &mut document);
        let theirs = serde_json::from_str::<serde_json::Value>(&document)
            .unwrap()
            .to_string();
        let ours = canonical(&Value::parse(document.as_bytes()).unwrap_or_else(|error| panic!("{document}: {error}")));
        assert_eq!(ours, theirs, "seed {seed}: {document}");
        let again = Value::parse(ours.as_bytes()).unwrap();
        assert_eq!(canonical(&again), ours, "seed {seed}");
    }
}

#[test]
fn damaged_documents_are_accepted_just_where_serde_json_accepts_them() {
    let mut accepted = 0;
    for seed in 0..ROUNDS {
        let dice = &mut Dice(seed);
        let mut document = String::new();
        value(dice, 3, &mut document);
        let bytes = damaged(dice, &document);
        let shown = String::from_utf8_lossy(&bytes);
        match (
            Value::parse(&bytes),
            serde_json::from_slice::<serde_json::Value>(&bytes),
        ) {
            (Ok(ours), Ok(theirs)) => {
                accepted += 1;
                let again: serde_json::Value = serde_json::from_str(&canonical(&ours)).unwrap();
                assert_eq!(again, theirs, "seed {seed}: {shown}");
            }
            (Err(_), Err(_)) => {}
            (Ok(_), Err(error)) if is_only_too_big(&error) => {}
            (ours, theirs) => panic!("seed {seed}: {shown}: {ours:?} but {theirs:?}"),
        }
    }
    // Both outcomes must be common, or the test shows nothing.
    assert!((ROUNDS / 20..ROUNDS * 19 / 20).contains(&accepted), "{accepted}");
}

/// What `scan_page` must give, by way of `Value`: per record its canonical text, or None where the page must be refused.
fn plainly(document: &[u8]) -> Option<Vec<String>> {
    let page = Value::parse(document).ok()?;
    if page.raw().as_bytes().first() != Some(&b'{') {
        return None;
    }
    let lists: Vec<_> = page.members().filter(|member| member.name() == "items").collect();
    match lists.as_slice() {
        [] => Some(Vec::new()),
        [list] => list
            .value
            .elements()
            .map(|record| record.raw().starts_with('{').then(|| canonical(&record)))
            .collect(),
        _ => None,
    }
}

fn swiftly(document: &[u8]) -> Result<Vec<String>, Error> {
    let (mut planned, mut plain) = (Vec::new(), Vec::new());
    let mut writer = ObjectWriter::new();
    scan_page(document, "items", |members| {
        let (mut by_plan, mut one_by_one) = (Vec::new(), Vec::new());
        writer.write(members, &mut by_plan);
        write_object(&mut members.to_vec(), &mut one_by_one);
        planned.push(String::from_utf8(by_plan).unwrap());
        plain.push(String::from_utf8(one_by_one).unwrap());
        Ok::<_, Error>(())
    })?;
    assert_eq!(planned, plain);
    Ok(planned)
}

#[test]
fn pages_are_read_the_fast_way_as_they_are_the_plain_way() {
    let (mut accepted, mut refused) = (0, 0);
    for seed in 0..ROUNDS {
        let dice = &mut Dice(seed);
        let document = page(dice);
        let bytes = if seed % 4 == 0 {
            document.into_bytes()
        } else {
            damaged(dice, &document)
        };
        let shown = String::from_utf8_lossy(&bytes);
        match (swiftly(&bytes), plainly(&bytes)) {
            (Ok(swift), Some(plain)) => {
                accepted += 1;
                assert_eq!(swift, plain, "seed {seed}: {shown}");
            }
            (Err(_), None) => refused += 1,
            (swift, plain) => panic!("seed {seed}: {shown}: {swift:?} but {plain:?}"),
        }
    }
    assert!(accepted > ROUNDS / 4 && refused > ROUNDS / 4, "{accepted} {refused}");
}

#[test]
fn a_page_cut_off_anywhere_is_refused() {
    let document = page(&mut Dice(3));
    assert!(swiftly(document.as_bytes()).is_ok());
    for length in 0..document.len() {
        assert!(swiftly(&document.as_bytes()[..length]).is_err(), "{length}");
    }
}
