//! The wire form of an [`Envelope`]: a version, then the members of that version in postcard's encoding.
//!
//! The structs here are the form, apart from the types that the program works with: those may change, these may not. A new
//! member is a new version, and the versions before it stay readable.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use mirror_contract::{Candidates, RequestId};
use serde::{Deserialize, Serialize};

use crate::detect::is_secret_header;
use crate::exchange::{
    Ambiguity, Body, BodyDigest, Exchange, Fault, Headers, Request, RequestTarget,
};
use crate::exchange::{Response, Timing, Version};
use crate::identity::{Identity, Owner};
use crate::schedule::LaneKey;
use crate::time::Timestamp;

use super::{Access, Envelope};

/// The version that is written. Each has its own members before those of the one before it.
const VERSION: u8 = 3;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    #[error(
        "the exchange is in version {0} of the wire form, this agent reads version {VERSION}: use one release on all hosts"
    )]
    UnknownVersion(u8),
    #[error("the exchange is damaged: {0}")]
    Damaged(String),
}

#[derive(Serialize, Deserialize)]
struct V3 {
    lane: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct V2<'a> {
    access: AccessV2,
    #[serde(borrow)]
    kept: Vec<&'a str>,
    /// Of production's body, when only its beginning is in the message.
    digest: Option<DigestV2>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct DigestV2 {
    len: u64,
    hash: u128,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum AccessV2 {
    Read,
    Write,
}

#[derive(Serialize, Deserialize)]
struct V1<'a> {
    host: &'a str,
    connection: u64,
    index: u32,
    client: SocketAddr,
    peer: SocketAddr,
    server: SocketAddr,
    origin: u32,
    /// Nanoseconds since the epoch: the request's first and last byte, then the response's.
    seen: [Option<u64>; 4],
    #[serde(borrow)]
    request: RequestV1<'a>,
    response: Option<ResponseV1<'a>>,
    ids: Vec<String>,
    counted: bool,
    bucket_seconds: u64,
    #[serde(borrow)]
    owner: OwnerV1<'a>,
    #[serde(with = "serde_bytes")]
    snapshot: Option<&'a [u8]>,
}

#[derive(Serialize, Deserialize)]
struct RequestV1<'a> {
    method: &'a str,
    #[serde(with = "serde_bytes")]
    target: &'a [u8],
    #[serde(borrow)]
    message: MessageV1<'a>,
}

#[derive(Serialize, Deserialize)]
struct ResponseV1<'a> {
    status: u16,
    #[serde(borrow)]
    message: MessageV1<'a>,
}

#[derive(Serialize, Deserialize)]
struct MessageV1<'a> {
    version: VersionV1,
    #[serde(borrow)]
    headers: Vec<FieldV1<'a>>,
    #[serde(with = "serde_bytes")]
    body: &'a [u8],
    #[serde(borrow)]
    trailers: Vec<FieldV1<'a>>,
    fault: Option<FaultV1>,
}

#[derive(Serialize, Deserialize)]
struct FieldV1<'a> {
    name: &'a str,
    #[serde(with = "serde_bytes")]
    value: &'a [u8],
}

