//! Files that hold traffic, behind one door: what a file is, its own first bytes say.
//!
//! [`TrafficFile`] gives the exchanges of a file in the order in which they were finished, [`InOrder`] in the order in which
//! they began. Neither holds more of a file than a bounded part.

mod capture;
mod format;
mod gor;
mod har;
mod order;
mod pinned;
mod recorded;
mod write;

use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::Path;

use anyhow::{Context, bail};
use mirror_core::dissect::{DissectLimits, DissectStats};
use mirror_core::exchange::Exchange;
use mirror_core::recording::{RecordedExchange, RecordingMetadata, Unseal};
use mirror_core::time::Timestamp;

use crate::capture::{Progress, input::Input};

use capture::Capture;
use gor::GoReplay;
use har::Archive;
use recorded::Recorded;

pub use format::WriteError;
pub use har::{Entry, archive_begin, archive_end, authority};
pub use order::InOrder;
pub use pinned::Expectation;
pub use write::{TrafficWriter, WriteOptions, WrittenFormat};

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrafficKind {
    /// pcap or pcapng.
    Capture,
    /// HTTP Archive.
    Har,
    /// A file of GoReplay's `--output-file`.
    GoReplay,
    /// What an agent has recorded.
    Recording,
}

/// An exchange of a file.
#[derive(Clone, Debug)]
pub enum Traffic {
    /// As it was captured: no policy has judged or redacted it.
    Captured(Box<Exchange>),
    /// As a policy has let it through.
    Recorded(Box<RecordedExchange>),
}

impl Traffic {
    pub fn exchange(&self) -> &Exchange {
        match self {
            Self::Captured(exchange) => exchange,
            Self::Recorded(recorded) => recorded.envelope.exchange(),
        }
    }

    pub fn captured_at(&self) -> Timestamp {
        self.exchange().captured_at()
    }
}

/// What of a file has no place in its exchanges, counted by why.
pub type LeftOut = BTreeMap<&'static str, u64>;

/// What one step of reading came to.
#[derive(Debug)]
pub enum Step {
    Traffic(Traffic),
    /// There is more to be read.
    More,
    End,
}

/// Open it, then call `step` until it is at its end; or iterate.
pub struct TrafficFile {
    source: Source,
    kind: TrafficKind,
    progress: Progress,
    /// The file's first and last moment so far.
    first: Option<Timestamp>,
    read_to: Timestamp,
    damage: Option<anyhow::Error>,
    is_read: bool,
}

enum Source {
    Capture(Box<Capture>),
    Archive(Archive),
    GoReplay(Box<GoReplay>),
    Recording(Box<Recorded>),
}

impl TrafficFile {
    /// Opens a file, or standard input for `-`. The limits are those of live capture; its ports concern captures of packets only.
    pub fn open(path: &Path, limits: DissectLimits) -> anyhow::Result<Self> {
        Self::open_with(path, limits, None)
    }

    /// The same with what decrypts a recording.
    pub fn open_with(
        path: &Path,
        limits: DissectLimits,
        unseal: Option<Box<dyn Unseal>>,
    ) -> anyhow::Result<Self> {
        let mut input = Input::open(path)?;
        let start = input.bytes.fill_buf();
        let start = start.with_context(|| format!("reading {}", path.display()))?;
        let Some(kind) = kind_of(start) else {
            bail!("{}", unknown(path, start));
        };
        let progress = input.progress.clone();
        let source = match kind {
            TrafficKind::Capture => Source::Capture(Box::new(Capture::new(input, path, limits)?)),
            TrafficKind::Har => {
                let archive = Archive::new(input.bytes)
                    .with_context(|| format!("{} is not an HTTP Archive", path.display()))?;
                Source::Archive(archive)
            }
            TrafficKind::GoReplay => Source::GoReplay(Box::new(GoReplay::new(input.bytes, limits))),
            TrafficKind::Recording => {
                let recorded = Recorded::new(input.bytes, unseal);
                Source::Recording(Box::new(
                    recorded.with_context(|| path.display().to_string())?,
                ))
            }
        };
        Ok(Self {
            source,
            kind,
            progress,
            first: None,
            read_to: Timestamp::default(),
            damage: None,
            is_read: false,
        })
    }

    pub fn kind(&self) -> TrafficKind {
        self.kind
    }

    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Reads on a bit. A damaged file is at its end where it is damaged.
    pub fn step(&mut self) -> Step {
        if self.is_read {
            return Step::End;
        }
        let (step, at) = match &mut self.source {
            Source::Capture(capture) => (capture.step(), capture.reached()),
            Source::Archive(archive) => (archive.step(), archive.reached()),
            Source::GoReplay(file) => (file.step(), file.reached()),
            Source::Recording(file) => (file.step(), file.reached()),
        };
        if let Some(at) = at {
            self.first.get_or_insert(at);
            self.read_to = self.read_to.max(at);
        }
        let step = step.unwrap_or_else(|error| {
            self.damage.get_or_insert(error);
            Step::More
        });
        self.is_read = matches!(step, Step::End);
        step
    }

