//! The answers of a run in full, as a file of frames: one for each example, found by its number.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use mirror_core::journal::{Batch, Frame, FrameHead, FrameKind, Frames};
use mirror_core::time::Timestamp;
use nix::fcntl::OFlag;
use nix::sys::stat::fstat;

use super::super::answers::StoredAnswers;
use super::super::directory::PrivateDir;
use super::super::status::ReportData;
use super::folder::RunPath;
use super::names::ANSWERS;
use crate::clock::wall_clock;

const NEW: &str = ".answers.new";
/// The key of the record in a frame.
const KEY: &str = "answers";
/// Largest file that is read whole.
const MAX_FILE: u64 = 4 << 30;
/// What of the room has to be free after old answers were left out: else it is not looked at again for each new one.
const LEAST_FREE: u64 = 8;
/// Bytes of answers that a page takes along, about.
const MAX_IN_PAGE: usize = 8 << 20;

/// What is stored at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct AnswersLimits {
    pub(super) bytes: u64,
    pub(super) age: Duration,
}

pub(super) struct AnswersFile {
    limits: AnswersLimits,
    open: Option<File>,
    length: u64,
    /// When the oldest of them was stored.
    oldest: Option<Timestamp>,
    /// There is no room for more.
    is_full: bool,
}

impl AnswersFile {
    pub(super) fn new(limits: AnswersLimits) -> Self {
        Self {
            limits,
            open: None,
            length: 0,
            oldest: None,
            is_full: false,
        }
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.limits.bytes > 0
    }

    /// Stores answers. Where there is no room, those that no example names any more are left out: `named` says which are.
    pub(super) fn add(
        &mut self,
        directory: &PrivateDir,
        answers: &StoredAnswers,
        named: impl Fn() -> BTreeSet<u64>,
    ) -> anyhow::Result<()> {
        let mut batch = Batch::default();
        batch.put(KEY, &serde_json::to_vec(answers)?);
        let at = wall_clock();
        let frame = Frame {
            kind: FrameKind::Answers,
            number: answers.number,
            at,
            payload: &batch.encode()?,
        };
        let frame = frame.encode();
        self.check()?;
        let room = |length: u64| length + frame.len() as u64 <= self.limits.bytes;
        if !room(self.length) && !self.is_full {
            self.leave_out(directory, &named())?;
            self.is_full = self.length > self.limits.bytes - self.limits.bytes / LEAST_FREE;
        }
        if self.length + frame.len() as u64 > self.limits.bytes {
            return Ok(());
        }
        self.append(directory, &frame)?;
        self.oldest.get_or_insert(at);
        Ok(())
    }

    /// Leaves out what is too old.
    pub(super) fn age(
        &mut self,
        directory: &PrivateDir,
        named: impl Fn() -> BTreeSet<u64>,
    ) -> anyhow::Result<()> {
        self.check()?;
        let oldest = self.oldest.map(|at| at.after(self.limits.age));
        match oldest.is_some_and(|until| until < wall_clock()) {
            true => self.leave_out(directory, &named()),
            false => Ok(()),
        }
    }

    /// A file that somebody has removed is an empty one.
    fn check(&mut self) -> anyhow::Result<()> {
        if let Some(file) = &self.open {
            let links = fstat(file)
                .context("looking for the stored answers")?
                .st_nlink;
            if links == 0 {
                self.forget();
            }
        }
        Ok(())
    }

    /// Starts anew, as if nothing had been stored.
    fn forget(&mut self) {
        *self = Self::new(self.limits);
    }

    fn append(&mut self, directory: &PrivateDir, frame: &[u8]) -> anyhow::Result<()> {
        let mut file = match self.open.take() {
            Some(file) => file,
            None => {
                self.forget();
                directory.create(ANSWERS).context("storing answers")?
            }
        };
        let written = file.write_all(frame).and_then(|()| file.sync_data());
        if let Err(error) = written {
            // What was written of it would hide what comes after it.
            if file.set_len(self.length).is_ok() && file.seek(SeekFrom::End(0)).is_ok() {
                self.open = Some(file);
            }
            return Err(error).context("storing answers");
        }
        self.length += frame.len() as u64;
        self.open = Some(file);
        Ok(())
    }

    /// Writes those anew that are named and not too old.
    fn leave_out(&mut self, directory: &PrivateDir, named: &BTreeSet<u64>) -> anyhow::Result<()> {
        let bytes = directory.read(ANSWERS, MAX_FILE);
        let Some(bytes) = bytes.context("reading stored answers")? else {
            self.forget();
            return Ok(());
        };
        let now = wall_clock();
        let is_kept = |frame: &Frame<'_>| {
            named.contains(&frame.number) && frame.at.after(self.limits.age) > now
        };
        let kept: Vec<_> = Frames::new(&bytes).filter(is_kept).collect();
        let mut file = directory.create(NEW).context("storing answers anew")?;
        let mut length = 0;
        for frame in &kept {
            let frame = frame.encode();
            file.write_all(&frame).context("storing answers anew")?;
            length += frame.len() as u64;
        }
        file.sync_data().context("storing answers anew")?;
        let renamed = directory.rename(NEW, ANSWERS);
        renamed.context("storing answers anew")?;
        self.oldest = kept.iter().map(|frame| frame.at).min();
        (self.open, self.length) = (Some(file), length);
        Ok(())
    }
}

/// The answers of this number, if they are stored.
pub fn answers(run: &RunPath, number: u64) -> anyhow::Result<Option<StoredAnswers>> {
    let path = run.path().join(ANSWERS);
    find(&path, number).with_context(|| format!("reading {}", path.display()))
}

/// The answers of the most significant differences, as many as a page can take along.
pub fn answers_of(run: &RunPath, report: &ReportData) -> anyhow::Result<Vec<StoredAnswers>> {
    let examples = report
        .results
        .differences
        .iter()
        .flat_map(|group| &group.examples);
    let mut known = BTreeSet::new();
    let (mut found, mut bytes) = (Vec::new(), 0);
    for number in examples.filter_map(|example| example.answers) {
        if !known.insert(number) {
            continue;
        }
        let Some(stored) = answers(run, number)? else {
            continue;
        };
        bytes += stored.held_bytes();
        if bytes > MAX_IN_PAGE {
            break;
        }
        found.push(stored);
    }
    Ok(found)
}

fn find(path: &Path, number: u64) -> anyhow::Result<Option<StoredAnswers>> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let mut options = File::options();
    let opened = options.read(true).custom_flags(flags.bits()).open(path);
    let mut file = match opened {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    ensure!(file.metadata()?.is_file(), "it is not a regular file");
    loop {
        let mut head = [0; FrameHead::LENGTH];
        if file.read_exact(&mut head).is_err() {
            return Ok(None);
        }
        let known = FrameHead::read(&head);
        if known.number != number {
            file.seek(SeekFrom::Current(known.length as i64))?;
            continue;
        }
        let mut bytes = head.to_vec();
        let length = known.length as u64;
        (&mut file).take(length).read_to_end(&mut bytes)?;
        return Frames::new(&bytes)
            .next()
            .map(|frame| read(&frame))
            .transpose();
    }
}

fn read(frame: &Frame<'_>) -> anyhow::Result<StoredAnswers> {
    let batch = Batch::decode(frame.payload)?;
    let record = batch.into_records().find(|(key, _)| key == KEY);
    let (_, text) = record.context("it is no frame of answers")?;
    Ok(serde_json::from_slice(&text)?)
}
