//! Where a message's body ends (RFC 9112 §6), and its bytes with the chunks undone.
//!
//! What two parsers could read differently is no body but [`Ambiguous`]: nothing after it can be trusted.

use bytes::{Buf, Bytes};

use super::Head;
use crate::exchange::Headers;

/// Bytes of trailers, and of one chunk's extensions, that are passed over.
const MAX_SKIPPED: usize = 64 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Bytes; 0 for no body.
    Length(u64),
    Chunked,
    UntilClose,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body can be read in more than one way")]
pub struct Ambiguous;

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
    pub fn of(head: &Head, answered: Answered) -> Result<Self, Ambiguous> {
        let bodiless = match head {
            Head::Request { .. } => false,
            Head::Response { status, .. } => {
                answered == Answered::Head
                    || matches!(status, 100..=199 | 204 | 304)
                    || (answered == Answered::Connect && matches!(status, 200..=299))
            }
        };
        if bodiless {
            return Ok(Self::Length(0));
        }
        let length = content_length(head.headers())?;
        let coding = transfer_coding(head)?;
        match (coding, length, head) {
            (Coding::None, Some(length), _) => Ok(Self::Length(length)),
            (Coding::None, None, Head::Request { .. }) => Ok(Self::Length(0)),
            (Coding::None, None, Head::Response { .. }) => Ok(Self::UntilClose),
            (_, Some(_), _) => Err(Ambiguous),
            (Coding::Chunked, None, _) => Ok(Self::Chunked),
            (Coding::Other, None, Head::Request { .. }) => Err(Ambiguous),
            (Coding::Other, None, Head::Response { .. }) => Ok(Self::UntilClose),
        }
    }
}

/// Equal values count as one (RFC 9112 §6.3, 5).
fn content_length(headers: &Headers) -> Result<Option<u64>, Ambiguous> {
    let mut length = None;
    for value in headers.all("content-length") {
        for item in value.split(|byte| *byte == b',') {
            let item = item.trim_ascii();
            // `parse` would take a sign.
            let digits = !item.is_empty() && item.iter().all(u8::is_ascii_digit);
            let item = std::str::from_utf8(item).ok().filter(|_| digits);
            let item = item.and_then(|item| item.parse().ok()).ok_or(Ambiguous)?;
            if length.replace(item).is_some_and(|before| before != item) {
                return Err(Ambiguous);
            }
        }
    }
    Ok(length)
}

enum Coding {
    None,
    /// Chunked and nothing else: other codings cannot be undone here.
    Chunked,
    /// Not chunked at the end: the close ends it.
    Other,
}

fn transfer_coding(head: &Head) -> Result<Coding, Ambiguous> {
    let mut coding = Coding::None;
    for value in head.headers().all("transfer-encoding") {
        for item in value.split(|byte| *byte == b',') {
            let item = item.trim_ascii();
            coding = match coding {
                // Nothing may follow chunked.
                Coding::Chunked => return Err(Ambiguous),
                Coding::None if item.eq_ignore_ascii_case(b"identity") => Coding::None,
                Coding::None if item.eq_ignore_ascii_case(b"chunked") => Coding::Chunked,
                Coding::Other if item.eq_ignore_ascii_case(b"chunked") => return Err(Ambiguous),
                _ => Coding::Other,
            };
        }
    }
    match coding {
        // HTTP/1.0 has none: a server of that age reads such a body as something else.
        Coding::Chunked if head.minor() == 0 => Err(Ambiguous),
        coding => Ok(coding),
    }
}

/// Takes a body's bytes in any pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoder {
    Length(u64),
    UntilClose,
    Chunked(Chunk),
}

/// Where in the chunked coding (RFC 9112 §7.1) the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunk {
    Size {
        size: u64,
        digits: u8,
    },
    /// After the size: spaces or extensions until the line ends.
    Extension {
        size: u64,
        skipped: usize,
    },
    SizeLf {
        size: u64,
    },
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    /// `length` of the line so far, without its CR.
    Trailer {
        length: usize,
        skipped: usize,
    },
    TrailerLf {
        length: usize,
        skipped: usize,
    },
    Done,
}

impl Chunk {
    const START: Self = Self::Size { size: 0, digits: 0 };
}

impl Decoder {
    pub fn new(framing: Framing) -> Self {
        match framing {
            Framing::Length(length) => Self::Length(length),
            Framing::UntilClose => Self::UntilClose,
            Framing::Chunked => Self::Chunked(Chunk::START),
        }
    }

