//! What a mirror files about a replayed request: what it read and would have written. CONTRACT.md, "Effects".

use std::fmt;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

#[cfg(feature = "msgpack")]
use crate::written::PackedWritten;
use crate::{DocumentError, Encoding, Unfinished, VERSION, Written, written::JsonWritten};

/// The largest document of effects, in bytes.
pub const MAX_EFFECTS_BYTES: usize = 256 << 10;
/// Bytes of a document without effects, and around each effect, at most.
const AROUND: usize = 100;

/// Names one sending of a request: to the candidate, to the control, or once more.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SendId(String);

impl SendId {
    /// 1 to 64 letters, digits, `.`, `_`, `-`, or it is none.
    pub fn new(text: &str) -> Option<Self> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        let fits = (1..=64).contains(&text.len()) && text.bytes().all(allowed);
        fits.then(|| Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SendId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One thing that a request did to what lies behind its service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    Read {
        name: String,
        key: String,
    },
    Write {
        name: String,
        key: String,
        written: Option<Written>,
    },
}

impl Effect {
    /// Bytes that it takes in a document, at most.
    fn size(&self) -> usize {
        let (name, key, written) = match self {
            Self::Read { name, key } => (name, key, None),
            Self::Write { name, key, written } => (name, key, written.as_ref()),
        };
        let escaped = |text: &str| text.bytes().map(escaped_len).sum::<usize>();
        AROUND + escaped(name) + escaped(key) + written.map_or(0, Written::size)
    }
}

/// Bytes of a byte in a JSON text, at most.
fn escaped_len(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | 8 | b'\t' | b'\n' | 12 | b'\r' => 2,
        0..=0x1f => 6,
        _ => 1,
    }
}

/// What a replayed request did, in its order. It is bounded: what is too much is counted and left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EffectsDocument {
    effects: Vec<Effect>,
    dropped: u64,
    bytes: usize,
}

impl EffectsDocument {
    pub fn push(&mut self, effect: Effect) {
        self.bytes += effect.size();
        // After the first that is left out the others are left out too.
        if self.bytes + AROUND > MAX_EFFECTS_BYTES {
            self.dropped += 1;
        } else {
            self.effects.push(effect);
        }
    }

    /// Changes each effect, as to hide secrets in it.
    pub fn edit(&mut self, change: impl FnMut(&mut Effect)) {
        self.effects.iter_mut().for_each(change);
    }

    pub fn effects(&self) -> &[Effect] {
        &self.effects
    }

    /// Bytes that it takes, at most.
    pub fn size(&self) -> usize {
        AROUND + self.bytes.min(MAX_EFFECTS_BYTES)
    }

    /// Effects that were left out: the last ones.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    pub fn to_bytes(&self, encoding: Encoding) -> Result<Vec<u8>, DocumentError> {
        match encoding {
            Encoding::Json => serde_json::to_vec(&self.form::<JsonWritten>()).map_err(wrong),
            #[cfg(feature = "msgpack")]
            Encoding::MessagePack => {
                rmp_serde::to_vec_named(&self.form::<PackedWritten>()).map_err(wrong)
            }
        }
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DocumentError> {
        match Encoding::of(bytes) {
            Some(Encoding::Json) => Self::read::<JsonWritten, _>(serde_json::from_slice(bytes)),
            #[cfg(feature = "msgpack")]
            Some(Encoding::MessagePack) => {
                Self::read::<PackedWritten, _>(rmp_serde::from_slice(bytes))
            }
            None => Err(wrong("neither JSON nor MessagePack")),
        }
    }

    /// What production did, by the document that it filed; `None` for a value that is not one.
    pub fn of_snapshot(bytes: &[u8]) -> Option<Self> {
        match Encoding::of(bytes)? {
            Encoding::Json => {
                let snapshot: Snapshot<JsonWritten> = serde_json::from_slice(bytes).ok()?;
                snapshot.effects()
            }
            #[cfg(feature = "msgpack")]
            Encoding::MessagePack => {
                let snapshot: Snapshot<PackedWritten> = rmp_serde::from_slice(bytes).ok()?;
                snapshot.effects()
            }
        }
    }

