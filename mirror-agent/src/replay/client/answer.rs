//! The bytes of an answer → the answer, with the parser that reads production's.

use bytes::Bytes;
use mirror_core::exchange::{Fault, Response, Version};
use mirror_core::http::{Answered, HttpLimits, Kind, Message, Parsed, Parser};
use mirror_core::tcp::{Arrival, CloseReason, StreamEvent};

use super::failure::{BadAnswer, End};
use super::outgoing::options;

/// Interim answers (1xx) before the final one. Servers send one or two.
const MAX_INTERIM: u32 = 32;
/// Bytes that are shown of what is not an answer: its first word, which names a protocol. What follows may be secret.
const SHOWN: usize = 16;

pub(super) struct AnswerReader {
    parser: Parser,
    answered: Answered,
    max_head: usize,
    bytes: u64,
    interim: u32,
    is_closed: bool,
}

/// What bytes came to.
#[derive(Debug)]
pub(super) enum Step {
    More,
    /// The target wants the body that it was asked about.
    Continue,
    Whole(Box<Response>),
}

impl AnswerReader {
    pub(super) fn new(method: &str, limits: HttpLimits) -> Self {
        Self {
            parser: Parser::new(Kind::Response, limits),
            answered: Answered::by_method(method),
            max_head: limits.max_head,
            bytes: 0,
            interim: 0,
            is_closed: false,
        }
    }

    /// A byte of an answer came.
    pub(super) fn has_begun(&self) -> bool {
        self.bytes > 0
    }

    /// Body bytes that came, and all, while a body is read.
    pub(super) fn body_progress(&self) -> Option<(u64, Option<u64>)> {
        self.parser.body_progress()
    }

    pub(super) fn take(&mut self, bytes: Bytes) -> Result<Step, BadAnswer> {
        self.bytes += bytes.len() as u64;
        self.parser
            .push(StreamEvent::Data(bytes), Arrival::default());
        self.poll()
    }

    /// Nothing more comes.
    pub(super) fn end(&mut self, end: End) -> Result<Step, BadAnswer> {
        self.is_closed = true;
        let progress = self.parser.body_progress();
        let reason = match end {
            End::Closed => CloseReason::Fin,
            End::Broken(_) => CloseReason::Reset,
        };
        self.parser
            .push(StreamEvent::Close { reason }, Arrival::default());
        let cut = match (progress, self.bytes) {
            (Some((came, all)), _) => BadAnswer::InBody { end, came, all },
            (None, 0) => BadAnswer::Nothing(end),
            (None, _) if self.interim > 0 && self.parser.held_bytes() == 0 => {
                BadAnswer::AfterInterim(end)
            }
            (None, bytes) => BadAnswer::InHead { end, bytes },
        };
        match self.poll() {
            Ok(Step::Whole(response)) if response.fault != Some(Fault::Truncated) => {
                Ok(Step::Whole(response))
            }
            _ => Err(cut),
        }
    }

    fn poll(&mut self) -> Result<Step, BadAnswer> {
        let mut step = Step::More;
        while let Some(parsed) = self.parser.poll() {
            match parsed {
                Parsed::Head => self.parser.proceed(self.answered),
                Parsed::Message {
                    message: Message::Response(response),
                    ..
                } => match self.message(response)? {
                    Step::Whole(response) => return Ok(Step::Whole(response)),
                    Step::Continue => step = Step::Continue,
                    Step::More => {}
                },
                Parsed::BadHead {
                    fault: Fault::HeadTooLarge,
                    ..
                } => return Err(BadAnswer::HeadTooLarge(self.max_head)),
                Parsed::BadHead { bytes, .. } => {
                    let word = first_word(&bytes[..bytes.len().min(SHOWN)]);
                    return Err(BadAnswer::NotHttp(word.escape_ascii().to_string()));
                }
                Parsed::Message { .. } | Parsed::Lost | Parsed::Unread(_) | Parsed::Closed => {}
            }
        }
        Ok(step)
    }

    fn message(&mut self, response: Box<Response>) -> Result<Step, BadAnswer> {
        match response.fault {
            Some(Fault::HeadTooLarge) => return Err(BadAnswer::HeadTooLarge(self.max_head)),
            Some(Fault::Ambiguous(why)) => return Err(BadAnswer::Ambiguous(why)),
            Some(Fault::Gap | Fault::Truncated | Fault::TooLarge) | None => {}
        }
        match response.status {
            101 => Err(BadAnswer::Switched),
            interim @ 100..=199 => {
                self.interim += 1;
                match interim {
                    _ if self.interim > MAX_INTERIM => Err(BadAnswer::TooManyInterim(MAX_INTERIM)),
                    100 => Ok(Step::Continue),
                    _ => Ok(Step::More),
                }
            }
            _ => Ok(Step::Whole(response)),
        }
    }

    /// Another request may follow on the connection, as far as the answer is concerned.
    pub(super) fn is_persistent(&self, response: &Response) -> bool {
        let has = |wanted: &[u8]| {
            let mut values = response.headers.all("connection").flat_map(options);
            values.any(|option| option.eq_ignore_ascii_case(wanted))
        };
        let is_tunnel = self.answered == Answered::Connect && response.status < 300;
        let is_kept = match response.version {
            Version::Http10 => has(b"keep-alive"),
            Version::Http11 | Version::Http2 => true,
        };
        // What came after it was not asked for; a body where none may be may still come.
        let has_length = |value: &[u8]| value != b"0";
        let is_alone = self.parser.queued_bytes() == 0
            && !(response.status == 204 && response.headers.all("content-length").any(has_length));
        !self.is_closed && !is_tunnel && is_kept && is_alone && !has(b"close")
    }
}

/// At least one byte, if there is one.
fn first_word(bytes: &[u8]) -> &[u8] {
    let belongs = |byte: &u8| byte.is_ascii_alphanumeric() || b"-./_!".contains(byte);
    let rest = bytes.get(1..).unwrap_or_default();
    let more = rest.iter().take_while(|byte| belongs(byte)).count();
    &bytes[..bytes.len().min(1 + more)]
}

/// Seconds that the target keeps an unused connection, where it says so.
pub(super) fn kept_seconds(response: &Response) -> Option<u64> {
    let mut parameters = response.headers.all("keep-alive").flat_map(options);
    parameters.find_map(|parameter| {
        let text = std::str::from_utf8(parameter).ok()?;
        let (name, value) = text.split_once('=')?;
        let is_timeout = name.trim().eq_ignore_ascii_case("timeout");
        is_timeout.then(|| value.trim().parse().ok())?
    })
}
