//! Both answers of an example in full, as a run keeps them: redacted as everything else that is kept.
//!
//! Headers that carry credentials, or are kept for the replay only, are stored without their values. What detectors know as a
//! credential is hidden in other headers and in bodies, whatever the rules say; equal values stay equal. A body that is not text
//! is left out where it has a credential. What is packed in another way than by a content coding is not looked into.
//!
//! Where an example is wanted for a group, [`AnswersRoom`] has a place for the three messages. They wait as they are, which costs nothing,
//! until the verdict on them is known and whatever keeps the run makes [`StoredAnswers`] of them.

use std::borrow::Cow;
use std::fmt;
use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mirror_core::detect::CREDENTIALS;
use mirror_core::exchange::{Body, Exchange, Headers, Request, Response};
use mirror_core::http::coding;
use mirror_core::policy::Redactor;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Bytes of a body that are stored; of a longer one it is its beginning.
const MAX_BODY: usize = 256 << 10;
/// Bytes of the three bodies that are held until they are stored; what is larger is not.
const MAX_HELD: usize = 4 << 20;
/// Requests of which the messages are held at once.
const MAX_WAITING: usize = 16;
/// Headers of a message that are stored, and bytes of each.
const MAX_HEADERS: usize = 200;
const MAX_HEADER: usize = 8 << 10;

/// Hides credentials that detectors know.
static CREDENTIALS_HIDDEN: LazyLock<Redactor> = LazyLock::new(Redactor::of_credentials);

/// A request and the two answers to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredAnswers {
    /// As [`DifferenceExample::answers`](super::DifferenceExample::answers) names them.
    pub number: u64,
    pub request: StoredMessage,
    pub production: StoredMessage,
    pub mirror: StoredMessage,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredMessage {
    /// As in `GET /x HTTP/1.1` or `HTTP/1.1 200 OK`.
    pub first_line: String,
    /// Of an answer.
    pub status: Option<u16>,
    pub headers: Vec<(String, String)>,
    /// Headers that are not among these, and values of which only the beginning is.
    #[serde(default)]
    pub headers_cut: usize,
    pub body: StoredBody,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredBody {
    /// Without its content coding, where that is UTF-8.
    pub text: Option<String>,
    /// The same, where it is not.
    pub base64: Option<String>,
    /// Length of the whole body, without its content coding and credentials.
    pub bytes: u64,
    /// Whether text or base64 is only its beginning, or nothing for its credentials.
    pub is_cut: bool,
    /// Of the whole body without its credentials, in hexadecimal digits.
    pub sha256: String,
}

/// Bounds the messages that are held until they are stored. There is no room until something stores them.
#[derive(Debug, Default)]
pub(super) struct AnswersRoom(Arc<AtomicUsize>);

/// A place for the messages of one request.
pub struct AnswersPlace(Arc<AtomicUsize>);

impl AnswersRoom {
    pub(super) fn open(&self) {
        self.0.store(MAX_WAITING, Relaxed);
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.load(Relaxed) == 0
    }

    pub(super) fn take(&self) -> Option<AnswersPlace> {
        let less = |free: usize| free.checked_sub(1);
        let taken = self.0.fetch_update(Relaxed, Relaxed, less);
        taken.is_ok().then(|| AnswersPlace(Arc::clone(&self.0)))
    }
}

impl Drop for AnswersPlace {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// The messages of a request as they were captured and received. Bodies are counted references.
pub struct WholeAnswers {
    redactor: Arc<Redactor>,
    request: Request,
    production: Response,
    mirror: Response,
    _place: AnswersPlace,
}

impl fmt::Debug for WholeAnswers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WholeAnswers({} bytes)", self.held_bytes())
    }
}

