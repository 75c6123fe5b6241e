//! The files of a recording: one after the other, within limits.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, bail};
use mirror_core::policy::Envelope;
use mirror_core::recording::{
    Pushed, RecordingLedger, RecordingMetadata, RecordingWriter, WriteFailure, WriterOptions,
};
use serde::Serialize;

use super::sink::WholeBlocks;
use super::{FileLimits, MREC, RecordingKeys};
use crate::clock::wall_clock;
use crate::report::PrivateDir;

/// Between two tries to begin a file.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Where a recording goes.
pub enum RecordingPlace {
    /// One file, which is not there yet.
    File(PathBuf),
    /// Files in a directory, which is its owner's alone.
    Directory(PrivateDir),
}

impl RecordingPlace {
    /// A path that ends in `.mrec` is a file's, any other one a directory's.
    pub fn of(path: &Path) -> anyhow::Result<Self> {
        if path.to_string_lossy().ends_with(MREC) {
            return Ok(Self::File(path.to_owned()));
        }
        let directory = PrivateDir::open(path);
        Ok(Self::Directory(directory.with_context(|| {
            format!("the directory of the recording, {}", path.display())
        })?))
    }

    /// Begins a file, for its owner alone.
    fn create(&self, name: &str) -> anyhow::Result<File> {
        match self {
            Self::File(path) => {
                let file = OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(path);
                Ok(file?)
            }
            Self::Directory(directory) => {
                let file = directory.create(name)?;
                // A file system without it keeps the name all the same, as long as the host does not crash.
                let _ = directory.sync();
                Ok(file)
            }
        }
    }

    fn shown(&self, name: &str) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Directory(directory) => directory.path().join(name),
        }
    }
}

/// What became of one exchange: nothing is wrong, or why it is lost.
pub type Settled<T> = (T, Option<String>);

/// What was written so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FileCounts {
    pub files: u64,
    pub bytes: u64,
    pub exchanges: u64,
    /// Exchanges that no file took.
    pub lost: u64,
    /// Files that were removed for newer ones, and their exchanges as far as this process wrote them.
    pub given_way_files: u64,
    pub given_way_exchanges: u64,
    /// What went wrong last, if anything did.
    pub trouble: Option<String>,
}

/// Writes a recording. Each exchange has a token, which comes back in [`take_settled`](Self::take_settled) once the exchange is in a
/// file, or is known to be lost.
pub struct RecordingFiles<T> {
    place: RecordingPlace,
    limits: FileLimits,
    keys: RecordingKeys,
    metadata: RecordingMetadata,
    open: Option<OpenFile>,
    closed: VecDeque<ClosedFile>,
    /// No file is begun before.
    retry_at: Option<Instant>,
    /// In the open block.
    pending: Vec<T>,
    settled: Vec<Settled<T>>,
    counts: FileCounts,
}

struct OpenFile {
    writer: RecordingWriter<WholeBlocks>,
    name: String,
    begun: Instant,
    /// Something was written since the last sync.
    is_dirty: bool,
}

struct ClosedFile {
    name: String,
    bytes: u64,
    exchanges: u64,
    last: SystemTime,
}

impl<T> RecordingFiles<T> {
    /// Begins the first file.
    pub fn begin(
        place: RecordingPlace,
        limits: FileLimits,
        keys: RecordingKeys,
        metadata: RecordingMetadata,
    ) -> anyhow::Result<Self> {
        let mut files = Self {
            place,
            limits,
            keys,
            metadata,
            open: None,
            closed: VecDeque::new(),
            retry_at: None,
            pending: Vec::new(),
            settled: Vec::new(),
            counts: FileCounts::default(),
        };
        files.open = Some(files.begin_file()?);
        Ok(files)
    }

