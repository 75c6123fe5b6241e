//! What stands in the store under an id: a snapshot document, or the bare value of a service that files its own.
//! CONTRACT.md, "Snapshots".

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

#[cfg(feature = "msgpack")]
use crate::written::PackedWritten;
use crate::{Filed, Stamp, VERSION, Written, written::JsonWritten};

/// How documents and the values in them are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    #[default]
    Json,
    #[cfg(feature = "msgpack")]
    MessagePack,
}

/// One thing that production read, encoded when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    pub name: String,
    pub key: String,
    pub result: Result<Encoded, String>,
    /// Of a write: what was to be written.
    pub written: Option<Written>,
    /// It was done while another call of the document was: a mirror, which does not do that one, does not ask for it either.
    pub is_inside: bool,
}

/// A read or a write that was asked for and had not ended when the document was filed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(serialize = "W: Serialize", deserialize = "W: DeserializeOwned"))]
pub struct Unfinished<W = Written> {
    pub name: String,
    pub key: String,
    /// How many of the document's reads were asked for before it; after all of them where that is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<usize>,
    /// Of a write: what was to be written.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub written: Option<W>,
}

impl<W> Unfinished<W> {
    /// The same, with another form of what was to be written.
    fn with<V>(self, form: impl FnOnce(W) -> V) -> Unfinished<V> {
        Unfinished {
            name: self.name,
            key: self.key,
            at: self.at,
            written: self.written.map(form),
        }
    }
}

/// A value in the document's encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded(Bytes);

#[derive(Debug, thiserror::Error)]
#[error("the snapshot is not what this service reads: {0}")]
pub struct DocumentError(String);

impl DocumentError {
    /// Says why.
    pub fn new(why: String) -> Self {
        Self(why)
    }
}

impl Encoding {
    pub fn encode<T: Serialize + ?Sized>(self, value: &T) -> Result<Encoded, DocumentError> {
        let bytes = match self {
            Self::Json => serde_json::to_vec(value).map_err(wrong)?,
            #[cfg(feature = "msgpack")]
            Self::MessagePack => rmp_serde::to_vec_named(value).map_err(wrong)?,
        };
        Ok(Encoded(bytes.into()))
    }

    pub fn decode<T: DeserializeOwned>(self, value: &Encoded) -> Result<T, DocumentError> {
        match self {
            Self::Json => serde_json::from_slice(&value.0).map_err(wrong),
            #[cfg(feature = "msgpack")]
            Self::MessagePack => rmp_serde::from_slice(&value.0).map_err(wrong),
        }
    }

    /// The document's encoding is seen by its first byte: JSON's objects open with `{`.
    pub(crate) fn of(document: &[u8]) -> Option<Self> {
        match document.first()? {
            b'{' | b'[' | b'"' | b' ' | b'\t' | b'\r' | b'\n' | b'-' | b'0'..=b'9' => {
                Some(Self::Json)
            }
            #[cfg(feature = "msgpack")]
            0x80..=0x8f | 0xde | 0xdf => Some(Self::MessagePack),
            _ => None,
        }
    }
}

impl Encoded {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn wrong(error: impl std::fmt::Display) -> DocumentError {
    DocumentError(error.to_string())
}

/// A snapshot document, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    pub stamp: Stamp,
    pub encoding: Encoding,
    /// In the order in which production asked for them.
    pub reads: Vec<Read>,
    /// Calls that had not ended, in the order in which they were asked for.
    pub unfinished: Vec<Unfinished>,
    /// How many more of those were left out.
    pub dropped: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(bound(
    serialize = "R: Serialize, W: Serialize",
    deserialize = "R: DeserializeOwned, W: DeserializeOwned"
))]
struct Form<R, W> {
    mirror: u32,
    #[serde(flatten)]
    stamp: Stamp,
    #[serde(default = "Vec::new")]
    reads: Vec<R>,
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    unfinished: Vec<Unfinished<W>>,
    #[serde(default, skip_serializing_if = "is_zero")]
    dropped: u64,
}

