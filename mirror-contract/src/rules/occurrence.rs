//! Identical requests told apart by the order in which they came.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use crate::RequestId;

/// Ids that are remembered; of more the oldest are forgotten.
const MOST: usize = 100_000;

/// Counts how often each id was derived within `remembered`. Bounded: at 100,000 ids the oldest is forgotten.
#[derive(Debug)]
pub struct Occurrences {
    remembered: Duration,
    counts: HashMap<RequestId, u32>,
    /// When each was first counted, oldest first.
    order: VecDeque<(Duration, RequestId)>,
}

impl Occurrences {
    pub fn new(remembered: Duration) -> Self {
        Self {
            remembered,
            counts: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    /// The occurrence number of `id` at `now`, since any fixed moment: 0 for the first.
    pub fn count(&mut self, id: &RequestId, now: Duration) -> u32 {
        while let Some((since, _)) = self.order.front() {
            if self.order.len() < MOST && now.saturating_sub(*since) <= self.remembered {
                break;
            }
            if let Some((_, forgotten)) = self.order.pop_front() {
                self.counts.remove(&forgotten);
            }
        }
        match self.counts.get_mut(id) {
            Some(count) => {
                *count += 1;
                *count
            }
            None => {
                self.counts.insert(id.clone(), 0);
                self.order.push_back((now, id.clone()));
                0
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_id_is_counted_for_a_while() {
        let mut occurrences = Occurrences::new(Duration::from_secs(10));
        let (a, b) = (RequestId::new("a").unwrap(), RequestId::new("b").unwrap());
        let mut check = |id, second, expect| {
            assert_eq!(occurrences.count(id, Duration::from_secs(second)), expect);
        };
        check(&a, 0, 0);
        check(&a, 1, 1);
        check(&b, 1, 0);
        check(&a, 10, 2);
        check(&a, 11, 0);
        check(&b, 11, 1);
    }
}