impl WholeAnswers {
    /// None of what is too large to be held. The redactor says which headers are not stored.
    pub fn new(
        place: AnswersPlace,
        redactor: &Arc<Redactor>,
        exchange: &Exchange,
        mirror: &Response,
    ) -> Option<Self> {
        let production = exchange.response.as_deref()?;
        let bodies = [&exchange.request.body, &production.body, &mirror.body];
        let bytes: usize = bodies.iter().map(|body| body.len()).sum();
        (bytes <= MAX_HELD).then(|| Self {
            redactor: Arc::clone(redactor),
            request: exchange.request.as_ref().clone(),
            production: production.clone(),
            mirror: mirror.clone(),
            _place: place,
        })
    }

    pub(super) fn held_bytes(&self) -> usize {
        let bodies = [&self.request.body, &self.production.body, &self.mirror.body];
        bodies.iter().map(|body| body.len()).sum()
    }

    /// As they are stored: without content codings and credentials, and no longer than the limits.
    pub(super) fn stored(&self, number: u64) -> StoredAnswers {
        let request = &self.request;
        let target = request.target.text();
        let target = CREDENTIALS.masked(&target);
        let line = format!("{} {target} {}", &*request.method, request.version.name());
        let redactor = &*self.redactor;
        StoredAnswers {
            number,
            request: StoredMessage::new(redactor, line, None, (&request.headers, &request.body)),
            production: StoredMessage::of(redactor, &self.production),
            mirror: StoredMessage::of(redactor, &self.mirror),
        }
    }
}

impl StoredAnswers {
    /// Bytes of its texts, about.
    pub(super) fn held_bytes(&self) -> usize {
        let messages = [&self.request, &self.production, &self.mirror];
        let held = |message: &StoredMessage| {
            let headers = message.headers.iter();
            let headers: usize = headers.map(|(name, value)| name.len() + value.len()).sum();
            let body = [&message.body.text, &message.body.base64];
            headers + body.into_iter().flatten().map(String::len).sum::<usize>()
        };
        messages.into_iter().map(held).sum()
    }
}

impl StoredMessage {
    fn of(redactor: &Redactor, response: &Response) -> Self {
        let status = response.status;
        let reason = http::StatusCode::from_u16(status).ok();
        let reason = reason.and_then(|status| status.canonical_reason());
        let line = format!(
            "{} {status} {}",
            response.version.name(),
            reason.unwrap_or_default()
        );
        let line = line.trim_end().to_owned();
        let message = (&response.headers, &response.body);
        Self::new(redactor, line, Some(status), message)
    }

    fn new(
        redactor: &Redactor,
        first_line: String,
        status: Option<u16>,
        (headers, body): (&Headers, &Body),
    ) -> Self {
        let hidden = without_credentials(headers, body);
        let text = |bytes: &[u8]| {
            let bytes = &bytes[..bytes.len().min(MAX_HEADER)];
            String::from_utf8_lossy(bytes).into_owned()
        };
        let shown = redactor.shown_headers(&hidden.headers);
        let kept = || shown.iter().take(MAX_HEADERS);
        let is_cut = |(_, value): &(&str, &[u8])| value.len() > MAX_HEADER;
        let cut = kept().filter(is_cut).count();
        Self {
            first_line,
            status,
            headers: kept()
                .map(|(name, value)| (name.to_owned(), text(value)))
                .collect(),
            headers_cut: cut + shown.iter().count().saturating_sub(MAX_HEADERS),
            body: StoredBody::new(&hidden.headers, &hidden.body),
        }
    }
}

/// A message with `***`, or 0 for a number, in the place of credentials.
pub(super) fn without_credentials(headers: &Headers, body: &Body) -> Response {
    let mut hidden = Response::new(200);
    hidden.headers = headers.clone();
    hidden.body = body.clone();
    CREDENTIALS_HIDDEN.redact_response(&mut hidden);
    // Nothing can be found in a body that cannot be decoded, and nobody reads one there.
    if hidden.fault.take().is_some() {
        hidden.body = body.clone();
    }
    hidden
}

impl StoredBody {
    /// As much as was kept.
    pub(super) fn bytes_kept(&self) -> Result<Vec<u8>, base64::DecodeError> {
        match (&self.text, &self.base64) {
            (Some(text), _) => Ok(text.as_bytes().to_vec()),
            (None, Some(text)) => STANDARD.decode(text),
            (None, None) => Ok(Vec::new()),
        }
    }

