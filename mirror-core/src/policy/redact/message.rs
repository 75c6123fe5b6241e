//! Requests and answers as wholes: fields, then the body, then the fields that describe it.

use std::borrow::Cow;

use bytes::Bytes;

use crate::exchange::{Body, Fault, Headers, Request, Response};
use crate::http::coding::{Undecoded, decoded};

use super::{HiddenValues, Mode, Redactor, Trace, is_binary, json, multipart, pairs};

/// Fields whose values are URLs, or hold one, beside those that end with `-url` or `-uri`.
const URLS: [&str; 5] = ["referer", "location", "content-location", "link", "refresh"];
/// Fields that describe the bytes of a body, and are wrong once it is changed.
const DIGESTS: [&str; 4] = ["content-md5", "digest", "content-digest", "repr-digest"];

/// Rules concern a body that nothing can be found in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::policy) enum Unreadable {
    #[error("{0}, so that what is to be redacted in it cannot be found")]
    Coding(#[from] Undecoded),
    #[error(
        "the body is in UTF-16 or UTF-32, so that what is to be redacted in it cannot be found"
    )]
    Charset,
}

impl Redactor {
    /// Hides what the rules name in a request; an error means that it must not leave the host.
    pub(in crate::policy) fn redact_request(
        &self,
        request: &mut Request,
        trace: &mut Trace,
    ) -> Result<(), Unreadable> {
        let body = self.body(&request.headers, &request.body, trace)?;
        self.target(request, trace);
        request.headers = self.fields(std::mem::take(&mut request.headers), trace);
        if !request.trailers.is_empty() {
            request.trailers = self.fields((*request.trailers).clone(), trace).into();
        }
        if let Some(body) = body {
            request.headers = described(&request.headers, body.len());
            request.body = Body::from(Bytes::from(body));
        }
        Ok(())
    }

    /// Hides what the rules name in an answer: production's and the mirror's alike. A body that cannot be read is taken out,
    /// and has a fault from then on, so that it is not compared.
    pub fn redact_response(&self, response: &mut Response) {
        self.response(response, &mut Trace::default());
    }

    /// The same, with what was hidden.
    pub fn redact_response_remembering(&self, response: &mut Response) -> HiddenValues {
        let mut trace = Trace::remembering();
        self.response(response, &mut trace);
        trace.take_values().unwrap_or_default()
    }

    /// What the rules hide in a request.
    pub fn hidden_in(&self, request: &Request) -> HiddenValues {
        let mut trace = Trace::remembering();
        let redacted = self.redact_request(&mut request.clone(), &mut trace);
        match redacted {
            Ok(()) => trace.take_values().unwrap_or_default(),
            Err(_) => HiddenValues::unknown(),
        }
    }

    pub(in crate::policy) fn response(&self, response: &mut Response, trace: &mut Trace) {
        let body = self.body(&response.headers, &response.body, trace);
        response.headers = self.fields(std::mem::take(&mut response.headers), trace);
        if !response.trailers.is_empty() {
            response.trailers = self.fields((*response.trailers).clone(), trace).into();
        }
        match body {
            Ok(None) => {}
            Ok(Some(body)) => {
                response.headers = described(&response.headers, body.len());
                response.body = instead_of(&response.body, body);
            }
            Err(_) => {
                trace.note(Mode::Remove, || "body (it cannot be read)".into());
                trace.lose();
                response.body = instead_of(&response.body, Vec::new());
                response.fault.get_or_insert(Fault::TooLarge);
            }
        }
    }

