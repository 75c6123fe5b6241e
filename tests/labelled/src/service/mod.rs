//! What the labelled services have in common. An answer depends on the version, the seed, the request, the state of the instance
//! that answers and its clock, and on nothing else. What varies by nature is always on; what version 2 changes is in a [`World`].

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mirror_contract::{Effect, EffectsDocument, Written};
use mirror_core::time::Timestamp;

use crate::changes::Change;
use crate::random::{Random, digest};
use crate::write::{self, http_date};

/// Requests for smaller numbers are made again and again.
pub const POPULAR: u64 = 4;
/// A change at a smaller rate concerns none of them.
const RARE: f64 = 0.02;

/// A labelled service: its routes, and what version 2 of it changes.
#[derive(Debug)]
pub struct Site {
    pub name: &'static str,
    pub routes: &'static [Route],
    pub changes: &'static [Change],
    /// Parts of names that people would put on a list of what is to be ignored.
    pub ignored: &'static [&'static str],
}

impl Site {
    pub fn route(&self, name: &str) -> Option<&'static Route> {
        self.routes.iter().find(|route| route.name == name)
    }

    /// Which route a request is for, and its number.
    pub fn route_of(&self, method: &str, path: &str) -> Option<(&'static Route, u64)> {
        let found = |route: &'static Route| {
            let (own, pattern) = route.parts();
            if own != method {
                return None;
            }
            match pattern.strip_suffix("{id}") {
                None => (path == pattern).then_some((route, 0)),
                Some(begin) => Some((route, path.strip_prefix(begin)?.parse().ok()?)),
            }
        };
        self.routes.iter().find_map(found)
    }
}

/// A path with the request's number in it, and who answers it.
#[derive(Debug)]
pub struct Route {
    /// As in `GET /orders/{id}`.
    pub name: &'static str,
    answer: fn(&mut Answering<'_>) -> Reply,
}

impl Route {
    pub(crate) const fn new(name: &'static str, answer: fn(&mut Answering<'_>) -> Reply) -> Self {
        Self { name, answer }
    }

    /// Its method, and the pattern of its path.
    fn parts(&self) -> (&'static str, &'static str) {
        self.name.split_once(' ').unwrap_or(("GET", self.name))
    }

    pub fn method(&self) -> &'static str {
        self.parts().0
    }

    /// The path of a request.
    pub fn path(&self, number: u64) -> String {
        self.parts().1.replace("{id}", &number.to_string())
    }
}

/// What is the same for all instances: the data, and what version 2 changes at which share of the requests.
#[derive(Clone, Debug)]
pub struct World {
    pub site: &'static Site,
    pub seed: u64,
    pub planted: BTreeMap<&'static str, f64>,
    /// Whether each instance has a cache of its own, or all share one.
    pub caches: Caches,
}

/// Who fills what is cached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Caches {
    #[default]
    Shared,
    Own,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    Old,
    New,
}

/// A running deployment of one version: three pods that share their counters and their cache.
#[derive(Clone, Debug)]
pub struct Instance {
    version: Version,
    seed: u64,
    pods: [String; 3],
    pub(crate) answered: u64,
    load: f64,
    /// When each entry of the cache was filled.
    filled: HashMap<u64, u64>,
}

impl Instance {
    /// `answered` is how many requests it has answered before; `load` how busy it is, from 0 to 1.
    pub fn new(version: Version, seed: u64, answered: u64, load: f64) -> Self {
        let mut random = Random::of(&[seed, 1]);
        let mut pod = || {
            let name = write::hex(&mut random, 5);
            format!("shop-6d4cf56db6-{name}")
        };
        let pods = [pod(), pod(), pod()];
        Self {
            version,
            seed,
            pods,
            answered,
            load,
            filled: HashMap::new(),
        }
    }

    /// Answers a request.
    pub fn answer(&mut self, world: &World, route: &Route, number: u64, at: Timestamp) -> Reply {
        self.answered += 1;
        let nature = Random::of(&[self.seed, self.answered]);
        let mut answering = Answering {
            world,
            route,
            number,
            at,
            nature,
            instance: self,
            hits: Vec::new(),
        };
        let mut reply = (route.answer)(&mut answering);
        reply.hits = answering.hits;
        reply.header("Date", http_date(at.as_secs()))
    }
}

/// An instance behind a socket: the bytes of a request in, those of its answer out.
#[derive(Debug)]
pub struct Server {
    world: World,
    instance: Mutex<Instance>,
}

impl Server {
    pub fn new(world: World, instance: Instance) -> Self {
        Self {
            world,
            instance: Mutex::new(instance),
        }
    }