    pub fn is_done(&self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Chunk::Done))
    }

    /// Takes from the front of `input` up to the next run of body bytes, which it gives, empty when `input` or the
    /// body ends before one. To be called until the body is done or `input` is empty.
    pub fn decode(&mut self, input: &mut Bytes) -> Result<Bytes, Ambiguous> {
        match self {
            Self::Length(left) => {
                let taken = input
                    .len()
                    .min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= taken as u64;
                Ok(input.split_to(taken))
            }
            Self::UntilClose => Ok(input.split_to(input.len())),
            Self::Chunked(chunk) => chunk.decode(input),
        }
    }

    /// Goes over `len` bytes that were lost; false when the end of the body may be among them.
    pub fn skip(&mut self, len: u64) -> bool {
        let left = match self {
            Self::UntilClose => return true,
            Self::Length(left) | Self::Chunked(Chunk::Data { left }) => left,
            Self::Chunked(_) => return false,
        };
        if len > *left {
            return false;
        }
        *left -= len;
        if let Self::Chunked(chunk @ Chunk::Data { left: 0 }) = self {
            *chunk = Chunk::DataCr;
        }
        true
    }
}

impl Chunk {
    fn decode(&mut self, input: &mut Bytes) -> Result<Bytes, Ambiguous> {
        while *self != Self::Done && !input.is_empty() {
            if let Self::Data { left } = *self {
                let taken = input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                *self = match left - taken as u64 {
                    0 => Self::DataCr,
                    left => Self::Data { left },
                };
                return Ok(input.split_to(taken));
            }
            let used = self.frame(input)?;
            input.advance(used);
        }
        Ok(Bytes::new())
    }

    /// Goes over framing bytes; gives how many.
    fn frame(&mut self, input: &[u8]) -> Result<usize, Ambiguous> {
        for (index, &byte) in input.iter().enumerate() {
            *self = self.after(byte)?;
            if matches!(self, Self::Done | Self::Data { .. }) {
                return Ok(index + 1);
            }
        }
        Ok(input.len())
    }

