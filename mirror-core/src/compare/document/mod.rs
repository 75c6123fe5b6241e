//! Reads bodies that have structure as JSON, so that one way of comparing serves all: forms, parts, lines, events, markup,
//! protocol buffers, text. What a body becomes is said at the top of each file.
//!
//! Two bodies are read together, because what one has may say how the other is to be read: an element that one of them
//! repeats is a list in both. When they are of two formats, or one of them cannot be read, both stay bytes (or lines, for XML
//! that is not well-formed).
//!
//! Nothing here recurses deeper than a fixed bound or takes more than linear time, and the text is at most a small multiple of
//! the body ([`writer`]).

mod charset;
mod digest;
mod events;
mod form;
mod format;
mod html;
mod json;
mod lines;
mod multipart;
mod protobuf;
mod text;
mod tree;
mod writer;
mod xml;

use std::borrow::Cow;
use std::cell::OnceCell;

use super::{BodyLimits, body, media};
use crate::exchange::{BodyDigest, Response};
use crate::json::{NotRead, Value};
use format::parameter;
use tree::{Paths, Tree};
use writer::Writer;

pub use format::BodyFormat;

/// A body without its content-coding, and what it says that it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Content<'b> {
    media_type: Option<&'b [u8]>,
    body: &'b [u8],
}

impl<'b> Content<'b> {
    pub(super) fn of(response: &'b Response, body: &'b [u8]) -> Self {
        Self {
            media_type: response.headers.first("content-type"),
            body,
        }
    }

    fn declared(&self) -> Option<BodyFormat> {
        BodyFormat::declared(self.media_type?)
    }

    fn format(&self) -> Option<BodyFormat> {
        BodyFormat::of(self.declared(), self.body)
    }

    fn text(&self, format: BodyFormat) -> Cow<'b, str> {
        let said = self
            .media_type
            .and_then(|value| parameter(value, "charset"));
        let charset = said.or_else(|| charset_within(format, self.body));
        charset::decoded(self.body, charset.as_deref())
    }
}

/// Two bodies that are to be compared.
pub(super) struct ContentPair<'b> {
    contents: [Content<'b>; 2],
    limits: BodyLimits,
    /// Of bodies that are not JSON.
    texts: OnceCell<[String; 2]>,
}

/// Two bodies as data.
pub(super) enum ReadPair<'p> {
    Documents(Value<'p>, Value<'p>),
    /// Two lists of lines.
    Lines(Value<'p>, Value<'p>),
    /// Two lists of documents.
    Records(Value<'p>, Value<'p>),
    /// Bytes that have no structure, or none that is read.
    Digests(BodyDigest, BodyDigest),
}

impl<'b> ContentPair<'b> {
    pub(super) fn new(ours: Content<'b>, theirs: Content<'b>, limits: BodyLimits) -> Self {
        Self {
            contents: [ours, theirs],
            limits,
            texts: OnceCell::new(),
        }
    }

    /// Fails when they have to be compared as bytes.
    pub(super) fn read(&self) -> Result<ReadPair<'_>, NotRead> {
        let [ours, theirs] = &self.contents;
        if ours.body.len().max(theirs.body.len()) > self.limits.bytes {
            return Err(NotRead::TooLarge);
        }
        if let Some((ours, theirs)) = self.as_sent()? {
            return Ok(ReadPair::Documents(ours, theirs));
        }
        let format = ours.format().ok_or(NotRead::NotJson)?;
        if theirs.format() != Some(format) {
            return Err(NotRead::NotJson);
        }
        if format == BodyFormat::Binary {
            let (ours, theirs) = (digest::of(ours.body), digest::of(theirs.body));
            return Ok(ReadPair::Digests(ours, theirs));
        }
        let (format, read) = texts(format, &self.contents, self.limits)?;
        let read = <[String; 2]>::try_from(read).map_err(|_| NotRead::NotJson)?;
        let [ours, theirs] = self.texts.get_or_init(|| read);
        let ours = Value::parse(ours.as_bytes(), self.limits.nodes)?;
        let theirs = Value::parse(theirs.as_bytes(), self.limits.nodes)?;
        Ok(match format {
            BodyFormat::Text => ReadPair::Lines(ours, theirs),
            BodyFormat::JsonLines | BodyFormat::Events => ReadPair::Records(ours, theirs),
            _ => ReadPair::Documents(ours, theirs),
        })
    }

    /// Both as the JSON that they are, without a copy. `None` when one is not.
    fn as_sent(&self) -> Result<Option<(Value<'b>, Value<'b>)>, NotRead> {
        let may_be_json = |content: &Content<'_>| BodyFormat::may_be_json(content.declared());
        if !self.contents.iter().all(may_be_json) {
            return Ok(None);
        }
        let [ours, theirs] = self.contents;
        let is_json = |content: &Content<'_>| content.media_type.is_some_and(media::is_json);
        let read = if is_json(&ours) || is_json(&theirs) {
            body::declared_data
        } else {
            body::data
        };
        match read(ours.body, theirs.body, self.limits) {
            Ok(data) => Ok(Some(data)),
            Err(NotRead::NotJson) => Ok(None),
            Err(NotRead::TooLarge) => Err(NotRead::TooLarge),
        }
    }
}

