//! Keeps a run while it goes on: in a thread of its own, every second, what has changed. Nothing about files ever ends a run.

use std::collections::HashMap;
use std::fs::File;
use std::hash::BuildHasher;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use foldhash::fast::FixedState;
use mirror_core::journal::Batch;
use mirror_core::schedule::ScheduleData;

use super::super::directory::PrivateDir;
use super::super::files::ReportDir;
use super::super::options::{ReportOptions, RunsPlace};
use super::super::recorder::{KeptBeside, Recorder};
use super::super::status::CaptureCounters;
use super::answers_file::{AnswersFile, AnswersLimits};
use super::folder::RunsFolder;
use super::head::RunHead;
use super::journal_file::JournalFile;
use super::trouble::{Lost, Trouble, sentence};
use crate::clock::wall_clock;

/// What a crash loses at most.
const KEEP_INTERVAL: Duration = Duration::from_secs(1);
/// How often a run in which nothing changes says that it goes on.
const SIGN_INTERVAL: Duration = Duration::from_secs(10);
/// Longest pause after what failed.
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// The directory of a run that has not begun. It is taken away again if the run does not begin.
pub struct NewRun {
    place: Place,
    limits: AnswersLimits,
    is_kept: bool,
}

/// Where a run is kept.
struct Place {
    folder: PathBuf,
    directory: PrivateDir,
    /// Of the directory.
    name: String,
    head: RunHead,
    /// run.json, which is locked while this is open.
    _lock: File,
}

impl NewRun {
    /// Makes the directory of a run, which says at once whether runs can be kept. A folder that the user named must be usable; without the
    /// usual one the run goes on, and says so.
    pub fn make(options: &ReportOptions, recorder: &Recorder) -> anyhow::Result<Option<Self>> {
        let limits = AnswersLimits {
            bytes: options.answers.as_u64(),
            age: options.answers_for,
        };
        match &options.runs {
            Some(RunsPlace::Nowhere) => Ok(None),
            Some(RunsPlace::Folder(path)) => {
                let made = Self::make_in(path.clone(), recorder, limits);
                let made = made.with_context(|| format!("--runs {}", path.display()))?;
                Ok(Some(made))
            }
            None => {
                let made = RunsFolder::usual()
                    .and_then(|folder| Self::make_in(folder.into_path(), recorder, limits));
                Ok(made.map_err(|error| not_kept(recorder, &error)).ok())
            }
        }
    }

    fn make_in(
        folder: PathBuf,
        recorder: &Recorder,
        limits: AnswersLimits,
    ) -> anyhow::Result<Self> {
        let head = RunHead::new(recorder);
        let runs = RunsFolder::new(folder.clone());
        let (directory, name) = runs.make(&head)?;
        runs.forget_answers(limits.age);
        let lock = head.write(&directory).inspect_err(|_| {
            // Half of it is no run.
            let _ = runs.remove(&name);
        })?;
        let new = Self {
            place: Place {
                _lock: lock,
                folder,
                directory,
                name,
                head,
            },
            limits,
            is_kept: false,
        };
        // Whether there is room for it is found out now.
        let trial = JournalFile::default().rewrite(&new.place.directory, &Batch::default(), false);
        trial.context("writing its journal")?;
        Ok(new)
    }

    /// Keeps the run from now on; `beside` says what the recorder does not know.
    pub fn keep(
        mut self,
        recorder: &Arc<Recorder>,
        beside: impl Fn() -> (CaptureCounters, ScheduleData) + Send + 'static,
    ) -> anyhow::Result<Keeper> {
        self.is_kept = true;
        let limits = self.limits;
        if limits.bytes > 0 {
            recorder.store_answers();
        }
        recorder.is_kept_in(self.place.directory.path());
        let keeping = Keeping {
            trouble: Trouble::new(Lost::Run, recorder.started_at()),
            answers_trouble: Trouble::new(Lost::Answers, recorder.started_at()),
            recorder: Arc::clone(recorder),
            beside: Box::new(beside),
            new: self,
            journal: JournalFile::default(),
            answers: AnswersFile::new(limits),
            written: HashMap::new(),
            last_sign: Instant::now(),
            pause: Pause::default(),
            answers_pause: Pause::default(),
        };
        let (stop, stopped) = sync_channel(1);
        let thread = thread::Builder::new()
            .name("runs".into())
            .spawn(move || keeping.run(&stopped))
            .context("starting the thread that keeps the run")?;
        Ok(Keeper { stop, thread })
    }
}

impl Drop for NewRun {
    fn drop(&mut self) {
        if !self.is_kept {
            let folder = RunsFolder::new(self.place.folder.clone());
            let _ = folder.remove(&self.place.name);
        }
    }
}

fn not_kept(recorder: &Recorder, error: &anyhow::Error) {
    let why = format!(
        "the run is not kept: {error:#}: name a folder with --runs DIR, or keep none with --runs none"
    );
    tracing::warn!("{why}");
    recorder.note_kept(Some(why));
}

/// Keeps a run until it is told to finish.
pub struct Keeper {
    stop: SyncSender<()>,
    thread: JoinHandle<Keeping>,
}

impl Keeper {
    /// Keeps what came last, and that the run has ended. Returns its directory, for its report.
    pub fn finish(self) -> anyhow::Result<ReportDir> {
        // It has ended if nobody listens.
        let _ = self.stop.send(());
        let joined = self.thread.join();
        let keeping = joined.map_err(|_| anyhow!("the thread that keeps it panicked"))?;
        Ok(ReportDir::of(keeping.new.place.directory.try_clone()?))
    }
}

