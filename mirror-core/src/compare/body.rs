//! Two bodies side by side, within bounds: as data, as bytes, or as a stream that nobody holds.

use std::borrow::Cow;
use std::io::BufRead;

use crate::detect::shown_part;
use crate::exchange::{BodyDigest, Fault, Response};
use crate::http::coding::{Undecoded, decoded_within, decoder, undecoded};
use crate::json::{NotRead, Value, begins_as_container};

/// What the comparison of two bodies may hold, for each side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimits {
    /// Bytes without the content-coding.
    pub bytes: usize,
    /// Values of a JSON document, of some 50 bytes each.
    pub nodes: usize,
    /// Bytes that are read as a stream, which costs time and no memory.
    pub stream_bytes: u64,
}

impl BodyLimits {
    /// Up to some 110 MB while a pair is compared, and 200 MB where a body grows when it is read as a document.
    pub const FULL: Self = Self {
        bytes: 16 << 20,
        nodes: 400_000,
        stream_bytes: 256 << 20,
    };
    /// Up to 4 MB, and 5 MB.
    pub const LIGHT: Self = Self {
        bytes: 256 << 10,
        nodes: 20_000,
        stream_bytes: 0,
    };
}

/// Two bodies as their senders meant them.
pub(super) enum Bodies<'a> {
    /// Equal byte for byte, and in meaning.
    Same,
    Whole(Cow<'a, [u8]>, Cow<'a, [u8]>),
    /// Too large to be held. Where they part, if they do.
    Stream(Option<(String, String)>),
    /// They are over the limit for streams too.
    TooLarge,
}

impl<'a> Bodies<'a> {
    /// Undoes the content-codings. When one of them cannot be undone, the bodies are as they were sent.
    pub(super) fn of(production: &'a Response, mirror: &'a Response, limits: BodyLimits) -> Self {
        if production.body == mirror.body && same_codings(production, mirror) {
            return Self::Same;
        }
        let decoded = |response: &'a Response| {
            decoded_within(&response.headers, &response.body, limits.bytes)
        };
        match (decoded(production), decoded(mirror)) {
            (Ok(ours), Ok(theirs)) if ours == theirs => Self::Same,
            (Ok(ours), Ok(theirs)) => Self::Whole(ours, theirs),
            (Err(Undecoded::TooLarge), Ok(_) | Err(Undecoded::TooLarge))
            | (Ok(_), Err(Undecoded::TooLarge)) => Self::stream(production, mirror, limits),
            _ => Self::as_sent(production, mirror),
        }
    }

    fn stream(production: &'a Response, mirror: &'a Response, limits: BodyLimits) -> Self {
        let open = |response: &'a Response| decoder(&response.headers, &response.body);
        let parted = match (open(production), open(mirror)) {
            (Ok(ours), Ok(theirs)) => part(ours, theirs, limits.stream_bytes),
            _ => return Self::as_sent(production, mirror),
        };
        match parted {
            Ok(parted) => Self::Stream(parted),
            Err(Undecoded::TooLarge) => Self::TooLarge,
            Err(_) => Self::as_sent(production, mirror),
        }
    }

    fn as_sent(production: &'a Response, mirror: &'a Response) -> Self {
        Self::Whole(Cow::Borrowed(&production.body), Cow::Borrowed(&mirror.body))
    }
}

/// Both bodies as JSON, if both are an array or an object.
pub(super) fn data<'b>(
    ours: &'b [u8],
    theirs: &'b [u8],
    limits: BodyLimits,
) -> Result<(Value<'b>, Value<'b>), NotRead> {
    if !(begins_as_container(ours) && begins_as_container(theirs)) {
        return match ours.len().max(theirs.len()) > limits.bytes {
            true => Err(NotRead::TooLarge),
            false => Err(NotRead::NotJson),
        };
    }
    declared_data(ours, theirs, limits)
}

/// Both bodies as JSON of any kind, where they say that they are JSON: a text alone is a document then.
pub(super) fn declared_data<'b>(
    ours: &'b [u8],
    theirs: &'b [u8],
    limits: BodyLimits,
) -> Result<(Value<'b>, Value<'b>), NotRead> {
    if ours.len().max(theirs.len()) > limits.bytes {
        return Err(NotRead::TooLarge);
    }
    let ours = Value::parse_leniently(ours, limits.nodes)?;
    Ok((ours, Value::parse_leniently(theirs, limits.nodes)?))
}

/// Length and digest of a body that is known whole, though it may not be kept.
pub(super) fn digest(response: &Response) -> Option<BodyDigest> {
    match response.fault {
        None => Some(response.body.digester().finish()),
        Some(Fault::TooLarge) => response.body.digest(),
        Some(_) => None,
    }
}

/// Shows how two bodies differ that are known by their digests.
pub(super) fn digested(digest: BodyDigest) -> String {
    let BodyDigest { len, hash } = digest;
    format!("{len} bytes, too large to be kept (--max-body); their XXH3 is {hash:032x}")
}

/// Shows a body that has no structure.
pub(super) fn known_by(digest: BodyDigest) -> String {
    let BodyDigest { len, hash } = digest;
    format!("{len} bytes, compared by digest; their XXH3 is {hash:032x}")
}

/// Shows where two bodies part.
pub(super) fn parted(ours: &[u8], theirs: &[u8]) -> (String, String) {
    let first = ours.iter().zip(theirs).take_while(|(a, b)| a == b).count();
    let around = |body: &[u8]| {
        let from = first.saturating_sub(20);
        let to = body.len().min(first + 60);
        let excerpt = shown_part(body, from.min(to)..to);
        format!("{} bytes, from byte {from}: {excerpt:?}", body.len())
    };
    (around(ours), around(theirs))
}

/// As they were sent, so that their bytes can be compared.
pub(super) fn same_codings(production: &Response, mirror: &Response) -> bool {
    let codings = |response: &Response| {
        let values = response.headers.all("content-encoding");
        values.map(<[u8]>::to_vec).collect::<Vec<_>>()
    };
    codings(production) == codings(mirror)
}

/// Reads two streams side by side up to where they part: `None` when they are equal to their ends.
fn part(
    mut ours: Box<dyn BufRead + '_>,
    mut theirs: Box<dyn BufRead + '_>,
    limit: u64,
) -> Result<Option<(String, String)>, Undecoded> {
    let mut read = 0;
    while read < limit {
        let (a, b) = (
            ours.fill_buf().map_err(undecoded)?,
            theirs.fill_buf().map_err(undecoded)?,
        );
        let both = a.len().min(b.len());
        if both == 0 {
            let length = |rest: &[u8]| match rest {
                [] => format!("{read} bytes without its content-coding"),
                _ => format!("more than {read} bytes without its content-coding"),
            };
            return Ok((a.len() != b.len()).then(|| (length(a), length(b))));
        }
        if a[..both] != b[..both] {
            let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
            let at = read + same as u64;
            let around = |rest: &[u8]| {
                let excerpt = shown_part(rest, same..rest.len().min(same + 60));
                format!("too large to be compared as data; from byte {at}: {excerpt:?}")
            };
            return Ok(Some((around(a), around(b))));
        }
        ours.consume(both);
        theirs.consume(both);
        read += both as u64;
    }
    Err(Undecoded::TooLarge)
}
