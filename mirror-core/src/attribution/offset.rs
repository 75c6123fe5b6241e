//! How far a production host's clock is ahead of the capture's, learnt from requests and the documents that may be theirs.
//!
//! A request and its own document leave a range of offsets possible, and the true one lies in it. A request and another
//! request's document leave some other range, anywhere. So the true offset is where the ranges of many documents lie on each
//! other (Marzullo's algorithm, as NTP uses it). CONTRACT.md, "Whose snapshot".

use std::collections::VecDeque;

use mirror_contract::{HostOffset, OffsetRange};

/// So many documents have to agree before an offset is believed.
const MIN_AGREEING: usize = 12;
/// Any other offset may have one agreeing document in so many of the best one's: requests that come in a fixed rhythm
/// agree on wrong offsets too.
const RIVAL_SHARE: usize = 3;
/// Documents that are remembered.
const MAX_DOCUMENTS: usize = 64;
const MAX_AGE: u64 = 300_000_000_000;
/// A document that may belong to more requests than this says nothing.
pub(super) const MAX_RANGES: usize = 256;
/// The offset is computed again when one range in so many is fresh, so that the work for one stays small.
const RANGES_PER_FRESH_ONE: usize = 32;
/// Two clocks drift apart by at most one nanosecond in so many: 100 ppm.
const DRIFT_DIVISOR: u64 = 10_000;

/// The offset of one host, all times in nanoseconds.
#[derive(Debug)]
pub(super) struct Offset {
    at_first: OffsetRange,
    /// By their numbers, which is the order in which they were listed.
    documents: VecDeque<Votes>,
    /// The documents up to this number were dropped. Requests that come later would be only a part of their votes.
    dropped: Option<u64>,
    /// Ranges that came since the offset was last computed.
    fresh: usize,
    learnt: Option<Learnt>,
}

/// The offsets that one document leaves possible, one range for each request that it may belong to.
#[derive(Debug)]
struct Votes {
    document: u64,
    at: u64,
    ranges: Vec<OffsetRange>,
}

#[derive(Clone, Copy, Debug)]
struct Learnt {
    range: OffsetRange,
    /// When the newest document was filed that it was learnt from.
    at: u64,
}

impl Offset {
    pub(super) fn new(at_first: OffsetRange) -> Self {
        Self {
            at_first,
            documents: VecDeque::new(),
            dropped: None,
            fresh: 0,
            learnt: None,
        }
    }

    /// A document that was filed at `at`, and a request that it may belong to.
    pub(super) fn vote(&mut self, document: u64, at: u64, range: OffsetRange) {
        if self.dropped.is_some_and(|dropped| document <= dropped) {
            return;
        }
        let place = self
            .documents
            .binary_search_by_key(&document, |d| d.document);
        match place {
            Ok(place) => self.documents[place].ranges.push(range),
            Err(place) => {
                let ranges = vec![range];
                let votes = Votes {
                    document,
                    at,
                    ranges,
                };
                self.documents.insert(place, votes);
            }
        }
        self.fresh += 1;
        let is_old = |votes: &Votes| at.saturating_sub(votes.at) > MAX_AGE;
        while self.documents.len() > MAX_DOCUMENTS || self.documents.front().is_some_and(is_old) {
            self.dropped = self.documents.pop_front().map(|votes| votes.document);
        }
    }

    /// What is known of the offset at `now`.
    pub(super) fn at(&mut self, now: u64) -> HostOffset {
        self.refresh();
        match self.learnt {
            Some(Learnt { range, at }) if now.saturating_sub(at) <= MAX_AGE => {
                let drift = i64::try_from(now.saturating_sub(at) / DRIFT_DIVISOR).unwrap_or(0);
                HostOffset {
                    range: OffsetRange {
                        low: range.low.saturating_sub(drift),
                        high: range.high.saturating_add(drift),
                    },
                    is_learnt: true,
                }
            }
            _ => HostOffset {
                range: self.at_first,
                is_learnt: false,
            },
        }
    }

