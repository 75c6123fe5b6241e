//! A captured request → what is written: slices of what was captured, and short texts of our own between them.
//!
//! The request goes out as it was: order, spelling and spaces of its fields, repeated lines, line ends, a Content-Length of 0,
//! the version of HTTP. What changes:
//!
//! * A target in absolute form loses scheme and host, so that no client chooses where the mirror's own requests go, and
//!   follows the path of `--target`.
//! * The marks of a replay come after the last field; the client's own fields of these names go. A missing Host is added: the
//!   authority of an absolute target, else the mirror's.
//! * Wishes to switch to another protocol (`Upgrade`, as for h2c) go, with their names in Connection. All other fields that
//!   concern the connection stay, `Connection: close`, `TE` and `Expect` too: the mirror reads what production read.
//! * A chunked body is one chunk, without extensions; the cuts of the original are not captured. Empty lines before the request
//!   are gone, and a head without any field ends its lines with CRLF.

use std::{
    io::{IoSlice, Write},
    ops::Range,
};

use bytes::Bytes;
use mirror_core::exchange::{Headers, Line, Request, Version};
use mirror_snapshot::{
    HEADER_CAPTURED_AT, HEADER_NAMESPACE, HEADER_REPLAY, HEADER_REQUEST_ID, HEADER_SEND,
};

use super::super::{Marks, Target};

/// Usual length of a request line and the marks.
const USUAL_TEXT: usize = 384;

/// Why a request is not sent. Only an edit of what was captured can lead to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::replay) enum Unsendable {
    #[error("its method is not a name")]
    Method,
    #[error("its target is empty, or holds a space or a control character")]
    Target,
    #[error("its Content-Length is not the length of its body")]
    Length,
    #[error("it has both Content-Length and Transfer-Encoding")]
    LengthAndCoding,
}

enum Piece<'r> {
    /// A part of [`Outgoing::text`].
    Text(Range<usize>),
    Captured(&'r [u8]),
}

pub(in crate::replay) struct Outgoing<'r> {
    text: Vec<u8>,
    pieces: Vec<Piece<'r>>,
    /// Pieces of the head. The others are the body.
    head: usize,
    length: u64,
    /// The body waits for a 100 (RFC 9110 §10.1.1).
    pub(super) expects_continue: bool,
    /// The connection ends with the answer.
    pub(super) closes: bool,
}

impl<'r> Outgoing<'r> {
    pub(in crate::replay) fn new(
        target: &Target,
        request: &'r Request,
        marks: &Marks<'_>,
    ) -> Result<Self, Unsendable> {
        let mut outgoing = Self {
            text: Vec::with_capacity(USUAL_TEXT),
            pieces: Vec::with_capacity(8),
            head: 0,
            length: 0,
            expects_continue: false,
            closes: false,
        };
        let end = line_end(&request.headers);
        outgoing.start_line(target, request, end)?;
        let options = Options::of(request);
        let has_host = outgoing.fields(request, &options, end)?;
        if !has_host {
            outgoing.host(target, request, end);
        }
        outgoing.marks(marks, end);
        outgoing.text.extend_from_slice(end);
        outgoing.close_text();
        outgoing.head = outgoing.pieces.len();
        outgoing.body(request);
        let has_body = outgoing.pieces.len() > outgoing.head;
        outgoing.expects_continue &= has_body && request.version != Version::Http10;
        outgoing.closes = options.closes;
        outgoing.length = outgoing
            .pieces
            .iter()
            .map(|p| outgoing.bytes(p).len() as u64)
            .sum();
        Ok(outgoing)
    }

    fn start_line(
        &mut self,
        target: &Target,
        request: &Request,
        end: &[u8],
    ) -> Result<(), Unsendable> {
        let method = request.method.as_bytes();
        if method.is_empty() || !method.iter().all(|byte| is_token(*byte)) {
            return Err(Unsendable::Method);
        }
        self.text.extend_from_slice(method);
        self.text.push(b' ');
        let from = self.text.len();
        target.write_path(&request.target, &mut self.text);
        let written = &self.text[from..];
        if written.is_empty() || written.iter().any(|byte| *byte <= b' ' || *byte == 0x7f) {
            return Err(Unsendable::Target);
        }
        self.text.extend_from_slice(match request.version {
            Version::Http10 => b" HTTP/1.0",
            Version::Http11 | Version::Http2 => b" HTTP/1.1",
        });
        self.text.extend_from_slice(end);
        Ok(())
    }