    /// Counts the recordings that are in the directory already: they give way first.
    pub fn adopt(&mut self) -> anyhow::Result<()> {
        let RecordingPlace::Directory(directory) = &self.place else {
            bail!("one file has no others to give way");
        };
        let is_own = |name: &str| self.open.as_ref().is_some_and(|open| open.name == name);
        let mut names = directory.names()?;
        names.retain(|name| name.ends_with(MREC) && !is_own(name));
        for name in names {
            let Ok(there) = fs::symlink_metadata(directory.path().join(&name)) else {
                continue;
            };
            self.closed.push_back(ClosedFile {
                name,
                bytes: there.len(),
                exchanges: 0,
                last: there.modified().unwrap_or(SystemTime::UNIX_EPOCH),
            });
        }
        self.give_way();
        Ok(())
    }

    /// Records an exchange.
    pub fn push(&mut self, envelope: &Envelope, token: T) {
        if self.is_file_full() {
            self.close_file(None);
        }
        if let Err(why) = self.open_file() {
            return self.lose(vec![token], &why);
        }
        let Some(open) = &mut self.open else {
            return;
        };
        let pushed = open.writer.push(envelope, &[]);
        match pushed {
            Ok(Pushed::Open) => {}
            Ok(Pushed::BehindWritten) => self.wrote(),
            Err(WriteFailure {
                is_last: true,
                error,
                ..
            }) => return self.lose(vec![token], &error.to_string()),
            Err(failure) => self.failed(&failure),
        }
        self.pending.push(token);
    }

    /// Writes what was pushed.
    pub fn flush(&mut self) {
        let Some(open) = &mut self.open else {
            return;
        };
        match open.writer.flush() {
            Ok(()) => self.wrote(),
            Err(failure) => self.failed(&failure),
        }
    }

    /// Call it each second: what was pushed is on the disk afterwards, with what was counted. Files end and give way here, too.
    pub fn tick(&mut self, ledger: &RecordingLedger) {
        self.flush();
        let is_old = |open: &OpenFile| {
            let every = self.limits.every;
            open.writer.exchanges() > 0 && every.is_some_and(|every| open.begun.elapsed() >= every)
        };
        if self.open.as_ref().is_some_and(is_old) || self.is_file_full() {
            self.close_file(Some(ledger));
        }
        if let Some(open) = &mut self.open
            && open.is_dirty
        {
            let told = open.writer.write_ledger(ledger);
            let told = told.map_err(|failure| failure.error);
            match told.and_then(|()| open.writer.sink().sync()) {
                Ok(()) => open.is_dirty = false,
                Err(error) => self.counts.trouble = Some(error.to_string()),
            }
        }
        self.give_way();
    }

    /// Ends the recording.
    pub fn end(&mut self, ledger: &RecordingLedger) -> FileCounts {
        self.close_file(Some(ledger));
        self.give_way();
        self.counts()
    }

    /// The exchanges whose fate is known since it was asked for last.
    pub fn take_settled(&mut self) -> Vec<Settled<T>> {
        std::mem::take(&mut self.settled)
    }

    pub fn counts(&self) -> FileCounts {
        let mut counts = self.counts.clone();
        counts.bytes += self.open.as_ref().map_or(0, |open| open.writer.length());
        counts
    }

    /// The file that is written to, or that was begun last.
    pub fn path(&self) -> PathBuf {
        let name = self.open.as_ref().map(|open| open.name.as_str());
        self.place.shown(name.unwrap_or_default())
    }

    fn is_file_full(&self) -> bool {
        let is_one = matches!(self.place, RecordingPlace::File(_));
        let full = |open: &OpenFile| open.writer.length() >= self.limits.size;
        !is_one && self.open.as_ref().is_some_and(full)
    }

    /// What is in the open block is in the file now.
    fn wrote(&mut self) {
        self.counts.exchanges += self.pending.len() as u64;
        if let Some(open) = &mut self.open {
            open.is_dirty |= !self.pending.is_empty();
        }
        let wrote = self.pending.drain(..).map(|token| (token, None));
        self.settled.extend(wrote);
    }

