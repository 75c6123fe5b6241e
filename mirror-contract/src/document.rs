//! What stands in the store under an id: a snapshot document, or the bare value of a service that files its own.
//! CONTRACT.md, "Snapshots".

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

#[cfg(feature = "msgpack")]
use crate::written::PackedWritten;
use crate::{Fields, RequestTarget, Written, hash, written::JsonWritten};

/// The version of documents that this code writes and reads.
pub const VERSION: u32 = 1;

/// How documents and the values in them are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    #[default]
    Json,
    #[cfg(feature = "msgpack")]
    MessagePack,
}

/// What names the request that a snapshot is of, so that it cannot be taken for another's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// When production received the request, milliseconds since the epoch.
    pub at: u64,
    /// The microseconds of that moment past `at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub us: Option<u16>,
    /// [`request_hash`] of it.
    pub request: String,
    /// XXH3 of the body, where production read it for the id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The other end of the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// How far the database's log was when production had read, for mirrors that read a replica.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<String>,
}

impl Stamp {
    /// Of a request that came `at`, since the epoch; `body` where it was read.
    pub fn new(
        request: &dyn Fields,
        at: Duration,
        body: Option<&[u8]>,
        peer: Option<SocketAddr>,
    ) -> Self {
        Self {
            at: u64::try_from(at.as_millis()).unwrap_or(u64::MAX),
            us: u16::try_from(at.subsec_micros() % 1000).ok(),
            request: request_hash(request.method(), request.target()),
            body: body.map(hash),
            peer: peer.map(peer_text),
            position: None,
        }
    }

    /// The moment of receipt in nanoseconds since the epoch, and how many nanoseconds it may be later.
    pub fn moment(&self) -> (u64, u64) {
        let millis = self.at.saturating_mul(1_000_000);
        match self.us {
            Some(us) => (millis.saturating_add(u64::from(us.min(999)) * 1000), 1000),
            None => (millis, 1_000_000),
        }
    }

    /// The minute of receipt, by which numbered snapshots are listed.
    pub fn minute(&self) -> u64 {
        self.at / 60_000
    }
}

/// An address and port as a stamp writes them: IPv4 where it is one.
pub fn peer_text(peer: SocketAddr) -> String {
    SocketAddr::new(peer.ip().to_canonical(), peer.port()).to_string()
}

/// XXH3-64 in hex of `METHOD path?query`, as sent.
pub fn request_hash(method: &str, target: Option<&RequestTarget>) -> String {
    let local = target.map_or("/".as_bytes().into(), RequestTarget::path_and_query);
    hash(&[method.as_bytes(), b" ", &local].concat())
}

/// One thing that production read, encoded when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    pub name: String,
    pub key: String,
    pub result: Result<Encoded, String>,
    /// Of a write: what was to be written.
    pub written: Option<Written>,
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
    /// In the order in which production read.
    pub reads: Vec<Read>,
}

#[derive(Serialize, Deserialize)]
struct Form<R> {
    mirror: u32,
    #[serde(flatten)]
    stamp: Stamp,
    reads: Vec<R>,
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
}

impl Document {
    pub fn to_bytes(&self) -> Result<Vec<u8>, DocumentError> {
        match self.encoding {
            Encoding::Json => {
                let reads: Result<Vec<_>, _> = self.reads.iter().map(json_read).collect();
                serde_json::to_vec(&self.form(reads?)).map_err(wrong)
            }
            #[cfg(feature = "msgpack")]
            Encoding::MessagePack => {
                let reads = self.reads.iter().map(|read| PackedRead {
                    name: read.name.clone(),
                    key: read.key.clone(),
                    value: read.result.as_ref().ok().map(|value| value.0.to_vec()),
                    error: read.result.as_ref().err().cloned(),
                    written: read.written.as_ref().map(PackedWritten::from),
                });
                rmp_serde::to_vec_named(&self.form(reads.collect())).map_err(wrong)
            }
        }
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DocumentError> {
        let encoding = Encoding::of(bytes).ok_or_else(|| wrong("neither JSON nor MessagePack"))?;
        if let Filed::Collided = Filed::read(bytes) {
            return Err(wrong("several requests had its id"));
        }
        let (version, stamp, reads) = match encoding {
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
                });
                let stamp = Stamp {
                    at: form.at,
                    us: form.us,
                    request: form.request,
                    body: form.body,
                    peer: form.peer,
                    position: form.position,
                };
                (form.mirror, stamp, reads.collect())
            }
            #[cfg(feature = "msgpack")]
            Encoding::MessagePack => {
                let form: Form<PackedRead> = rmp_serde::from_slice(bytes).map_err(wrong)?;
                let reads = form.reads.into_iter().map(|read| Read {
                    name: read.name,
                    key: read.key,
                    result: match read.error {
                        Some(error) => Err(error),
                        None => Ok(Encoded(read.value.unwrap_or_default().into())),
                    },
                    written: read.written.map(Written::from),
                });
                (form.mirror, form.stamp, reads.collect())
            }
        };
        if version != VERSION {
            return Err(wrong(format!(
                "it is of version {version}, this service reads version {VERSION}: bring both to one version"
            )));
        }
        Ok(Self {
            stamp,
            encoding,
            reads,
        })
    }

    fn form<R>(&self, reads: Vec<R>) -> Form<R> {
        Form {
            mirror: VERSION,
            stamp: self.stamp.clone(),
            reads,
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
    })
}

/// What a store holds under an id, as the agent needs to know it: whose it is, not what was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filed {
    /// A document with its stamp.
    Stamped(Stamp),
    /// Several requests had this id.
    Collided,
    /// A value without a stamp: whose it is cannot be told.
    Bare,
}

/// What takes the place of a snapshot when a second request has its id.
pub const COLLIDED: &[u8] = br#"{"mirror":1,"collided":true}"#;

#[derive(Deserialize)]
struct Head {
    mirror: u32,
    #[serde(default)]
    collided: bool,
    at: Option<u64>,
    us: Option<u16>,
    request: Option<String>,
    body: Option<String>,
    peer: Option<String>,
    position: Option<String>,
}

impl Filed {
    /// Reads the stamp and skips the rest.
    pub fn read(value: &[u8]) -> Self {
        let head = match value.first() {
            Some(b'{') => serde_json::from_slice::<Head>(value).ok(),
            #[cfg(feature = "msgpack")]
            Some(0x80..=0x8f | 0xde | 0xdf) => rmp_serde::from_slice::<Head>(value).ok(),
            _ => None,
        };
        match head {
            Some(head) if head.collided => Self::Collided,
            Some(Head {
                mirror: VERSION,
                at: Some(at),
                us,
                request: Some(request),
                body,
                peer,
                position,
                ..
            }) => Self::Stamped(Stamp {
                at,
                us,
                request,
                body,
                peer,
                position,
            }),
            _ => Self::Bare,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