    /// What is wrong with the file, where something is.
    pub fn damage(&mut self) -> Option<anyhow::Error> {
        self.damage.take()
    }

    /// The moment that the file begins with.
    pub fn first(&self) -> Option<Timestamp> {
        self.first
    }

    /// The latest moment that was read so far.
    pub fn read_to(&self) -> Timestamp {
        self.read_to
    }

    pub fn is_read(&self) -> bool {
        self.is_read
    }

    /// What was counted on the way from bytes to exchanges.
    pub fn stats(&self) -> DissectStats {
        match &self.source {
            Source::Capture(capture) => capture.stats(),
            Source::Archive(_) | Source::Recording(_) => DissectStats::default(),
            Source::GoReplay(file) => file.stats(),
        }
    }

    /// What was left out so far.
    pub fn left_out(&self) -> LeftOut {
        let mut counts = match &self.source {
            Source::Capture(capture) => capture.left_out(),
            Source::Archive(archive) => archive.left_out(),
            Source::GoReplay(file) => file.left_out(),
            Source::Recording(file) => file.left_out(),
        };
        counts.retain(|_, count| *count > 0);
        counts
    }

    /// What a recording says of itself.
    pub fn metadata(&mut self) -> Option<&RecordingMetadata> {
        match &mut self.source {
            Source::Recording(file) => file.metadata(),
            _ => None,
        }
    }

    /// Packets that were left out because of their link type.
    pub fn unread_packets(&self) -> u64 {
        let left_out = self.left_out();
        left_out
            .get(capture::UNSUPPORTED_LINK)
            .copied()
            .unwrap_or_default()
    }
}

impl Iterator for TrafficFile {
    type Item = Traffic;

    fn next(&mut self) -> Option<Traffic> {
        loop {
            match self.step() {
                Step::Traffic(traffic) => return Some(traffic),
                Step::More => {}
                Step::End => return None,
            }
        }
    }
}

/// By what a file begins with.
fn kind_of(start: &[u8]) -> Option<TrafficKind> {
    if recorded::is_recording(start) {
        Some(TrafficKind::Recording)
    } else if capture::is_capture(start) {
        Some(TrafficKind::Capture)
    } else if har::is_json(start) {
        Some(TrafficKind::Har)
    } else if gor::is_gor(start) {
        Some(TrafficKind::GoReplay)
    } else {
        None
    }
}

fn unknown(path: &Path, start: &[u8]) -> String {
    let what = match start {
        [] => "is empty".to_owned(),
        _ => {
            let shown = &start[..start.len().min(16)];
            format!(
                "begins with `{}`, as no file of traffic does that is known here",
                shown.escape_ascii()
            )
        }
    };
    format!(
        "{} {what}: give a recording (.mrec), a capture (pcap or pcapng), an HTTP Archive (.har) or a file of GoReplay (.gor), plain or compressed by gzip or zstd",
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use mirror_core::recording::RECORDING_MAGIC;

    use super::*;

    #[test]
    fn a_file_is_known_by_its_first_bytes() {
        let check = |start: &[u8], expect| assert_eq!(kind_of(start), expect, "{start:?}");
        let (capture, gor) = (Some(TrafficKind::Capture), Some(TrafficKind::GoReplay));
        check(&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0], capture);
        check(&[0xa1, 0xb2, 0x3c, 0x4d, 0, 2], capture);
        check(&[0x0a, 0x0d, 0x0d, 0x0a], capture);
        check(b"\xef\xbb\xbf \r\n{\"log\"", Some(TrafficKind::Har));
        check(
            b"1 932079936fa4306fc308d67588178d17d823647c 1439818823587396305\n",
            gor,
        );
        check(b"2 8e091765ae902fef8a2b7d9d 1439818823587396305 200\n", gor);
        check(
            b"4 8e091765ae902fef8a2b7d9d 1439818823587396305 200\n",
            None,
        );
        check(b"1 apple 1439818823587396305 200\n", None);
        check(b"1 2 oranges\n", None);
        check(&RECORDING_MAGIC, Some(TrafficKind::Recording));
        check(b"GET / HTTP/1.1\r\n", None);
        check(b"", None);
    }

    #[test]
    fn what_is_not_known_is_told_with_what_is() {
        let path = Path::new("a.txt");
        for (start, expect) in [
            (&b"\x1b[2J"[..], "begins with `\\x1b[2J`"),
            (b"", "is empty"),
        ] {
            let told = unknown(path, start);
            assert!(told.contains(expect) && told.contains(".gor"), "{told}");
        }
    }
}
