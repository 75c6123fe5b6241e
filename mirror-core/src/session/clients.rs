//! Whose request it is: the sessions of clients, and what each of them has learnt.
//!
//! A session is what one client shows of itself, the strongest first:
//!
//! 1. Its credential: `authorization`, an API key, or a cookie that names a session, which is one that is called like one or that
//!    production set as `HttpOnly`. All that production sets or issues in a session names the same session.
//! 2. Without one, its connection, unless a proxy's header says that others' requests come by it too, or two sessions were seen
//!    on it.
//! 3. Without that, its address, as the proxy tells it, with its user agent. Several clients may be behind one address, so
//!    only values that tell enough by themselves are kept for it.
//!
//! What names a session must be its alone. A name that turns up together with another session's cookie, or that production sets
//! in two sessions, names none from then on.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::CarryLimits;
use super::entry::{Entry, OVERHEAD};
use super::place::CarryPlace;
use super::visit::{Name, Visit, cookie_prefix, set_names};
use crate::exchange::Response;
use crate::time::Timestamp;

/// Names of one session.
const MAX_NAMES: usize = 32;
/// Names that are known to be of several sessions.
const MAX_SHARED: usize = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SessionId(u64);

struct Session {
    /// The oldest first.
    entries: VecDeque<Entry>,
    names: Vec<Name>,
    bytes: usize,
    touched: Timestamp,
    turn: u64,
    /// Of a connection: the session with a credential that was seen on it.
    client: Option<SessionId>,
}

enum Holder {
    Session(SessionId),
    /// Of several sessions, so of none.
    Shared,
}

/// Where to learn what an answer brought.
#[derive(Debug, Default)]
pub(super) struct Learners {
    /// Everything.
    pub(super) all: Vec<SessionId>,
    /// Values that tell enough by themselves.
    pub(super) telling: Vec<SessionId>,
}

/// All sessions, bounded: those that were not used longest go first.
pub(super) struct Clients {
    limits: CarryLimits,
    sessions: HashMap<SessionId, Session>,
    holders: HashMap<Name, Holder>,
    shared: VecDeque<Name>,
    /// By the turn of their last use.
    order: BTreeMap<u64, SessionId>,
    turns: u64,
    bytes: usize,
    entries: usize,
    evicted: u64,
}

