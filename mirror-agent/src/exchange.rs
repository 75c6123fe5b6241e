//! The central type: one request, production's own response to it, and when and where both were seen.

use std::fmt;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::OnceLock;

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

/// Nanoseconds since the Unix epoch, UTC.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Timestamp(pub u64);

impl Timestamp {
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros * 1_000)
    }

    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// Nanoseconds from `earlier` to `self`, zero when the clock went backwards.
    pub const fn nanos_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Why a message is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Bytes of it were never captured.
    Gap,
    /// The connection or the capture ended inside it.
    Truncated,
    /// Its body is over the cap; the rest was dropped.
    TooLarge,
    /// Two parsers could read it differently (conflicting lengths, bad chunk size, …).
    Ambiguous,
}

/// Header fields in the order and spelling of the wire: places in the one slice of what was captured that holds them all.
#[derive(Clone, Default)]
pub struct Headers {
    block: Bytes,
    fields: Vec<Field>,
}

#[derive(Clone, Copy)]
struct Field {
    name: Span,
    value: Span,
}

/// A head is far smaller than 4 GiB.
#[derive(Clone, Copy)]
struct Span {
    at: u32,
    len: u32,
}

impl Span {
    /// Where `part` lies in `block`; an empty span when it does not.
    fn of(block: &[u8], part: &[u8]) -> Self {
        let at = (part.as_ptr() as usize).wrapping_sub(block.as_ptr() as usize);
        let inside = at
            .checked_add(part.len())
            .is_some_and(|end| end <= block.len());
        match (u32::try_from(at), u32::try_from(part.len())) {
            (Ok(at), Ok(len)) if inside => Self { at, len },
            _ => Self { at: 0, len: 0 },
        }
    }

    fn bytes(self, block: &[u8]) -> &[u8] {
        let at = self.at as usize;
        block.get(at..at + self.len as usize).unwrap_or_default()
    }
}

impl Headers {
    /// Fields whose names and values are parts of `block`.
    pub fn within<'a>(block: &Bytes, fields: impl Iterator<Item = (&'a str, &'a [u8])>) -> Self {
        let place = |(name, value): (&str, &[u8])| Field {
            name: Span::of(block, name.as_bytes()),
            value: Span::of(block, value),
        };
        Self {
            fields: fields.map(place).collect(),
            block: block.clone(),
        }
    }

    /// The names alone, which are text.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.fields
            .iter()
            .map(|field| field.name.bytes(&self.block))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let text =
            |field: &Field| std::str::from_utf8(field.name.bytes(&self.block)).unwrap_or_default();
        self.fields
            .iter()
            .map(move |field| (text(field), field.value.bytes(&self.block)))
    }

    pub fn len(&self) -> usize {
        self.fields.len()
    }

    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The first value of `name`, compared without case.
    pub fn first(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }

    pub fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let is_named = move |field: &&Field| {
            field.name.len as usize == name.len()
                && field
                    .name
                    .bytes(&self.block)
                    .eq_ignore_ascii_case(name.as_bytes())
        };
        self.fields
            .iter()
            .filter(is_named)
            .map(|field| field.value.bytes(&self.block))
    }

    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        // The bytes of what is taken out must not be there any more either.
        *self = self.iter().filter(|(name, _)| keep(name)).collect();
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        let mut block = BytesMut::new();
        let mut push = |part: &[u8]| {
            let at = block.len() as u32;
            block.extend_from_slice(part);
            let len = part.len() as u32;
            Span { at, len }
        };
        let fields = fields.into_iter().map(|(name, value)| Field {
            name: push(name.as_ref().as_bytes()),
            value: push(value.as_ref()),
        });
        Self {
            fields: fields.collect(),
            block: block.freeze(),
        }
    }
}

impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for Headers {}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |(name, value)| format!("{name}: {}", String::from_utf8_lossy(value));
        f.debug_list().entries(self.iter().map(text)).finish()
    }
}

/// Slices below this are copied together: each keeps the whole packet it is from in memory.
const MIN_SLICE: usize = 512;

/// A message's body: slices of the packets that brought it. They become one run of bytes when something first reads them
/// as such, by dereferencing.
#[derive(Clone, Default)]
pub struct Body {
    /// Not empty but for an empty body.
    first: Bytes,
    /// Most bodies fit into one packet.
    rest: Option<Box<Rest>>,
}

#[derive(Clone, Default)]
struct Rest {
    slices: Vec<Bytes>,
    len: usize,
    joined: OnceLock<Bytes>,
}