    /// What cannot be decoded is stored as it was sent.
    fn new(headers: &Headers, body: &Body) -> Self {
        let coded = body.bytes();
        let decoded = coding::decoder(headers, coded)
            .ok()
            .and_then(|reader| Self::read(reader).ok());
        let mut stored = decoded.unwrap_or_else(|| {
            let begins = &coded[..coded.len().min(MAX_BODY)];
            let sha256 = hex(&Sha256::digest(coded));
            Self::of(begins.to_vec(), coded.len() as u64, sha256)
        });
        // Only its beginning was captured.
        if let Some(of_all) = body.digest() {
            stored.bytes = stored.bytes.max(of_all.len);
            stored.is_cut = true;
        }
        stored
    }

    fn read(mut reader: impl Read) -> std::io::Result<Self> {
        let (mut begins, mut bytes) = (Vec::new(), 0);
        let (mut hash, mut piece) = (Sha256::new(), vec![0; 16 << 10]);
        loop {
            let length = reader.read(&mut piece)?;
            if length == 0 {
                break;
            }
            bytes += length;
            if bytes > coding::MOST_DECODED {
                return Err(std::io::Error::other("it is too large when decoded"));
            }
            hash.update(&piece[..length]);
            let room = MAX_BODY - begins.len();
            begins.extend(&piece[..length.min(room)]);
        }
        let sha256 = hex(&hash.finalize());
        Ok(Self::of(begins, bytes as u64, sha256))
    }

    /// A text that is cut in the middle of a character ends before it.
    fn of(begins: Vec<u8>, bytes: u64, sha256: String) -> Self {
        let is_cut = begins.len() as u64 != bytes;
        if has_credential(&begins) {
            return Self {
                text: None,
                base64: Some(String::new()),
                bytes,
                is_cut: true,
                sha256,
            };
        }
        let (text, base64) = match String::from_utf8(begins) {
            Ok(text) => (Some(text), None),
            Err(error) => {
                let whole = error.utf8_error();
                let begins = error.into_bytes();
                match is_cut && whole.error_len().is_none() {
                    true => {
                        let text = String::from_utf8_lossy(&begins[..whole.valid_up_to()]);
                        (Some(text.into_owned()), None)
                    }
                    false => (None, Some(STANDARD.encode(&begins))),
                }
            }
        };
        Self {
            text,
            base64,
            bytes,
            is_cut,
            sha256,
        }
    }
}

