//! Pieces of IP packets, held until their packet is whole.
//!
//! What overlaps is refused with its whole packet (RFC 5722): a receiver may read it either way. What is not whole in
//! time is given up, and so are the oldest when there are too many.

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::{Bytes, BytesMut};
use pnet_packet::ip::IpNextHeaderProtocol;

use super::layers::{Datagram, Fragment};
use crate::time::Timestamp;

/// As Linux has it (net.ipv4.ipfrag_time).
const PATIENCE: u64 = 30_000_000_000;
const MOST_DATAGRAMS: usize = 1024;
const MOST_BYTES: usize = 16 << 20;
/// What the length field of an IP packet can say.
const LARGEST: usize = 65_535;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FragmentCounts {
    /// Packets put together.
    pub joined: u64,
    /// Packets of which a piece was missing for too long, or that were too many.
    pub given_up: u64,
    /// Packets whose pieces contradict each other.
    pub refused: u64,
}

#[derive(Debug, Default)]
pub(super) struct Fragments {
    held: HashMap<Datagram, Assembly>,
    /// In the order of their first piece; some are whole by now.
    order: VecDeque<(Timestamp, Datagram)>,
    bytes: usize,
    counts: FragmentCounts,
}

#[derive(Debug, Default)]
struct Assembly {
    began: Timestamp,
    pieces: BTreeMap<usize, Bytes>,
    /// Of the whole, known with its last piece.
    length: Option<usize>,
    protocol: Option<IpNextHeaderProtocol>,
    refused: bool,
}

impl Fragments {
    /// What the packet carries once it is whole. `packet` holds the piece's data.
    pub(super) fn add(
        &mut self,
        at: Timestamp,
        packet: &Bytes,
        piece: &Fragment<'_>,
    ) -> Option<(Datagram, IpNextHeaderProtocol, Bytes)> {
        self.expire(at);
        let of = piece.of;
        let assembly = self.held.entry(of).or_insert_with(|| {
            self.order.push_back((at, of));
            Assembly {
                began: at,
                ..Assembly::default()
            }
        });
        let before = assembly.bytes();
        assembly.add(piece, packet);
        let after = assembly.bytes();
        self.bytes = self.bytes + after - before;
        let whole = assembly.join()?;
        self.bytes -= after;
        self.held.remove(&of);
        self.counts.joined += 1;
        Some((of, whole.0, whole.1))
    }

    pub(super) fn counts(&self) -> FragmentCounts {
        self.counts
    }

    /// Gives up all that is held.
    pub(super) fn clear(&mut self) {
        while let Some((began, of)) = self.order.pop_front() {
            self.give_up(began, &of);
        }
    }

    fn expire(&mut self, now: Timestamp) {
        while let Some((began, of)) = self.order.front().copied() {
            let late = now.nanos_since(began) > PATIENCE;
            if !late && self.order.len() < MOST_DATAGRAMS && self.bytes < MOST_BYTES {
                break;
            }
            self.order.pop_front();
            self.give_up(began, &of);
        }
    }

    fn give_up(&mut self, began: Timestamp, of: &Datagram) {
        // Of the same name may be a later packet: that has an entry of its own.
        if self.held.get(of).is_none_or(|held| held.began != began) {
            return;
        }
        let Some(assembly) = self.held.remove(of) else {
            return;
        };
        self.bytes -= assembly.bytes();
        if assembly.refused {
            self.counts.refused += 1;
        } else {
            self.counts.given_up += 1;
        }
    }
}

impl Assembly {
    fn bytes(&self) -> usize {
        self.pieces.values().map(Bytes::len).sum()
    }

    fn add(&mut self, piece: &Fragment<'_>, packet: &Bytes) {
        let (start, end) = (piece.offset, piece.offset + piece.data.len());
        if self
            .pieces
            .get(&start)
            .is_some_and(|held| *held == piece.data)
        {
            return;
        }
        let overlaps = self
            .pieces
            .range(..end)
            .next_back()
            .is_some_and(|(at, held)| at + held.len() > start);
        let contradicts = self
            .length
            .is_some_and(|length| end > length || !piece.more && end != length);
        // Every piece but the last is a multiple of eight long.
        let odd = piece.more && !piece.data.len().is_multiple_of(8);
        if self.refused || overlaps || contradicts || odd || end > LARGEST || piece.data.is_empty()
        {
            self.refused = true;
            self.pieces.clear();
            return;
        }
        if !piece.more {
            self.length = Some(end);
        }
        if start == 0 {
            self.protocol = Some(piece.protocol);
        }
        self.pieces.insert(start, packet.slice_ref(piece.data));
    }

    fn join(&self) -> Option<(IpNextHeaderProtocol, Bytes)> {
        let (length, protocol) = (self.length?, self.protocol?);
        // They do not overlap, so none is missing when there are enough bytes.
        if self.bytes() != length {
            return None;
        }
        let mut whole = BytesMut::with_capacity(length);
        for piece in self.pieces.values() {
            whole.extend_from_slice(piece);
        }
        Some((protocol, whole.freeze()))
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn add(
        held: &mut Fragments,
        second: u64,
        id: u32,
        offset: usize,
        more: bool,
        data: &str,
    ) -> Option<String> {
        let bytes = Bytes::copy_from_slice(data.as_bytes());
        let host = IpAddr::from([10, 0, 0, 1]);
        let piece = Fragment {
            of: Datagram::new(host, host, id),
            protocol: IpNextHeaderProtocol(6),
            offset,
            more,
            data: &bytes,
        };
        let whole = held.add(Timestamp(second * SECOND), &bytes, &piece);
        whole.map(|(.., bytes)| String::from_utf8_lossy(&bytes).into_owned())
    }

    #[test]
    fn what_overlaps_is_refused_for_good() {
        let mut held = Fragments::default();
        assert_eq!(add(&mut held, 0, 1, 0, true, "01234567"), None);
        assert_eq!(add(&mut held, 0, 1, 0, true, "0123456701234567"), None);
        assert_eq!(add(&mut held, 0, 1, 8, false, "89"), None);
        assert_eq!(held.bytes, 0);
        assert_eq!(add(&mut held, 60, 2, 0, true, "01234567"), None);
        assert_eq!(held.counts().refused, 1);
    }

    #[test]
    fn what_is_late_is_given_up() {
        let mut held = Fragments::default();
        assert_eq!(add(&mut held, 0, 1, 0, true, "01234567"), None);
        assert_eq!(add(&mut held, 31, 1, 8, false, "89"), None);
        assert_eq!(held.counts().given_up, 1);
        assert_eq!(
            add(&mut held, 31, 1, 0, true, "01234567").as_deref(),
            Some("0123456789")
        );
        assert_eq!((held.bytes, held.held.len()), (0, 0));
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let mut held = Fragments::default();
        for id in 0..5000 {
            add(&mut held, 0, id, 0, true, "01234567");
        }
        assert!(held.held.len() <= MOST_DATAGRAMS && held.order.len() <= MOST_DATAGRAMS);
        assert_eq!(held.counts().given_up, 5000 - MOST_DATAGRAMS as u64);
        assert_eq!(
            add(&mut held, 0, 4999, 8, false, "89").as_deref(),
            Some("0123456789")
        );
    }
}