struct Keeping {
    recorder: Arc<Recorder>,
    answers: AnswersFile,
    beside: Box<dyn Fn() -> (CaptureCounters, ScheduleData) + Send>,
    new: NewRun,
    journal: JournalFile,
    /// Digests of the records in the journal, by key.
    written: HashMap<String, u64>,
    last_sign: Instant,
    trouble: Trouble,
    answers_trouble: Trouble,
    pause: Pause,
    answers_pause: Pause,
}

/// Pauses after what failed, each twice as long as the one before it.
#[derive(Default)]
struct Pause {
    until: Option<Instant>,
    last: Duration,
}

impl Pause {
    fn begin(&mut self) {
        self.last = (self.last * 2).clamp(KEEP_INTERVAL, MAX_PAUSE);
        self.until = Some(Instant::now() + self.last);
    }

    fn goes_on(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() < until)
    }
}

impl Keeping {
    fn run(mut self, stopped: &Receiver<()>) -> Self {
        loop {
            if !self.pause.goes_on() {
                self.keep(false);
            }
            if stopped.recv_timeout(KEEP_INTERVAL) != Err(RecvTimeoutError::Timeout) {
                break;
            }
        }
        // No later second mends what fails now, and the first try only finds out that the directory is gone.
        let is_kept = self.keep(true);
        if !is_kept {
            self.keep(true);
        }
        self
    }

    /// Returns whether what was counted is kept now.
    fn keep(&mut self, ends: bool) -> bool {
        let at = wall_clock().as_secs();
        let name = self.new.place.directory.path().display().to_string();
        let changes = self.keep_changes(at, ends);
        let is_kept = changes.is_ok();
        match changes {
            Ok(()) => {
                self.pause = Pause::default();
                if self.trouble.ends(at) {
                    tracing::info!(run = name, "the run is kept again");
                }
                self.keep_answers(at, ends);
            }
            Err(error) => {
                // What was taken of the changes may not be there: everything is written next.
                self.journal.close();
                self.written.clear();
                self.pause.begin();
                if self.trouble.begins(at, format!("{error:#}")) {
                    tracing::warn!(run = name, "the run cannot be kept, and goes on: {error:#}");
                }
            }
        }
        self.recorder
            .note_kept(sentence([&self.trouble, &self.answers_trouble]));
        is_kept
    }

    /// Trouble with the answers does not keep anything else from being written.
    fn keep_answers(&mut self, at: u64, ends: bool) {
        if !ends && self.answers_pause.goes_on() {
            return;
        }
        let name = self.new.place.directory.path().display().to_string();
        match self.store_answers() {
            Ok(stored) => {
                self.answers_pause = Pause::default();
                if stored > 0 && self.answers_trouble.ends(at) {
                    tracing::info!(run = name, "answers of examples are stored again");
                }
            }
            Err(error) => {
                self.answers_pause.begin();
                if self.answers_trouble.begins(at, format!("{error:#}")) {
                    tracing::warn!(
                        run = name,
                        "answers of examples cannot be stored, and the run goes on: {error:#}"
                    );
                }
            }
        }
    }

    fn keep_changes(&mut self, at: u64, ends: bool) -> anyhow::Result<()> {
        self.journal.check()?;
        let (counters, schedule) = (self.beside)();
        // What is written is read only if it could be written: trouble is over then.
        let mut trouble = self.trouble.clone();
        trouble.ends(at);
        let beside = KeptBeside {
            counters,
            schedule,
            kept: sentence([&trouble, &self.answers_trouble]),
        };
        let changes = self.recorder.changes(beside, self.journal.wants_all());
        let mut batch = changes.batch()?;
        if changes.is_whole {
            self.written.clear();
        }
        batch.retain(|key, value| {
            let digest = FixedState::default().hash_one(value);
            self.written.insert(key.to_owned(), digest) != Some(digest)
        });
        let is_idle = batch.is_empty() && self.last_sign.elapsed() < SIGN_INTERVAL;
        if is_idle && !ends {
            return Ok(());
        }
        match changes.is_whole {
            true => self.rewrite(&batch, ends)?,
            false => self.journal.append(&batch, ends)?,
        }
        self.last_sign = Instant::now();
        Ok(())
    }

    /// After the examples that name them: the directory is known to be there then, and what is not stored yet is not found. Returns how many
    /// there were to store.
    fn store_answers(&mut self) -> anyhow::Result<usize> {
        let directory = &self.new.place.directory;
        let named = || self.recorder.named_answers();
        let mut stored = 0;
        for (number, whole) in self.recorder.take_answers() {
            if self.answers.is_wanted() {
                self.answers.add(directory, &whole.stored(number), named)?;
                stored += 1;
            }
        }
        self.answers.age(directory, named)?;
        Ok(stored)
    }

    /// Where the directory is gone, it is made again.
    fn rewrite(&mut self, batch: &Batch, ends: bool) -> anyhow::Result<()> {
        let place = &mut self.new.place;
        let Err(error) = self.journal.rewrite(&place.directory, batch, ends) else {
            return Ok(());
        };
        let error_number = error.downcast_ref::<nix::errno::Errno>();
        if error_number != Some(&nix::errno::Errno::ENOENT) {
            return Err(error);
        }
        place.directory = RunsFolder::new(place.folder.clone()).make_again(&place.name)?;
        place._lock = place.head.write(&place.directory)?;
        self.journal.rewrite(&place.directory, batch, ends)
    }
}