#[derive(Serialize, Deserialize)]
struct JsonRead {
    name: String,
    key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    written: Option<JsonWritten>,
    #[serde(default, rename = "inside", skip_serializing_if = "is_false")]
    is_inside: bool,
}

/// Flattening and raw JSON do not go together.
#[derive(Deserialize)]
struct JsonForm {
    mirror: u32,
    at: u64,
    us: Option<u16>,
    request: String,
    body: Option<String>,
    peer: Option<String>,
    position: Option<String>,
    #[serde(default)]
    reads: Vec<JsonRead>,
    #[serde(default = "Vec::new")]
    unfinished: Vec<Unfinished<JsonWritten>>,
    #[serde(default)]
    dropped: u64,
}

#[cfg(feature = "msgpack")]
#[derive(Serialize, Deserialize)]
struct PackedRead {
    name: String,
    key: String,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_bytes")]
    value: Option<Vec<u8>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    written: Option<PackedWritten>,
    #[serde(default, rename = "inside", skip_serializing_if = "is_false")]
    is_inside: bool,
}

impl Document {
    pub fn to_bytes(&self) -> Result<Vec<u8>, DocumentError> {
        match self.encoding {
            Encoding::Json => {
                let reads: Result<Vec<_>, _> = self.reads.iter().map(json_read).collect();
                serde_json::to_vec(&self.form::<_, JsonWritten>(reads?)).map_err(wrong)
            }
            #[cfg(feature = "msgpack")]
            Encoding::MessagePack => {
                let reads = self.reads.iter().map(|read| PackedRead {
                    name: read.name.clone(),
                    key: read.key.clone(),
                    value: read.result.as_ref().ok().map(|value| value.0.to_vec()),
                    error: read.result.as_ref().err().cloned(),
                    written: read.written.as_ref().map(PackedWritten::from),
                    is_inside: read.is_inside,
                });
                let form = self.form::<_, PackedWritten>(reads.collect());
                rmp_serde::to_vec_named(&form).map_err(wrong)
            }
        }
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DocumentError> {
        let encoding = Encoding::of(bytes).ok_or_else(|| wrong("neither JSON nor MessagePack"))?;
        if let Filed::Collided = Filed::read(bytes) {
            return Err(wrong("several requests had its id"));
        }
        let (version, document) = match encoding {
            Encoding::Json => {
                let form: JsonForm = serde_json::from_slice(bytes).map_err(wrong)?;
                let reads = form.reads.into_iter().map(|read| Read {
                    name: read.name,
                    key: read.key,
                    result: match (read.error, read.value) {
                        (Some(error), _) => Err(error),
                        (None, Some(value)) => Ok(Encoded(Bytes::from(value.get().to_owned()))),
                        // `"value": null` is a value: serde takes it for none.
                        (None, None) => Ok(Encoded(Bytes::from_static(b"null"))),
                    },
                    written: read.written.map(Written::from),
                    is_inside: read.is_inside,
                });
                let stamp = Stamp {
                    at: form.at,
                    us: form.us,
                    request: form.request,
                    body: form.body,
                    peer: form.peer,
                    position: form.position,
                };
                let unfinished = form.unfinished.into_iter();
                let document = Self {
                    stamp,
                    encoding,
                    reads: reads.collect(),
                    unfinished: unfinished.map(|one| one.with(Written::from)).collect(),
                    dropped: form.dropped,
                };
                (form.mirror, document)
            }
            #[cfg(feature = "msgpack")]
            Encoding::MessagePack => {
                let form: Form<PackedRead, PackedWritten> =
                    rmp_serde::from_slice(bytes).map_err(wrong)?;
                let reads = form.reads.into_iter().map(|read| Read {
                    name: read.name,
                    key: read.key,
                    result: match read.error {
                        Some(error) => Err(error),
                        None => Ok(Encoded(read.value.unwrap_or_default().into())),
                    },
                    written: read.written.map(Written::from),
                    is_inside: read.is_inside,
                });
                let unfinished = form.unfinished.into_iter();
                let document = Self {
                    stamp: form.stamp,
                    encoding,
                    reads: reads.collect(),
                    unfinished: unfinished.map(|one| one.with(Written::from)).collect(),
                    dropped: form.dropped,
                };
                (form.mirror, document)
            }
        };
        if version != VERSION {
            return Err(wrong(format!(
                "it is of version {version}, this service reads version {VERSION}: bring both to one version"
            )));
        }
        Ok(document)
    }

    fn form<'a, R, W: From<&'a Written>>(&'a self, reads: Vec<R>) -> Form<R, W> {
        let form = |one: &'a Unfinished| Unfinished {
            name: one.name.clone(),
            key: one.key.clone(),
            at: one.at,
            written: one.written.as_ref().map(W::from),
        };
        Form {
            mirror: VERSION,
            stamp: self.stamp.clone(),
            reads,
            unfinished: self.unfinished.iter().map(form).collect(),
            dropped: self.dropped,
        }
    }
}

