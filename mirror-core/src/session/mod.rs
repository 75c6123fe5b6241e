//! Carried values: what the mirror answers otherwise than production, and a later captured request repeats, is replaced by the
//! mirror's own. So a client that logged in to production is logged in on the mirror too.
//!
//! [`Carry::learn`] gets both answers to a request and keeps the values that stand at the same place of both: cookies by their
//! name, headers by their name, JSON by its pointer, hidden inputs and metas of pages by their name, segments and query values
//! of `location`, and validators. [`Carry::replace`] looks for production's values in a later request of the same session
//! (see [`clients`]) and puts the mirror's in their place. A whole value is replaced, never a part of one: a cookie, a header or
//! its credential, a segment, a value of query, form or JSON. Fields of multipart bodies are left as they are.
//!
//! Values are compared as the envelope has them. Where policy has put tokens in the place of secrets, the same secret has the
//! same token in an answer and in a request, and the mirror's own value goes in its place; production's is never needed.

mod clients;
mod edit;
mod entry;
mod html;
mod pairs;
mod place;
mod reach;
mod rules;
mod visit;

use std::ops::AddAssign;
use std::sync::Arc;
use std::time::Duration;

use crate::exchange::{Exchange, Request, Response};
use crate::route::variable;
use crate::time::Timestamp;

use clients::{Clients, SessionId};
use edit::edit;
use entry::Entry;
use pairs::{Pair, pairs};
use reach::{Use, is_telling};
use rules::Say;
use visit::{Visit, credential_name};

pub use place::CarryPlace;
pub use rules::CarryRules;

crate::options! {
    /// What is carried from the mirror's answers into later requests.
    #[derive(Clone, Debug)]
    pub struct CarryOptions("Replay") {
        /// Replace what the mirror answers otherwise and a later request repeats, as session cookies, CSRF tokens, created ids
        /// and ETags, by the mirror's own value: `all`, or a place as in 'POST /cart json:/id', '!header:etag' for one that is
        /// never carried, 'session cookie:sid' for what names a session (repeatable)
        #[option("carry", "RULE")]
        pub rules: CarryRules,
    }
}

/// What carried values may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CarryLimits {
    /// Values of one session; the oldest goes first.
    pub entries: usize,
    /// Sessions; the one that was not used longest goes first.
    pub sessions: usize,
    /// Bytes of all sessions together, about.
    pub bytes: usize,
    /// A value is not used after this, and a session is gone when it was not used for this long.
    pub age: Duration,
}

impl Default for CarryLimits {
    fn default() -> Self {
        Self {
            entries: 1000,
            sessions: 20_000,
            bytes: 64 << 20,
            age: Duration::from_secs(3600),
        }
    }
}

impl CarryLimits {
    fn age_nanos(&self) -> u64 {
        u64::try_from(self.age.as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A captured exchange and the host that captured it.
#[derive(Clone, Copy, Debug)]
pub struct CarryOrigin<'e> {
    pub host: &'e str,
    pub exchange: &'e Exchange,
}

/// A value that was put in the place of another. No value shows in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// Of the request.
    pub place: CarryPlace,
    /// Production's value, as `‹22 characters›`.
    pub from: String,
    /// The mirror's.
    pub to: String,
    /// As in `POST /login cookie:sid`.
    pub learnt_from: String,
}

/// What was done to a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    pub replaced: Vec<Replaced>,
    /// Conditions with a validator that is known to be the mirror's own now, in lower case.
    pub conditions: Vec<String>,
}

/// How much there is, and how often it was of use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CarryStats {
    pub sessions: u64,
    pub entries: u64,
    pub bytes: u64,
    /// Requests in which something was replaced.
    pub requests: u64,
    pub replaced: u64,
    /// Values and sessions that gave way to others at a limit.
    pub evicted: u64,
}

impl AddAssign for CarryStats {
    fn add_assign(&mut self, other: Self) {
        self.sessions += other.sessions;
        self.entries += other.entries;
        self.bytes += other.bytes;
        self.requests += other.requests;
        self.replaced += other.replaced;
        self.evicted += other.evicted;
    }
}

/// The values of all sessions. One caller at a time.
pub struct Carry {
    rules: CarryRules,
    limits: CarryLimits,
    clients: Clients,
    /// There is no mirror: production's answers stand for its answers.
    rehearses: bool,
    requests: u64,
    replaced: u64,
}

impl Carry {
    pub fn new(rules: CarryRules, limits: CarryLimits) -> Self {
        Self {
            rules,
            limits,
            clients: Clients::new(limits),
            rehearses: false,
            requests: 0,
            replaced: 0,
        }
    }

    /// Says what would be replaced if a mirror had all values of its own, and replaces nothing.
    pub fn rehearsal(rules: CarryRules) -> Self {
        Self {
            rehearses: true,
            ..Self::new(rules, CarryLimits::default())
        }
    }

    pub fn stats(&self) -> CarryStats {
        CarryStats {
            sessions: self.clients.len() as u64,
            entries: self.clients.entries() as u64,
            bytes: self.clients.bytes() as u64,
            requests: self.requests,
            replaced: self.replaced,
            evicted: self.clients.evicted(),
        }
    }

