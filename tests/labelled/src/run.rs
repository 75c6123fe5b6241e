//! A run, from the bytes of the answers to what was observed, as the agent makes it: read, compared, explained, judged.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use mirror_contract::EffectsDocument;
use mirror_core::compare::{Asked, CompareOptions, Comparison, compare_effects, compare_light};
use mirror_core::exchange::{Exchange, Request, Response};
use mirror_core::http::{Answered, HttpLimits, Kind, Message, Parsed, Parser};
use mirror_core::ledger::Outcome;
use mirror_core::noise::{AnswerTimes, Repeats};
use mirror_core::options::{Given, Options, Origin};
use mirror_core::tcp::{Arrival, StreamEvent};
use mirror_core::time::Timestamp;
use mirror_core::verdict::{
    AnswerDurations, CacheHits, CacheOptions, ComparedAnswers, ComparedControl, ComparedRepeat,
    Judge, Judgement, Request as Admitted, VerdictPolicy, decide, matters,
};

use crate::changes::{Planted, world};
use crate::random::{Random, digest};
use crate::rivals::Rivals;
use crate::service::{Caches, Instance, POPULAR, Reply, Route, Site, Version, World};

/// When a run begins, in seconds since the Unix epoch.
const START: u64 = 1_795_739_200;
/// In so many milliseconds each route has one request: 100 a second.
const ROUND_MILLIS: u64 = 300;
const MILLI: u64 = 1_000_000;
/// The first requests of a route show what varies there. A change in them is no informative hit.
const YOUNG: u64 = 40;

/// What a run has beside production and the candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    Neither,
    Repeats,
    Control,
}

impl Way {
    pub const ALL: [Self; 3] = [Self::Neither, Self::Repeats, Self::Control];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Neither => "neither",
            Self::Repeats => "repeats",
            Self::Control => "control",
        }
    }
}

/// What is run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub site: &'static Site,
    pub seed: u64,
    pub planted: Planted,
    pub way: Way,
    pub caches: Caches,
    /// Those of the site that are asked.
    pub routes: &'static [Route],
    /// Requests of each route.
    pub requests: u64,
}

/// What a run came to.
pub struct Ended {
    pub world: World,
    pub judge: Judge,
    /// Requests whose first answer of the candidate shows a change, without the first ones of each route.
    pub hits: BTreeMap<&'static str, u64>,
    /// Where there is a control: it is their secondary instance.
    pub rivals: Rivals,
    end: Timestamp,
}

impl Ended {
    pub fn decide(&self, policy: &VerdictPolicy) -> Judgement {
        decide(self.judge.evidence(), policy, self.end)
    }
}

/// The defaults, and rules that replace some of them.
pub fn policy(rules: &[&str]) -> VerdictPolicy {
    let mut given = Given::default();
    if !rules.is_empty() {
        let rules = rules.iter().map(|rule| (*rule).into()).collect();
        given.set("fail-on", rules, Origin::Flag);
    }
    VerdictPolicy::read(&given).unwrap_or_else(|error| unreachable!("a rule of ours: {error}"))
}

/// An answer as the agent has it.
struct Answer {
    response: Box<Response>,
    at: Timestamp,
    took: Duration,
    effects: EffectsDocument,
}

struct Running {
    world: World,
    options: CompareOptions,
    cache: CacheOptions,
    way: Way,
    production: Instance,
    candidate: Instance,
    control: Instance,
    own_repeats: Repeats,
    judge: Judge,
    asked: BTreeMap<&'static str, u64>,
    hits: BTreeMap<&'static str, u64>,
    rivals: Rivals,
}

pub fn run(plan: Plan) -> Ended {
    let version = match plan.planted {
        Planted::None => Version::Old,
        _ => Version::New,
    };
    let seed = |side| Random::of(&[plan.seed, side]).next();
    let mut running = Running {
        world: world(plan.site, plan.seed, plan.planted, plan.caches),
        options: CompareOptions::default(),
        cache: CacheOptions::default(),
        way: plan.way,
        production: Instance::new(Version::Old, seed(11), 1_204_331, 0.5),
        candidate: Instance::new(version, seed(12), 17, 0.45),
        control: Instance::new(Version::Old, seed(13), 17, 0.45),
        own_repeats: Repeats::default(),
        judge: Judge::default(),
        asked: BTreeMap::new(),
        hits: BTreeMap::new(),
        rivals: Rivals::default(),
    };
    let routes = plan.routes;
    let all = plan.requests * routes.len() as u64;
    for index in 0..all {
        let route = &routes[(index % routes.len() as u64) as usize];
        let round = index / routes.len() as u64;
        // At any time of its round, so that nothing keeps step with a clock.
        let within = Random::of(&[plan.seed, index, 5]).below(ROUND_MILLIS);
        let at = START * 1_000 + round * ROUND_MILLIS + within;
        let number = number(plan.seed, route, round);
        running.request(route, number, Timestamp(at * MILLI));
    }
    Ended {
        world: running.world,
        judge: running.judge,
        hits: running.hits,
        rivals: running.rivals,
        end: Timestamp((START * 1_000 + plan.requests * ROUND_MILLIS) * MILLI),
    }
}

/// One of three requests is for one of the few numbers that are popular, the others are for all of them in their order.
fn number(seed: u64, route: &Route, index: u64) -> u64 {
    let mut random = Random::of(&[seed, digest(route.name), index, 3]);
    match random.chance(0.33) {
        true => random.below(POPULAR),
        false => POPULAR + index,
    }
}