    /// Computes the offset again. With many ranges that is done once for many new ones.
    fn refresh(&mut self) {
        let total: usize = self.documents.iter().map(|votes| votes.ranges.len()).sum();
        if self.fresh == 0 || self.fresh * RANGES_PER_FRESH_ONE < total {
            return;
        }
        self.fresh = 0;
        let telling = self
            .documents
            .iter()
            .filter(|d| d.ranges.len() <= MAX_RANGES);
        let ranges: Vec<_> = telling.flat_map(|votes| united(&votes.ranges)).collect();
        let newest = self.documents.iter().map(|votes| votes.at).max();
        let range = agreed(&ranges);
        self.learnt = range.zip(newest).map(|(range, at)| Learnt { range, at });
    }
}

/// The ranges of one document without those that lie on each other: a document is one vote for an offset.
fn united(ranges: &[OffsetRange]) -> Vec<OffsetRange> {
    let mut sorted = ranges.to_vec();
    sorted.sort_unstable_by_key(|range| range.low);
    let mut united: Vec<OffsetRange> = Vec::new();
    for range in sorted {
        match united.last_mut() {
            Some(last) if last.touches(&range) => last.high = last.high.max(range.high),
            _ => united.push(range),
        }
    }
    united
}

/// The offsets that most documents agree on, if they are enough and no others come near.
fn agreed(ranges: &[OffsetRange]) -> Option<OffsetRange> {
    let (best, agreeing) = densest(ranges)?;
    let is_other = |range: &&OffsetRange| !range.holds(&best);
    let others: Vec<_> = ranges.iter().filter(is_other).copied().collect();
    let rival = densest(&others).map_or(0, |(_, count)| count);
    (agreeing >= MIN_AGREEING && rival * RIVAL_SHARE <= agreeing).then_some(best)
}