    fn fields(&self, headers: Headers, trace: &mut Trace) -> Headers {
        let touches = |name: &str| {
            self.header_mode(name).is_some()
                || (trace.remembers() && self.keeps(name))
                || (!self.cookies.is_empty() && is_cookie(name))
                || (!self.queries.is_empty() && is_url(name))
        };
        let detects = !self.detectors.is_empty();
        if !detects && !headers.iter().any(|(name, _)| touches(name)) {
            return headers;
        }
        let mut fields: Vec<(&str, Cow<'_, [u8]>)> = Vec::with_capacity(headers.len());
        for (name, value) in headers.iter() {
            if let Some(value) = self.field(name, value, trace) {
                fields.push((name, value));
            }
        }
        // A new block: what is taken out is not in memory any more either.
        fields.into_iter().collect()
    }

    /// The new value of a field; `None` to take it out.
    fn field<'v>(&self, name: &str, value: &'v [u8], trace: &mut Trace) -> Option<Cow<'v, [u8]>> {
        if let Some(mode) = self.header_mode(name) {
            trace.note(mode, || format!("header {}", name.to_ascii_lowercase()));
            let new = self.hidden_field(mode, name, value);
            remember_field(name, value, new.as_deref(), trace);
            return new.map(Cow::Owned);
        }
        if !self.cookies.is_empty() && is_cookie(name) {
            let is_set = name.len() == "set-cookie".len();
            let new = pairs::cookies(value, is_set, |cookie, value| {
                let rule = self
                    .cookies
                    .iter()
                    .find(|(pattern, _)| pattern.fits(cookie));
                let place = || format!("cookie {cookie}");
                let Some((_, mode)) = rule else {
                    if self.keeps(name) {
                        trace.remember(value.trim_matches('"'), None, place);
                    }
                    return pairs::Pair::Stays;
                };
                self.pair(*mode, value, trace, place)
            });
            return match new {
                Some(new) if new.is_empty() => None,
                new => Some(new.map_or(Cow::Borrowed(value), Cow::Owned)),
            };
        }
        if self.keeps(name) {
            remember_field(name, value, None, trace);
            return Some(value.into());
        }
        let url = is_url(name).then(|| self.url(value, trace)).flatten();
        let value = url.map_or(Cow::Borrowed(value), Cow::Owned);
        let detected = self.detected_bytes(&value, trace);
        Some(detected.map_or(value, Cow::Owned))
    }

    /// A scheme before a credential stays, as in `Bearer `.
    fn hidden_field(&self, mode: Mode, name: &str, value: &[u8]) -> Option<Vec<u8>> {
        let text = String::from_utf8_lossy(value);
        let has_scheme = name.to_ascii_lowercase().ends_with("authorization");
        let (scheme, credential) = match text.split_once(' ') {
            Some((scheme, rest)) if has_scheme && mode == Mode::Token => (scheme, Some(rest)),
            _ => ("", None),
        };
        let new = self.hidden(mode, credential.unwrap_or(&text).trim())?;
        Some(match credential {
            Some(_) => format!("{scheme} {new}").into_bytes(),
            None => new.into_bytes(),
        })
    }

    /// The new body, without its content-coding; `None` when it stays.
    fn body(
        &self,
        headers: &Headers,
        body: &Body,
        trace: &mut Trace,
    ) -> Result<Option<Vec<u8>>, Unreadable> {
        if body.is_empty() {
            return Ok(None);
        }
        let media_type = headers.first("content-type").unwrap_or_default();
        let media_type = String::from_utf8_lossy(media_type);
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        if self.bodies.iter().any(|pattern| pattern.fits(essence)) {
            trace.note(Mode::Remove, || format!("body of {essence}"));
            trace.lose();
            return Ok(Some(Vec::new()));
        }
        let reads = !self.json.is_empty() || !self.forms.is_empty() || !self.detectors.is_empty();
        if !reads {
            return Ok(None);
        }
        let plain = decoded(headers, body)?;
        let first = plain
            .iter()
            .copied()
            .find(|byte| !byte.is_ascii_whitespace());
        if is_utf16(&plain, is_text(essence) || essence.is_empty()) {
            return Err(Unreadable::Charset);
        }
        let is_form = essence.eq_ignore_ascii_case("application/x-www-form-urlencoded");
        let is_json = matches!(first, Some(b'{' | b'[' | 0xef));
        if is_form {
            return Ok(self.form_or_json(&plain, is_json, trace));
        }
        Ok(match multipart::boundary(&media_type) {
            _ if is_json => json::redact(self, &plain, trace),
            Some(boundary) => multipart::redact(self, &boundary, &plain, trace),
            _ if is_binary(&plain) && !is_text(essence) => None,
            _ if !self.json.is_empty() => json::by_name(self, &plain, trace),
            _ => self.detected_bytes(&plain, trace),
        })
    }

    /// Many send JSON as a form, and a form may begin with a bracket.
    fn form_or_json(&self, plain: &[u8], is_json: bool, trace: &mut Trace) -> Option<Vec<u8>> {
        if !is_json {
            return self.form(plain, trace);
        }
        json::whole(self, plain, trace, 0).unwrap_or_else(|| {
            let form = self.form(plain, trace);
            json::by_name(self, form.as_deref().unwrap_or(plain), trace).or(form)
        })
    }
}

