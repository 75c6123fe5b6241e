//! A recording as exchanges.

use mirror_core::recording::{
    RECORDING_MAGIC, RecordingError, RecordingMetadata, RecordingReader, Tail, Unseal,
};
use mirror_core::time::Timestamp;

use super::{LeftOut, Step, Traffic};
use crate::capture::input;

pub(super) fn is_recording(start: &[u8]) -> bool {
    start.starts_with(&RECORDING_MAGIC)
}

pub(super) struct Recorded {
    reader: RecordingReader<input::Bytes>,
    reached: Option<Timestamp>,
    is_over: bool,
}

impl Recorded {
    pub(super) fn new(
        bytes: input::Bytes,
        unseal: Option<Box<dyn Unseal>>,
    ) -> anyhow::Result<Self> {
        let mut reader = RecordingReader::new(bytes, unseal)?;
        reader.metadata()?;
        Ok(Self {
            reader,
            reached: None,
            is_over: false,
        })
    }

    /// An error says that a part of the recording is damaged; what follows may be whole.
    pub(super) fn step(&mut self) -> anyhow::Result<Step> {
        if self.is_over {
            return Ok(Step::End);
        }
        match self.reader.next() {
            Some(Ok(recorded)) => {
                self.reached = Some(recorded.at());
                Ok(Step::Traffic(Traffic::Recorded(Box::new(recorded))))
            }
            Some(Err(error)) => {
                // Without the key no other block can be read either.
                let is_locked = matches!(error, RecordingError::Encrypted { .. });
                self.is_over = is_locked || error.is_final();
                Err(error.into())
            }
            None => Ok(Step::End),
        }
    }

    /// When the last exchange began.
    pub(super) fn reached(&self) -> Option<Timestamp> {
        self.reached
    }

    pub(super) fn metadata(&mut self) -> Option<&RecordingMetadata> {
        self.reader.metadata().ok().flatten()
    }

    pub(super) fn left_out(&self) -> LeftOut {
        let counts = self.reader.counts();
        let torn = match self.reader.tail() {
            Some(Tail::Torn { bytes, .. }) => bytes,
            _ => 0,
        };
        LeftOut::from([
            ("damaged_places", counts.damaged),
            ("lost_exchanges", counts.lost_exchanges),
            ("blocks_of_later_releases", counts.skipped_blocks),
            ("torn_bytes", torn),
        ])
    }
}