    /// Puts the mirror's values into `request`, which is a copy of the exchange's as it was captured.
    pub fn replace(
        &mut self,
        from: CarryOrigin<'_>,
        request: &mut Request,
        now: Timestamp,
    ) -> Carried {
        let visit = Visit::of(from, self.rules.sessions());
        let sessions = self.clients.of(&visit, now);
        if sessions.is_empty() {
            return Carried::default();
        }
        let captured = &from.exchange.request;
        let mut carried = Carried::default();
        edit(request, &mut |at, place, value| {
            let said = self.rules.say(&captured.method, &captured.target, &place);
            let entry = match said {
                Say::Forbidden => None,
                Say::Forced | Say::Nothing => self.find(&sessions, value, at, now),
            };
            if let (CarryPlace::Header(name), Use::Validator { .. }, Some(_)) = (&place, at, entry)
            {
                carried.conditions.push(name.clone());
            }
            let entry = entry.filter(|entry| self.rehearses || entry.mirrors() != value)?;
            carried.replaced.push(Replaced {
                place,
                from: redacted(value),
                to: redacted(entry.mirrors()),
                learnt_from: entry.learnt_from(),
            });
            Some(entry.mirrors().into())
        });
        self.requests += u64::from(!carried.replaced.is_empty());
        self.replaced += carried.replaced.len() as u64;
        carried
    }

    /// The place's own value goes before one that fits anywhere.
    fn find(
        &self,
        sessions: &[SessionId],
        value: &[u8],
        at: Use<'_>,
        now: Timestamp,
    ) -> Option<&Entry> {
        let age = self.limits.age_nanos();
        [false, true].into_iter().find_map(|anywhere| {
            sessions.iter().find_map(|session| {
                let mut entries = self.clients.entries_of(*session);
                entries
                    .find(|entry| entry.is_for(value, at, anywhere) && entry.is_younger(age, now))
            })
        })
    }

    /// Keeps what the two answers have of their own at the same places. Answers of different kinds have nothing in common.
    pub fn learn(&mut self, from: CarryOrigin<'_>, mirror: &Response, now: Timestamp) {
        let exchange = from.exchange;
        let Some(production) = &exchange.response else {
            return;
        };
        let is_good = |response: &Response| (200..400).contains(&response.status);
        if !is_good(production) || production.status / 100 != mirror.status / 100 {
            return;
        }
        let request = &exchange.request;
        let pairs = pairs(request, production, mirror);
        let pairs: Vec<Pair> = pairs
            .into_iter()
            .filter_map(|pair| self.judged(request, pair))
            .collect();
        let issued = pairs.iter().filter(|pair| issues_credential(pair));
        let issued = match self.rules.sessions() {
            [] => issued
                .map(|pair| credential_name(&pair.production))
                .collect(),
            _ => Vec::new(),
        };
        let visit = Visit::of(from, self.rules.sessions());
        let pinned = self.rules.sessions();
        let learners = self
            .clients
            .learners(&visit, production, issued, pinned, now);
        let answer: Arc<str> = answer_name(request).into();
        for pair in pairs {
            let differs = pair.production != pair.mirror;
            let is_news = differs || is_validator(&pair) || self.rehearses;
            let entry = Entry::new(pair, Arc::clone(&answer), now);
            let telling = learners.telling.iter().filter(|_| entry.is_telling());
            for session in learners.all.iter().chain(telling) {
                match is_news {
                    true => self.clients.learn(*session, entry.clone()),
                    false => self.clients.forget(*session, &entry),
                }
            }
        }
        self.clients.trim(now);
    }

    /// With what the rules say; none for what can be put nowhere.
    fn judged(&self, request: &Request, mut pair: Pair) -> Option<Pair> {
        match self
            .rules
            .say(&request.method, &request.target, &pair.place)
        {
            Say::Forbidden => return None,
            Say::Forced if !is_validator(&pair) => pair.reach.anywhere = true,
            Say::Forced | Say::Nothing => {}
        }
        (!pair.reach.is_nowhere()).then_some(pair)
    }
}

fn is_validator(pair: &Pair) -> bool {
    pair.reach.fits_conditions()
}

/// A value that a client will show as its credential: a token by its name, and not one that belongs to a form or a list.
fn issues_credential(pair: &Pair) -> bool {
    const WORDS: [&str; 6] = ["token", "jwt", "session", "apikey", "api_key", "bearer"];
    const OTHERS: [&str; 6] = ["csrf", "xsrf", "page", "next", "cursor", "continuation"];
    let name = match &pair.place {
        CarryPlace::Json(pointer) => pointer.rsplit('/').next().unwrap_or_default(),
        CarryPlace::Header(name) => name,
        _ => return false,
    };
    let name = name.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    has(&WORDS) && !has(&OTHERS) && is_telling(&pair.production)
}

/// As in `POST /orders/{id}`.
fn answer_name(request: &Request) -> String {
    let path = request.target.path_text();
    let segments = path.split('/').map(|segment| match variable(segment) {
        Some(_) => "{id}",
        None => segment,
    });
    let path: Vec<&str> = segments.collect();
    format!("{} {}", request.method, path.join("/"))
}

fn redacted(value: &[u8]) -> String {
    match String::from_utf8_lossy(value).chars().count() {
        1 => "‹1 character›".into(),
        count => format!("‹{count} characters›"),
    }
}

#[cfg(test)]
mod tests;