/// Where most ranges lie on each other, and how many do.
fn densest(ranges: &[OffsetRange]) -> Option<(OffsetRange, usize)> {
    let mut lows: Vec<_> = ranges.iter().map(|range| range.low).collect();
    let mut highs: Vec<_> = ranges.iter().map(|range| range.high).collect();
    lows.sort_unstable();
    highs.sort_unstable();
    let mut best: Option<(OffsetRange, usize)> = None;
    let mut ended = 0;
    for (begun, low) in lows.iter().enumerate() {
        while highs[ended] < *low {
            ended += 1;
        }
        let count = begun + 1 - ended;
        if best.is_none_or(|(_, most)| count > most) {
            let high = highs[ended];
            best = Some((OffsetRange { low: *low, high }, count));
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;
    const SECOND: u64 = 1_000_000_000;

    fn range(low: i64, high: i64) -> OffsetRange {
        OffsetRange {
            low: low * MS,
            high: high * MS,
        }
    }

    fn offset() -> Offset {
        Offset::new(range(-1000, 1000))
    }

    /// Documents `from..to`, one a second, each with one range.
    fn vote(offset: &mut Offset, documents: std::ops::Range<u64>, one: OffsetRange) {
        for document in documents {
            offset.vote(document, document * SECOND, one);
        }
    }

    fn learnt(offset: &mut Offset, now: u64) -> Option<OffsetRange> {
        let known = offset.at(now);
        known.is_learnt.then_some(known.range)
    }

    #[test]
    fn an_offset_is_learnt_from_twelve_documents_that_agree() {
        let mut offset = offset();
        vote(&mut offset, 0..11, range(4, 8));
        assert_eq!(learnt(&mut offset, 0), None);
        assert_eq!(offset.at(0).range, range(-1000, 1000));
        vote(&mut offset, 11..12, range(6, 9));
        assert_eq!(learnt(&mut offset, 0), Some(range(6, 8)));
    }

    #[test]
    fn ranges_that_touch_in_one_offset_agree() {
        let mut offset = offset();
        vote(&mut offset, 0..6, range(4, 6));
        vote(&mut offset, 6..12, range(6, 9));
        assert_eq!(learnt(&mut offset, 0), Some(range(6, 6)));
    }

    #[test]
    fn a_second_offset_with_more_than_a_third_as_many_keeps_it_open() {
        let mut offset = offset();
        vote(&mut offset, 0..15, range(4, 6));
        vote(&mut offset, 15..20, range(504, 506));
        assert_eq!(learnt(&mut offset, 0), Some(range(4, 6)));
        vote(&mut offset, 20..21, range(504, 506));
        assert_eq!(learnt(&mut offset, 0), None);
    }

    #[test]
    fn requests_in_a_rhythm_say_nothing() {
        let mut offset = offset();
        for document in 0..40 {
            for shift in -3..=3 {
                let one = range(shift * 100 - 1, shift * 100 + 1);
                offset.vote(document, document * SECOND, one);
            }
        }
        assert_eq!(learnt(&mut offset, 0), None);
    }

    #[test]
    fn a_document_is_one_vote_however_many_requests_it_fits() {
        let mut offset = offset();
        for document in 0..6 {
            offset.vote(document, 0, range(4, 6));
            offset.vote(document, 0, range(5, 7));
        }
        assert_eq!(learnt(&mut offset, 0), None);
        for document in 6..12 {
            offset.vote(document, 0, range(6, 8));
        }
        assert_eq!(learnt(&mut offset, 0), Some(range(6, 7)));
    }

    #[test]
    fn old_documents_are_forgotten() {
        let mut offset = offset();
        vote(&mut offset, 0..12, range(4, 6));
        assert!(learnt(&mut offset, 11 * SECOND).is_some());
        // Eleven of them are left, and one that says something else.
        offset.vote(99, 301 * SECOND, range(70, 80));
        assert_eq!(learnt(&mut offset, 301 * SECOND), None);
        // A clock that was set: what it said before is outvoted.
        let mut stepped = self::offset();
        vote(&mut stepped, 0..64, range(4, 6));
        vote(&mut stepped, 64..100, range(704, 706));
        assert_eq!(learnt(&mut stepped, 100 * SECOND), None);
        vote(&mut stepped, 100..116, range(704, 706));
        assert_eq!(learnt(&mut stepped, 115 * SECOND), Some(range(704, 706)));
    }

    #[test]
    fn a_document_is_forgotten_after_five_minutes_and_not_before() {
        let mut offset = offset();
        vote(&mut offset, 0..13, range(4, 6));
        offset.vote(99, 301 * SECOND, range(70, 80));
        // The first is forgotten: the other twelve agree.
        assert!(learnt(&mut offset, 301 * SECOND).is_some());
        // What comes late for the first would be a part of its votes.
        let count = offset.documents.len();
        offset.vote(0, 0, range(4, 6));
        assert_eq!(offset.documents.len(), count);
    }

    #[test]
    fn the_newest_sixty_four_documents_are_remembered() {
        let mut offset = offset();
        vote(&mut offset, 0..12, range(4, 6));
        for document in 12..64 {
            let at = 100 + 10 * document as i64;
            offset.vote(document, document * SECOND, range(at, at + 1));
        }
        assert!(learnt(&mut offset, 63 * SECOND).is_some());
        vote(&mut offset, 64..66, range(900, 901));
        assert!(learnt(&mut offset, 65 * SECOND).is_none());
    }

    #[test]
    fn with_many_ranges_the_offset_is_computed_once_for_many_new_ones() {
        let is_computed = |known: u64| {
            let mut offset = offset();
            (0..known).for_each(|_| offset.vote(0, 0, range(4, 6)));
            offset.at(0);
            assert_eq!(offset.fresh, 0);
            offset.vote(0, 0, range(4, 6));
            offset.at(0);
            offset.fresh == 0
        };
        let few = RANGES_PER_FRESH_ONE as u64 - 1;
        assert!(is_computed(few));
        assert!(!is_computed(few + 1));
    }

    #[test]
    fn what_was_learnt_becomes_vaguer_with_time_and_is_dropped() {
        let mut offset = offset();
        vote(&mut offset, 0..12, range(4, 6));
        assert_eq!(learnt(&mut offset, 21 * SECOND), Some(range(3, 7)));
        assert_eq!(learnt(&mut offset, 311 * SECOND), Some(range(-26, 36)));
        assert_eq!(learnt(&mut offset, 312 * SECOND), None);
    }

    #[test]
    fn a_document_that_fits_hundreds_of_requests_says_nothing() {
        let mut offset = offset();
        vote(&mut offset, 0..11, range(4, 6));
        for _ in 0..MAX_RANGES {
            offset.vote(11, 11 * SECOND, range(4, 6));
        }
        assert!(learnt(&mut offset, 11 * SECOND).is_some());
        for _ in 0..MAX_RANGES {
            offset.vote(11, 11 * SECOND, range(4, 6));
        }
        assert_eq!(learnt(&mut offset, 11 * SECOND), None);
    }
}