impl Body {
    pub fn len(&self) -> usize {
        self.first.len() + self.rest.as_ref().map_or(0, |rest| rest.len)
    }

    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// As they were captured, in order.
    pub fn slices(&self) -> impl Iterator<Item = &Bytes> {
        let rest = self.rest.iter().flat_map(|rest| &rest.slices);
        std::iter::once(&self.first).chain(rest)
    }

    /// In one run; a copy when it is in several slices, made once.
    pub fn bytes(&self) -> &Bytes {
        let Some(rest) = &self.rest else {
            return &self.first;
        };
        rest.joined.get_or_init(|| {
            let mut joined = BytesMut::with_capacity(self.len());
            self.slices()
                .for_each(|slice| joined.extend_from_slice(slice));
            joined.freeze()
        })
    }

    /// Puts `slice` behind it.
    pub fn push(&mut self, slice: Bytes) {
        if self.first.is_empty() {
            self.first = slice;
        } else if !slice.is_empty() {
            self.rest.get_or_insert_default().push(slice);
        }
    }
}

impl Rest {
    fn push(&mut self, slice: Bytes) {
        self.len += slice.len();
        self.joined.take();
        match self.slices.last_mut() {
            Some(last) if last.len().max(slice.len()) < MIN_SLICE => append(last, &slice),
            _ => self.slices.push(slice),
        }
    }
}

/// In place, when nobody else has `bytes`.
fn append(bytes: &mut Bytes, more: &[u8]) {
    let mut joined = match std::mem::take(bytes).try_into_mut() {
        Ok(joined) => joined,
        Err(shared) => {
            let mut joined = BytesMut::with_capacity(2 * MIN_SLICE);
            joined.extend_from_slice(&shared);
            joined
        }
    };
    joined.extend_from_slice(more);
    *bytes = joined.freeze();
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        let mut body = Self::default();
        body.push(bytes);
        body
    }
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes()
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.bytes() == other.bytes()
    }
}

impl Eq for Body {}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes().fmt(f)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    /// The request target as sent: origin, absolute or authority form.
    pub target: String,
    /// Minor version of HTTP/1: 0 or 1.
    pub minor: u8,
    pub headers: Headers,
    /// Body with transfer-coding undone, content-coding kept.
    pub body: Body,
    /// None when it is whole.
    pub fault: Option<Fault>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub minor: u8,
    pub headers: Headers,
    pub body: Body,
    pub fault: Option<Fault>,
}

/// When the four edges of an exchange were seen on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    pub request_first: Timestamp,
    pub request_last: Timestamp,
    pub response_first: Option<Timestamp>,
    pub response_last: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Number of the connection within this capture, from 0 in order of appearance.
    pub connection: u64,
    /// Place in its connection, from 0.
    pub index: u32,
    pub client: SocketAddr,
    pub server: SocketAddr,
    /// Interface index; 0 for a file.
    pub origin: u32,
    pub timing: Timing,
    pub request: Request,
    /// None when production's final response was not seen.
    pub response: Option<Response>,
}

impl Exchange {
    pub fn captured_at(&self) -> Timestamp {
        self.timing.request_first
    }

    /// The target without its query and without scheme and authority.
    pub fn path(&self) -> &str {
        let target = self.request.target.as_str();
        let path = match target.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("/", |slash| &rest[slash..]),
            None => target,
        };
        path.split(['?', '#']).next().unwrap_or(path)
    }

    /// Nanoseconds from the request's last byte to the response's last byte, production's latency.
    pub fn latency_nanos(&self) -> Option<u64> {
        self.timing
            .response_last
            .map(|last| last.nanos_since(self.timing.request_last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pieces: &[usize], slices: usize) {
        let sent: Vec<u8> = (0..=250).cycle().take(pieces.iter().sum()).collect();
        let captured = Bytes::copy_from_slice(&sent);
        let (mut body, mut at) = (Body::default(), 0);
        for piece in pieces {
            body.push(captured.slice(at..at + piece));
            at += piece;
        }
        assert_eq!(body.slices().count(), slices, "{pieces:?}");
        assert_eq!((&body[..], body.len()), (&sent[..], sent.len()));
        assert_eq!(body, Body::from(captured));
    }

    #[test]
    fn a_body_is_slices_and_small_ones_are_copied_together() {
        check(&[], 1);
        check(&[3], 1);
        check(&[1448, 1448, 20], 3);
        check(&[1448, 20, 20, 1448], 3);
        check(&[1; 4000], 9);
    }

    #[test]
    fn a_body_that_was_read_can_grow() {
        let mut body = Body::from(Bytes::from_static(b"ab"));
        body.push(Bytes::from_static(b"cd"));
        assert_eq!(&body[..], b"abcd");
        body.push(Bytes::from_static(b"e"));
        assert_eq!(&body[..], b"abcde");
    }
}