/// The JSON text that a body is compared as when the other one is like it, and how it was read. `None` when it is compared as
/// bytes.
pub fn body_as_json(
    media_type: Option<&[u8]>,
    body: &[u8],
    limits: BodyLimits,
) -> Option<(BodyFormat, String)> {
    read_one(&Content { media_type, body }, limits).ok()
}

fn read_one(content: &Content<'_>, limits: BodyLimits) -> Result<(BodyFormat, String), NotRead> {
    if content.body.len() > limits.bytes {
        return Err(NotRead::TooLarge);
    }
    let format = content.format().ok_or(NotRead::NotJson)?;
    let contents = std::slice::from_ref(content);
    let (_, mut texts) = texts(format, contents, limits)?;
    Ok((format, texts.pop().unwrap_or_default()))
}

/// The JSON texts of bodies that are read together, and how they were read.
fn texts(
    format: BodyFormat,
    contents: &[Content<'_>],
    limits: BodyLimits,
) -> Result<(BodyFormat, Vec<String>), NotRead> {
    let write = |format| {
        let new = |content: &Content<'_>| Writer::new(limits, content.body.len());
        let mut writers: Vec<Writer> = contents.iter().map(new).collect();
        write_all(format, contents, 0, limits, &mut writers)?;
        let texts: Result<Vec<String>, NotRead> = writers.into_iter().map(Writer::finish).collect();
        Ok((format, texts?))
    };
    match format {
        BodyFormat::Json => Ok((format, json_texts(contents, limits)?)),
        BodyFormat::Xml => match write(BodyFormat::Xml) {
            Err(NotRead::NotJson) => write(BodyFormat::Text),
            read => read,
        },
        format => write(format),
    }
}

/// JSON that cannot be read as it was sent. It is a list of documents, but where each side has one array or object.
fn json_texts(contents: &[Content<'_>], limits: BodyLimits) -> Result<Vec<String>, NotRead> {
    let (mut texts, mut are_single) = (Vec::new(), true);
    for content in contents {
        let mut writer = Writer::new(limits, content.body.len());
        let text = content.text(BodyFormat::Json);
        let documents = json::documents(&text, &mut writer)?;
        let text = writer.finish()?;
        are_single &= documents == 1 && text[1..].starts_with(['{', '[']);
        texts.push(text);
    }
    if are_single {
        texts
            .iter_mut()
            .for_each(|text| *text = text[1..text.len() - 1].to_owned());
    }
    Ok(texts)
}

/// Writes each body by its writer. `level` is that of the multipart bodies that they stand in.
fn write_all(
    format: BodyFormat,
    contents: &[Content<'_>],
    level: usize,
    limits: BodyLimits,
    writers: &mut [Writer],
) -> Result<(), NotRead> {
    let bodies = || contents.iter().map(|c| c.body).collect::<Vec<_>>();
    match format {
        BodyFormat::Form => return write_trees(form::read, format, contents, limits, writers),
        BodyFormat::Xml => return write_trees(xml::read, format, contents, limits, writers),
        BodyFormat::Html => return write_trees(html::read, format, contents, limits, writers),
        BodyFormat::Protobuf => return protobuf::write(&bodies(), writers),
        BodyFormat::Grpc => return protobuf::write_frames(&bodies(), writers),
        _ => {}
    }
    for (content, writer) in contents.iter().zip(writers) {
        match format {
            BodyFormat::Multipart => multipart::write(content, level, limits, writer)?,
            BodyFormat::Binary => digest::write(content.body, writer),
            BodyFormat::Text => text::write(&content.text(format), writer),
            BodyFormat::JsonLines => lines::write(&content.text(format), writer)?,
            BodyFormat::Events => events::write(&content.text(format), writer),
            _ if json::one(&content.text(format), writer) => {}
            _ => return Err(NotRead::NotJson),
        }
    }
    Ok(())
}

fn write_trees(
    read: fn(&str, &mut Paths, BodyLimits) -> Result<Tree, NotRead>,
    format: BodyFormat,
    contents: &[Content<'_>],
    limits: BodyLimits,
    writers: &mut [Writer],
) -> Result<(), NotRead> {
    let mut paths = Paths::new();
    let mut trees = Vec::new();
    for (side, content) in contents.iter().enumerate() {
        let tree = read(&content.text(format), &mut paths, limits)?;
        paths.measure(&tree, side);
        trees.push(tree);
    }
    if format != BodyFormat::Form && trees.len() == 2 {
        paths.compare_order();
    }
    for (tree, writer) in trees.iter().zip(writers) {
        tree.write(&paths, writer);
    }
    Ok(())
}

/// The charset that markup names at its beginning.
fn charset_within(format: BodyFormat, body: &[u8]) -> Option<String> {
    let (sign, most) = match format {
        BodyFormat::Xml if body.starts_with(b"<?xml") => ("encoding=", 200),
        BodyFormat::Html => ("charset=", 1024),
        _ => return None,
    };
    let start = body[..body.len().min(most)].to_ascii_lowercase();
    let at = memchr::memmem::find(&start, sign.as_bytes())?;
    let value = &start[at + sign.len()..];
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || b"-_:.".contains(b);
    let value = value
        .strip_prefix(b"\"")
        .or(value.strip_prefix(b"'"))
        .unwrap_or(value);
    let name: Vec<u8> = value.iter().copied().take_while(is_name).collect();
    String::from_utf8(name).ok()
}

#[cfg(test)]
mod tests;
