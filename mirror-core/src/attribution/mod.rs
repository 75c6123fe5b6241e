//! Whose a numbered snapshot is: captured requests and the stamps that production listed → the one document that is proven to
//! be a request's, or why none is. CONTRACT.md, "Whose snapshot".
//!
//! [`Attribution::enter`] takes each captured request, in any order, [`Attribution::list`] each stamp, and
//! [`Attribution::decide`] answers for one request from what is known by then. A later request can still make an answer
//! doubtful; its [`Claim`] says so. All times are arguments.

mod claim;
mod clocks;
mod forget;
mod offset;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use mirror_contract::{CapturedTime, Fit, OffsetRange, RequestId, Stamp};

use crate::identity::Owner;
pub use claim::{Claim, Doubt};
use offset::Offset;

/// How far the kernel's time of a packet and production's own may be apart where both read one clock and the id names a single request
/// already: more than anywhere else, so that a document is not refused for a clock that is read badly.
const ONE_CLOCK_NAMED: i64 = 5_000_000;

/// Names a request that was entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestNumber(u64);

/// What is known of a request's snapshot by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attributed {
    /// This document is proven to be the request's own.
    Own { id: RequestId, stamp: Stamp },
    /// None is so far; `why` if some may be.
    Open { why: Option<Doubt> },
    /// None can be, whatever still comes.
    Never(Doubt),
}

/// Requests with one target from one connection, or from all of them where production tells no peer; and their documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct GroupKey {
    request: u64,
    peer: Option<SocketAddr>,
}

#[derive(Debug, Default)]
struct Group {
    requests: BTreeMap<(u64, RequestNumber), CapturedRequest>,
    documents: BTreeMap<(u64, u64), ListedDocument>,
    /// The longest time that one of the requests took.
    longest: u64,
}

#[derive(Clone, Debug)]
struct CapturedRequest {
    host: IpAddr,
    time: CapturedTime,
    body: Option<u64>,
    has_end: bool,
    claim: Claim,
    has_document: Arc<AtomicBool>,
}

#[derive(Debug)]
struct ListedDocument {
    id: RequestId,
    stamp: Stamp,
    body: Option<u64>,
    owner: Option<(RequestNumber, Claim)>,
}

#[derive(Debug)]
pub struct Attribution {
    skew: u64,
    next: u64,
    groups: HashMap<GroupKey, Group, foldhash::fast::RandomState>,
    hosts: HashMap<IpAddr, Offset>,
    requests: HashMap<RequestNumber, (GroupKey, u64)>,
    requests_order: VecDeque<(u64, RequestNumber)>,
    known: HashSet<RequestId>,
    /// With its group, if it stands in one.
    documents_order: VecDeque<(Option<GroupKey>, (u64, u64), RequestId)>,
    /// The latest time of capture so far.
    now: u64,
}

impl Attribution {
    /// `skew` is the largest offset between the two clocks, in nanoseconds.
    pub fn new(skew: u64) -> Self {
        Self {
            skew,
            next: 0,
            groups: HashMap::default(),
            hosts: HashMap::new(),
            requests: HashMap::new(),
            requests_order: VecDeque::new(),
            known: HashSet::new(),
            documents_order: VecDeque::new(),
            now: 0,
        }
    }

    /// A request to `host` was captured. `is_one_clock` if that is the host of the capture; `has_end` if its response was
    /// seen to its end. `None` if its owner says no peer, so that nothing can be told of it.
    pub fn enter(
        &mut self,
        owner: &Owner,
        host: IpAddr,
        is_one_clock: bool,
        has_end: bool,
    ) -> Option<(RequestNumber, Claim)> {
        let time = owner.time();
        self.now = self.now.max(time.last);
        self.forget();
        let key = GroupKey {
            request: digest(&owner.request)?,
            peer: Some(owner.peer.parse().ok()?),
        };
        let number = RequestNumber(self.next);
        self.next += 1;
        let request = CapturedRequest {
            host,
            time,
            body: owner.body.as_deref().and_then(digest),

            has_end,
            claim: Claim::default(),
            has_document: Arc::default(),
        };
        let claim = request.claim.clone();
        self.know_host(host, is_one_clock);
        self.doubt_overlapping(key, &request);
        for key in [key, GroupKey { peer: None, ..key }] {
            self.learn_from_request(key, &request);
            let group = self.groups.entry(key).or_default();
            group.longest = group.longest.max(time.last.saturating_sub(time.first));
            group.requests.insert((time.first, number), request.clone());
        }
        self.requests.insert(number, (key, time.first));
        self.requests_order.push_back((time.first, number));
        Some((number, claim))
    }

