//! HTTP/1.0 and 1.1 (RFC 9112).

mod body;
mod chunk;
mod conversation;
mod head;
mod lenient;
mod parser;
mod partial;
mod queue;

pub use body::{Answered, Decoder, Framed, Framing, Unreadable};
pub use conversation::{Conversation, PairCounts, PairLimits, Place};
pub use head::{Found, Head, HeadError, Kind, Sniff, sniff, sniff_known};
pub use parser::{HttpLimits, Parsed, Parser};
