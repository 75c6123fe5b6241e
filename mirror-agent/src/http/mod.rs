//! One side's bytes in order → HTTP/1 messages (RFC 9112), each saying whether it is whole.

mod body;
mod head;
mod parser;

pub use body::{Ambiguous, Answered, Decoder, Framing};
pub use head::{Head, HeadError, Kind, Sniff, sniff, sniff_known};
pub use parser::{HttpLimits, Parsed, Parser};

use crate::exchange::{Request, Response};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Request(Request),
    Response(Response),
}
