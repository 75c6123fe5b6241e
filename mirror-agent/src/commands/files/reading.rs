//! The options by which files are read.

use anyhow::Error;
use mirror_agent::cli::ConvertOptions;
use mirror_agent::config::{Flags, read_key};
use mirror_agent::transport::file::RecordingKeys;
use mirror_core::options::Options;

pub(super) struct Reading {
    pub(super) options: ConvertOptions,
    /// The rules of redaction, as they were given.
    pub(super) redaction: Vec<String>,
    /// What recordings are read and encrypted with.
    pub(super) keys: RecordingKeys,
}

impl Reading {
    /// What was given, with the key of the tokens; rules that contradict each other are refused.
    pub(super) fn new(flags: &Flags<ConvertOptions>) -> anyhow::Result<Self> {
        let mut options = ConvertOptions::read(&flags.given)?;
        read_key(&mut options.policy)?;
        options.policy.check().map_err(Error::msg)?;
        let redaction = flags.given.texts("redact").unwrap_or_default().to_vec();
        let keys = RecordingKeys::new(&options.recipients, options.key_file.as_deref())?;
        Ok(Self {
            options,
            redaction,
            keys,
        })
    }
}