    /// Production listed a document. Listing it again changes nothing.
    pub fn list(&mut self, id: &RequestId, stamp: &Stamp) {
        let peer = match stamp.peer.as_deref().map(str::parse) {
            Some(Err(_)) => return,
            Some(Ok(peer)) => Some(peer),
            None => None,
        };
        let Some(request) = digest(&stamp.request) else {
            return;
        };
        if !self.known.insert(id.clone()) {
            return;
        }
        let key = GroupKey { request, peer };
        let place = (stamp.moment().0, self.next);
        self.next += 1;
        let document = ListedDocument {
            id: id.clone(),
            stamp: stamp.clone(),
            body: stamp.body.as_deref().and_then(digest),
            owner: None,
        };
        self.learn_from_document(key, place, &document);
        let group = self.groups.entry(key).or_default();
        group.documents.insert(place, document);
        self.documents_order
            .push_back((Some(key), place, id.clone()));
        self.forget();
    }

    /// Whether a document is the request's that stands under the only id that a rule without numbers gives the request. The
    /// two belong together unless their times do not fit.
    pub fn pair(&mut self, owner: &Owner, host: IpAddr, id: &RequestId, stamp: &Stamp) -> bool {
        let range = OffsetRange::of_pair(owner.time(), stamp);
        self.now = self.now.max(owner.time().last);
        self.know_host(host, false);
        if self.known.insert(id.clone()) {
            let place = (stamp.moment().0, self.next);
            self.next += 1;
            self.vote(host, place.1, place.0, range);
            self.documents_order.push_back((None, place, id.clone()));
            self.forget();
        }
        range.touches(&self.range_of_named(host))
    }

    /// Whether a document is the request's that stands under one of several ids that a rule without numbers may give the
    /// request. It is if it fits, and fits no other request that has no document yet.
    pub fn take_named(&mut self, number: RequestNumber, id: &RequestId, stamp: &Stamp) -> bool {
        self.list(id, stamp);
        let Some((request_key, request)) = self.request(number) else {
            return false;
        };
        let Some((key, place)) = self.place_of(id, stamp) else {
            return false;
        };
        let is_alike = key.request == request_key.request
            && key.peer.is_none_or(|peer| Some(peer) == request_key.peer);
        let Some(document) = self.groups.get(&key).and_then(|g| g.documents.get(&place)) else {
            return false;
        };
        match &document.owner {
            Some((owner, _)) => return *owner == number,
            None if !is_alike || !agree(document.body, request.body) => return false,
            None => {}
        }
        if !self.fits_named(&request, stamp) || self.is_wanted_by_another(key, place, number) {
            return false;
        }
        request.has_document.store(true, Relaxed);
        if let Some(document) = self
            .groups
            .get_mut(&key)
            .and_then(|g| g.documents.get_mut(&place))
        {
            document.owner = Some((number, request.claim));
        }
        true
    }

    fn place_of(&self, id: &RequestId, stamp: &Stamp) -> Option<(GroupKey, (u64, u64))> {
        let key = GroupKey {
            request: digest(&stamp.request)?,
            peer: stamp.peer.as_deref().map(str::parse).transpose().ok()?,
        };
        let at = stamp.moment().0;
        let same_time = self
            .groups
            .get(&key)?
            .documents
            .range((at, 0)..=(at, u64::MAX));
        let (place, _) = same_time
            .into_iter()
            .find(|(_, document)| document.id == *id)?;
        Some((key, *place))
    }

