//! Numbered snapshots: many requests have one derived id, and a random number keeps their keys apart. Production lists the
//! numbers of an id in the store, each with the stamp that tells whose it is. CONTRACT.md, "Numbered snapshots".

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize, de::Error};

use crate::{RequestId, Stamp};

/// What keeps the snapshots of one derived id apart. It says nothing about order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SnapshotNumber(pub u64);

/// What a list holds for one snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListEntry {
    pub n: SnapshotNumber,
    #[serde(flatten)]
    pub stamp: Stamp,
}

impl RequestId {
    /// The id of one of many requests that have this derived id; `None` if it is too long to be an id.
    pub fn numbered(&self, number: SnapshotNumber) -> Option<Self> {
        Self::new(&format!("{self}.{number}"))
    }
}

impl ListEntry {
    /// The entry of a document with this stamp.
    pub fn new(n: SnapshotNumber, stamp: &Stamp) -> Self {
        let stamp = Stamp {
            position: None,
            ..stamp.clone()
        };
        Self { n, stamp }
    }

    /// Reads an element of a list; `None` for one that is not an entry.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        // Its members are numbers and texts, and those can always be written.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl fmt::Display for SnapshotNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for SnapshotNumber {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 16 || !text.bytes().all(is_hex) {
            return Err("a number is 16 lower-case hex digits");
        }
        u64::from_str_radix(text, 16)
            .map(Self)
            .map_err(|_| "a number is 16 lower-case hex digits")
    }
}

impl Serialize for SnapshotNumber {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SnapshotNumber {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_16_lower_case_hex_digits() {
        assert_eq!(SnapshotNumber(0xabc).to_string(), "0000000000000abc");
        assert_eq!("0000000000000abc".parse(), Ok(SnapshotNumber(0xabc)));
        for bad in [
            "",
            "abc",
            "0000000000000ABC",
            "+000000000000abc",
            "00000000000000abc",
        ] {
            assert!(bad.parse::<SnapshotNumber>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        let stamp = Stamp {
            at: 1,
            us: Some(2),
            request: "r".into(),
            peer: Some("1.2.3.4:5".into()),
            position: Some("0/1".into()),
            ..Stamp::default()
        };
        let entry = ListEntry::new(SnapshotNumber(7), &stamp);
        assert_eq!(entry.stamp.position, None);
        assert_eq!(ListEntry::from_bytes(&entry.to_bytes()), Some(entry));
        for bad in [&b"7"[..], b"{}", br#"{"n":7,"at":1,"request":"r"}"#] {
            assert_eq!(ListEntry::from_bytes(bad), None, "{bad:?}");
        }
    }
}