    /// The state behind one framing byte. A bare LF is no line end here: parsers disagree about it.
    fn after(self, byte: u8) -> Result<Self, Ambiguous> {
        match (self, byte) {
            (Self::Size { size, digits }, byte) if byte.is_ascii_hexdigit() && digits < 15 => {
                let digit = (byte as char).to_digit(16).map_or(0, u64::from);
                Ok(Self::Size {
                    size: size << 4 | digit,
                    digits: digits + 1,
                })
            }
            (Self::Size { digits: 0, .. }, _) => Err(Ambiguous),
            (Self::Size { size, .. } | Self::Extension { size, .. }, b'\r') => {
                Ok(Self::SizeLf { size })
            }
            (Self::Size { size, .. }, b';' | b' ' | b'\t') => {
                Ok(Self::Extension { size, skipped: 0 })
            }
            (Self::Extension { size, skipped }, byte) if byte != b'\n' && skipped < MAX_SKIPPED => {
                Ok(Self::Extension {
                    size,
                    skipped: skipped + 1,
                })
            }
            (Self::SizeLf { size: 0 }, b'\n') => Ok(Self::Trailer {
                length: 0,
                skipped: 0,
            }),
            (Self::SizeLf { size }, b'\n') => Ok(Self::Data { left: size }),
            (Self::DataCr, b'\r') => Ok(Self::DataLf),
            (Self::DataLf, b'\n') => Ok(Self::START),
            (Self::Trailer { length, skipped }, b'\r') => Ok(Self::TrailerLf { length, skipped }),
            (Self::Trailer { length, skipped }, byte) if byte != b'\n' && skipped < MAX_SKIPPED => {
                Ok(Self::Trailer {
                    length: length + 1,
                    skipped: skipped + 1,
                })
            }
            (Self::TrailerLf { length: 0, .. }, b'\n') => Ok(Self::Done),
            (Self::TrailerLf { skipped, .. }, b'\n') => Ok(Self::Trailer { length: 0, skipped }),
            _ => Err(Ambiguous),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;

    fn framing(kind: Kind, answered: Answered, head: &str) -> Result<Framing, Ambiguous> {
        let head = Bytes::copy_from_slice(head.replace('\n', "\r\n").as_bytes());
        let (head, _) = Head::parse(kind, &head).unwrap().unwrap();
        Framing::of(&head, answered)
    }

    fn check_request(fields: &str, expect: Result<Framing, Ambiguous>) {
        let head = format!("POST / HTTP/1.1\n{fields}\n");
        assert_eq!(
            framing(Kind::Request, Answered::Other, &head),
            expect,
            "{fields}"
        );
    }

    fn check_response(
        answered: Answered,
        status: u16,
        fields: &str,
        expect: Result<Framing, Ambiguous>,
    ) {
        let head = format!("HTTP/1.1 {status} X\n{fields}\n");
        assert_eq!(framing(Kind::Response, answered, &head), expect, "{fields}");
    }

    #[test]
    fn framing_of_requests() {
        check_request("", Ok(Framing::Length(0)));
        check_request("Content-Length: 5\n", Ok(Framing::Length(5)));
        check_request(
            "Content-Length: 5, 5\nContent-Length: 5\n",
            Ok(Framing::Length(5)),
        );
        check_request("Content-Length: 5\nContent-Length: 6\n", Err(Ambiguous));
        check_request("Content-Length: +5\n", Err(Ambiguous));
        check_request("Content-Length: \n", Err(Ambiguous));
        check_request("Content-Length: 99999999999999999999\n", Err(Ambiguous));
        check_request("Transfer-Encoding: Chunked\n", Ok(Framing::Chunked));
        check_request(
            "Transfer-Encoding: chunked\nContent-Length: 5\n",
            Err(Ambiguous),
        );
        check_request("Transfer-Encoding: chunked, chunked\n", Err(Ambiguous));
        check_request("Transfer-Encoding: gzip\n", Err(Ambiguous));
        check_request("Transfer-Encoding: gzip, chunked\n", Err(Ambiguous));
        check_request("Transfer-Encoding: chunked, identity\n", Err(Ambiguous));
    }

    #[test]
    fn framing_of_responses() {
        check_response(Answered::Other, 200, "", Ok(Framing::UntilClose));
        check_response(
            Answered::Other,
            200,
            "Content-Length: 5\n",
            Ok(Framing::Length(5)),
        );
        check_response(
            Answered::Head,
            200,
            "Content-Length: 5\n",
            Ok(Framing::Length(0)),
        );
        check_response(
            Answered::Other,
            304,
            "Content-Length: 5\n",
            Ok(Framing::Length(0)),
        );
        check_response(Answered::Other, 204, "", Ok(Framing::Length(0)));
        check_response(Answered::Other, 100, "", Ok(Framing::Length(0)));
        check_response(
            Answered::Connect,
            200,
            "Content-Length: 5\n",
            Ok(Framing::Length(0)),
        );
        check_response(
            Answered::Connect,
            407,
            "Content-Length: 5\n",
            Ok(Framing::Length(5)),
        );
        check_response(
            Answered::Other,
            200,
            "Transfer-Encoding: gzip\n",
            Ok(Framing::UntilClose),
        );
    }

    /// Decodes `text` in one piece, split at every byte, and byte by byte: always the same body and rest.
    fn check(framing: Framing, text: &str, expect: Result<(&str, &str), Ambiguous>) {
        let expect = expect.map(|(body, rest)| (body.to_owned(), rest.to_owned()));
        let bytes: Vec<_> = text.as_bytes().chunks(1).collect();
        assert_eq!(decode(framing, &bytes), expect, "{text:?} byte by byte");
        for at in 0..=text.len() {
            let (left, right) = text.as_bytes().split_at(at);
            assert_eq!(decode(framing, &[left, right]), expect, "{text:?} at {at}");
        }
    }

    fn decode(framing: Framing, pieces: &[&[u8]]) -> Result<(String, String), Ambiguous> {
        let mut decoder = Decoder::new(framing);
        let (mut body, mut rest) = (Vec::new(), Vec::new());
        for piece in pieces {
            let mut input = Bytes::copy_from_slice(piece);
            while !decoder.is_done() && !input.is_empty() {
                body.extend(decoder.decode(&mut input)?);
            }
            rest.extend(input);
        }
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ok((text(body), text(rest)))
    }

    #[test]
    fn a_length_ends_the_body() {
        check(Framing::Length(0), "abc", Ok(("", "abc")));
        check(Framing::Length(2), "abc", Ok(("ab", "c")));
        check(Framing::UntilClose, "abc", Ok(("abc", "")));
    }

    #[test]
    fn chunks_are_undone() {
        check(
            Framing::Chunked,
            "3\r\nabc\r\n0\r\n\r\nnext",
            Ok(("abc", "next")),
        );
        check(
            Framing::Chunked,
            "03 ;x=\"y\"\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
            Ok(("abc0123456789", "")),
        );
        check(
            Framing::Chunked,
            "1\r\na\r\n0\r\nT: 1\r\nU: 2\r\n\r\nnext",
            Ok(("a", "next")),
        );
    }

    #[test]
    fn bad_chunks_are_ambiguous() {
        for text in [
            "x\r\n",
            "\r\n",
            "3\nabc\n",
            "3\r\nabcd",
            "3\r\nabc\rx",
            "-1\r\n",
            "0x3\r\n",
            "1234567890123456\r\n",
            "3;\n",
        ] {
            check(Framing::Chunked, text, Err(Ambiguous));
        }
    }

    #[test]
    fn lost_bytes_inside_the_body_keep_the_framing() {
        let mut length = Decoder::Length(5);
        assert!(length.skip(5) && length.is_done());
        assert!(!Decoder::Length(5).skip(6));
        assert!(Decoder::UntilClose.skip(6));
        assert!(!Decoder::new(Framing::Chunked).skip(1));
        let mut chunked = Decoder::Chunked(Chunk::Data { left: 5 });
        assert!(chunked.skip(5));
        assert_eq!(chunked, Decoder::Chunked(Chunk::DataCr));
    }
}