/// Remembers a field and the secret in it: each cookie, or what follows a scheme as `Bearer `.
fn remember_field(name: &str, value: &[u8], new: Option<&[u8]>, trace: &mut Trace) {
    if !trace.remembers() {
        return;
    }
    let value = String::from_utf8_lossy(value);
    let new = new.map(String::from_utf8_lossy);
    let place = || format!("header {}", name.to_ascii_lowercase());
    trace.remember(&value, new.as_deref(), place);
    if is_cookie(name) {
        let cookies = value.split(';').filter_map(|pair| pair.split_once('='));
        let count = if name.len() == "set-cookie".len() {
            1
        } else {
            usize::MAX
        };
        for (cookie, value) in cookies.take(count) {
            let value = value.trim().trim_matches('"');
            trace.remember(value, None, || format!("cookie {}", cookie.trim()));
        }
        return;
    }
    let Some((scheme, credential)) = value.trim().split_once(' ') else {
        return;
    };
    let new = new
        .as_deref()
        .map(|new| new.split_once(' ').map_or(new, |(_, new)| new));
    trace.remember(credential, new, place);
    if scheme.eq_ignore_ascii_case("basic") {
        remember_basic(credential, place, trace);
    }
}

/// User and password, and the password alone (RFC 7617).
fn remember_basic(credential: &str, place: impl Fn() -> String, trace: &mut Trace) {
    let Some(pair) = from_base64(credential.trim()) else {
        return trace.lose();
    };
    let pair = String::from_utf8_lossy(&pair);
    trace.remember(&pair, None, &place);
    if let Some((_, password)) = pair.split_once(':') {
        trace.remember(password, None, &place);
    }
}

/// `None` for what is no base64 of RFC 4648 §4.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let (mut bits, mut count, mut out) = (0_u32, 0, Vec::new());
    for byte in text.trim_end_matches('=').bytes() {
        bits = bits << 6 | u32::from(digit(byte)?);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(out)
}

/// Another body, which is the beginning of as much as the old one is.
fn instead_of(old: &Body, new: Vec<u8>) -> Body {
    let mut body = Body::from(Bytes::from(new));
    if let Some(digest) = old.digest() {
        body.set_digest(digest);
    }
    body
}

fn is_cookie(name: &str) -> bool {
    name.eq_ignore_ascii_case("cookie") || name.eq_ignore_ascii_case("set-cookie")
}

fn is_url(name: &str) -> bool {
    let ends = |end: &str| {
        let at = name.len().saturating_sub(end.len());
        name.as_bytes()[at..].eq_ignore_ascii_case(end.as_bytes())
    };
    URLS.iter().any(|url| url.eq_ignore_ascii_case(name)) || ends("-url") || ends("-uri")
}

/// Whether a media type says that the body is text, in whatever charset.
fn is_text(essence: &str) -> bool {
    let essence = essence.to_ascii_lowercase();
    essence.starts_with("text/")
        || ["json", "xml", "javascript"]
            .iter()
            .any(|end| essence.ends_with(end))
}

/// Begins with a byte order mark of UTF-16, with a bracket of JSON in two bytes, or with a zero byte in a text.
fn is_utf16(body: &[u8], is_text: bool) -> bool {
    let has_mark = body.starts_with(b"\xff\xfe") || body.starts_with(b"\xfe\xff");
    let has_zero = body.iter().take(4).any(|byte| *byte == 0);
    (is_text && (has_mark || has_zero))
        || matches!(body, [b'{' | b'[', 0, ..] | [0, b'{' | b'[', ..])
}

/// Fields that fit a plain body of `len` bytes.
fn described(headers: &Headers, len: usize) -> Headers {
    let is = |name: &str, other: &str| name.eq_ignore_ascii_case(other);
    let stays = |name: &str| {
        !is(name, "content-encoding") && !DIGESTS.iter().any(|digest| is(name, digest))
    };
    let fields = headers.iter().filter(|(name, _)| stays(name));
    fields
        .map(|(name, value)| match is(name, "content-length") {
            true => (name, len.to_string().into_bytes()),
            false => (name, value.to_vec()),
        })
        .collect()
}