    fn fits_named(&mut self, request: &CapturedRequest, stamp: &Stamp) -> bool {
        let range = self.range_of_named(request.host);
        OffsetRange::of_pair(request.time, stamp).touches(&range)
    }

    /// The offsets with which a document fits whose id names a single request.
    fn range_of_named(&mut self, host: IpAddr) -> OffsetRange {
        let now = self.now;
        match self.hosts.get_mut(&host).map(|offset| offset.at(now)) {
            None => OffsetRange::around_zero(self.skew),
            Some(known) if known.is_learnt => known.range,
            Some(known) => {
                let reach = known.range.high.max(ONE_CLOCK_NAMED);
                OffsetRange::around_zero(reach.unsigned_abs())
            }
        }
    }

    fn is_wanted_by_another(
        &mut self,
        key: GroupKey,
        place: (u64, u64),
        number: RequestNumber,
    ) -> bool {
        let Some(group) = self.groups.get(&key) else {
            return false;
        };
        let Some(document) = group.documents.get(&place) else {
            return false;
        };
        let stamp = document.stamp.clone();
        let others: Vec<CapturedRequest> = group
            .requests
            .range(self.nearby(place.0, group.longest))
            .filter(|((_, other), _)| *other != number)
            .filter(|(_, other)| agree(document.body, other.body))
            .filter(|(_, other)| !other.has_document.load(Relaxed))
            .map(|(_, other)| other.clone())
            .collect();
        others.iter().any(|other| self.fits_named(other, &stamp))
    }

    /// The requests of a group that a document may belong to which was stamped at `at`.
    fn nearby(&self, at: u64, longest: u64) -> std::ops::RangeInclusive<(u64, RequestNumber)> {
        let reach = self.skew.saturating_add(1_000_000);
        let earliest = at.saturating_sub(reach.saturating_add(longest));
        (earliest, RequestNumber(0))..=(at.saturating_add(reach), RequestNumber(u64::MAX))
    }

    /// What is known of a request's snapshot by now.
    pub fn decide(&mut self, number: RequestNumber) -> Attributed {
        let Some((key, request)) = self.request(number) else {
            return Attributed::Open { why: None };
        };
        if !request.has_end {
            return Attributed::Never(Doubt::NoEnd);
        }
        if request.claim.is_doubtful() {
            return Attributed::Never(Doubt::Overlap);
        }
        let shared = GroupKey { peer: None, ..key };
        let mut fitting = self.fitting(key, &request);
        fitting.extend(self.fitting(shared, &request));
        let proven: Vec<_> = fitting
            .iter()
            .filter(|(_, _, fit)| *fit == Fit::Proven)
            .collect();
        let open = |why| Attributed::Open { why };
        match proven[..] {
            [] if fitting.is_empty() => open(None),
            [] => open(Some(Doubt::Clocks)),
            [(key, ..)] if key.peer.is_none() && fitting.len() > 1 => open(Some(Doubt::SeveralFit)),
            [(key, place, _)] => {
                if self.fits_another(*key, *place, number, request.host) {
                    open(Some(Doubt::Shared))
                } else {
                    self.own(*key, *place, number, &request)
                }
            }
            _ => open(Some(Doubt::SeveralFit)),
        }
    }

    fn request(&self, number: RequestNumber) -> Option<(GroupKey, CapturedRequest)> {
        let (key, first) = self.requests.get(&number)?;
        let request = self.groups.get(key)?.requests.get(&(*first, number))?;
        Some((*key, request.clone()))
    }