/// Whether there still is one, as in UTF-16 or among bytes that are not text.
fn has_credential(body: &[u8]) -> bool {
    let without_zeros = || body.iter().copied().filter(|byte| *byte != 0).collect();
    let text: Cow<'_, [u8]> = match body.contains(&0) {
        true => Cow::Owned(without_zeros()),
        false => Cow::Borrowed(body),
    };
    !CREDENTIALS.find(&text).is_empty()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use mirror_core::policy::Policy;

    use super::*;

    fn body(coding: Option<&str>, bytes: &[u8]) -> StoredBody {
        let mut response = Response::new(200);
        if let Some(coding) = coding {
            response
                .headers
                .append("content-encoding", coding.as_bytes());
        }
        response.body = bytes::Bytes::copy_from_slice(bytes).into();
        StoredMessage::of(Policy::default().redactor(), &response).body
    }

    fn stored(message: &Response, kept: &[&str]) -> StoredMessage {
        let kept: Vec<_> = kept.iter().map(|name| (*name).to_owned()).collect();
        StoredMessage::of(&Redactor::new(&[], &kept, None, false), message)
    }

    #[test]
    fn a_credential_is_stored_neither_in_a_header_nor_in_a_body() {
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";
        let mut message = Response::new(200);
        let fields = [
            ("Set-Cookie", "sid=1"),
            ("X-Kept", "value"),
            ("X-Note", token),
            ("Accept", "*/*"),
        ];
        for (name, value) in fields {
            message.headers.append(name, value.as_bytes());
        }
        let json = format!(r#"{{"{token}":1,"card":4111111111111111,"note":"see {token}","n":2}}"#);
        message.body = bytes::Bytes::from(json).into();
        let plain = stored(&message, &["x-kept"]);
        let values: Vec<_> = plain.headers.iter().map(|(_, value)| &**value).collect();
        assert_eq!(values, ["***", "***", "***", "*/*"]);
        let text = plain.body.text.as_deref();
        assert_eq!(text, Some(r#"{"***":1,"card":0,"note":"see ***","n":2}"#));
    }

    #[test]
    fn a_credential_is_found_behind_a_coding_and_in_what_is_not_text() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"Bearer abcdefgh12345678, x").unwrap();
        let coded = body(Some("gzip"), &gzip.finish().unwrap());
        let text = coded.text.unwrap();
        assert!(
            !text.contains("abcdefgh") && text.ends_with(", x"),
            "{text}"
        );
        let key = b"AKIAPLANTED000000013";
        let binary = body(None, &[&b"\xff\0"[..], key].concat());
        let utf16: Vec<u8> = key.iter().flat_map(|byte| [*byte, 0]).collect();
        for left_out in [binary, body(None, &utf16)] {
            assert_eq!(
                (left_out.text, left_out.base64.as_deref()),
                (None, Some(""))
            );
            assert!(left_out.is_cut && left_out.bytes > 20);
        }
    }

    #[test]
    fn a_body_is_stored_as_its_reader_sees_it() {
        let plain = body(None, b"{\"a\":1}");
        assert_eq!(plain.text.as_deref(), Some("{\"a\":1}"));
        assert_eq!((plain.bytes, plain.is_cut), (7, false));
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"{\"a\":1}").unwrap();
        let coded = gzip.finish().unwrap();
        assert_eq!(body(Some("gzip"), &coded), plain);
        let damaged = body(Some("gzip"), &coded[..9]);
        assert_eq!(damaged.base64, Some(STANDARD.encode(&coded[..9])));
        assert_eq!(body(None, b"\xff\0").base64.as_deref(), Some("/wA="));
        let empty = body(Some("gzip"), b"");
        assert_eq!((empty.text.as_deref(), empty.bytes), (Some(""), 0));
    }

    #[test]
    fn a_long_body_is_cut_between_characters_and_its_digest_is_of_all() {
        let long = "\u{e4}".repeat(MAX_BODY);
        let mut shifted = vec![b'x'];
        shifted.extend(long.as_bytes());
        let stored = body(None, &shifted);
        assert_eq!(stored.text.map(|text| text.len()), Some(MAX_BODY - 1));
        assert_eq!(
            (stored.bytes, stored.is_cut),
            (2 * MAX_BODY as u64 + 1, true)
        );
        assert_eq!(stored.sha256, hex(&Sha256::digest(&shifted)));
    }

    #[test]
    fn headers_that_are_not_kept_whole_are_counted() {
        let of = |fields: usize, longest: usize| {
            let mut message = Response::new(200);
            message.headers = (0..fields).map(|_| ("X-Note", "short")).collect();
            message
                .headers
                .append("X-Long", "a".repeat(longest).as_bytes());
            let stored = stored(&message, &[]);
            (stored.headers.len(), stored.headers_cut)
        };
        assert_eq!(of(1, MAX_HEADER), (2, 0));
        assert_eq!(of(1, MAX_HEADER + 1), (2, 1));
        assert_eq!(of(MAX_HEADERS + 4, 1), (MAX_HEADERS, 5));
    }

    #[test]
    fn only_so_many_messages_are_held_and_none_before_they_are_stored() {
        let room = AnswersRoom::default();
        assert!(room.is_full() && room.take().is_none());
        room.open();
        let places: Vec<_> = std::iter::from_fn(|| room.take()).collect();
        assert_eq!(places.len(), MAX_WAITING);
        drop(places);
        assert!(!room.is_full());
    }
}
