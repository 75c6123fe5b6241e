//! What policy lets through of a file, in the order in which it began.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::ensure;
use mirror_agent::traffic::{InOrder, Traffic, TrafficFile};
use mirror_agent::transport::file::RecordingKeys;
use mirror_core::dissect::DissectLimits;
use mirror_core::exchange::Exchange;
use mirror_core::policy::Refusal;
use mirror_core::recording::{RecordedExchange, RecordingMetadata};
use mirror_core::time::Timestamp;

use super::reading::Reading;
use super::tally::Tally;
use crate::terminal;

/// The input is damaged; what could be read was written.
const DAMAGED: u8 = 3;

/// Whether what a recording holds is judged by the rules in effect here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JudgedAgain {
    Yes,
    No,
}

pub(super) struct Source<'o> {
    path: PathBuf,
    reading: &'o Reading,
    exchanges: InOrder,
    /// In the place of the host that captured, which no file but a recording names: connections have their numbers in one file.
    host: Arc<str>,
}

impl<'o> Source<'o> {
    pub(super) fn open(path: &Path, reading: &'o Reading) -> anyhow::Result<Self> {
        let limits = DissectLimits {
            ports: reading.options.ports.clone(),
            ..reading.options.limits.clone()
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(Self {
            path: path.into(),
            exchanges: InOrder::new(TrafficFile::open_with(path, limits, reading.keys.unseal())?),
            host: name.into(),
            reading,
        })
    }

    /// When the next exchange began.
    pub(super) fn peek(&mut self) -> Option<Timestamp> {
        self.exchanges.peek()
    }

    /// The next exchange that is let through; what is not is counted.
    pub(super) fn next(
        &mut self,
        again: JudgedAgain,
        tally: &mut Tally,
    ) -> anyhow::Result<Option<RecordedExchange>> {
        for traffic in self.exchanges.by_ref() {
            tally.read += 1;
            let admitted = match traffic {
                Traffic::Captured(exchange) => admit(self.reading, &self.host, *exchange),
                Traffic::Recorded(recorded) => match again {
                    JudgedAgain::No => {
                        self.refuse_snapshot(&recorded)?;
                        return Ok(Some(*recorded));
                    }
                    JudgedAgain::Yes => judge(self.reading, &recorded),
                },
            };
            match admitted {
                Ok(admitted) => return Ok(Some(admitted)),
                Err(refusal) => tally.refused(&refusal),
            }
        }
        Ok(None)
    }

    /// Production's data are unredacted, so they go on encrypted only.
    fn refuse_snapshot(&self, recorded: &RecordedExchange) -> anyhow::Result<()> {
        ensure!(
            recorded.envelope.snapshot().is_none() || self.reading.keys.seal().is_some(),
            "{} holds production's snapshots, unredacted, which are written encrypted only: add --encrypt-to age1… or --recording-key-file FILE",
            self.path.display()
        );
        Ok(())
    }

    pub(super) fn keys(&self) -> &'o RecordingKeys {
        &self.reading.keys
    }

    pub(super) fn file(&self) -> &TrafficFile {
        self.exchanges.file()
    }

    /// What a recording that is made of it says of itself.
    pub(super) fn metadata(&mut self) -> RecordingMetadata {
        let first = self.exchanges.peek().unwrap_or_default();
        let own = RecordingMetadata {
            host: self.host.to_string(),
            redaction: self.reading.redaction.clone(),
            started_at: first,
            ..RecordingMetadata::default()
        };
        let known = self.exchanges.metadata().cloned();
        RecordingMetadata {
            agent: env!("CARGO_PKG_VERSION").into(),
            series: String::new(),
            part: 0,
            ..known.unwrap_or(own)
        }
    }

    /// The exit code, after a word on what is damaged.
    pub(super) fn end(&mut self, done: &str) -> ExitCode {
        let Some(error) = self.exchanges.damage() else {
            return ExitCode::SUCCESS;
        };
        terminal::note(&format!(
            "warning: {}: {error:#}; what could be read was {done}",
            self.path.display()
        ));
        ExitCode::from(DAMAGED)
    }
}

fn admit(
    reading: &Reading,
    host: &Arc<str>,
    exchange: Exchange,
) -> Result<RecordedExchange, Refusal> {
    let Reading { options, .. } = reading;
    let policy = &options.policy;
    let number = |name: &[u8]| policy.number_of_session(name);
    let lane = options.order.lane(host, &exchange, number);
    let identify = |exchange: &Exchange| options.identity.identify(exchange);
    let admitted = policy.admit(host, exchange, identify)?;
    Ok(admitted.in_lane(lane).into())
}

/// It is redacted once more, by the rules in effect here, and keeps its identity and its lane.
fn judge(reading: &Reading, recorded: &RecordedExchange) -> Result<RecordedExchange, Refusal> {
    let envelope = &recorded.envelope;
    let identity = envelope.identity().clone();
    let exchange = envelope.exchange().clone();
    let admitted = reading
        .options
        .policy
        .admit(envelope.host(), exchange, |_| identity)?;
    Ok(admitted.in_lane(envelope.lane()).into())
}