#[derive(Serialize, Deserialize)]
struct OwnerV1<'a> {
    request: &'a str,
    body: Option<&'a str>,
    peer: &'a str,
    began: u64,
    ended: u64,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum VersionV1 {
    Http10,
    Http11,
    Http2,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum FaultV1 {
    Gap,
    Truncated,
    TooLarge,
    HeadTooLarge,
    Ambiguous(AmbiguityV1),
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum AmbiguityV1 {
    StartLine,
    TargetBytes,
    TargetForm,
    FieldLine,
    FieldBytes,
    FoldedField,
    BareCr,
    MixedLineEnds,
    SeveralHosts,
    LookalikeField,
    ContentLength,
    LengthAndCoding,
    TransferCoding,
    Chunk,
    Trailer,
    UrgentData,
    UnseenStart,
    AfterAmbiguous,
}

impl Envelope {
    /// The wire form, which begins with its version.
    pub fn to_wire(&self) -> Vec<u8> {
        write(self, Vec::new())
    }

    /// Appends the wire form to what is in `bytes`, so that memory can be used again.
    #[must_use]
    pub fn append_wire(&self, bytes: Vec<u8>) -> Vec<u8> {
        write(self, bytes)
    }

    /// Reads what [`to_wire`](Self::to_wire) wrote, here or on another host. Only a transport may do that. Bodies and
    /// headers stay slices of `bytes`.
    pub fn from_wire(bytes: &Bytes) -> Result<Self, WireError> {
        read(bytes)
    }
}

fn write(envelope: &Envelope, mut bytes: Vec<u8>) -> Vec<u8> {
    let Envelope {
        host,
        exchange,
        identity,
        access,
        kept,
        lane,
        snapshot,
        // Secrets: they stay in this process.
        hidden: _,
    } = envelope;
    let request = &exchange.request;
    let ids = identity.candidates.ids.iter();
    let form = V1 {
        host,
        connection: exchange.connection,
        index: exchange.index,
        client: exchange.client,
        peer: exchange.peer,
        server: exchange.server,
        origin: exchange.origin,
        seen: seen(exchange.timing),
        request: RequestV1 {
            method: &request.method,
            target: request.target.as_bytes(),
            message: MessageV1 {
                version: request.version.into(),
                headers: fields(&request.headers),
                body: request.body.bytes(),
                trailers: fields(&request.trailers),
                fault: request.fault.map(Into::into),
            },
        },
        response: exchange.response.as_ref().map(|response| ResponseV1 {
            status: response.status,
            message: MessageV1 {
                version: response.version.into(),
                headers: fields(&response.headers),
                body: response.body.bytes(),
                trailers: fields(&response.trailers),
                fault: response.fault.map(Into::into),
            },
        }),
        ids: ids.map(|id| id.as_str().to_owned()).collect(),
        counted: identity.candidates.counted,
        bucket_seconds: identity.candidates.bucket_seconds,
        owner: OwnerV1 {
            request: &identity.owner.request,
            body: identity.owner.body.as_deref(),
            peer: &identity.owner.peer,
            began: identity.owner.began.0,
            ended: identity.owner.ended.0,
        },
        snapshot: snapshot.as_deref(),
    };
    let response = exchange.response.as_ref();
    let digest = response.and_then(|response| response.body.digest());
    let own = V2 {
        access: (*access).into(),
        kept: kept.iter().map(|name| &**name).collect(),
        digest: digest.map(|BodyDigest { len, hash }| DigestV2 { len, hash }),
    };
    let newest = V3 {
        lane: lane.map(|LaneKey(key)| key),
    };
    // Only a serializer that runs out of room fails, and a vector grows.
    bytes.push(VERSION);
    let begun = postcard::to_extend(&newest, bytes).unwrap_or_default();
    let begun = postcard::to_extend(&own, begun).unwrap_or_default();
    postcard::to_extend(&form, begun).unwrap_or_default()
}

fn read(bytes: &Bytes) -> Result<Envelope, WireError> {
    let damaged = |why: &str| WireError::Damaged(why.into());
    let version = *bytes.first().ok_or_else(|| damaged("it is empty"))?;
    let form = bytes.slice(1..);
    match version {
        1 => {
            let mut envelope = V1::read(&form)?.envelope(&form)?;
            envelope.kept = secrets_of(&envelope.exchange.request.headers);
            Ok(envelope)
        }
        2 => read_v2(&form),
        VERSION => {
            let own = postcard::take_from_bytes::<V3>(&form);
            let (own, rest) = own.map_err(|error| damaged(&error.to_string()))?;
            let envelope = read_v2(&form.slice_ref(rest))?;
            Ok(envelope.in_lane(own.lane.map(LaneKey)))
        }
        other => Err(WireError::UnknownVersion(other)),
    }
}

fn read_v2(form: &Bytes) -> Result<Envelope, WireError> {
    let own = postcard::take_from_bytes::<V2<'_>>(form);
    let (own, rest) = own.map_err(|error| WireError::Damaged(error.to_string()))?;
    let form = form.slice_ref(rest);
    let mut envelope = V1::read(&form)?.envelope(&form)?;
    if let (Some(DigestV2 { len, hash }), Some(response)) =
        (own.digest, &mut envelope.exchange.response)
    {
        response.body.set_digest(BodyDigest { len, hash });
    }
    Ok(Envelope {
        access: own.access.into(),
        kept: own.kept.into_iter().map(Into::into).collect(),
        ..envelope
    })
}

/// Version 1 does not say which headers were kept: those that are taken out unless they are.
fn secrets_of(headers: &Headers) -> Arc<[Box<str>]> {
    let names = headers.iter().map(|(name, _)| name);
    let kept = names.filter(|name| is_secret_header(name));
    kept.map(|name| name.to_ascii_lowercase().into()).collect()
}

impl<'a> V1<'a> {
    fn read(form: &'a [u8]) -> Result<Self, WireError> {
        let read = postcard::take_from_bytes(form);
        match read.map_err(|error| WireError::Damaged(error.to_string()))? {
            (v1, []) => Ok(v1),
            _ => Err(WireError::Damaged("something follows its end".into())),
        }
    }
}

impl V1<'_> {
    fn envelope(self, form: &Bytes) -> Result<Envelope, WireError> {
        let id = |text: &String| RequestId::new(text);
        let ids: Option<Vec<_>> = self.ids.iter().map(id).collect();
        let ids = ids.ok_or_else(|| WireError::Damaged("an id is not one".into()))?;
        let request = self.request;
        Ok(Envelope {
            host: self.host.into(),
            access: Access::of(request.method),
            kept: Arc::default(),
            exchange: Exchange {
                connection: self.connection,
                index: self.index,
                client: self.client,
                peer: self.peer,
                server: self.server,
                origin: self.origin,
                timing: timing(self.seen)?,
                request: Box::new(Request {
                    method: request.method.into(),
                    target: RequestTarget::parse(request.method, form.slice_ref(request.target)),
                    version: request.message.version.into(),
                    headers: headers(form, &request.message.headers),
                    body: Body::from(form.slice_ref(request.message.body)),
                    trailers: headers(form, &request.message.trailers).into(),
                    fault: request.message.fault.map(Into::into),
                }),
                response: self.response.map(|response| {
                    Box::new(Response {
                        status: response.status,
                        version: response.message.version.into(),
                        headers: headers(form, &response.message.headers),
                        body: Body::from(form.slice_ref(response.message.body)),
                        trailers: headers(form, &response.message.trailers).into(),
                        fault: response.message.fault.map(Into::into),
                    })
                }),
                // Policy lets no other out.
                one_sided: false,
            },
            identity: Identity {
                candidates: Candidates {
                    ids,
                    counted: self.counted,
                    bucket_seconds: self.bucket_seconds,
                },
                owner: Owner {
                    request: self.owner.request.to_owned(),
                    body: self.owner.body.map(str::to_owned),
                    peer: self.owner.peer.to_owned(),
                    began: Timestamp(self.owner.began),
                    ended: Timestamp(self.owner.ended),
                },
            },
            lane: None,
            snapshot: self.snapshot.map(|snapshot| form.slice_ref(snapshot)),
            hidden: None,
        })
    }
}

fn fields(headers: &Headers) -> Vec<FieldV1<'_>> {
    let field = |(name, value)| FieldV1 { name, value };
    headers.iter().map(field).collect()
}

