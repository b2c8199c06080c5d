//! How bytes that are mostly text look in a file for people: as JSON, as text, or as base64 where they are neither. For
//! `#[serde(with = …)]` alone.
//!
//! `{"json": {"a": 1}}` stands for the compact form with sorted keys, `{"text": "…"}` for its UTF-8, `{"base64": "…"}` for
//! any bytes. Reading takes each of them; writing takes the first that gives the very bytes back.
//! Must not change a byte on the way there and back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Bytes in the form of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Written {
    Json(Value),
    Text(String),
    Base64(String),
}

impl Written {
    fn of(bytes: &[u8]) -> Self {
        if let Ok(value) = serde_json::from_slice::<Value>(bytes)
            && (value.is_object() || value.is_array())
            && value.to_string().as_bytes() == bytes
        {
            return Self::Json(value);
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Base64(STANDARD.encode(bytes)),
        }
    }

    fn bytes(self) -> Result<Vec<u8>, base64::DecodeError> {
        match self {
            Self::Json(value) => Ok(value.to_string().into_bytes()),
            Self::Text(text) => Ok(text.into_bytes()),
            Self::Base64(text) => STANDARD.decode(text),
        }
    }
}

pub fn serialize<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    Written::of(bytes).serialize(serializer)
}

pub fn deserialize<'de, T: From<Vec<u8>>, D: serde::Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let bytes = Written::deserialize(deserializer)?.bytes();
    bytes.map(T::from).map_err(serde::de::Error::custom)
}

/// The same for what may be absent.
pub mod option {
    use serde::{Deserialize, Serialize};

    use super::Written;

    pub fn serialize<S: serde::Serializer>(bytes: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
        bytes.as_deref().map(Written::of).serialize(serializer)
    }

    pub fn deserialize<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
        let written = Option::<Written>::deserialize(deserializer)?;
        let bytes = written.map(Written::bytes).transpose();
        bytes.map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_bytes_comes_back_as_it_was() {
        let cases: [(&[u8], &str); 5] = [
            (br#"{"a":[1,2.50]}"#, r#"{"text":"{\"a\":[1,2.50]}"}"#),
            (br#"{"a":[1,2.5]}"#, r#"{"json":{"a":[1,2.5]}}"#),
            (b"a=b", r#"{"text":"a=b"}"#),
            (b"", r#"{"text":""}"#),
            (b"\xff", r#"{"base64":"/w=="}"#),
        ];
        for (bytes, written) in cases {
            assert_eq!(serde_json::to_string(&Written::of(bytes)).unwrap(), written);
            let read: Written = serde_json::from_str(written).unwrap();
            assert_eq!(read.bytes().unwrap(), bytes);
        }
    }
}
