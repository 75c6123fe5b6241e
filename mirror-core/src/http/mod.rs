//! One side's bytes in order → messages, each saying whether it is whole. A protocol is a folder.

pub mod coding;
mod foreign;
pub mod h1;

pub use foreign::{Foreign, PortCounts};
pub use h1::{
    Answered, Framing, Head, HttpLimits, Kind, Parsed, Parser, Sniff, sniff, sniff_known,
};

use crate::exchange::{Request, Response};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Request(Request),
    Response(Response),
}