fn headers(form: &Bytes, fields: &[FieldV1<'_>]) -> Headers {
    Headers::within(form, fields.iter().map(|field| (field.name, field.value)))
}

fn seen(timing: Timing) -> [Option<u64>; 4] {
    let nanos = |at: Option<Timestamp>| at.map(|at| at.0);
    [
        Some(timing.request_first.0),
        Some(timing.request_last.0),
        nanos(timing.response_first),
        nanos(timing.response_last),
    ]
}

fn timing(seen: [Option<u64>; 4]) -> Result<Timing, WireError> {
    let [request_first, request_last, response_first, response_last] =
        seen.map(|nanos| nanos.map(Timestamp));
    let missing = || WireError::Damaged("the request has no time".into());
    Ok(Timing {
        request_first: request_first.ok_or_else(missing)?,
        request_last: request_last.ok_or_else(missing)?,
        response_first,
        response_last,
    })
}

/// Both directions of an enum whose members have the same names on the wire.
macro_rules! same_members {
    ($program:ident, $wire:ident: $($member:ident),*) => {
        impl From<$program> for $wire {
            fn from(value: $program) -> Self {
                match value { $($program::$member => Self::$member,)* }
            }
        }
        impl From<$wire> for $program {
            fn from(value: $wire) -> Self {
                match value { $($wire::$member => Self::$member,)* }
            }
        }
    };
}

same_members!(Access, AccessV2: Read, Write);
same_members!(Version, VersionV1: Http10, Http11, Http2);
same_members!(Ambiguity, AmbiguityV1:
    StartLine, TargetBytes, TargetForm, FieldLine, FieldBytes, FoldedField, BareCr, MixedLineEnds, SeveralHosts, LookalikeField, ContentLength, LengthAndCoding, TransferCoding, Chunk, Trailer, UrgentData, UnseenStart,
    AfterAmbiguous);

impl From<Fault> for FaultV1 {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Gap => Self::Gap,
            Fault::Truncated => Self::Truncated,
            Fault::TooLarge => Self::TooLarge,
            Fault::HeadTooLarge => Self::HeadTooLarge,
            Fault::Ambiguous(ambiguity) => Self::Ambiguous(ambiguity.into()),
        }
    }
}

