//! merge: several recordings as one, in the order of time.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;

use mirror_agent::cli::Merge;
use mirror_core::policy::Envelope;
use mirror_core::recording::RecordingMetadata;
use mirror_core::time::Timestamp;

use super::output::OutputFile;
use super::reading::Reading;
use super::recording::RecordingOutput;
use super::source::{JudgedAgain, Source};
use super::tally::Tally;

pub(crate) fn merge(options: &Merge) -> anyhow::Result<ExitCode> {
    let reading = Reading::new(&options.reading)?;
    let sources = options.inputs.iter();
    let sources = sources.map(|path| Source::open(path, &reading));
    let mut sources: Vec<Source<'_>> = sources.collect::<anyhow::Result<_>>()?;
    let metadata = merged(sources.iter_mut().map(Source::metadata).collect());
    let output = OutputFile::create(&options.output)?;
    let mut recording = RecordingOutput::new(output, &metadata, &reading.keys)?;
    let (mut tally, mut repeats) = (Tally::default(), Repeats::default());
    while let Some(source) = earliest(&mut sources) {
        let Some(admitted) = source.next(JudgedAgain::No, &mut tally)? else {
            continue;
        };
        if repeats.has(&admitted.envelope) {
            tally.left_out("it is in several of the recordings");
            continue;
        }
        recording.push(&admitted)?;
        tally.written += 1;
    }
    recording.finish(&tally)?;
    for source in &sources {
        tally.not_read(source.file());
    }
    tally.print(&options.output, options.json)?;
    let mut code = ExitCode::SUCCESS;
    for source in &mut sources {
        let end = source.end("merged");
        if end != ExitCode::SUCCESS {
            code = end;
        }
    }
    Ok(code)
}

/// The one whose next exchange began first; `None` when all are at their end.
fn earliest<'s, 'o>(sources: &'s mut [Source<'o>]) -> Option<&'s mut Source<'o>> {
    let times = sources.iter_mut().enumerate();
    let times = times.filter_map(|(place, source)| Some((source.peek()?, place)));
    let (_, place) = times.min()?;
    sources.get_mut(place)
}

/// What all have in common, and of the rest what each has.
fn merged(all: Vec<RecordingMetadata>) -> RecordingMetadata {
    let of = |part: fn(&RecordingMetadata) -> &str| {
        let parts: BTreeSet<&str> = all.iter().map(part).collect();
        parts.into_iter().collect::<Vec<_>>().join(", ")
    };
    let redaction: BTreeSet<&String> = all.iter().flat_map(|one| &one.redaction).collect();
    let started_at = all.iter().map(|one| one.started_at).min();
    RecordingMetadata {
        host: of(|one| &one.host),
        agent: of(|one| &one.agent),
        build: of(|one| &one.build),
        config_digest: of(|one| &one.config_digest),
        redaction: redaction.into_iter().cloned().collect(),
        started_at: started_at.unwrap_or_default(),
        with_snapshots: all.iter().any(|one| one.with_snapshots),
        ..RecordingMetadata::default()
    }
}

/// Knows an exchange again that is in two recordings, as parts of one that overlap have it. They come at the same time.
#[derive(Default)]
struct Repeats {
    at: Timestamp,
    seen: BTreeSet<(Arc<str>, u64, u32)>,
}

impl Repeats {
    fn has(&mut self, envelope: &Envelope) -> bool {
        let exchange = envelope.exchange();
        let at = exchange.captured_at();
        if at != self.at {
            self.at = at;
            self.seen.clear();
        }
        let host = Arc::clone(envelope.host());
        !self
            .seen
            .insert((host, exchange.connection, exchange.index))
    }
}
