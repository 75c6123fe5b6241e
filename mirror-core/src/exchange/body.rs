//! A message's body in the slices that brought it.

use std::{fmt, ops::Deref, sync::OnceLock};

use bytes::{Bytes, BytesMut};

use super::{BodyDigest, Digester};

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
    digest: Option<BodyDigest>,
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
        let Some(rest) = self.rest.as_ref().filter(|rest| rest.len > 0) else {
            return &self.first;
        };
        rest.joined.get_or_init(|| {
            let mut joined = BytesMut::with_capacity(self.len());
            self.slices()
                .for_each(|slice| joined.extend_from_slice(slice));
            joined.freeze()
        })
    }

    /// Of all of it, where only its beginning is kept.
    pub fn digest(&self) -> Option<BodyDigest> {
        self.rest.as_ref()?.digest
    }

    /// What has taken the bytes that are kept.
    pub fn digester(&self) -> Digester {
        let mut digester = Digester::default();
        self.slices().for_each(|slice| digester.take(slice));
        digester
    }

    /// Says that it is only the beginning of a body.
    pub fn set_digest(&mut self, of_all: BodyDigest) {
        self.rest.get_or_insert_default().digest = Some(of_all);
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
        self.len() == other.len()
            && self.digest() == other.digest()
            && self.bytes() == other.bytes()
    }
}

impl Eq for Body {}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes().fmt(f)
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
    fn the_beginning_of_a_body_is_not_that_body() {
        let whole = Body::from(Bytes::from_static(b"ab"));
        let mut begun = whole.clone();
        let of_all = Body::from(Bytes::from_static(b"abc")).digester().finish();
        begun.set_digest(of_all);
        assert_eq!(&begun[..], b"ab");
        assert_eq!((begun.digest(), whole.digest()), (Some(of_all), None));
        assert_ne!(begun, whole);
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
