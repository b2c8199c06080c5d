//! A page of the vendor's as records: read in one pass, written in canonical form.
//! Must not decide what is asked next: it only says what the page names as the next one.

use tidegate_sdk::json::{Error, Member, ObjectWriter, parse_object, scan_page};
use tidegate_sdk::{DateFields, Fault, Moment, Step, dates};

/// The page's list of records, and its token for the next page: `{"contacts": […], "next": "…"}`.
const LIST: &str = "contacts";
const NEXT: &str = "next";
/// What the answer to a check of the token names.
const ACCOUNT: &str = "account";

/// What a page may be refused for.
struct Refused(Fault);

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self(unreadable(error))
    }
}

fn unreadable(error: Error) -> Fault {
    Fault::broken(
        "answer-unreadable",
        format!("the vendor's answer is not the JSON that was expected: {error}"),
    )
}

/// Adds the page's records to the step and gives the token of the next page.
pub(crate) fn read<S>(
    body: &[u8],
    id_field: &str,
    dates: &DateFields,
    step: &mut Step<S>,
) -> Result<Option<String>, Fault> {
    let mut writer = ObjectWriter::new();
    each(body, |members| {
        add(members, id_field, dates, &mut writer, step)
    })
}

/// Adds the ids of the page's records to the step and gives the token of the next page.
pub(crate) fn read_ids<S>(
    body: &[u8],
    id_field: &str,
    step: &mut Step<S>,
) -> Result<Option<String>, Fault> {
    each(body, |members| {
        step.ids.push(id(members, id_field)?);
        Ok(())
    })
}

/// Adds the one record that the answer is.
pub(crate) fn read_one<S>(
    body: &[u8],
    id_field: &str,
    dates: &DateFields,
    step: &mut Step<S>,
) -> Result<(), Fault> {
    let members = parse_object(body).map_err(unreadable)?;
    add(&members, id_field, dates, &mut ObjectWriter::new(), step)
}

/// Is this the answer to who the token belongs to?
pub(crate) fn read_account(body: &[u8]) -> Result<(), Fault> {
    let members = parse_object(body).map_err(unreadable)?;
    if find(&members, ACCOUNT).is_some() {
        return Ok(());
    }
    let message = format!("the vendor's answer has no `{ACCOUNT}`");
    Err(Fault::broken("answer-unexpected", message))
}

fn each<'a>(
    body: &'a [u8],
    mut take: impl FnMut(&[Member<'a>]) -> Result<(), Fault>,
) -> Result<Option<String>, Fault> {
    let page = scan_page(body, LIST, |members| take(members).map_err(Refused))
        .map_err(|refused| refused.0)?;
    if !page.found() {
        let message = format!("the vendor's answer has no list `{LIST}`");
        return Err(Fault::broken("answer-unexpected", message));
    }
    match page.get(NEXT) {
        None => Ok(None),
        Some(value) if value.is_null() => Ok(None),
        // Whatever else it is, the end it is not: ending here would lose the rest in silence.
        Some(value) => match value.as_str() {
            Some(token) => Ok(Some(token.into_owned())),
            None => {
                let message = format!(
                    "`{NEXT}` is neither a text nor null, and should say where the next page is"
                );
                Err(Fault::broken("answer-unexpected", message))
            }
        },
    }
}

fn add<'a, S>(
    members: &[Member<'a>],
    id_field: &str,
    dates: &DateFields,
    writer: &mut ObjectWriter<'a>,
    step: &mut Step<S>,
) -> Result<(), Fault> {
    let id = id(members, id_field)?;
    let created = moment(members, &dates.created);
    let updated = moment(members, &dates.updated);
    step.records
        .push(&id, created, updated, |out| writer.write(members, out));
    Ok(())
}

/// Numbers and texts are ids alike.
fn id(members: &[Member<'_>], id_field: &str) -> Result<String, Fault> {
    let value = find(members, id_field).map(|member| member.value);
    let text = value.and_then(|value| match value.as_str() {
        Some(text) => Some(text.into_owned()),
        None => value.as_i64().map(|number| number.to_string()),
    });
    text.filter(|text| !text.is_empty()).ok_or_else(|| {
        let message =
            format!("a record has no text or whole number in `{id_field}`, which should be its id");
        Fault::broken("record-without-id", message)
    })
}

/// The first of these fields that is there. What cannot be read here goes out as text: the user may have configured how.
fn moment(members: &[Member<'_>], fields: &[String]) -> Moment {
    let found = fields
        .iter()
        .find_map(|field| find(members, field)?.value.as_str());
    match found {
        None => Moment::None,
        Some(text) => dates::parse_iso(text.as_bytes())
            .map_or_else(|| Moment::Text(text.into_owned()), Moment::AtMs),
    }
}

/// Of several members of one name the last one counts.
fn find<'m, 'a>(members: &'m [Member<'a>], name: &str) -> Option<&'m Member<'a>> {
    members.iter().rev().find(|member| member.name() == name)
}
