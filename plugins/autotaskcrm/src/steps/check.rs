//! Do the credentials work?
//! Must not need a right to any entity.

use serde_json::Value;
use tidegate_sdk::{Fault, Response};

use crate::faults::{self, Asked};

/// An answer with status 200 says yes, if it is the vendor's and not some page in between.
pub(super) fn read(response: &Response, asked: Asked<'_>) -> Result<(), Fault> {
    match serde_json::from_slice::<Value>(&response.body) {
        Ok(Value::Object(version)) if !version.is_empty() => Ok(()),
        Ok(_) => Err(faults::unreadable(response, asked, "no JSON object that says anything")),
        Err(error) => Err(faults::unreadable(response, asked, &error.to_string())),
    }
}