impl Clients {
    pub(super) fn new(limits: CarryLimits) -> Self {
        Self {
            limits,
            sessions: HashMap::new(),
            holders: HashMap::new(),
            shared: VecDeque::new(),
            order: BTreeMap::new(),
            turns: 0,
            bytes: 0,
            entries: 0,
            evicted: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What `bytes` and `entries` must be.
    #[cfg(test)]
    pub(super) fn counted(&self) -> (usize, usize) {
        let session = |session: &Session| {
            let names = session.names.iter().map(|name| name.len() * 2 + OVERHEAD);
            let entries = session.entries.iter().map(Entry::bytes);
            OVERHEAD + names.sum::<usize>() + entries.sum::<usize>()
        };
        let all = self.sessions.values();
        let count = all.clone().map(|session| session.entries.len()).sum();
        (all.map(session).sum(), count)
    }

    pub(super) fn entries(&self) -> usize {
        self.entries
    }

    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// The sessions that a request may take values of, the nearest first.
    pub(super) fn of(&mut self, visit: &Visit, now: Timestamp) -> Vec<SessionId> {
        if let Some(session) = self.known(visit) {
            self.touch(session, now);
            return vec![session];
        }
        let is_named = visit.names.iter().any(|shown| shown.by_itself);
        let connection = visit.connection.as_ref().and_then(|name| self.held(name));
        let address = (!is_named).then(|| self.held(&visit.address)).flatten();
        let found: Vec<_> = connection.into_iter().chain(address).collect();
        for session in &found {
            self.touch(*session, now);
        }
        found
    }

    pub(super) fn entries_of(&self, session: SessionId) -> impl Iterator<Item = &Entry> {
        let session = self.sessions.get(&session);
        // The newest counts.
        session.into_iter().flat_map(|s| s.entries.iter().rev())
    }

    /// The sessions that learn from the answer to a request; one is made where there is none. `issued` are credentials that
    /// production gave out in it.
    pub(super) fn learners(
        &mut self,
        visit: &Visit,
        production: &Response,
        issued: Vec<Name>,
        pinned: &[CarryPlace],
        now: Timestamp,
    ) -> Learners {
        let given = set_names(production, pinned).chain(issued);
        let given: Vec<Name> = given.collect();
        let known = self.known(visit);
        let is_named = visit.names.iter().any(|shown| shown.by_itself);
        let mut learners = Learners::default();
        let connection = visit
            .connection
            .as_ref()
            .and_then(|name| self.held_or_new(name, now));
        let keyed = match known {
            Some(session) => Some(session),
            None if is_named || !given.is_empty() => Some(self.start(connection, now)),
            None => None,
        };
        if let Some(session) = keyed {
            for shown in visit.names.iter().filter(|shown| shown.by_itself) {
                self.name(session, &shown.name);
            }
            for name in &given {
                self.name(session, name);
            }
            self.touch(session, now);
            learners.all.push(session);
            self.seen_on(connection, session);
        }
        if known.is_none() && !is_named {
            learners.all.extend(connection);
            // A client that has got a name needs its address no more.
            if given.is_empty() {
                let address = self.held_or_new(&visit.address, now);
                learners.telling.extend(address);
            }
        }
        learners
    }

    /// By the names that a request shows. One that stands beside another value of the session's own cookie is not its alone.
    fn known(&mut self, visit: &Visit) -> Option<SessionId> {
        for shown in &visit.names {
            let Some(session) = self.held(&shown.name) else {
                continue;
            };
            if self.contradicts(session, visit) {
                self.share(&shown.name);
            } else {
                return Some(session);
            }
        }
        None
    }

    /// A cookie of the request is one of the session's by its name, and not by its value.
    fn contradicts(&self, session: SessionId, visit: &Visit) -> bool {
        let Some(session) = self.sessions.get(&session) else {
            return false;
        };
        visit.names.iter().any(|shown| {
            let Some(cookie) = &shown.cookie else {
                return false;
            };
            let prefix = cookie_prefix(cookie);
            let mut own = session.names.iter().filter(|n| n.starts_with(&prefix));
            own.clone().next().is_some() && !own.any(|n| *n == shown.name)
        })
    }

    fn held(&self, name: &Name) -> Option<SessionId> {
        match self.holders.get(name)? {
            Holder::Session(session) => Some(*session),
            Holder::Shared => None,
        }
    }

    /// None for a name that is shared.
    fn held_or_new(&mut self, name: &Name, now: Timestamp) -> Option<SessionId> {
        match self.holders.get(name) {
            Some(Holder::Session(session)) => Some(*session),
            Some(Holder::Shared) => None,
            None => {
                let session = self.start(None, now);
                self.name(session, name);
                Some(session)
            }
        }
    }

    /// A new session, which takes along what its client learnt on the connection before it had a name.
    fn start(&mut self, connection: Option<SessionId>, now: Timestamp) -> SessionId {
        self.turns += 1;
        let id = SessionId(self.turns);
        let session = Session {
            entries: VecDeque::new(),
            names: Vec::new(),
            bytes: OVERHEAD,
            touched: now,
            turn: self.turns,
            client: None,
        };
        self.bytes += session.bytes;
        self.order.insert(session.turn, id);
        self.sessions.insert(id, session);
        let before = connection.and_then(|connection| self.sessions.get(&connection));
        let before: Vec<Entry> = before.map_or_else(Vec::new, |session| {
            let telling = session.entries.iter().filter(|entry| entry.is_telling());
            telling.cloned().collect()
        });
        for entry in before {
            self.learn(id, entry);
        }
        id
    }

    /// Two clients on one connection: it is a proxy's, and nobody's session.
    fn seen_on(&mut self, connection: Option<SessionId>, client: SessionId) {
        let Some(id) = connection else {
            return;
        };
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        match session.client.replace(client) {
            Some(other) if other != client => {
                for name in session.names.clone() {
                    self.share(&name);
                }
                self.remove(id);
            }
            _ => {}
        }
    }

    fn name(&mut self, session: SessionId, name: &Name) {
        match self.holders.get(name) {
            Some(Holder::Shared) => {}
            Some(Holder::Session(other)) if *other == session => {}
            Some(Holder::Session(_)) => self.share(name),
            None => {
                let Some(held) = self.sessions.get_mut(&session) else {
                    return;
                };
                held.names.push(name.clone());
                held.bytes += name.len() * 2 + OVERHEAD;
                self.bytes += name.len() * 2 + OVERHEAD;
                let oldest = (held.names.len() > MAX_NAMES).then(|| held.names[0].clone());
                self.holders.insert(name.clone(), Holder::Session(session));
                if let Some(oldest) = oldest {
                    self.unname(&oldest);
                }
            }
        }
    }

    fn unname(&mut self, name: &Name) {
        if let Some(Holder::Session(session)) = self.holders.remove(name)
            && let Some(session) = self.sessions.get_mut(&session)
        {
            session.names.retain(|other| other != name);
            session.bytes -= name.len() * 2 + OVERHEAD;
            self.bytes -= name.len() * 2 + OVERHEAD;
        }
    }

    fn share(&mut self, name: &Name) {
        self.unname(name);
        self.holders.insert(name.clone(), Holder::Shared);
        self.shared.push_back(name.clone());
        if self.shared.len() > MAX_SHARED
            && let Some(oldest) = self.shared.pop_front()
        {
            self.holders.remove(&oldest);
        }
    }

    fn touch(&mut self, session: SessionId, now: Timestamp) {
        self.turns += 1;
        if let Some(held) = self.sessions.get_mut(&session) {
            self.order.remove(&held.turn);
            held.turn = self.turns;
            held.touched = held.touched.max(now);
            self.order.insert(held.turn, session);
        }
    }

    /// Puts an entry behind the others, in the place of what was known of the same value there.
    pub(super) fn learn(&mut self, session: SessionId, entry: Entry) {
        self.forget(session, &entry);
        let Some(held) = self.sessions.get_mut(&session) else {
            return;
        };
        let mut change = entry.bytes() as isize;
        held.entries.push_back(entry);
        self.entries += 1;
        if held.entries.len() > self.limits.entries
            && let Some(oldest) = held.entries.pop_front()
        {
            change -= oldest.bytes() as isize;
            self.entries -= 1;
            self.evicted += 1;
        }
        held.bytes = held.bytes.saturating_add_signed(change);
        self.bytes = self.bytes.saturating_add_signed(change);
    }

    /// What was known of the value of `entry` at its place is true no more.
    pub(super) fn forget(&mut self, session: SessionId, entry: &Entry) {
        let Some(held) = self.sessions.get_mut(&session) else {
            return;
        };
        if let Some(at) = held.entries.iter().position(|other| other.replaces(entry))
            && let Some(old) = held.entries.remove(at)
        {
            held.bytes -= old.bytes();
            self.bytes -= old.bytes();
            self.entries -= 1;
        }
    }

    /// Removes what is too old, and the sessions that were not used longest until the rest fits.
    pub(super) fn trim(&mut self, now: Timestamp) {
        while let Some((_, id)) = self.order.first_key_value() {
            let id = *id;
            let touched = self.sessions.get(&id).map_or(now, |s| s.touched);
            let is_old = now.nanos_since(touched) > self.limits.age_nanos();
            let is_full = self.sessions.len() > self.limits.sessions;
            if !is_old && !is_full && self.bytes <= self.limits.bytes {
                return;
            }
            self.evicted += u64::from(!is_old);
            self.remove(id);
        }
    }

    fn remove(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.remove(&id) {
            self.order.remove(&session.turn);
            self.bytes -= session.bytes;
            self.entries -= session.entries.len();
            for name in session.names {
                if self.held(&name) == Some(id) {
                    self.holders.remove(&name);
                }
            }
        }
    }
}