    /// The documents of a group that fit a request.
    fn fitting(
        &mut self,
        key: GroupKey,
        request: &CapturedRequest,
    ) -> Vec<(GroupKey, (u64, u64), Fit)> {
        let (Some(group), Some(offset)) =
            (self.groups.get(&key), self.hosts.get_mut(&request.host))
        else {
            return Vec::new();
        };
        let known = offset.at(self.now);
        let window = shifted(request.time.first, known.range.low)
            ..=shifted(request.time.last, known.range.high).saturating_add(1);
        group
            .documents
            .range((window.start().saturating_sub(1_000_000), 0)..=(*window.end(), u64::MAX))
            .filter(|(_, document)| agree(document.body, request.body))
            .map(|(place, document)| (key, *place, known.fit(request.time, &document.stamp)))
            .filter(|(_, _, fit)| *fit != Fit::No)
            .collect()
    }

    /// Whether a document may be of another request too: without a peer, of any; with one, of a request from that peer to
    /// another host.
    fn fits_another(
        &mut self,
        key: GroupKey,
        place: (u64, u64),
        number: RequestNumber,
        host: IpAddr,
    ) -> bool {
        let Some(group) = self.groups.get(&key) else {
            return false;
        };
        let Some(document) = group.documents.get(&place) else {
            return false;
        };
        let skew = self.skew.saturating_add(1_000_000);
        let earliest = place.0.saturating_sub(skew.saturating_add(group.longest));
        let nearby =
            (earliest, RequestNumber(0))..=(place.0.saturating_add(skew), RequestNumber(u64::MAX));
        let mut others = group
            .requests
            .range(nearby)
            .filter(|((_, other), _)| *other != number)
            .filter(|(_, request)| key.peer.is_none() || request.host != host)
            .filter(|(_, request)| agree(document.body, request.body));
        others.any(|(_, request)| {
            let offset = self.hosts.get_mut(&request.host);
            offset.is_some_and(|offset| {
                offset.at(self.now).fit(request.time, &document.stamp) != Fit::No
            })
        })
    }

    /// Gives a document to a request. If another request has it, neither can be sure of it.
    fn own(
        &mut self,
        key: GroupKey,
        place: (u64, u64),
        number: RequestNumber,
        request: &CapturedRequest,
    ) -> Attributed {
        let group = self.groups.get_mut(&key);
        let Some(document) = group.and_then(|group| group.documents.get_mut(&place)) else {
            return Attributed::Open { why: None };
        };
        match &document.owner {
            Some((owner, claim)) if *owner != number => {
                claim.doubt();
                request.claim.doubt();
                return Attributed::Never(Doubt::SeveralFit);
            }
            _ => document.owner = Some((number, request.claim.clone())),
        }
        Attributed::Own {
            id: document.id.clone(),
            stamp: document.stamp.clone(),
        }
    }

    /// Requests that are alike and were under way at once on one connection say nothing about whose a document is; and a
    /// document without a peer that was given to a request may be of this one.
    fn doubt_overlapping(&mut self, key: GroupKey, request: &CapturedRequest) {
        let CapturedTime { first, last } = request.time;
        if let Some(group) = self.groups.get(&key) {
            let nearby = (first.saturating_sub(group.longest), RequestNumber(0))
                ..=(last, RequestNumber(u64::MAX));
            let others = group.requests.range(nearby).map(|(_, other)| other);
            for other in others {
                let overlaps = other.time.first < last && first < other.time.last;
                if overlaps && other.host == request.host && agree(other.body, request.body) {
                    other.claim.doubt();
                    request.claim.doubt();
                }
            }
        }
        let shared = GroupKey { peer: None, ..key };
        let fitting = self.fitting(shared, request);
        let Some(group) = self.groups.get(&shared) else {
            return;
        };
        for (_, place, _) in fitting {
            let document = group.documents.get(&place);
            if let Some((_, claim)) = document.and_then(|document| document.owner.as_ref()) {
                claim.doubt();
            }
        }
    }
}

/// What one side does not say cannot speak against the other.
fn agree(one: Option<u64>, other: Option<u64>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    }
}

/// A hash as stamps write it.
fn digest(hex: &str) -> Option<u64> {
    if hex.len() != 16 {
        return None;
    }
    u64::from_str_radix(hex, 16).ok()
}

fn shifted(at: u64, offset: i64) -> u64 {
    at.saturating_add_signed(offset)
}
