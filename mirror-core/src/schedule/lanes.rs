//! Requests that wait for those before them.
//!
//! A lane exists as long as a request of it waits or is on its way, so that idle connections take no memory.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use super::LaneKey;

/// Call `push` for each request in the order of capture. If it returns true, the lane has begun: whoever runs it then
/// calls `next` for each request of it, the first one included, and the next time when that request is done, until there is
/// none.
#[derive(Debug)]
pub struct Lanes<T> {
    /// Of each lane that has begun, what waits in it.
    waiting: HashMap<LaneKey, VecDeque<T>, RandomState>,
    queued: usize,
}

/// How many lanes there are now, and how much waits in them.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct LaneCounts {
    /// Lanes with a request that waits or is on its way.
    pub active: usize,
    /// Requests that wait for those before them.
    pub waiting: usize,
}

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Self {
            waiting: HashMap::default(),
            queued: 0,
        }
    }
}

impl<T> Lanes<T> {
    /// Appends a request to its lane; true if the lane has begun with it.
    pub fn push(&mut self, key: LaneKey, request: T) -> bool {
        self.queued += 1;
        let mut begins = false;
        let lane = self.waiting.entry(key).or_insert_with(|| {
            begins = true;
            VecDeque::with_capacity(1)
        });
        lane.push_back(request);
        begins
    }

    /// The lane's next request. Without one the lane has ended.
    pub fn next(&mut self, key: LaneKey) -> Option<T> {
        let lane = self.waiting.get_mut(&key)?;
        let request = lane.pop_front();
        if request.is_some() {
            self.queued -= 1;
        } else {
            self.waiting.remove(&key);
        }
        request
    }

    pub fn counts(&self) -> LaneCounts {
        LaneCounts {
            active: self.waiting.len(),
            waiting: self.queued,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: LaneKey = LaneKey(1);
    const B: LaneKey = LaneKey(2);

    #[test]
    fn requests_of_a_lane_come_in_their_order_and_lanes_do_not_wait_for_each_other() {
        let mut lanes = Lanes::default();
        assert!(lanes.push(A, "a1"));
        assert!(!lanes.push(A, "a2"));
        assert!(lanes.push(B, "b1"));
        assert_eq!(lanes.next(A), Some("a1"));
        assert_eq!(lanes.next(B), Some("b1"));
        assert!(!lanes.push(B, "b2"), "b1 is still on its way");
        assert_eq!(lanes.next(B), Some("b2"));
        assert_eq!(lanes.next(A), Some("a2"));
    }

    #[test]
    fn an_idle_lane_takes_no_memory_and_begins_again() {
        let mut lanes = Lanes::default();
        for n in 0..10_000 {
            assert!(lanes.push(LaneKey(n), n));
            assert_eq!(lanes.next(LaneKey(n)), Some(n));
            assert_eq!(lanes.next(LaneKey(n)), None);
        }
        assert_eq!(lanes.counts(), LaneCounts::default());
        assert!(lanes.waiting.capacity() < 100);
        assert!(lanes.push(A, 1));
        let counts = LaneCounts {
            active: 1,
            waiting: 1,
        };
        assert_eq!(lanes.counts(), counts);
    }

    /// Against a naive model: of all that was pushed to a lane, what has not come out is still to come, in its order.
    #[test]
    fn whatever_the_interleaving_no_request_is_lost_doubled_or_overtaken() {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut any = move |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        let mut lanes = Lanes::default();
        let mut model = vec![VecDeque::new(); 5];
        let mut runs = [false; 5];
        for n in 0..20_000 {
            let lane = any(5);
            let key = LaneKey(lane);
            let lane = usize::try_from(lane).unwrap();
            if any(2) == 0 {
                assert_eq!(lanes.push(key, n), !runs[lane], "step {n}");
                model[lane].push_back(n);
                runs[lane] = true;
            } else if runs[lane] {
                let expect = model[lane].pop_front();
                assert_eq!(lanes.next(key), expect, "step {n}");
                runs[lane] = expect.is_some();
            }
            let waiting = model.iter().map(VecDeque::len).sum();
            let active = runs.iter().filter(|runs| **runs).count();
            assert_eq!(lanes.counts(), LaneCounts { active, waiting });
        }
    }
}