fn json_read(read: &Read) -> Result<JsonRead, DocumentError> {
    let raw = |value: &Encoded| {
        let text = String::from_utf8(value.0.to_vec()).map_err(wrong)?;
        RawValue::from_string(text).map_err(wrong)
    };
    Ok(JsonRead {
        name: read.name.clone(),
        key: read.key.clone(),
        value: read.result.as_ref().ok().map(raw).transpose()?,
        error: read.result.as_ref().err().cloned(),
        written: read.written.as_ref().map(JsonWritten::from),
        is_inside: read.is_inside,
    })
}

fn none<W>() -> Option<W> {
    None
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

fn is_false(is: &bool) -> bool {
    !is
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::COLLIDED;
    use crate::{RequestTarget, request_hash};

    fn check(encoding: Encoding) {
        let stamp = Stamp {
            at: 1_700_000_000_123,
            us: Some(7),
            request: request_hash("GET", Some(&RequestTarget::parse("GET", "/a?b=1"))),
            body: None,
            peer: Some("[::1]:4711".into()),
            position: None,
        };
        let read = |name: &str, result| Read {
            name: name.into(),
            key: "17".into(),
            written: name.strip_prefix("write:").and_then(Written::of_json),
            is_inside: name == "stock",
            result,
        };
        let document = Document {
            stamp: stamp.clone(),
            encoding,
            reads: vec![
                read("stock", Ok(encoding.encode(&vec![1, 2]).unwrap())),
                read("price", Ok(encoding.encode(&None::<u32>).unwrap())),
                read("user", Err("no connection".into())),
                read(r#"write:{"left":1}"#, Ok(encoding.encode(&2).unwrap())),
            ],
            unfinished: vec![Unfinished {
                name: "write:mail".into(),
                key: "7".into(),
                at: Some(1),
                written: Written::of_json("[1.5]"),
            }],
            dropped: 2,
        };
        let bytes = document.to_bytes().unwrap();
        let back = Document::from_bytes(&bytes).unwrap();
        assert_eq!(back, document);
        let Ok(stock) = &back.reads[0].result else {
            panic!("a value")
        };
        assert_eq!(encoding.decode::<Vec<u32>>(stock).unwrap(), [1, 2]);
        assert_eq!(Filed::read(&bytes), Filed::Stamped(stamp));
    }

    #[test]
    fn a_document_comes_back_as_it_was() {
        check(Encoding::Json);
        #[cfg(feature = "msgpack")]
        check(Encoding::MessagePack);
    }

    #[test]
    fn what_is_no_document_is_told_apart() {
        assert_eq!(Filed::read(COLLIDED), Filed::Collided);
        for bare in [
            &b"{}"[..],
            b"{\"stock\":1}",
            b"7",
            b"",
            b"\xff",
            b"{\"mirror\":2,\"at\":1,\"request\":\"\"}",
        ] {
            assert_eq!(Filed::read(bare), Filed::Bare, "{bare:?}");
        }
        let newer = Document::from_bytes(br#"{"mirror":2,"at":1,"request":"","reads":[]}"#);
        assert!(newer.unwrap_err().to_string().contains("version 2"));
        assert!(Document::from_bytes(COLLIDED).is_err());
    }
}
