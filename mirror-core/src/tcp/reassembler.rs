//! One side's bytes: out of order in, in order out.
//!
//! Invariant: the pieces in `held` are not empty, do not overlap, are sorted by offset, and all lie past `next`.
//! Where two segments bring different bytes for one place, the first copy wins.

use std::collections::VecDeque;

use bytes::Bytes;

use super::Arrival;
use crate::packet::Seq;
use crate::time::Timestamp;

/// Bytes in a row that came in one packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub arrival: Arrival,
    pub bytes: Bytes,
}

/// What became of an inserted piece.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Insert {
    /// Bytes that were there before.
    pub repeated: u64,
    /// Those of them that were other bytes, as far as the first copy was still at hand.
    pub conflicting: u64,
}

#[derive(Debug, Default)]
pub struct Reassembler {
    /// Offset of the next byte to give out, counted from `base`.
    next: u64,
    /// Sequence number of offset `next`; `None` before the first byte or SYN.
    base: Option<Seq>,
    held: VecDeque<(u64, Piece)>,
    held_bytes: usize,
    /// What was given out last, until the receiver has it: a retransmit is compared with it.
    given: (Seq, Bytes),
}

impl Reassembler {
    /// The stream's first byte is at `seq`, which a SYN told.
    pub fn start(&mut self, seq: Seq) {
        self.base.get_or_insert(seq);
    }

    /// The sequence number of the next byte, if the stream has a beginning.
    pub fn next_seq(&self) -> Option<Seq> {
        self.base
    }

    /// Bytes waiting behind a hole.
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Length of the hole before the first held byte; `None` when nothing waits.
    pub fn hole(&self) -> Option<u64> {
        self.held.front().map(|(offset, _)| offset - self.next)
    }

    /// When the first held byte came.
    pub fn waiting_since(&self) -> Option<Timestamp> {
        self.held.front().map(|(_, piece)| piece.arrival.at)
    }

    /// Takes a piece that is the next one anyway, which is the usual case; false for any other.
    pub fn pass(&mut self, piece: &Piece) -> bool {
        let base = *self.base.get_or_insert(piece.arrival.seq);
        if base != piece.arrival.seq || !self.held.is_empty() {
            return false;
        }
        self.advance(piece.bytes.len() as u64);
        self.given = (piece.arrival.seq, piece.bytes.clone());
        true
    }

    /// Takes a piece. A stream whose SYN was not seen begins with its first piece.
    pub fn insert(&mut self, piece: Piece) -> Insert {
        let base = *self.base.get_or_insert(piece.arrival.seq);
        let len = piece.bytes.len() as u64;
        let distance = i64::from(piece.arrival.seq.since(base));
        let behind = (-distance).max(0) as u64;
        let conflicting = if behind == 0 {
            0
        } else {
            self.conflicts(&piece)
        };
        if behind >= len {
            return Insert {
                repeated: len,
                conflicting,
            };
        }
        let offset = self.next + distance.max(0) as u64;
        let mut insert = self.fill(offset, cut(piece, behind as usize, usize::MAX));
        let kept = len - behind - insert.repeated;
        self.held_bytes += kept as usize;
        insert.repeated += behind;
        insert.conflicting += conflicting;
        insert
    }

    /// The receiver has everything before `seq`: nobody will send it again.
    pub fn acknowledge(&mut self, seq: Seq) {
        let (begin, bytes) = &mut self.given;
        if !seq.is_before(*begin + bytes.len() as u32) {
            *bytes = Bytes::new();
        }
    }

    /// Bytes of `piece` that differ from what was given out in their place.
    fn conflicts(&self, piece: &Piece) -> u64 {
        let (begin, given) = &self.given;
        let distance = piece.arrival.seq.since(*begin);
        let (skip, lead) = (
            distance.max(0) as usize,
            (-i64::from(distance)).max(0) as usize,
        );
        let ours = given.get(skip..).unwrap_or_default();
        differing(ours, piece.bytes.get(lead..).unwrap_or_default())
    }

