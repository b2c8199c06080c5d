//! Addresses that are reached in the clear. Judges URLs alone; whether one may be dialled is egress's to say.

use url::Url;

use super::{Accepted, FieldError};
use crate::domain::element::Manifest;
use crate::engine::egress;

pub(super) fn is_in_the_clear(text: &str) -> bool {
    Url::parse(text.trim()).is_ok_and(|url| egress::is_in_the_clear(&url))
}

/// For a gateway that sends by https alone: no address of a vendor may be another one.
///
/// # Errors
/// The first property that is.
pub fn require_https(accepted: &Accepted, manifest: &Manifest) -> Result<(), FieldError> {
    let urls = manifest.hosts_from.iter();
    let mut set = urls.filter_map(|key| Some((key, accepted.configuration.get(key)?.as_str()?)));
    let in_the_clear = |text: &str| Url::parse(text.trim()).is_ok_and(|url| url.scheme() != "https");
    set.find(|(_, text)| in_the_clear(text)).map_or(Ok(()), |(key, _)| {
        Err(FieldError::new(
            key,
            "is not encrypted; expected an https URL, since this gateway sends by https alone (require_https)",
        ))
    })
}