    fn form<'a, W: From<&'a Written>>(&'a self) -> Form<W> {
        let form = |effect: &'a Effect| match effect {
            Effect::Read { name, key } => EffectForm {
                read: Some(name.clone()),
                write: None,
                key: key.clone(),
                written: None,
            },
            Effect::Write { name, key, written } => EffectForm {
                read: None,
                write: Some(name.clone()),
                key: key.clone(),
                written: written.as_ref().map(W::from),
            },
        };
        Form {
            mirror: VERSION,
            effects: self.effects.iter().map(form).collect(),
            dropped: self.dropped,
        }
    }

    fn read<W, E>(form: Result<Form<W>, E>) -> Result<Self, DocumentError>
    where
        W: DeserializeOwned + Into<Written>,
        E: fmt::Display,
    {
        let form = form.map_err(wrong)?;
        if form.mirror != VERSION {
            return Err(wrong(format!("it is of version {}", form.mirror)));
        }
        let effect = |form: EffectForm<W>| match (form.read, form.write) {
            (Some(name), _) => Some(Effect::Read {
                name,
                key: form.key,
            }),
            (None, Some(name)) => Some(Effect::Write {
                name,
                key: form.key,
                written: form.written.map(Into::into),
            }),
            // Of a later version.
            (None, None) => None,
        };
        let effects: Vec<_> = form.effects.into_iter().filter_map(effect).collect();
        Ok(Self {
            bytes: effects.iter().map(Effect::size).sum(),
            effects,
            dropped: form.dropped,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Form<W> {
    mirror: u32,
    #[serde(default = "Vec::new")]
    effects: Vec<EffectForm<W>>,
    #[serde(default, skip_serializing_if = "is_zero")]
    dropped: u64,
}

#[derive(Serialize, Deserialize)]
struct EffectForm<W> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    read: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    write: Option<String>,
    #[serde(default)]
    key: String,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    written: Option<W>,
}

/// A document of production, without the values that it read.
#[derive(Deserialize)]
#[serde(bound(deserialize = "W: DeserializeOwned"))]
struct Snapshot<W> {
    mirror: u32,
    #[serde(default = "Vec::new")]
    reads: Vec<ReadForm<W>>,
    #[serde(default = "Vec::new")]
    unfinished: Vec<Unfinished<W>>,
    #[serde(default)]
    dropped: u64,
}

#[derive(Deserialize)]
struct ReadForm<W> {
    name: String,
    key: String,
    #[serde(default = "none")]
    written: Option<W>,
    #[serde(default, rename = "inside")]
    is_inside: bool,
}

impl<W: Into<Written>> Snapshot<W> {
    /// What was asked for, in that order: each call that had not ended stands where it was asked for.
    fn effects(self) -> Option<EffectsDocument> {
        let mut document = EffectsDocument::default();
        let mut unfinished = self.unfinished.into_iter().peekable();
        for (at, read) in self.reads.into_iter().enumerate() {
            let is_before = |one: &Unfinished<W>| one.at.is_some_and(|its| its <= at);
            while let Some(one) = unfinished.next_if(is_before) {
                document.push(done(one.name, one.key, one.written));
            }
            if !read.is_inside {
                document.push(done(read.name, read.key, read.written));
            }
        }
        for one in unfinished {
            document.push(done(one.name, one.key, one.written));
        }
        document.dropped = document.dropped.saturating_add(self.dropped);
        (self.mirror == VERSION).then_some(document)
    }
}

/// A call of production as an effect.
fn done<W: Into<Written>>(name: String, key: String, written: Option<W>) -> Effect {
    match name.strip_prefix("write:") {
        None => Effect::Read { name, key },
        Some(name) => Effect::Write {
            name: name.into(),
            key,
            written: written.map(Into::into),
        },
    }
}

fn none<W>() -> Option<W> {
    None
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

fn wrong(error: impl fmt::Display) -> DocumentError {
    DocumentError::new(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Document, Read, Stamp};

    fn write(key: &str, json: &str) -> Effect {
        Effect::Write {
            name: "book".into(),
            key: key.into(),
            written: Written::of_json(json),
        }
    }

    fn document(effects: impl IntoIterator<Item = Effect>) -> EffectsDocument {
        let mut document = EffectsDocument::default();
        effects.into_iter().for_each(|effect| document.push(effect));
        document
    }

    #[test]
    fn effects_come_back_as_they_were() {
        let check = |encoding| {
            let read = Effect::Read {
                name: "price".into(),
                key: "17 \"\u{1}\"".into(),
            };
            let effects = [read, write("1", r#"{"amount":1.5}"#), write("2", "null")];
            let document = document(effects);
            let bytes = document.to_bytes(encoding).unwrap();
            assert_eq!(EffectsDocument::from_bytes(&bytes).unwrap(), document);
        };
        check(Encoding::Json);
        #[cfg(feature = "msgpack")]
        check(Encoding::MessagePack);
    }

    #[test]
    fn a_snapshot_says_what_production_did() {
        let check = |encoding: Encoding| {
            let read = |name: &str, written| Read {
                name: name.into(),
                key: "7".into(),
                result: Ok(encoding.encode(&[1, 2]).unwrap()),
                written,
                is_inside: false,
            };
            let unfinished = |name: &str, at, written| Unfinished {
                name: name.into(),
                key: "7".into(),
                at,
                written,
            };
            let failed = Read {
                result: Err("full".into()),
                ..read("write:mail", None)
            };
            let snapshot = Document {
                stamp: Stamp::default(),
                encoding,
                reads: vec![
                    read("price", None),
                    read("write:book", Written::of_json("1.50")),
                    failed,
                    Read {
                        is_inside: true,
                        ..read("row", None)
                    },
                ],
                unfinished: vec![
                    unfinished("stock", Some(0), None),
                    unfinished("write:log", Some(2), Written::of_json("1")),
                    unfinished("tax", None, None),
                ],
                dropped: 3,
            };
            let effects = EffectsDocument::of_snapshot(&snapshot.to_bytes().unwrap()).unwrap();
            let mail = Effect::Write {
                name: "mail".into(),
                key: "7".into(),
                written: None,
            };
            let read = |name: &str| Effect::Read {
                name: name.into(),
                key: "7".into(),
            };
            let log = Effect::Write {
                name: "log".into(),
                key: "7".into(),
                written: Written::of_json("1"),
            };
            let expect = [
                read("stock"),
                read("price"),
                write("7", "1.5"),
                log,
                mail,
                read("tax"),
            ];
            assert_eq!(effects.effects(), expect);
            assert_eq!(effects.dropped(), 3);
        };
        check(Encoding::Json);
        #[cfg(feature = "msgpack")]
        check(Encoding::MessagePack);
        for other in [&b"7"[..], b"{}", b"\xff", br#"{"mirror":2,"reads":[]}"#] {
            assert_eq!(EffectsDocument::of_snapshot(other), None, "{other:?}");
        }
    }

    #[test]
    fn what_is_too_much_is_counted_and_no_document_is_larger_than_is_stated() {
        let check = |effect: &Effect, encoding| {
            let document = document(std::iter::repeat_n(effect.clone(), 5000));
            assert!(document.dropped() > 0);
            let all = document.effects().len() as u64 + document.dropped();
            assert_eq!(all, 5000);
            let bytes = document.to_bytes(encoding).unwrap();
            assert!(bytes.len() <= MAX_EFFECTS_BYTES, "{}", bytes.len());
            let back = EffectsDocument::from_bytes(&bytes).unwrap();
            assert_eq!(back.dropped(), document.dropped());
            bytes.len()
        };
        for effect in [
            write("1", &format!("\"{}\"", "x".repeat(4000))),
            write(&"\u{1}\"".repeat(40), "1"),
            Effect::Read {
                name: "n".into(),
                key: String::new(),
            },
        ] {
            check(&effect, Encoding::Json);
            #[cfg(feature = "msgpack")]
            check(&effect, Encoding::MessagePack);
        }
        let large = write("1", &format!("\"{}\"", "x".repeat(4000)));
        assert!(check(&large, Encoding::Json) > MAX_EFFECTS_BYTES / 2);
    }

    #[test]
    fn nothing_small_follows_what_was_left_out() {
        let large = Effect::Read {
            name: "x".repeat(MAX_EFFECTS_BYTES),
            key: String::new(),
        };
        let document = document([write("1", "1"), large, write("2", "2")]);
        assert_eq!((document.effects().len(), document.dropped()), (1, 2));
    }

    #[test]
    fn a_send_is_short_and_plain() {
        for bad in ["", "a b", "a:b", "ä", &"x".repeat(65)] {
            assert_eq!(SendId::new(bad), None, "{bad}");
        }
        assert!(SendId::new("0f3a-c_1.2").is_some());
        assert!(SendId::new(&"x".repeat(64)).is_some());
    }
}
