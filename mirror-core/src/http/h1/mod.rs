//! HTTP/1.0 and 1.1 (RFC 9112).

mod body;
mod chunk;
mod conversation;
mod head;
mod lenient;
mod line_ends;
mod pairing;
mod parser;
mod partial;
mod queue;
mod start_line;
mod strict;

use start_line::has_known_method;

pub(in crate::http) use parser::may_be_request;
pub(in crate::http) use start_line::is_worth_another_look;

pub use body::{Answered, BodyLength, Decoder, Framing};
pub use chunk::Unreadable;
pub use conversation::Conversation;
pub use head::{Head, HeadError};
pub use parser::{HttpLimits, Parsed, Parser};
pub use start_line::{Kind, Sniff, sniff, sniff_known};