    /// The captured fields; tells whether there is a Host.
    fn fields(
        &mut self,
        request: &'r Request,
        options: &Options,
        end: &[u8],
    ) -> Result<bool, Unsendable> {
        let headers = &request.headers;
        let (mut has_host, mut has_length) = (false, false);
        let mut run = 0..0;
        for line in headers.lines() {
            let is = |name: &str| line.name.eq_ignore_ascii_case(name.as_bytes());
            match line.name.len() {
                4 => has_host |= is("host"),
                6 if is("expect") => {
                    self.expects_continue |= line.value.eq_ignore_ascii_case(b"100-continue");
                }
                7 if options.drops_upgrade && is("upgrade") => continue,
                10 if options.drops_upgrade && is("connection") => {
                    self.close_run(headers, &mut run);
                    self.connection(&line, end);
                    continue;
                }
                14 if options.drops_upgrade && is("http2-settings") => continue,
                14 if is("content-length") => {
                    has_length = true;
                    check_length(line.value, request.body.len())?;
                }
                12.. if is_mark(line.name) => continue,
                _ => {}
            }
            match line
                .place
                .filter(|place| headers.captured(place.clone()).ends_with(end))
            {
                Some(place) if place.start == run.end && !run.is_empty() => run.end = place.end,
                Some(place) => {
                    self.close_run(headers, &mut run);
                    run = place;
                }
                None => {
                    self.close_run(headers, &mut run);
                    self.field(line.name, line.value, end);
                }
            }
        }
        self.close_run(headers, &mut run);
        match (request.is_chunked(), has_length) {
            (true, true) => Err(Unsendable::LengthAndCoding),
            (false, false) if !request.body.is_empty() => Err(Unsendable::Length),
            _ => Ok(has_host),
        }
    }

    /// Connection without the options of a wish to switch.
    fn connection(&mut self, line: &Line<'_>, end: &[u8]) {
        let left = options(line.value).filter(|option| !is_of_upgrade(option));
        let left: Vec<&[u8]> = left.collect();
        if !left.is_empty() {
            self.field(line.name, &left.join(&b", "[..]), end);
        }
    }

    fn host(&mut self, target: &Target, request: &Request, end: &[u8]) {
        let asked = request
            .target
            .authority()
            .filter(|_| request.method != "CONNECT");
        let asked = asked.map(|authority| match memchr::memrchr(b'@', authority) {
            Some(at) => &authority[at + 1..],
            None => authority,
        });
        let own = target.host();
        let host = asked
            .filter(|host| !host.is_empty())
            .unwrap_or(own.as_bytes());
        self.field(b"Host", host, end);
    }

    fn marks(&mut self, marks: &Marks<'_>, end: &[u8]) {
        if let Some(id) = marks.id {
            self.field(HEADER_REQUEST_ID.as_bytes(), id.as_bytes(), end);
        }
        if let Some(namespace) = marks.namespace {
            self.field(HEADER_NAMESPACE.as_bytes(), namespace.as_bytes(), end);
        }
        if let Some(send) = marks.send {
            self.field(HEADER_SEND.as_bytes(), send.as_bytes(), end);
        }
        let _ = write!(self.text, "{HEADER_CAPTURED_AT}: {}", marks.at);
        self.text.extend_from_slice(end);
        self.field(HEADER_REPLAY.as_bytes(), b"1", end);
    }