    fn failed(&mut self, failure: &WriteFailure) {
        let why = failure.error.to_string();
        if failure.exchanges == 0 {
            // Only the index was not written, which follows from the exchanges.
            self.counts.trouble = Some(why);
            return self.wrote();
        }
        let pending = std::mem::take(&mut self.pending);
        self.lose(pending, &why);
    }

    fn lose(&mut self, tokens: Vec<T>, why: &str) {
        self.counts.lost += tokens.len() as u64;
        self.counts.trouble = Some(why.into());
        let lost = tokens.into_iter().map(|token| (token, Some(why.into())));
        self.settled.extend(lost);
    }

    fn open_file(&mut self) -> Result<(), String> {
        if self.open.is_some() {
            return Ok(());
        }
        let why = || self.counts.trouble.clone().unwrap_or_default();
        if self.retry_at.is_some_and(|at| at > Instant::now()) {
            return Err(why());
        }
        match self.begin_file() {
            Ok(open) => {
                self.open = Some(open);
                self.retry_at = None;
                Ok(())
            }
            Err(error) => {
                self.retry_at = Some(Instant::now() + RETRY_INTERVAL);
                Err(format!("{error:#}"))
            }
        }
    }

    fn begin_file(&mut self) -> anyhow::Result<OpenFile> {
        let name = format!("{}-{:06}{MREC}", self.metadata.series, self.metadata.part);
        let context = || format!("beginning {}", self.place.shown(&name).display());
        let file = self.place.create(&name).with_context(context)?;
        self.metadata.started_at = wall_clock();
        let options = WriterOptions {
            seal: self.keys.seal(),
            ..WriterOptions::default()
        };
        let writer = RecordingWriter::new(WholeBlocks::new(file), options, &self.metadata);
        let writer = match writer {
            Ok(writer) => writer,
            Err(error) => {
                // An empty file would be no recording.
                let _ = fs::remove_file(self.place.shown(&name));
                return Err(error).with_context(context);
            }
        };
        self.metadata.part += 1;
        self.counts.files += 1;
        Ok(OpenFile {
            writer,
            name,
            begun: Instant::now(),
            is_dirty: true,
        })
    }

    fn close_file(&mut self, ledger: Option<&RecordingLedger>) {
        self.flush();
        let Some(mut open) = self.open.take() else {
            return;
        };
        let told = ledger.map_or(Ok(()), |ledger| open.writer.write_ledger(ledger));
        let (length, exchanges) = (open.writer.length(), open.writer.exchanges());
        let ended = told.and_then(|()| open.writer.end());
        let ended = ended.map_err(|failure| failure.error);
        let synced = ended.and_then(|sink| sink.sync().map(|()| sink.length()));
        let length = synced.unwrap_or_else(|error| {
            // A recording without its end is read as well.
            self.counts.trouble = Some(error.to_string());
            length
        });
        self.counts.bytes += length;
        self.closed.push_back(ClosedFile {
            name: open.name,
            bytes: length,
            exchanges,
            last: SystemTime::now(),
        });
    }

    /// Removes the oldest files until the rest is within the limits.
    fn give_way(&mut self) {
        let RecordingPlace::Directory(directory) = &self.place else {
            return;
        };
        let open = self.open.as_ref().map_or(0, |open| open.writer.length());
        let mut bytes = open + self.closed.iter().map(|file| file.bytes).sum::<u64>();
        while let Some(oldest) = self.closed.front() {
            let is_too_much = self.limits.total.is_some_and(|total| bytes > total);
            let age = oldest.last.elapsed().unwrap_or_default();
            let is_too_old = self.limits.age.is_some_and(|limit| age > limit);
            if !is_too_much && !is_too_old {
                return;
            }
            if let Err(error) = directory.remove(&oldest.name) {
                self.counts.trouble = Some(format!("{} stays: {error}", oldest.name));
                return;
            }
            bytes -= oldest.bytes;
            self.counts.given_way_files += 1;
            self.counts.given_way_exchanges += oldest.exchanges;
            self.closed.pop_front();
        }
    }
}
