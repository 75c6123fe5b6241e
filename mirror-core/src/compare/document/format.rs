//! What a body says that it is, and what it looks like.

use std::borrow::Cow;

/// How a body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFormat {
    Json,
    /// JSON documents after one another.
    JsonLines,
    /// Server-sent events.
    Events,
    Form,
    Multipart,
    Xml,
    Html,
    /// Any other text, by line.
    Text,
    Protobuf,
    /// Frames of gRPC.
    Grpc,
    /// Images, fonts, archives: by length and digest.
    Binary,
}

impl BodyFormat {
    /// By the media type alone; `None` when it is absent or says nothing.
    pub(super) fn declared(media_type: &[u8]) -> Option<Self> {
        let mut lower = [0; 80];
        let essence = media_type.split(|b| *b == b';').next()?.trim_ascii();
        let lower = lower.get_mut(..essence.len())?;
        lower.copy_from_slice(essence);
        lower.make_ascii_lowercase();
        let essence = std::str::from_utf8(lower).ok()?;
        let (kind, subtype) = essence.split_once('/')?;
        Self::by_type(kind, subtype)
    }

    fn by_type(kind: &str, subtype: &str) -> Option<Self> {
        let suffix = subtype.rsplit_once('+').map(|(_, suffix)| suffix);
        Some(match (kind, subtype) {
            ("application" | "text", "json") => Self::Json,
            (
                "application" | "text",
                "x-ndjson" | "ndjson" | "jsonl" | "x-jsonl" | "jsonlines" | "x-jsonlines"
                | "json-seq" | "stream+json",
            ) => Self::JsonLines,
            ("text", "event-stream") => Self::Events,
            ("application", "x-www-form-urlencoded") => Self::Form,
            ("multipart", _) => Self::Multipart,
            ("text", "html") => Self::Html,
            ("application" | "text", "xml") => Self::Xml,
            (
                "application",
                "x-protobuf" | "protobuf" | "vnd.google.protobuf" | "x-google-protobuf",
            ) => Self::Protobuf,
            ("application", "grpc" | "grpc+proto" | "grpc-web" | "grpc-web+proto") => Self::Grpc,
            (_, _) if suffix == Some("json") => Self::Json,
            (_, _) if suffix == Some("json-seq") => Self::JsonLines,
            (_, _) if suffix == Some("xml") => Self::Xml,
            (_, _) if suffix == Some("proto") => Self::Protobuf,
            (_, _) if suffix == Some("zip") => Self::Binary,
            ("text", _) => Self::Text,
            (
                "application",
                "javascript" | "x-javascript" | "ecmascript" | "yaml" | "x-yaml" | "toml" | "sql"
                | "graphql" | "x-sh" | "rtf" | "n-triples" | "n-quads" | "sparql-query"
                | "openmetrics-text",
            ) => Self::Text,
            (_, _) if suffix == Some("yaml") => Self::Text,
            ("image" | "audio" | "video" | "font", _)
            | (
                "application",
                "octet-stream"
                | "pdf"
                | "zip"
                | "gzip"
                | "x-gzip"
                | "zstd"
                | "x-tar"
                | "wasm"
                | "x-7z-compressed"
                | "x-bzip2"
                | "font-woff"
                | "vnd.ms-fontobject"
                | "java-archive"
                | "msgpack"
                | "x-msgpack"
                | "vnd.msgpack"
                | "cbor"
                | "vnd.apache.parquet"
                | "avro"
                | "x-java-serialized-object",
            ) => Self::Binary,
            _ => return None,
        })
    }

    /// Whether JSON in a body of this type is read as such, because the type is often wrong.
    pub(super) fn may_be_json(declared: Option<Self>) -> bool {
        !matches!(
            declared,
            Some(Self::JsonLines | Self::Events | Self::Multipart | Self::Protobuf | Self::Grpc)
        )
    }

    /// By what the body begins with, where the type says nothing or is often wrong.
    pub(super) fn of(declared: Option<Self>, body: &[u8]) -> Option<Self> {
        let is_unsure = matches!(
            declared,
            None | Some(Self::Json | Self::Text | Self::Binary)
        );
        if !is_unsure {
            return declared;
        }
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        let start = body.trim_ascii_start();
        let begins = |prefix: &str| {
            start
                .get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
        };
        if begins("<!doctype html") || begins("<html") {
            Some(Self::Html)
        } else if begins("<?xml") {
            Some(Self::Xml)
        } else if declared.is_none() && matches!(start, [b'{' | b'[', ..]) {
            Some(Self::Json)
        } else {
            declared
        }
    }
}