    /// Puts the parts of `piece` that are not there yet in their places.
    fn fill(&mut self, mut offset: u64, mut piece: Piece) -> Insert {
        let mut insert = Insert::default();
        let mut index = match self.held.back() {
            // Nothing held, or all of it before: the usual case.
            None => 0,
            Some((last, held)) if last + held.bytes.len() as u64 <= offset => self.held.len(),
            Some(_) => self
                .held
                .partition_point(|(at, held)| at + held.bytes.len() as u64 <= offset),
        };
        while !piece.bytes.is_empty() {
            let Some((at, held)) = self.held.get(index) else {
                self.held.insert(index, (offset, piece));
                break;
            };
            let (at, end) = (*at, at + held.bytes.len() as u64);
            let len = piece.bytes.len() as u64;
            let taken = if offset < at {
                let before = cut(piece.clone(), 0, (at - offset).min(len) as usize);
                let taken = before.bytes.len();
                self.held.insert(index, (offset, before));
                taken
            } else {
                let ours = held.bytes.get((offset - at) as usize..).unwrap_or_default();
                let taken = (end - offset).min(len);
                insert.repeated += taken;
                insert.conflicting += differing(ours, &piece.bytes);
                taken as usize
            };
            piece = cut(piece, taken, usize::MAX);
            offset += taken as u64;
            index += 1;
        }
        insert
    }

    /// The next bytes in order, unless a hole is before them.
    pub fn pop(&mut self) -> Option<Piece> {
        if self.hole() != Some(0) {
            return None;
        }
        let (_, piece) = self.held.pop_front()?;
        self.held_bytes -= piece.bytes.len();
        self.advance(piece.bytes.len() as u64);
        self.given = (piece.arrival.seq, piece.bytes.clone());
        Some(piece)
    }

    /// Gives the hole up; its length, 0 when there is none.
    pub fn skip_hole(&mut self) -> u64 {
        let hole = self.hole().unwrap_or(0);
        self.advance(hole);
        hole
    }

    /// Goes on at `seq` when that is past everything known: the bytes until there are lost. Gives how many.
    pub fn skip_to(&mut self, seq: Seq) -> u64 {
        let lost = self.base.map_or(0, |base| seq.since(base)).max(0) as u64;
        let lost = self.hole().map_or(lost, |hole| hole.min(lost));
        self.advance(lost);
        lost
    }

    fn advance(&mut self, bytes: u64) {
        self.next += bytes;
        // A hole is less than 2³¹ bytes: offsets come from `Seq::since`.
        self.base = self.base.map(|base| base + bytes as u32);
    }
}

/// Places in which two runs of bytes differ, as far as both go.
fn differing(ours: &[u8], theirs: &[u8]) -> u64 {
    let common = ours.len().min(theirs.len());
    if ours[..common] == theirs[..common] {
        return 0;
    }
    ours.iter()
        .zip(theirs)
        .filter(|(ours, theirs)| ours != theirs)
        .count() as u64
}