impl From<FaultV1> for Fault {
    fn from(fault: FaultV1) -> Self {
        match fault {
            FaultV1::Gap => Self::Gap,
            FaultV1::Truncated => Self::Truncated,
            FaultV1::TooLarge => Self::TooLarge,
            FaultV1::HeadTooLarge => Self::HeadTooLarge,
            FaultV1::Ambiguous(ambiguity) => Self::Ambiguous(ambiguity.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::tests::envelope;

    /// Of each version, written by the first release that had it. They must stay readable.
    const GOLDEN_V1: &[u8] = include_bytes!("../../tests/data/envelope-v1.bin");
    const GOLDEN_V2: &[u8] = include_bytes!("../../tests/data/envelope-v2.bin");
    const GOLDEN_V3: &[u8] = include_bytes!("../../tests/data/envelope-v3.bin");

    fn in_a_lane() -> Envelope {
        envelope().in_lane(Some(LaneKey(0x0102_0304_0506_0708)))
    }

    #[test]
    fn an_envelope_is_read_as_it_was_written() {
        for envelope in [
            envelope(),
            envelope().with_snapshot(Bytes::from_static(b"{}")),
            in_a_lane(),
        ] {
            let wire = Bytes::from(envelope.to_wire());
            assert_eq!(Envelope::from_wire(&wire), Ok(envelope));
        }
    }

    #[test]
    fn every_version_stays_readable() {
        for golden in [GOLDEN_V1, GOLDEN_V2] {
            let read = Envelope::from_wire(&Bytes::from_static(golden));
            assert_eq!(read, Ok(envelope()));
        }
        let read = Envelope::from_wire(&Bytes::from_static(GOLDEN_V3));
        assert_eq!(read, Ok(in_a_lane()));
        assert_eq!(
            in_a_lane().to_wire(),
            GOLDEN_V3,
            "the form of a version is fixed"
        );
    }

    #[test]
    fn what_is_kept_is_known_on_the_other_side() {
        let mut kept = envelope();
        kept.exchange.request.headers = [("Cookie", "a=b"), ("A", "b")].into_iter().collect();
        kept.kept = ["cookie".into()].into();
        kept.access = Access::Read;
        let wire = Bytes::from(kept.to_wire());
        assert_eq!(Envelope::from_wire(&wire).as_ref(), Ok(&kept));
        // Version 1 is the same without the first members: no lane, one byte, then a list of one text, then no digest.
        let own = 1 + 1 + 1 + 1 + "cookie".len() + 1;
        let older = Bytes::from([&[1], &wire[1 + own..]].concat());
        let read = Envelope::from_wire(&older).unwrap();
        assert_eq!((read.kept(), read.access()), (kept.kept(), Access::Write));
    }

    #[test]
    fn a_body_over_the_cap_keeps_its_digest() {
        let mut large = envelope();
        let response = large.exchange.response.as_mut().unwrap();
        response.fault = Some(Fault::TooLarge);
        response.body.set_digest(BodyDigest {
            len: 1 << 40,
            hash: u128::MAX - 7,
        });
        let wire = Bytes::from(large.to_wire());
        assert_eq!(Envelope::from_wire(&wire), Ok(large));
    }

    #[test]
    fn other_versions_and_damage_are_told_apart() {
        let wire = envelope().to_wire();
        let mut later = wire.clone();
        later[0] = 4;
        assert_eq!(
            Envelope::from_wire(&later.into()),
            Err(WireError::UnknownVersion(4))
        );
        for cut in 0..wire.len() {
            let read = Envelope::from_wire(&Bytes::copy_from_slice(&wire[..cut]));
            assert!(matches!(read, Err(WireError::Damaged(_))), "cut at {cut}");
        }
        let longer = [&wire[..], b"x"].concat();
        assert!(matches!(
            Envelope::from_wire(&longer.into()),
            Err(WireError::Damaged(_))
        ));
    }
}
