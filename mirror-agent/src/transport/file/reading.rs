//! Recordings as one stream of exchanges, in the order in which they began.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use mirror_core::policy::Envelope;
use mirror_core::recording::{
    RECORDING_MAGIC, RecordedExchange, RecordingError, RecordingMetadata, RecordingReader,
};
use mirror_core::schedule::ByTime;
use mirror_core::time::Timestamp;

use super::{MREC, RecordingKeys};

/// How far a file is read ahead, in its own time. An exchange is recorded when it was answered, so one that took longer comes late.
const READ_AHEAD: Duration = Duration::from_secs(30);
/// Most exchanges that are read ahead, and most bytes of them.
const MAX_AHEAD: usize = 20_000;
const MAX_AHEAD_BYTES: usize = 256 << 20;

/// A recording that is open for reading.
pub type OpenRecording = RecordingReader<File>;

/// The recordings that are meant: files, and those in directories.
pub fn recordings_in(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for path in paths {
        if !path.is_dir() {
            all.push(path.clone());
            continue;
        }
        let context = || format!("looking for recordings in {}", path.display());
        let mut found = Vec::new();
        for entry in fs::read_dir(path).with_context(context)? {
            let entry = entry.with_context(context)?.path();
            found.extend(Some(entry).filter(|entry| is_named_recording(entry)));
        }
        ensure!(
            !found.is_empty(),
            "there is no recording (*{MREC}) in {}",
            path.display()
        );
        found.sort();
        all.extend(found);
    }
    Ok(all)
}

fn is_named_recording(path: &Path) -> bool {
    path.to_string_lossy().ends_with(MREC) && path.is_file()
}

