//! A recording that a command writes.

use std::io::BufWriter;

use anyhow::{Context, Error};
use mirror_agent::transport::file::RecordingKeys;
use mirror_core::recording::{
    RecordedExchange, RecordingMetadata, RecordingWriter, WriteFailure, WriterOptions,
};

use super::output::OutputFile;
use super::tally::Tally;

pub(super) struct RecordingOutput {
    writer: RecordingWriter<BufWriter<OutputFile>>,
}

impl RecordingOutput {
    pub(super) fn new(
        output: OutputFile,
        metadata: &RecordingMetadata,
        keys: &RecordingKeys,
    ) -> anyhow::Result<Self> {
        let options = WriterOptions {
            seal: keys.seal(),
            ..WriterOptions::default()
        };
        let writer = RecordingWriter::new(BufWriter::new(output), options, metadata);
        Ok(Self {
            writer: writer.context("writing the recording's beginning")?,
        })
    }

    pub(super) fn push(&mut self, exchange: &RecordedExchange) -> anyhow::Result<()> {
        let pushed = self.writer.push(&exchange.envelope, &exchange.parts);
        pushed.map_err(told).map(drop)
    }

    /// Writes what became of all that was read, and the end.
    pub(super) fn finish(mut self, tally: &Tally) -> anyhow::Result<()> {
        self.writer.write_ledger(&tally.ledger()).map_err(told)?;
        let buffer = self.writer.end().map_err(told)?;
        let output = buffer.into_inner().map_err(|error| error.into_error());
        output.context("writing the recording")?.finish()
    }
}

fn told(failure: WriteFailure) -> Error {
    Error::new(failure).context("writing the recording")
}
