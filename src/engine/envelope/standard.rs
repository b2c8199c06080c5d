//! The payload that Standard Webhooks advises: `type`, `timestamp` and `data`.
//! Its id is the notification's, which travels in a header.

use super::{Item, Poll, put_data, quoted, type_of};

pub(super) fn put(out: &mut String, item: Item<'_>, poll: &Poll<'_>) {
    let event = item.event;
    out.push_str(&format!(
        "{{\"type\":{},\"timestamp\":{},\"data\":{{",
        quoted(&type_of(event, poll)),
        quoted(&event.date.to_string())
    ));
    put_data(out, item, poll);
    out.push_str(&format!(
        ",\"eventId\":{},\"sequence\":{}}}}}",
        quoted(&event.id),
        event.sequence
    ));
}