/// Whether a file begins as a recording does. Pipes are not looked at: they can be read once only.
pub fn is_recording(path: &Path) -> bool {
    if !path.is_file() {
        return false;
    }
    let mut start = [0; RECORDING_MAGIC.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == RECORDING_MAGIC
}

/// Opens a recording, and reads what it says of itself.
pub fn open(path: &Path, keys: &RecordingKeys) -> anyhow::Result<OpenRecording> {
    let context = || format!("{}", path.display());
    let file = File::open(path).with_context(context)?;
    let mut reader = RecordingReader::new(file, keys.unseal()).with_context(context)?;
    reader.metadata().with_context(context)?;
    Ok(reader)
}

/// Its writer was killed when it had begun the file: nothing is lost, because nothing was in it.
fn is_begun_only(error: &anyhow::Error) -> bool {
    let why = error.downcast_ref::<RecordingError>();
    matches!(why, Some(RecordingError::TornHead))
}

/// The exchanges of several recordings in the order in which they began. A file is open only while its time is read, and what is
/// read ahead is bounded.
pub struct MergedRecordings {
    keys: RecordingKeys,
    /// Not open yet, the earliest last.
    later: Vec<(Timestamp, PathBuf)>,
    open: Vec<Source>,
    ahead: ByTime<RecordedExchange>,
    /// Bytes of what is read ahead.
    held: usize,
    metadata: Vec<RecordingMetadata>,
    first: Option<Timestamp>,
    damage: Option<anyhow::Error>,
    damages: u64,
}

struct Source {
    path: PathBuf,
    reader: OpenRecording,
    /// When the latest exchange was over that was read.
    read_to: Timestamp,
}

impl MergedRecordings {
    /// Looks at each recording. One that cannot be read at all is an error, and so is one that is encrypted to other keys.
    pub fn open(paths: &[PathBuf], keys: RecordingKeys) -> anyhow::Result<Self> {
        let mut later = Vec::new();
        let mut all = Vec::new();
        for path in paths {
            let mut reader = match open(path, &keys) {
                Err(error) if is_begun_only(&error) => {
                    tracing::warn!("{error:#}");
                    continue;
                }
                opened => opened?,
            };
            let metadata = reader.metadata()?.cloned().unwrap_or_default();
            let first = reader.next();
            if let Some(Err(
                error @ (RecordingError::Encrypted { .. } | RecordingError::Unsealing { .. }),
            )) = first
            {
                return Err(anyhow!(
                    "{} is encrypted: give the file with its key, --recording-key-file FILE ({error})",
                    path.display()
                ));
            }
            let begins = match first {
                Some(Ok(exchange)) => exchange.at(),
                _ => metadata.started_at,
            };
            later.push((begins.min(metadata.started_at), path.clone()));
            all.push(metadata);
        }
        later.sort_by(|a, b| b.cmp(a));
        Ok(Self {
            keys,
            later,
            open: Vec::new(),
            ahead: ByTime::default(),
            held: 0,
            metadata: all,
            first: None,
            damage: None,
            damages: 0,
        })
    }

    /// What the recordings say of themselves.
    pub fn metadata(&self) -> &[RecordingMetadata] {
        &self.metadata
    }

    /// When the next exchange began, after it was read far enough ahead that none before it can turn up.
    pub fn peek(&mut self) -> Option<Timestamp> {
        while self.ahead.len() < MAX_AHEAD && self.held < MAX_AHEAD_BYTES {
            let horizon = self.ahead.first().map(|first| first.after(READ_AHEAD));
            if let Some(number) = self.behind(horizon) {
                self.read_one(number);
            } else if !self.open_next(horizon) {
                break;
            }
        }
        let at = self.ahead.first()?;
        self.first.get_or_insert(at);
        Some(at)
    }

    /// A file that was not read as far as the horizon.
    fn behind(&self, horizon: Option<Timestamp>) -> Option<usize> {
        let is_behind = |source: &Source| horizon.is_none_or(|horizon| source.read_to <= horizon);
        self.open.iter().position(is_behind)
    }

    /// Opens the next file, if its time has come. False if not.
    fn open_next(&mut self, horizon: Option<Timestamp>) -> bool {
        let begins = self.later.last().map(|(begins, _)| *begins);
        if begins.is_none_or(|begins| horizon.is_some_and(|horizon| begins > horizon)) {
            return false;
        }
        let Some((begins, path)) = self.later.pop() else {
            return false;
        };
        match open(&path, &self.keys) {
            Ok(reader) => self.open.push(Source {
                path,
                reader,
                read_to: begins,
            }),
            Err(error) => self.note(error),
        }
        true
    }

    fn read_one(&mut self, number: usize) {
        let source = &mut self.open[number];
        match source.reader.next() {
            Some(Ok(exchange)) => {
                source.read_to = source.read_to.max(over(&exchange.envelope));
                self.held += exchange.envelope.held_bytes();
                self.ahead.push(exchange.at(), exchange);
            }
            Some(Err(error)) => {
                let error = anyhow!("{}: {error}", source.path.display());
                self.note(error);
            }
            None => {
                self.open.swap_remove(number);
            }
        }
    }

    fn note(&mut self, error: anyhow::Error) {
        self.damages += 1;
        self.damage.get_or_insert(error);
    }

    /// The moment that the recordings begin with.
    pub fn first(&self) -> Option<Timestamp> {
        self.first
    }

    /// Places that could not be read so far.
    pub fn damages(&self) -> u64 {
        self.damages
    }

    /// The host that captured; the first one where there are several.
    pub fn host(&self) -> &str {
        self.metadata.first().map_or("", |metadata| &metadata.host)
    }

    /// What was wrong first, where something was. What is before and after it was read.
    pub fn damage(&mut self) -> Option<anyhow::Error> {
        self.damage.take()
    }
}

impl Iterator for MergedRecordings {
    type Item = RecordedExchange;

    fn next(&mut self) -> Option<RecordedExchange> {
        self.peek()?;
        let exchange = self.ahead.pop()?;
        self.held -= exchange.envelope.held_bytes();
        Some(exchange)
    }
}

/// When an exchange was over: it cannot be recorded before.
fn over(envelope: &Envelope) -> Timestamp {
    let timing = &envelope.exchange().timing;
    timing.response_last.unwrap_or(timing.request_last)
}
