//! How far the clocks of capture and production are apart, learnt from requests and documents that can only belong together.

use std::net::IpAddr;

use mirror_contract::OffsetRange;

use super::offset::{MAX_RANGES, Offset};
use super::{Attribution, CapturedRequest, GroupKey, ListedDocument, RequestNumber, agree};

/// Production hosts whose clocks are known.
pub(super) const MAX_HOSTS: usize = 1024;
/// How far the kernel's time of a packet and production's own are apart at most where both read one clock. It is less than
/// a request takes from the wire to the code: 9 microseconds were seen.
const ONE_CLOCK: u64 = 3_000;

impl Attribution {
    pub(super) fn learn_from_request(&mut self, key: GroupKey, request: &CapturedRequest) {
        let Some(group) = self.groups.get(&key) else {
            return;
        };
        let reach = self.skew.saturating_add(1_000_000);
        let window = (request.time.first.saturating_sub(reach), 0)
            ..=(request.time.last.saturating_add(reach), u64::MAX);
        let ranges: Vec<_> = group
            .documents
            .range(window)
            .filter(|(_, document)| agree(document.body, request.body))
            .map(|(place, document)| (*place, OffsetRange::of_pair(request.time, &document.stamp)))
            .take(MAX_RANGES + 1)
            .collect();
        if ranges.len() > MAX_RANGES {
            return;
        }
        for ((at, number), range) in ranges {
            self.vote(request.host, number, at, range);
        }
    }

    pub(super) fn learn_from_document(
        &mut self,
        key: GroupKey,
        (at, number): (u64, u64),
        new: &ListedDocument,
    ) {
        let Some(group) = self.groups.get(&key) else {
            return;
        };
        let reach = self.skew.saturating_add(1_000_000);
        let earliest = at.saturating_sub(reach.saturating_add(group.longest));
        let window =
            (earliest, RequestNumber(0))..=(at.saturating_add(reach), RequestNumber(u64::MAX));
        let ranges: Vec<_> = group
            .requests
            .range(window)
            .filter(|(_, request)| agree(new.body, request.body))
            .map(|(_, request)| {
                let range = OffsetRange::of_pair(request.time, &new.stamp);
                (request.host, range)
            })
            .take(MAX_RANGES + 1)
            .collect();
        if ranges.len() > MAX_RANGES {
            return;
        }
        for (host, range) in ranges {
            self.vote(host, number, at, range);
        }
    }

    pub(super) fn vote(&mut self, host: IpAddr, document: u64, at: u64, range: OffsetRange) {
        if let Some(offset) = self.hosts.get_mut(&host)
            && range.touches(&OffsetRange::around_zero(self.skew))
        {
            offset.vote(document, at, range);
        }
    }

    pub(super) fn know_host(&mut self, host: IpAddr, is_one_clock: bool) {
        if self.hosts.len() >= MAX_HOSTS && !self.hosts.contains_key(&host) {
            // Rather learn some anew than hold more than that.
            self.hosts.clear();
        }
        let at_first = if is_one_clock { ONE_CLOCK } else { self.skew };
        self.hosts
            .entry(host)
            .or_insert_with(|| Offset::new(OffsetRange::around_zero(at_first)));
    }
}