impl Running {
    /// As the agent does it: one of eight targets is looked at, others after a minute.
    fn learn_from_production(&mut self, route: &Route, request: &Request, answer: &Answer) {
        let turn = answer.at.as_secs() / 60;
        let parts = [digest(&request.target.text()), turn];
        if !Random::of(&parts).next().is_multiple_of(8) {
            return;
        }
        let address = SocketAddr::from(([127, 0, 0, 1], 80));
        let mut exchange = Exchange::new(address, address, request.clone());
        exchange.response = Some(answer.response.clone());
        exchange.timing.response_last = Some(answer.at);
        let Some(earlier) = self.own_repeats.take(&exchange) else {
            return;
        };
        let times = AnswerTimes {
            production: earlier.at,
            mirror: answer.at,
        };
        let pair = self.answers(request, &earlier.response, &answer.response);
        self.judge.learn_from_production(route.name, times, &pair);
    }

    fn request(&mut self, route: &Route, number: u64, at: Timestamp) {
        let request = Request::new(route.method(), route.path(number));
        let world = &self.world;
        let after = |millis: u64| Timestamp(at.0 + millis * MILLI);
        let method = route.method();
        let reply = self.production.answer(world, route, number, at);
        let production = read(&reply, method, at);
        self.learn_from_production(route, &request, &production);
        let world = &self.world;
        // Which of the two is asked first alternates.
        let (first, second) = if number.is_multiple_of(2) {
            (30, 31)
        } else {
            (31, 30)
        };
        let reply = self.candidate.answer(world, route, number, after(first));
        let asked = self.asked.entry(route.name).or_default();
        *asked += 1;
        let is_counted = *asked > YOUNG;
        for change in &reply.hits {
            let count = u64::from(is_counted);
            *self.hits.entry(change).or_default() += count;
        }
        let candidate = read(&reply, method, after(first));
        let pair = self.compared(&request, &production, &candidate);
        let answered = AnswerTimes {
            production: production.at,
            mirror: candidate.at,
        };
        let control = (self.way == Way::Control).then(|| {
            let reply = self
                .control
                .answer(&self.world, route, number, after(second));
            let answer = read(&reply, method, after(second));
            let pair = self.compared(&request, &production, &answer);
            (answer, pair)
        });
        let source = match self.way {
            Way::Repeats => self.judge.wants_repeat(route.name, answered, &pair),
            Way::Neither | Way::Control => None,
        };
        let repeat = source.map(|source| {
            let at = after(60);
            let reply = self.candidate.answer(&self.world, route, number, at);
            let answer = read(&reply, method, at);
            let to_candidate = self.compared(&request, &candidate, &answer);
            let to_production = self.compared(&request, &production, &answer);
            (source, at, to_candidate, to_production)
        });
        self.rivals
            .take(route.name, &pair, control.as_ref().map(|(_, pair)| pair));
        let is_hit = |answer: &Answer| self.cache.hit(&answer.response);
        let explained = self.judge.judge(&ComparedAnswers {
            route: route.name,
            at,
            request: Some(digest(&route.path(number))),
            production_status: production.response.status,
            candidate_status: candidate.response.status,
            answered,
            candidate: &pair,
            control: control
                .as_ref()
                .map(|(answer, comparison)| ComparedControl {
                    status: answer.response.status,
                    at: answer.at,
                    comparison,
                }),
            repeat: repeat
                .as_ref()
                .map(|(source, at, to_candidate, to_production)| ComparedRepeat {
                    at: *at,
                    source: *source,
                    to_candidate,
                    to_production,
                }),
            durations: AnswerDurations {
                production: Some(production.took),
                candidate: Some(candidate.took),
                control: control.as_ref().map(|(answer, _)| answer.took),
                is_cold: false,
            },
            cache: CacheHits {
                production: is_hit(&production),
                candidate: is_hit(&candidate),
                control: control.as_ref().and_then(|(answer, _)| is_hit(answer)),
            },
        });
        let outcome = match matters(&explained) {
            true => Outcome::Differed,
            false => Outcome::Matched,
        };
        let admitted = Admitted {
            route: route.name,
            method: "GET",
            size: production.response.body.len() as u64,
            at,
        };
        let status = Some(production.response.status);
        self.judge.ended(&admitted, status, outcome);
    }

    /// Answers, and what their requests did.
    fn compared(&self, request: &Request, ours: &Answer, theirs: &Answer) -> Comparison {
        let mut found = self.answers(request, &ours.response, &theirs.response);
        let effects = compare_effects(&self.options, Some(request), &ours.effects, &theirs.effects);
        effects
            .into_iter()
            .for_each(|effects| found.add_effects(effects));
        found
    }

    fn answers(&self, request: &Request, ours: &Response, theirs: &Response) -> Comparison {
        let asked = Asked {
            request: Some(request),
            mirror_authority: None,
        };
        compare_light(&self.options, asked, ours, theirs)
            .unwrap_or_else(|| unreachable!("answers of the service are small"))
    }
}

/// Reads an answer as the agent reads it from a connection.
fn read(reply: &Reply, method: &str, at: Timestamp) -> Answer {
    let limits = HttpLimits {
        max_head: 64 << 10,
        max_body: 1 << 20,
    };
    let mut parser = Parser::new(Kind::Response, limits);
    let bytes = Bytes::from(reply.bytes());
    parser.push(StreamEvent::Data(bytes), Arrival::default());
    while let Some(parsed) = parser.poll() {
        match parsed {
            Parsed::Head => parser.proceed(Answered::by_method(method)),
            Parsed::Message {
                message: Message::Response(response),
                ..
            } => {
                return Answer {
                    response,
                    at: at.after(reply.took),
                    took: reply.took,
                    effects: reply.effects.clone(),
                };
            }
            _ => {}
        }
    }
    unreachable!("the service answers with HTTP: {reply:?}")
}