    fn body(&mut self, request: &'r Request) {
        let slices = request.body.slices().filter(|slice| !slice.is_empty());
        let slices = slices.map(|slice: &'r Bytes| Piece::Captured(slice));
        if !request.is_chunked() {
            return self.pieces.extend(slices);
        }
        if !request.body.is_empty() {
            // A vector takes everything.
            let _ = write!(self.text, "{:x}\r\n", request.body.len());
            self.close_text();
            self.pieces.extend(slices);
            self.text.extend_from_slice(b"\r\n");
        }
        self.text.extend_from_slice(b"0\r\n");
        for (name, value) in request
            .trailers
            .iter()
            .filter(|(name, _)| !is_mark(name.as_bytes()))
        {
            self.field(name.as_bytes(), value, b"\r\n");
        }
        self.text.extend_from_slice(b"\r\n");
        self.close_text();
    }

    fn field(&mut self, name: &[u8], value: &[u8], end: &[u8]) {
        for part in [name, b": ", value, end] {
            self.text.extend_from_slice(part);
        }
    }

    /// Puts the captured lines of `run` after what was written so far.
    fn close_run(&mut self, headers: &'r Headers, run: &mut Range<usize>) {
        let run = std::mem::take(run);
        if !run.is_empty() {
            self.close_text();
            self.pieces.push(Piece::Captured(headers.captured(run)));
        }
    }

    /// Makes a piece of the text since the last one.
    fn close_text(&mut self) {
        let texts = self.pieces.iter().rev().find_map(|piece| match piece {
            Piece::Text(range) => Some(range.end),
            Piece::Captured(_) => None,
        });
        let from = texts.unwrap_or_default();
        if from < self.text.len() {
            self.pieces.push(Piece::Text(from..self.text.len()));
        }
    }

    fn bytes<'a>(&'a self, piece: &'a Piece<'r>) -> &'a [u8] {
        match piece {
            Piece::Text(range) => &self.text[range.clone()],
            Piece::Captured(bytes) => bytes,
        }
    }

    /// Bytes of head and body.
    pub(super) fn len(&self) -> u64 {
        self.length
    }

    /// The place after the last byte; of the head alone, or of everything.
    pub(super) fn end(&self, of_head: bool) -> Cursor {
        let piece = if of_head {
            self.head
        } else {
            self.pieces.len()
        };
        Cursor { piece, offset: 0 }
    }

    /// Fills `slices` with what is between two places; gives how many are used.
    pub(super) fn slices<'a>(
        &'a self,
        from: Cursor,
        to: Cursor,
        slices: &mut [IoSlice<'a>],
    ) -> usize {
        let pieces = self.pieces.get(from.piece..to.piece).unwrap_or_default();
        let mut offset = from.offset;
        let mut used = 0;
        for (slot, piece) in slices.iter_mut().zip(pieces) {
            *slot = IoSlice::new(&self.bytes(piece)[std::mem::take(&mut offset)..]);
            used += 1;
        }
        used
    }

    /// The place `written` bytes further.
    pub(super) fn advanced(&self, mut at: Cursor, mut written: usize) -> Cursor {
        while let Some(piece) = self.pieces.get(at.piece) {
            let left = self.bytes(piece).len() - at.offset;
            if written < left {
                at.offset += written;
                break;
            }
            written -= left;
            at = Cursor {
                piece: at.piece + 1,
                offset: 0,
            };
        }
        at
    }
}

/// A place in what is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    piece: usize,
    offset: usize,
}

/// What the request says of its connection.
struct Options {
    closes: bool,
    drops_upgrade: bool,
}

impl Options {
    fn of(request: &Request) -> Self {
        let (mut close, mut keeps, mut upgrade) = (false, false, false);
        for value in request.headers.all("connection") {
            for option in options(value) {
                close |= option.eq_ignore_ascii_case(b"close");
                keeps |= option.eq_ignore_ascii_case(b"keep-alive");
                upgrade |= option.eq_ignore_ascii_case(b"upgrade");
            }
        }
        Self {
            closes: close || (request.version == Version::Http10 && !keeps),
            drops_upgrade: upgrade,
        }
    }
}

/// The items of a comma-separated list.
pub(super) fn options(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let items = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    items.filter(|item| !item.is_empty())
}

fn is_of_upgrade(option: &[u8]) -> bool {
    option.eq_ignore_ascii_case(b"upgrade") || option.eq_ignore_ascii_case(b"http2-settings")
}

pub(super) fn is_mark(name: &[u8]) -> bool {
    const MARKS: [&str; 5] = [
        HEADER_REQUEST_ID,
        HEADER_NAMESPACE,
        HEADER_SEND,
        HEADER_CAPTURED_AT,
        HEADER_REPLAY,
    ];
    let is = |mark: &&str| name.eq_ignore_ascii_case(mark.as_bytes());
    MARKS.iter().any(is)
}

/// The lines of a head all end alike; others are refused before.
fn line_end(headers: &Headers) -> &'static [u8] {
    let first = headers.lines().find_map(|line| line.place);
    match first.map(|place| headers.captured(place)) {
        Some(line) if !line.ends_with(b"\r\n") => b"\n",
        _ => b"\r\n",
    }
}

/// Every number in it is the body's length.
fn check_length(value: &[u8], length: usize) -> Result<(), Unsendable> {
    let is_length = |item: &[u8]| {
        // `parse` would take a sign.
        let digits = item.iter().all(u8::is_ascii_digit).then_some(item);
        let number = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        number.and_then(|number| number.parse().ok()) == Some(length)
    };
    match !value.is_empty() && options(value).all(is_length) {
        true => Ok(()),
        false => Err(Unsendable::Length),
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;
