//! The exchanges of a file in the order in which they began.

use std::time::Duration;

use mirror_core::exchange::Exchange;
use mirror_core::recording::RecordingMetadata;
use mirror_core::schedule::ByTime;
use mirror_core::time::Timestamp;

use super::{Step, Traffic, TrafficFile};

/// How far a file is read ahead, in its own time. An exchange is known when it was answered, so one that took longer comes late.
const READ_AHEAD: Duration = Duration::from_secs(30);
/// Most exchanges that are read ahead, and most bytes of their bodies.
const MAX_AHEAD: usize = 20_000;
const MAX_AHEAD_BYTES: usize = 256 << 20;

/// Iterate; or look at the time of the next exchange before it is taken.
pub struct InOrder {
    file: TrafficFile,
    ahead: ByTime<Traffic>,
    /// Bytes of the bodies in `ahead`.
    held: usize,
}

impl InOrder {
    pub fn new(file: TrafficFile) -> Self {
        Self {
            file,
            ahead: ByTime::default(),
            held: 0,
        }
    }

    /// When the next exchange began, after it was read far enough ahead that none before it can turn up.
    pub fn peek(&mut self) -> Option<Timestamp> {
        while !self.file.is_read() && self.ahead.len() < MAX_AHEAD && self.held < MAX_AHEAD_BYTES {
            let first = self.ahead.first();
            let horizon = first.map(|first| first.after(READ_AHEAD));
            if horizon.is_some_and(|horizon| self.file.read_to() > horizon) {
                break;
            }
            if let Step::Traffic(traffic) = self.file.step() {
                self.held += body_bytes(traffic.exchange());
                self.ahead.push(traffic.captured_at(), traffic);
            }
        }
        self.ahead.first()
    }

    /// The file, for what was counted.
    pub fn file(&self) -> &TrafficFile {
        &self.file
    }

    /// What a recording says of itself.
    pub fn metadata(&mut self) -> Option<&RecordingMetadata> {
        self.file.metadata()
    }

    /// What is wrong with the file, where something is.
    pub fn damage(&mut self) -> Option<anyhow::Error> {
        self.file.damage()
    }
}

impl Iterator for InOrder {
    type Item = Traffic;

    fn next(&mut self) -> Option<Traffic> {
        self.peek()?;
        let traffic = self.ahead.pop()?;
        self.held -= body_bytes(traffic.exchange());
        Some(traffic)
    }
}

fn body_bytes(exchange: &Exchange) -> usize {
    let answer = exchange.response.as_ref();
    exchange.request.body.len() + answer.map_or(0, |answer| answer.body.len())
}
