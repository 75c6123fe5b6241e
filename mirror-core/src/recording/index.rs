//! Which block has which requests: by time, route, id and lane. It says where to look, and not more: ids and lanes are kept as 32 bits of
//! their hash, so that a block may be looked into in vain, and none is missed.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::route::{route_key, route_of};
use crate::exchange::Request;
use crate::policy::Envelope;
use crate::schedule::LaneKey;
use crate::time::Timestamp;

/// Routes of a block that are told apart.
const MAX_ROUTES: usize = 256;
/// The route of all others.
const OTHER: &str = "(other)";

/// What is in all blocks of exchanges, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordingIndex {
    pub blocks: Vec<IndexedBlock>,
}

/// What is in a block of exchanges.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexedBlock {
    /// Where it begins in the file.
    pub at: u64,
    pub exchanges: u32,
    /// Bytes of the exchanges before compression.
    pub bytes: u32,
    /// When its first request began, and its last.
    pub from: Timestamp,
    pub to: Timestamp,
    /// Routes with the number of their requests.
    pub routes: Vec<(String, u32)>,
    /// Hashes of ids, each as its distance from the one before.
    ids: Vec<u32>,
    /// Hashes of lanes, the same way.
    lanes: Vec<u32>,
}

/// The payload of an index.
#[derive(Serialize, Deserialize)]
pub(super) struct IndexPart {
    /// Where the block of the index before begins; 0 for the first.
    pub(super) before: u64,
    pub(super) blocks: Vec<IndexedBlock>,
}

impl IndexPart {
    pub(super) fn encode(&self) -> Vec<u8> {
        // Only a serializer that runs out of room fails, and a vector grows.
        postcard::to_extend(self, Vec::new()).unwrap_or_default()
    }

    pub(super) fn decode(payload: &[u8]) -> Option<Self> {
        postcard::from_bytes(payload).ok()
    }
}

impl IndexedBlock {
    /// Whether it may hold a request with this id. Without an index of its ids, each block may.
    pub fn may_have_id(&self, id: &str) -> bool {
        has(&self.ids, hash_of_id(id))
    }

    /// Whether it may hold requests of this lane.
    pub fn may_have_lane(&self, lane: LaneKey) -> bool {
        has(&self.lanes, hash_of_lane(lane))
    }

    /// Whether it has requests that began in this time, ends included.
    pub fn is_within(&self, from: Timestamp, to: Timestamp) -> bool {
        self.from <= to && self.to >= from
    }

    /// Whether it may hold requests of a route, as the index names it.
    pub fn may_have_route(&self, route: &str) -> bool {
        let mut routes = self.routes.iter();
        routes.any(|(known, _)| known == route || known == OTHER)
    }
}

fn has(distances: &[u32], wanted: u32) -> bool {
    let mut hash = 0_u32;
    distances.iter().any(|distance| {
        hash = hash.wrapping_add(*distance);
        hash == wanted
    })
}

fn hash_of_id(id: &str) -> u32 {
    xxh3_64(id.as_bytes()) as u32
}

fn hash_of_lane(LaneKey(lane): LaneKey) -> u32 {
    xxh3_64(&lane.to_le_bytes()) as u32
}

/// Collects what is in a block.
#[derive(Debug, Default)]
pub(super) struct BlockContents {
    exchanges: u32,
    from: Option<Timestamp>,
    to: Timestamp,
    routes: Vec<(String, u32)>,
    /// Places in `routes`.
    by_key: HashMap<u64, usize, foldhash::fast::RandomState>,
    ids: Vec<u32>,
    lanes: Vec<u32>,
}

impl BlockContents {
    pub(super) fn add(&mut self, envelope: &Envelope) {
        self.exchanges += 1;
        let at = envelope.exchange().captured_at();
        self.from = Some(self.from.map_or(at, |from| from.min(at)));
        self.to = self.to.max(at);
        self.count(&envelope.exchange().request);
        let ids = envelope.identity().candidates.ids.iter();
        self.ids.extend(ids.map(|id| hash_of_id(id.as_str())));
        self.lanes.extend(envelope.lane().map(hash_of_lane));
    }

    /// A name is made once for each route of a block.
    fn count(&mut self, request: &Request) {
        let key = route_key(request, self.by_key.hasher());
        let at = match self.by_key.get(&key) {
            Some(at) => *at,
            None => {
                let at = self.routes.len().min(MAX_ROUTES);
                if at == self.routes.len() {
                    let name = match at {
                        MAX_ROUTES => OTHER.to_owned(),
                        _ => route_of(request),
                    };
                    self.routes.push((name, 0));
                }
                if at < MAX_ROUTES {
                    self.by_key.insert(key, at);
                }
                at
            }
        };
        self.routes[at].1 += 1;
    }

    pub(super) fn exchanges(&self) -> u32 {
        self.exchanges
    }

    pub(super) fn times(&self) -> (Timestamp, Timestamp) {
        (self.from.unwrap_or_default(), self.to)
    }

    /// What was collected, of a block at `at`; the next one begins with nothing.
    pub(super) fn take(&mut self, at: u64, bytes: u32) -> IndexedBlock {
        let (from, to) = self.times();
        let taken = IndexedBlock {
            at,
            exchanges: self.exchanges,
            bytes,
            from,
            to,
            routes: std::mem::take(&mut self.routes),
            ids: distances(&mut self.ids),
            lanes: distances(&mut self.lanes),
        };
        self.by_key.clear();
        (self.exchanges, self.from, self.to) = (0, None, Timestamp::default());
        taken
    }
}

/// Sorted, each as its distance from the one before; a small number takes few bytes.
fn distances(hashes: &mut Vec<u32>) -> Vec<u32> {
    hashes.sort_unstable();
    hashes.dedup();
    let mut before = 0;
    let distances = hashes.drain(..).map(|hash| {
        let distance = hash - before;
        before = hash;
        distance
    });
    distances.collect()
}
