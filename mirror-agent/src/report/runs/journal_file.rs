//! The journal of a run as a file: frames are appended to it, and when it has grown much longer than what it says, a new one takes its place.

use std::fs::File;
use std::io::Write;

use anyhow::{Context, ensure};
use mirror_core::journal::{Batch, Frame, FrameKind};
use nix::sys::stat::fstat;

use super::super::directory::PrivateDir;
use super::names::JOURNAL;
use crate::clock::wall_clock;

const NEW: &str = ".journal.new";
/// A journal of this length is not written anew, however little it says.
const SHORT: u64 = 4 << 20;
/// How much longer than what it says a journal may grow.
const MAX_GROWTH: u64 = 8;

/// `None` until a file can be appended to.
#[derive(Default)]
pub(super) struct JournalFile {
    open: Option<Open>,
    /// Frames so far.
    number: u64,
}

struct Open {
    file: File,
    length: u64,
    /// Of what a new one would have, about.
    least: u64,
}

impl JournalFile {
    /// Whether the next write has to have everything.
    pub(super) fn wants_all(&self) -> bool {
        let is_too_long = |open: &Open| open.length > SHORT.max(open.least * MAX_GROWTH);
        self.open.as_ref().is_none_or(is_too_long)
    }

    /// The next write has to have everything.
    pub(super) fn close(&mut self) {
        self.open = None;
    }

    /// Whether the file is in a directory still.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        if let Some(open) = &self.open {
            let links = fstat(&open.file)
                .context("looking for the journal")?
                .st_nlink;
            if links == 0 {
                self.open = None;
                anyhow::bail!("its directory was removed");
            }
        }
        Ok(())
    }

    /// Appends records that have changed. After an error everything has to be written.
    pub(super) fn append(&mut self, batch: &Batch, ends: bool) -> anyhow::Result<()> {
        let kind = if ends {
            FrameKind::End
        } else {
            FrameKind::Changes
        };
        let frame = self.frame(kind, batch)?;
        let mut open = self.open.take().context("there is no journal")?;
        write(&mut open.file, &frame)?;
        open.length += frame.len() as u64;
        self.open = Some(open);
        Ok(())
    }

    /// Writes everything, in the place of what was written before.
    pub(super) fn rewrite(
        &mut self,
        directory: &PrivateDir,
        batch: &Batch,
        ends: bool,
    ) -> anyhow::Result<()> {
        self.open = None;
        let mut frames = self.frame(FrameKind::Whole, batch)?;
        if ends {
            frames.extend(self.frame(FrameKind::End, &Batch::default())?);
        }
        let mut file = directory.create(NEW)?;
        let written = write(&mut file, &frames).and_then(|()| Ok(directory.rename(NEW, JOURNAL)?));
        if let Err(error) = written {
            // What room it took is others'.
            let _ = directory.remove(NEW);
            return Err(error);
        }
        directory.sync()?;
        let length = frames.len() as u64;
        self.open = Some(Open {
            file,
            length,
            least: length,
        });
        Ok(())
    }

    fn frame(&mut self, kind: FrameKind, batch: &Batch) -> anyhow::Result<Vec<u8>> {
        let payload = batch.encode()?;
        ensure!(
            payload.len() < u32::MAX as usize,
            "it is too large to be kept"
        );
        self.number += 1;
        let frame = Frame {
            kind,
            number: self.number,
            at: wall_clock(),
            payload: &payload,
        };
        Ok(frame.encode())
    }
}

fn write(file: &mut File, bytes: &[u8]) -> anyhow::Result<()> {
    file.write_all(bytes)?;
    Ok(file.sync_data()?)
}