/// `piece` from byte `from` to byte `to`.
fn cut(piece: Piece, from: usize, to: usize) -> Piece {
    let to = to.min(piece.bytes.len());
    if from == 0 && to == piece.bytes.len() {
        return piece;
    }
    Piece {
        arrival: Arrival {
            seq: piece.arrival.seq + from as u32,
            ..piece.arrival
        },
        bytes: piece.bytes.slice(from..to),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(seq: u32, bytes: &[u8]) -> Piece {
        Piece {
            arrival: Arrival {
                seq: Seq(seq),
                ..Arrival::default()
            },
            bytes: Bytes::copy_from_slice(bytes),
        }
    }

    /// Inserts at offsets from a start just before the wrap, gives out, and compares all bytes in order; `_` is a hole.
    fn check(pieces: &[(u32, &str)], expect: &str) {
        let start = u32::MAX - 3;
        let mut side = Reassembler::default();
        side.start(Seq(start));
        let mut out = String::new();
        for (offset, text) in pieces {
            side.insert(piece(start.wrapping_add(*offset), text.as_bytes()));
        }
        loop {
            while let Some(piece) = side.pop() {
                out.push_str(std::str::from_utf8(&piece.bytes).unwrap());
            }
            match side.skip_hole() {
                0 => break,
                hole => out.push_str(&"_".repeat(hole as usize)),
            }
        }
        assert_eq!(out, expect);
        assert_eq!(side.held_bytes(), 0);
    }

    #[test]
    fn order_is_restored() {
        check(&[(0, "abc"), (3, "def")], "abcdef");
        check(&[(3, "def"), (0, "abc")], "abcdef");
        check(&[(6, "g"), (3, "def"), (0, "abc")], "abcdefg");
    }

    #[test]
    fn retransmit_with_other_bytes_keeps_the_first() {
        check(&[(2, "cd"), (0, "ABCDEF")], "ABcdEF");
        check(&[(0, "ab"), (4, "ef"), (1, "XXXXXXX")], "abXXefXX");
        check(&[(1, "b"), (3, "d"), (0, "ABCDE")], "AbCdE");
    }

    #[test]
    fn bytes_that_differ_are_counted() {
        let mut side = Reassembler::default();
        side.start(Seq(0));
        let mut insert = |seq, text: &str, give: bool| {
            let insert = side.insert(piece(seq, text.as_bytes()));
            if give {
                while side.pop().is_some() {}
            }
            (insert.repeated, insert.conflicting)
        };
        assert_eq!(insert(4, "efgh", false), (0, 0));
        assert_eq!(insert(4, "eXgY", false), (4, 2));
        assert_eq!(insert(2, "cdZf", false), (2, 1));
        assert_eq!(insert(0, "ab", true), (0, 0));
        assert_eq!(insert(5, "XgYij", true), (3, 2));
        assert_eq!(insert(8, "iX", true), (2, 1));
        side.acknowledge(Seq(10));
        assert_eq!(side.insert(piece(8, b"XX")).conflicting, 0);
    }

    #[test]
    fn a_hole_is_counted() {
        check(&[(0, "ab"), (5, "fg")], "ab___fg");
        check(&[(5, "fg"), (9, "j")], "_____fg__j");
    }

    #[test]
    fn random_inserts_match_a_byte_map() {
        for seed in 1..300_u64 {
            let mut rng = seed;
            let mut random = move |below: u64| {
                rng ^= rng << 13;
                rng ^= rng >> 7;
                rng ^= rng << 17;
                rng % below
            };
            let start = u32::MAX - random(200) as u32;
            let mut side = Reassembler::default();
            side.start(Seq(start));
            let mut map = [None; 400];
            let mut given = 0;
            let mut fed = 0;
            let mut repeated = 0;
            for _ in 0..60 {
                let offset = random(360) as usize;
                let bytes: Vec<u8> = (0..=random(30)).map(|_| random(250) as u8).collect();
                for (place, byte) in map[offset..].iter_mut().zip(&bytes) {
                    place.get_or_insert(*byte);
                }
                fed += bytes.len() as u64;
                repeated += side
                    .insert(piece(start.wrapping_add(offset as u32), &bytes))
                    .repeated;
                while let Some(piece) = side.pop() {
                    for byte in &piece.bytes {
                        assert_eq!(map[given], Some(*byte), "seed {seed} offset {given}");
                        given += 1;
                    }
                }
                let next = map.iter().position(Option::is_none).unwrap_or(map.len());
                assert_eq!(given, next, "seed {seed}");
                if random(10) == 0 {
                    let hole = side.skip_hole() as usize;
                    for place in &mut map[given..given + hole] {
                        assert_eq!(place.replace(0), None, "seed {seed}");
                    }
                    // Lost bytes count as fed once, as they are in the map.
                    fed += hole as u64;
                    given += hole;
                    while let Some(piece) = side.pop() {
                        given += piece.bytes.len();
                    }
                }
            }
            let present = map.iter().flatten().count() as u64;
            assert_eq!(fed - repeated, present, "seed {seed}");
        }
    }
}