/// A parameter of a media type or a disposition; its name is in lower case.
pub(super) fn parameter(value: &[u8], name: &str) -> Option<String> {
    let value = String::from_utf8_lossy(value);
    parameters(&value)
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.into_owned())
}

/// Parameters after the first semicolon (RFC 9110 §5.6.6).
fn parameters(value: &str) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
    let mut rest = value.split_once(';').map_or("", |(_, rest)| rest);
    std::iter::from_fn(move || {
        loop {
            rest = rest.trim_start_matches(|c: char| c == ';' || c.is_ascii_whitespace());
            if rest.is_empty() {
                return None;
            }
            let end = rest.find(['=', ';']).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            let Some(after) = after.strip_prefix('=') else {
                rest = after;
                continue;
            };
            let (value, after) = parameter_value(after.trim_ascii_start());
            rest = after;
            return Some((name.trim_ascii(), value));
        }
    })
}

/// A token or a quoted string, and what follows it.
fn parameter_value(text: &str) -> (Cow<'_, str>, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        return (text[..end].trim_ascii().into(), &text[end..]);
    };
    let (mut value, mut chars) = (String::new(), quoted.chars());
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            // Browsers send the backslashes of a path as they are.
            '\\' if chars.as_str().starts_with(['"', '\\']) => value.extend(chars.next()),
            c => value.push(c),
        }
    }
    (value.into(), chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_known_by_its_media_type() {
        use BodyFormat::*;
        let check = |media_type: &str, expect: Option<BodyFormat>| {
            let declared = BodyFormat::declared(media_type.as_bytes());
            assert_eq!(declared, expect, "{media_type}");
        };
        check("application/json", Some(Json));
        check(" Application/HAL+JSON; charset=utf-8", Some(Json));
        check("application/x-ndjson", Some(JsonLines));
        check("text/event-stream;charset=UTF-8", Some(Events));
        check("multipart/mixed; boundary=a", Some(Multipart));
        check("application/atom+xml", Some(Xml));
        check("application/xhtml+xml", Some(Xml));
        check("text/html; charset=utf-8", Some(Html));
        check("text/csv", Some(Text));
        check("application/javascript", Some(Text));
        check("application/grpc", Some(Grpc));
        check("application/x-protobuf; proto=a.B", Some(Protobuf));
        check("image/png", Some(Binary));
        check("image/svg+xml", Some(Xml));
        check("application/x-unknown", None);
        check("json", None);
        check(&"a/".repeat(100), None);
    }

    #[test]
    fn a_missing_or_wrong_type_is_seen_by_how_the_body_begins() {
        use BodyFormat::*;
        let check = |declared, body: &str, expect| {
            assert_eq!(BodyFormat::of(declared, body.as_bytes()), expect, "{body}");
        };
        check(None, "<?xml version=\"1.0\"?><a/>", Some(Xml));
        check(None, "\u{feff}\n<!DOCTYPE html><p>", Some(Html));
        check(Some(Json), "<html><body>502 Bad Gateway", Some(Html));
        check(Some(Text), "<a>", Some(Text));
        check(None, "{\"a\":1}{\"b\":2}", Some(Json));
        check(None, "abc", None);
        check(Some(Events), "<html>", Some(Events));
    }

    #[test]
    fn parameters_are_read_with_their_quotes() {
        let check = |value: &str, name: &str, expect: Option<&str>| {
            let found = parameter(value.as_bytes(), name);
            assert_eq!(found.as_deref(), expect, "{value}");
        };
        check(
            "multipart/mixed; Boundary=\"a;b\" ; x=1",
            "boundary",
            Some("a;b"),
        );
        check("multipart/mixed; boundary=\"a;b\" ; x=1", "x", Some("1"));
        check("text/html;charset = utf-8", "charset", Some("utf-8"));
        check("form-data; name=\"a \\\"b\\\"\"", "name", Some("a \"b\""));
        check(
            "form-data; filename=\"C:\\a\\b.txt\"",
            "filename",
            Some("C:\\a\\b.txt"),
        );
        check("text/html; charset", "charset", None);
        check("text/html", "charset", None);
        check("a;b=\"", "b", Some(""));
    }
}
