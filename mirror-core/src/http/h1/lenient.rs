//! Heads that a strict parser refuses and some server may have taken: read line by line, as a human would, and always
//! ambiguous. Nothing of this is ever replayed; it is there to be looked at.

use bytes::Bytes;

use super::head::MAX_FIELDS;
use super::{Head, HeadError, Kind, Sniff, sniff};
use crate::exchange::{Ambiguity, Headers, Request, Response, Version};
use crate::http::Message;

/// Only what begins with a start line is a head at all.
pub(super) fn parse(kind: Kind, bytes: &Bytes) -> Result<Option<Head>, HeadError> {
    if sniff(kind, bytes) != Sniff::Yes {
        return Err(HeadError::NotHttp);
    }
    let mut lines = Vec::new();
    let mut begin = 0;
    for end in memchr::memchr_iter(b'\n', bytes) {
        let line = bytes.slice(begin..end);
        begin = end + 1;
        let length = line.len() - usize::from(line.ends_with(b"\r"));
        match length {
            0 => return head(kind, &lines, begin).map(Some),
            _ if lines.len() > MAX_FIELDS => return Err(HeadError::TooManyFields),
            _ => lines.push(line.slice(..length)),
        }
    }
    Ok(None)
}

fn head(kind: Kind, lines: &[Bytes], length: usize) -> Result<Head, HeadError> {
    let (start, fields) = lines.split_first().ok_or(HeadError::NotHttp)?;
    let ambiguity = Some(ambiguity(kind, start, fields));
    let headers = headers(fields.iter().map(|line| &line[..]));
    let message = match kind {
        Kind::Request => request(start, headers),
        Kind::Response => response(start, headers),
    };
    Ok(Head {
        message: message.ok_or(HeadError::NotHttp)?,
        length,
        ambiguity,
    })
}

/// The first thing that a strict parser refuses.
fn ambiguity(kind: Kind, start: &[u8], fields: &[Bytes]) -> Ambiguity {
    let is_odd = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
    let is_token = |byte: &u8| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(byte);
    if start.contains(&b'\r') || fields.iter().any(|line| line.contains(&b'\r')) {
        return Ambiguity::BareCr;
    }
    for line in fields {
        let colon = memchr::memchr(b':', line);
        let name = &line[..colon.unwrap_or_default()];
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            return Ambiguity::FoldedField;
        }
        if name.is_empty() || !name.iter().all(is_token) {
            return Ambiguity::FieldLine;
        }
        if line.iter().any(is_odd) {
            return Ambiguity::FieldBytes;
        }
    }
    match kind {
        Kind::Request => Ambiguity::TargetBytes,
        Kind::Response => Ambiguity::StartLine,
    }
}

/// The target is all that is between the method and the version.
fn request(start: &Bytes, headers: Headers) -> Option<Message> {
    let first = memchr::memchr(b' ', start)?;
    let last = memchr::memrchr(b' ', start).filter(|last| *last > first)?;
    let method = String::from_utf8_lossy(&start[..first]);
    let target = start.slice_ref(start[first..last].trim_ascii());
    Some(Message::Request(Box::new(Request {
        version: version(&start[last + 1..])?,
        headers,
        ..Request::new(&method, target)
    })))
}

fn response(start: &[u8], headers: Headers) -> Option<Message> {
    let status = std::str::from_utf8(start.get(9..12)?).ok()?;
    Some(Message::Response(Box::new(Response {
        version: version(start.get(..8)?)?,
        headers,
        ..Response::new(status.parse().ok()?)
    })))
}

fn version(text: &[u8]) -> Option<Version> {
    let versions = [Version::Http10, Version::Http11];
    versions
        .into_iter()
        .find(|version| version.name().as_bytes() == text)
}

pub(super) fn headers<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Headers {
    let mut fields: Vec<(String, Vec<u8>)> = Vec::new();
    for line in lines {
        let folded = line.starts_with(b" ") || line.starts_with(b"\t");
        match fields.last_mut() {
            Some((_, value)) if folded => {
                value.push(b' ');
                value.extend_from_slice(line.trim_ascii());
            }
            _ => fields.push(field(line)),
        }
    }
    fields.into_iter().collect()
}

/// Without a colon all of the line is the name.
fn field(line: &[u8]) -> (String, Vec<u8>) {
    let colon = memchr::memchr(b':', line).unwrap_or(line.len());
    let name = String::from_utf8_lossy(line[..colon].trim_ascii()).into_owned();
    let value = line.get(colon + 1..).unwrap_or_default().trim_ascii();
    (name, value.to_vec())
}