    /// Answers a request that came `at` this time of day; 404 where no route is. It does not wait as long as the answer is said to take.
    pub fn answer(&self, request: &[u8], at: Timestamp) -> Vec<u8> {
        let line = request.split(|byte| *byte == b'\r').next();
        let line = String::from_utf8_lossy(line.unwrap_or_default());
        let mut words = line.split(' ');
        let (method, path) = (words.next(), words.next());
        let found = self
            .world
            .site
            .route_of(method.unwrap_or_default(), path.unwrap_or_default());
        let Some((route, number)) = found else {
            let reply = Reply::new("text/plain", "no such route\n".into());
            return reply.status(404).bytes();
        };
        let mut instance = self.instance.lock().unwrap_or_else(PoisonError::into_inner);
        instance.answer(&self.world, route, number, at).bytes()
    }
}

/// An answer, and what only a test knows of it.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
    pub took: Duration,
    /// What the request read and wrote.
    pub effects: EffectsDocument,
    /// The planted changes that this answer shows.
    pub hits: Vec<&'static str>,
}

impl Reply {
    pub(crate) fn new(media_type: &str, body: String) -> Self {
        Self {
            status: 200,
            headers: vec![("Content-Type", media_type.into())],
            body,
            took: Duration::from_millis(5),
            effects: EffectsDocument::default(),
            hits: Vec::new(),
        }
    }

    pub(crate) fn json(body: String) -> Self {
        Self::new("application/json", body)
    }

    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The request read this from what lies behind the service.
    pub(crate) fn read(mut self, name: &str, key: impl ToString) -> Self {
        let (name, key) = (name.into(), key.to_string());
        self.effects.push(Effect::Read { name, key });
        self
    }

    /// The request wrote a JSON value there.
    pub(crate) fn wrote(mut self, name: &str, key: impl ToString, json: &str) -> Self {
        let (name, key) = (name.into(), key.to_string());
        let written = Written::of_json(json);
        self.effects.push(Effect::Write { name, key, written });
        self
    }

    /// As it goes over the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = format!("HTTP/1.1 {} Whatever\r\n", self.status);
        for (name, value) in &self.headers {
            out.push_str(&format!("{name}: {value}\r\n"));
        }
        let length = self.body.len();
        out.push_str(&format!("Content-Length: {length}\r\n\r\n{}", self.body));
        out.into_bytes()
    }
}

/// One request, while it is answered.
pub(crate) struct Answering<'a> {
    world: &'a World,
    route: &'a Route,
    pub(crate) number: u64,
    pub(crate) at: Timestamp,
    /// What no two answers share.
    pub(crate) nature: Random,
    pub(crate) instance: &'a mut Instance,
    hits: Vec<&'static str>,
}

impl Answering<'_> {
    /// Numbers that all answers to this request share.
    pub(crate) fn data(&self) -> Random {
        Random::of(&[self.world.seed, digest(self.route.name), self.number])
    }

    /// Whether this answer shows a change: which requests it concerns is decided by the request.
    pub(crate) fn is(&mut self, change: &'static str) -> bool {
        self.is_by(change, |answering, rate| {
            // A request that is made again and again would make it frequent.
            if rate < RARE && answering.number < POPULAR {
                return false;
            }
            let parts = [answering.world.seed, digest(change), answering.number];
            Random::of(&parts).chance(rate)
        })
    }

    /// The same for a change that comes and goes, whatever the request.
    pub(crate) fn is_now(&mut self, change: &'static str) -> bool {
        self.is_by(change, |answering, rate| answering.nature.chance(rate))
    }

    fn is_by(&mut self, change: &'static str, decide: impl FnOnce(&mut Self, f64) -> bool) -> bool {
        let rate = self.world.planted.get(change).copied();
        let Some(rate) = rate.filter(|_| self.instance.version == Version::New) else {
            return false;
        };
        let is_hit = decide(self, rate);
        if is_hit {
            self.hits.push(change);
        }
        is_hit
    }

    pub(crate) fn pod(&mut self) -> String {
        self.instance.pods[self.nature.below(3) as usize].clone()
    }

    /// How busy the instance is at the moment.
    pub(crate) fn load(&mut self) -> f64 {
        let busy = self.instance.load + 0.08 * self.nature.normal();
        busy.clamp(0.01, 0.99)
    }

    /// When the entry of the cache was filled, in seconds; a new one if it is older than `ttl`.
    pub(crate) fn filled(&mut self, key: &str, ttl: u64) -> u64 {
        let now = self.at.as_secs();
        let key = digest(key);
        if self.world.caches == Caches::Shared {
            let phase = Random::of(&[self.world.seed, key]).below(ttl);
            return now - (now + phase) % ttl;
        }
        // A cache that runs since long is at any point of its period.
        let first = now - Random::of(&[self.instance.seed, key]).below(ttl);
        let filled = self.instance.filled.entry(key).or_insert(first);
        if now >= *filled + ttl {
            *filled = now;
        }
        *filled
    }

    /// A time of milliseconds with a long tail, of which half of the spread is the request's own.
    pub(crate) fn took(&mut self, millis: f64) -> Duration {
        let shared = (0.3 * self.data().normal()).exp();
        let own = (0.3 * self.nature.normal()).exp();
        Duration::from_secs_f64(millis * shared * own / 1_000.0)
    }
}

#[cfg(test)]
mod tests;
