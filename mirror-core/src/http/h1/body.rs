//! Where a message's body ends (RFC 9112 §6), and its bytes with the chunks undone.

use bytes::Bytes;

use super::chunk::{Chunks, Unreadable};
use crate::exchange::{Ambiguity, Headers, Trailers, Version};
use crate::http::Message;

/// How a message says where its body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// Bytes; 0 for no body.
    Known(u64),
    Chunked,
    UntilClose,
}

/// The likeliest reading of where a message's body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    /// `None` when no reading is likely.
    pub length: Option<BodyLength>,
    /// Why another parser could read it differently: nothing after such a request can be trusted.
    pub ambiguity: Option<Ambiguity>,
}

/// What a response's request was, as far as the response's framing depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    Head,
    Connect,
    Other,
    /// The request was not seen.
    Unknown,
}

impl Answered {
    pub fn by_method(method: &str) -> Self {
        match method {
            "HEAD" => Self::Head,
            "CONNECT" => Self::Connect,
            _ => Self::Other,
        }
    }
}

impl Framing {
    pub fn of(message: &Message, answered: Answered) -> Self {
        let sure = |length| Self {
            length: Some(length),
            ambiguity: None,
        };
        let unsure = |length, why| Self {
            length,
            ambiguity: Some(why),
        };
        let is_request = matches!(message, Message::Request(_));
        if is_bodiless(message, answered) {
            return sure(BodyLength::Known(0));
        }
        let Ok(length) = content_length(message.headers()) else {
            return unsure(None, Ambiguity::ContentLength);
        };
        let (coding, tricky) = transfer_coding(message);
        let why = match (tricky, length) {
            (false, Some(_)) => Ambiguity::LengthAndCoding,
            _ => Ambiguity::TransferCoding,
        };
        match (coding, length) {
            (Coding::None, length) if tricky => unsure(length.map(BodyLength::Known), why),
            (Coding::None, Some(length)) => sure(BodyLength::Known(length)),
            (Coding::None, None) if is_request => sure(BodyLength::Known(0)),
            (Coding::None, None) => sure(BodyLength::UntilClose),
            // The coding overrides the length (RFC 9112 §6.3, 3), for whoever knows that.
            (Coding::Chunked, length) if tricky || length.is_some() => {
                unsure(Some(BodyLength::Chunked), why)
            }
            (Coding::Chunked, _) => sure(BodyLength::Chunked),
            (Coding::Other, None) if !is_request && !tricky => sure(BodyLength::UntilClose),
            (Coding::Other, _) => unsure((!is_request).then_some(BodyLength::UntilClose), why),
        }
    }
}

fn is_bodiless(message: &Message, answered: Answered) -> bool {
    let Message::Response(response) = message else {
        return false;
    };
    match response.status {
        100..=199 | 204 | 304 => true,
        200..=299 if answered == Answered::Connect => true,
        _ => answered == Answered::Head,
    }
}

/// There are several, or none that is a number.
struct NoLength;

/// Equal values count as one (RFC 9112 §6.3, 5).
fn content_length(headers: &Headers) -> Result<Option<u64>, NoLength> {
    let mut length = None;
    for value in headers.all("Content-Length") {
        for item in value.split(|byte| *byte == b',') {
            let item = number(item.trim_ascii()).ok_or(NoLength)?;
            if length.replace(item).is_some_and(|before| before != item) {
                return Err(NoLength);
            }
        }
    }
    Ok(length)
}

/// Digits alone: the standard library would take a sign too.
fn number(text: &[u8]) -> Option<u64> {
    let (first, rest) = text.split_first()?;
    let digit = |byte: &u8| (*byte as char).to_digit(10).map(u64::from);
    rest.iter().try_fold(digit(first)?, |number: u64, byte| {
        number.checked_mul(10)?.checked_add(digit(byte)?)
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Coding {
    None,
    /// Chunked at the end; other codings below it stay.
    Chunked,
    /// Not chunked at the end: the close ends it.
    Other,
}

/// The last coding, and whether parsers disagree about the list.
fn transfer_coding(message: &Message) -> (Coding, bool) {
    let (mut coding, mut tricky) = (Coding::None, false);
    for value in message.headers().all("Transfer-Encoding") {
        for item in value.split(|byte| *byte == b',') {
            let item = item.trim_ascii();
            // Nothing may follow chunked; codings below it cannot be undone here; the rest is not in any standard.
            tricky |= coding != Coding::None
                || !(item.eq_ignore_ascii_case(b"chunked") || is_registered(item));
            coding = if item.eq_ignore_ascii_case(b"chunked") {
                Coding::Chunked
            } else if item.eq_ignore_ascii_case(b"identity") && coding == Coding::None {
                Coding::None
            } else {
                Coding::Other
            };
        }
    }
    // HTTP/1.0 has none: a server of that age reads such a body as something else.
    tricky |= coding == Coding::Chunked && message.version() == Version::Http10;
    // `identity` was in a standard once, and is meant well by servers.
    tricky &= !(coding == Coding::None && matches!(message, Message::Response(_)));
    (coding, tricky)
}

fn is_registered(coding: &[u8]) -> bool {
    const NAMES: [&[u8]; 5] = [b"gzip", b"deflate", b"compress", b"x-gzip", b"x-compress"];
    NAMES.iter().any(|name| coding.eq_ignore_ascii_case(name))
}

/// Takes a body's bytes in any pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoder {
    Length(u64),
    UntilClose,
    /// Few messages are, and it is large.
    Chunked(Box<Chunks>),
}

impl Decoder {
    pub fn new(length: BodyLength) -> Self {
        match length {
            BodyLength::Known(length) => Self::Length(length),
            BodyLength::UntilClose => Self::UntilClose,
            BodyLength::Chunked => Self::Chunked(Box::new(Chunks::new())),
        }
    }

    pub fn is_done(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::UntilClose => false,
            Self::Chunked(chunks) => chunks.is_done(),
        }
    }

    /// Why another parser could have read what was read so far differently.
    pub fn ambiguity(&self) -> Option<Ambiguity> {
        match self {
            Self::Chunked(chunks) => chunks.ambiguity,
            Self::Length(_) | Self::UntilClose => None,
        }
    }

    /// The fields after a chunked body, once it is done.
    pub fn trailers(&self) -> Trailers {
        match self {
            Self::Chunked(chunks) => chunks.trailers().into(),
            Self::Length(_) | Self::UntilClose => Trailers::default(),
        }
    }

    /// Takes from the front of `input` up to the next run of body bytes, which it gives, empty when `input` or the
    /// body ends before one. To be called until the body is done or `input` is empty.
    pub fn decode(&mut self, input: &mut Bytes) -> Result<Bytes, Unreadable> {
        match self {
            Self::Length(left) => {
                let taken = input
                    .len()
                    .min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= taken as u64;
                Ok(input.split_to(taken))
            }
            Self::UntilClose => Ok(input.split_to(input.len())),
            Self::Chunked(chunks) => chunks.decode(input),
        }
    }

    /// Goes over `len` bytes that were lost; false when the end of the body may be among them.
    pub fn skip(&mut self, len: u64) -> bool {
        match self {
            Self::UntilClose => true,
            Self::Length(left) if len <= *left => {
                *left -= len;
                true
            }
            Self::Length(_) => false,
            Self::Chunked(chunks) => chunks.skip(len),
        }
    }
}

#[cfg(test)]
mod tests;
