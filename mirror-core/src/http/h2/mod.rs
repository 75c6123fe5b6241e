//! HTTP/2 (RFC 9113): recognised and counted, not read.

mod frames;

pub use frames::{ENOUGH_FRAMES, FrameWalk};

/// The HTTP/2 of one connection. Nothing of it is read.
#[derive(Debug)]
pub struct Conversation;
