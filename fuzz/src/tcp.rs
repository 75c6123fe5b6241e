//! The reassembler against a map of bytes, over the wrap of sequence numbers.

use mirror_core::packet::Seq;
use mirror_core::tcp::{Arrival, Piece, Reassembler};

use crate::input::Input;

/// Longest stream of the model.
const LENGTH: usize = 1 << 12;

/// What a side of a connection has been given, and what it gave out.
struct Model {
    start: u32,
    /// The first byte for each place wins.
    bytes: Vec<Option<u8>>,
    given: usize,
    side: Reassembler,
}

/// A sequence of operations. After each the side has given out what the model has without a hole, byte for byte.
pub fn tcp(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut model = Model::new(u32::MAX - u32::from(input.word()));
    while !input.is_empty() {
        match input.below(4) {
            0 | 1 => {
                let offset = usize::from(input.word()) % LENGTH;
                model.insert(offset, input.piece());
            }
            2 => model.skip_hole(),
            _ => model.skip_to(usize::from(input.word()) % LENGTH),
        }
        model.check();
    }
}

impl Model {
    fn new(start: u32) -> Self {
        let mut side = Reassembler::default();
        side.start(Seq(start));
        Self {
            start,
            bytes: vec![None; LENGTH],
            given: 0,
            side,
        }
    }

    fn seq(&self, offset: usize) -> Seq {
        Seq(self.start.wrapping_add(offset as u32))
    }

    fn insert(&mut self, offset: usize, bytes: &[u8]) {
        let bytes = &bytes[..bytes.len().min(LENGTH - offset)];
        for (place, byte) in self.bytes[offset..].iter_mut().zip(bytes) {
            place.get_or_insert(*byte);
        }
        let arrival = Arrival {
            seq: self.seq(offset),
            ..Arrival::default()
        };
        self.side.insert(Piece {
            arrival,
            bytes: bytes.to_vec().into(),
        });
        self.take();
    }

    /// What is given up is a hole that the model fills.
    fn skip_hole(&mut self) {
        let hole = self.side.skip_hole() as usize;
        self.fill(hole);
    }

    fn skip_to(&mut self, offset: usize) {
        let hole = self.side.skip_to(self.seq(offset)) as usize;
        self.fill(hole);
    }

    fn fill(&mut self, hole: usize) {
        let end = self.given + hole;
        assert!(end <= LENGTH, "a hole of {hole} bytes at {}", self.given);
        let hole = &mut self.bytes[self.given..end];
        assert!(hole.iter().all(Option::is_none), "a hole of what was given");
        hole.fill(Some(0));
        self.given = end;
        self.take();
    }

    fn take(&mut self) {
        while let Some(piece) = self.side.pop() {
            for byte in &piece.bytes {
                assert_eq!(self.bytes[self.given], Some(*byte), "at {}", self.given);
                self.given += 1;
            }
        }
    }

    fn check(&self) {
        let first_hole = self.bytes.iter().position(Option::is_none);
        assert_eq!(self.given, first_hole.unwrap_or(LENGTH));
        // All that is held is behind the hole.
        let held = self.bytes[self.given..].iter().flatten().count();
        assert_eq!(self.side.held_bytes(), held);
    }
}
