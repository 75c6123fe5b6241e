//! What a write writes, as production and its mirror tell it. CONTRACT.md, "Effects".

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{canonical::canonical_json, hash};

/// A value whose canonical JSON is longer, in bytes, is known by its digest only.
const MAX_VALUE: usize = 4096;

/// What a write writes: the digest of its canonical JSON, and that JSON where it is small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub digest: String,
    /// JSON.
    pub value: Option<String>,
}

impl Written {
    /// `None` for a value that is null or a unit, or has no canonical form.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Option<Self> {
        Self::of_json(&serde_json::to_string(value).ok()?)
    }

    /// The same of a value that is JSON already.
    pub fn of_json(json: &str) -> Option<Self> {
        let canonical = canonical(json).filter(|json| json != "null")?;
        Some(Self {
            digest: hash(canonical.as_bytes()),
            value: (canonical.len() <= MAX_VALUE).then_some(canonical),
        })
    }

    /// Bytes that it takes in a document, about.
    pub(crate) fn size(&self) -> usize {
        self.digest.len() + self.value.as_ref().map_or(0, String::len)
    }
}

/// Of a text that is JSON as a whole.
fn canonical(json: &str) -> Option<String> {
    let value: &RawValue = serde_json::from_str(json).ok()?;
    canonical_json(value.get())
}

/// A value as it stands in a document; `None` for a text that is none, whoever wrote it.
fn read(json: &str) -> Option<String> {
    let value: &RawValue = serde_json::from_str(json).ok()?;
    let canonical = canonical_json(value.get())?;
    (canonical != "null").then(|| value.get().to_owned())
}

#[derive(Serialize, Deserialize)]
pub(crate) struct JsonWritten {
    digest: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Box<RawValue>>,
}

/// In MessagePack the value is a text that holds JSON.
#[cfg(feature = "msgpack")]
#[derive(Serialize, Deserialize)]
pub(crate) struct PackedWritten {
    digest: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<String>,
}

impl From<&Written> for JsonWritten {
    fn from(written: &Written) -> Self {
        let json = |value: &String| RawValue::from_string(value.clone()).ok();
        Self {
            digest: written.digest.clone(),
            value: written.value.as_ref().and_then(json),
        }
    }
}

impl From<JsonWritten> for Written {
    fn from(written: JsonWritten) -> Self {
        Self {
            digest: written.digest,
            value: written.value.as_deref().map(RawValue::get).and_then(read),
        }
    }
}

#[cfg(feature = "msgpack")]
impl From<&Written> for PackedWritten {
    fn from(written: &Written) -> Self {
        Self {
            digest: written.digest.clone(),
            value: written.value.clone(),
        }
    }
}

#[cfg(feature = "msgpack")]
impl From<PackedWritten> for Written {
    fn from(written: PackedWritten) -> Self {
        Self {
            digest: written.digest,
            value: written.value.as_deref().and_then(read),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_one_digest_however_they_are_written() {
        let one = Written::of_json(r#" {"b":1.50,"a":"é"} "#).unwrap();
        assert_eq!(one.value.as_deref(), Some(r#"{"a":"é","b":1.5}"#));
        let again = Written::of_json(r#"{"a":"\u00e9","b":15e-1}"#);
        assert_eq!(again.as_ref(), Some(&one));
        assert_ne!(Written::of_json(r#"{"a":"é","b":"1.5"}"#), Some(one));
    }

    #[test]
    fn nothing_is_written_where_there_is_no_value() {
        assert_eq!(Written::of(&()), None);
        assert_eq!(Written::of(&None::<u32>), None);
        assert_eq!(Written::of_json("1e999"), None);
        assert!(Written::of(&0).is_some());
    }

    #[test]
    fn what_is_no_value_is_not_read_as_one() {
        for none in ["null", "", "{", "1 2", "1e999"] {
            assert_eq!(read(none), None, "{none}");
        }
        assert_eq!(read(" 1.50 ").as_deref(), Some("1.50"));
    }

    #[test]
    fn a_long_value_is_known_by_its_digest() {
        let of = |len: usize| Written::of(&"x".repeat(len - 2)).unwrap();
        assert!(of(MAX_VALUE).value.is_some());
        assert_eq!(of(MAX_VALUE + 1).value, None);
    }
}
