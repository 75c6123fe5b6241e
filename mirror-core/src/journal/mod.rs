//! What a run keeps on disk, as bytes: frames that are only ever appended, so that whatever a crash leaves can be read.
//!
//! A frame is written whole or not at all as far as a reader is concerned: it has its length and a checksum, and a reader stops at the
//! first one that is not right. [`Batch`] is what a frame of a journal holds: records by their keys. A record replaces the one
//! before it, so that the last frame of each key is the state. Nothing here touches a file.

mod batch;
mod frame;

use std::collections::BTreeMap;

pub use batch::{BadBatch, Batch};
pub use frame::{Frame, FrameHead, FrameKind, Frames};

use crate::time::Timestamp;

/// What a journal holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journal {
    /// By key.
    pub records: BTreeMap<String, Vec<u8>>,
    /// Of the last frame; none without one.
    pub last: Option<Timestamp>,
    /// Whether the run has said that it ended.
    pub is_ended: bool,
    /// Bytes of it that are whole frames: what comes after them is torn, or is no frame.
    pub whole: usize,
}

impl Journal {
    /// Reads frames until the first one that is not whole or not of a journal.
    pub fn read(bytes: &[u8]) -> Self {
        let mut journal = Self::default();
        let mut frames = Frames::new(bytes);
        while let Some(frame) = frames.next() {
            if !journal.take(&frame) {
                break;
            }
            journal.whole = frames.position();
        }
        journal
    }

    /// Whether the frame is one of a journal.
    fn take(&mut self, frame: &Frame<'_>) -> bool {
        let is_known = matches!(
            frame.kind,
            FrameKind::Whole | FrameKind::Changes | FrameKind::End
        );
        let Some(batch) = is_known
            .then(|| Batch::decode(frame.payload).ok())
            .flatten()
        else {
            return false;
        };
        if frame.kind == FrameKind::Whole {
            self.records.clear();
        }
        self.records.extend(batch.into_records());
        self.last = Some(frame.at);
        self.is_ended = frame.kind == FrameKind::End;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: FrameKind, at: u64, records: &[(&str, &str)]) -> Vec<u8> {
        let mut batch = Batch::default();
        for (key, value) in records {
            batch.put(key, value.as_bytes());
        }
        let payload = batch.encode().unwrap();
        Frame {
            kind,
            number: 0,
            at: Timestamp(at),
            payload: &payload,
        }
        .encode()
    }

    fn records(journal: &Journal) -> Vec<(&str, &str)> {
        let all = journal.records.iter();
        all.map(|(key, value)| (key.as_str(), std::str::from_utf8(value).unwrap()))
            .collect()
    }

    /// Frames, each with what is known after it.
    type Story = Vec<(Vec<u8>, Vec<(&'static str, &'static str)>)>;

    fn story() -> Story {
        vec![
            (
                frame(FrameKind::Whole, 1, &[("a", "1"), ("b", "1")]),
                vec![("a", "1"), ("b", "1")],
            ),
            (
                frame(FrameKind::Changes, 2, &[("a", "2")]),
                vec![("a", "2"), ("b", "1")],
            ),
            (
                frame(FrameKind::Changes, 3, &[]),
                vec![("a", "2"), ("b", "1")],
            ),
            (
                frame(FrameKind::Whole, 4, &[("c", "long enough to be worth it")]),
                vec![("c", "long enough to be worth it")],
            ),
            (
                frame(FrameKind::End, 5, &[("a", "3")]),
                vec![("a", "3"), ("c", "long enough to be worth it")],
            ),
        ]
    }

    #[test]
    fn a_journal_cut_anywhere_is_as_its_last_whole_frame_left_it() {
        let story = story();
        let bytes: Vec<u8> = story.iter().flat_map(|(frame, _)| frame.clone()).collect();
        for cut in 0..=bytes.len() {
            let journal = Journal::read(&bytes[..cut]);
            let mut end = 0;
            let whole = story
                .iter()
                .take_while(|(frame, _)| {
                    end += frame.len();
                    end <= cut
                })
                .count();
            let expect = whole
                .checked_sub(1)
                .map_or(Vec::new(), |last| story[last].1.clone());
            assert_eq!(records(&journal), expect, "cut at {cut}");
            let at = (whole > 0).then_some(Timestamp(whole as u64));
            assert_eq!(journal.last, at, "cut at {cut}");
            assert_eq!(journal.is_ended, whole == story.len());
            let length: usize = story[..whole].iter().map(|(frame, _)| frame.len()).sum();
            assert_eq!(journal.whole, length);
        }
    }

    #[test]
    fn no_changed_byte_is_taken_for_a_record() {
        let story = story();
        let bytes: Vec<u8> = story.iter().flat_map(|(frame, _)| frame.clone()).collect();
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 0x20;
            let journal = Journal::read(&damaged);
            assert!(journal.whole <= place, "byte {place}");
            let known: Vec<_> = story.iter().map(|(_, records)| records.clone()).collect();
            let read = records(&journal);
            assert!(read.is_empty() || known.contains(&read), "byte {place}");
        }
    }

    #[test]
    fn what_follows_a_torn_frame_is_not_read() {
        let story = story();
        let mut bytes = story[0].0.clone();
        bytes.extend(&story[1].0[..20]);
        bytes.extend(&story[1].0);
        let journal = Journal::read(&bytes);
        assert_eq!(records(&journal), story[0].1);
        assert_eq!(journal.whole, story[0].0.len());
    }

    #[test]
    fn frames_of_another_kind_end_a_journal() {
        let mut bytes = story()[0].0.clone();
        bytes.extend(frame(FrameKind::Answers, 2, &[("a", "2")]));
        assert_eq!(Journal::read(&bytes).last, Some(Timestamp(1)));
    }
}
