//! Exchanges → a file for another program.

mod curl;
mod k6;
mod postman;
mod sent;

use std::io::{self, Write};

use mirror_core::exchange::Exchange;
use mirror_core::schedule::Speed;
use mirror_core::time::Timestamp;

use super::format::{Format, WriteError};
use super::gor::GorWriter;
use super::har::HarWriter;

use curl::Curl;
use k6::K6;
use postman::Postman;

/// What a file can be written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrittenFormat {
    /// HTTP Archive 1.2.
    Har,
    /// As GoReplay's `--output-file`, with production's answers.
    GoReplay,
    /// A shell script with a command for each request.
    Curl,
    /// A script for k6.
    K6,
    /// A collection for Postman, version 2.1.
    Postman,
}

/// What a script is told besides its requests.
#[derive(Clone, Debug)]
pub struct WriteOptions {
    /// Where its requests go, unless it is told otherwise when it runs.
    pub target: Option<String>,
    pub speed: Speed,
    /// What a collection is called.
    pub name: String,
}

/// Call `exchange` for each in the order of time, then `finish`.
pub struct TrafficWriter<W> {
    format: Box<dyn Format>,
    out: W,
}

impl<W: Write> TrafficWriter<W> {
    pub fn new(format: WrittenFormat, options: &WriteOptions, mut out: W) -> io::Result<Self> {
        let mut format: Box<dyn Format> = match format {
            WrittenFormat::Har => Box::new(HarWriter::default()),
            WrittenFormat::GoReplay => Box::new(GorWriter::default()),
            WrittenFormat::Curl => Box::new(Curl::new(options)),
            WrittenFormat::K6 => Box::new(K6::new(options)),
            WrittenFormat::Postman => Box::new(Postman::new(options)),
        };
        format.begin(&mut out)?;
        Ok(Self { format, out })
    }

    pub fn exchange(&mut self, exchange: &Exchange) -> Result<(), WriteError> {
        self.format.exchange(exchange, &mut self.out)
    }

    /// Writes what stands at the end, and gives back what was written to.
    pub fn finish(mut self) -> io::Result<W> {
        self.format.end(&mut self.out)?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Milliseconds from the first of the exchanges.
#[derive(Debug, Default)]
struct Offset {
    first: Option<Timestamp>,
}

impl Offset {
    fn millis(&mut self, at: Timestamp) -> f64 {
        let first = *self.first.get_or_insert(at);
        (at.nanos_since(first) / 1000) as f64 / 1e3
    }
}
