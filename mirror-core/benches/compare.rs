//! What a comparison costs, on one core and from memory: two answers lie ready, observations come out. Small ones are judged too:
//! noise explains and learns, repeats are compared where they are wanted, and the evidence is counted. Two scenarios are about a whole
//! run: `many-routes` measures its memory, and `decide` the time of a decision.
//!
//! `cargo xtask bench compare` runs it. One scenario by name prints one JSON object; a number after it is how many pairs are
//! compared, once, for those who count instructions.

#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use mirror_core::compare::{
    Asked, CompareOptions, Comparison, Kind, Observation, Place, compare_full,
};
use mirror_core::exchange::{Request, Response};
use mirror_core::ledger::Outcome;
use mirror_core::noise::AnswerTimes;
use mirror_core::time::Timestamp;
use mirror_core::verdict::{
    self, AnswerDurations, CacheHits, ComparedAnswers, ComparedRepeat, Control, Differences,
    Evidence, Judge, Trial, VerdictPolicy, decide,
};
use serde_json::{Value, json};

/// A measurement on a shared machine counts by its best round.
const ROUNDS: usize = 7;
/// Pairs of a round.
const SMALL: usize = 100_000;
const LARGE: usize = 10;
/// Pairs of the run with many routes, and routes.
const MANY: usize = 1_000_000;
const ROUTES: usize = 2_000;
/// Groups of each route, and exchanges in which they differ, for the time of a decision.
const GROUPS: usize = 50;
const EXCHANGES: usize = 30;
/// Elements of a large body, of some 130 bytes each.
const ELEMENTS: usize = 15_000;

fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let scenario = args.next().unwrap_or_default();
    let count: Option<usize> = args.next().and_then(|count| count.parse().ok());
    let rounds = if count.is_some() { 1 } else { ROUNDS };
    let small = |pair: (String, String)| judged(count.unwrap_or(SMALL), rounds, pair);
    let large = |pair: (String, String)| measured(count.unwrap_or(LARGE), rounds, pair);
    let figures = match scenario.as_str() {
        "byte-equal" => small((order(0, ""), order(0, ""))),
        "equal" => small((order(0, ""), order(0, " "))),
        "differing" => small((order(0, ""), order(1, " "))),
        "large-equal" => large((orders(0, ""), orders(0, " "))),
        "large-one-differs" => large((orders(0, ""), one_differs())),
        "large-differing" => large((orders(0, ""), orders(1, " "))),
        "large-shuffled" => large((orders(0, ""), shuffled())),
        "many-routes" => many_routes(count.unwrap_or(MANY)),
        "decide" => decided(),
        other => panic!(
            "no scenario {other:?}: byte-equal, equal, differing, large-equal, large-one-differs, large-differing, large-shuffled, many-routes, decide"
        ),
    };
    println!("{figures}");
}

/// A small order with `changed` values that are not those of the others.
fn order(changed: u32, space: &str) -> String {
    format!(
        r#"{{"id":4711,{space}"status":"paid","customer":{{"id":12,"name":"Ada Lovelace","country":"GB"}},{space}"items":[{{"sku":"a-1","quantity":2,"price":{}.95}},{{"sku":"b-2","quantity":1,"price":7.5}}],"total":{}.40,"created":"2026-11-26T10:00:0{changed}Z"}}"#,
        9 + changed,
        27 + changed
    )
}

fn element(n: usize, changed: u32, space: &str) -> String {
    format!(
        r#"{{"id":{n},{space}"sku":"sku-{}","name":"A thing of some kind","price":{}.25,"in_stock":{},"updated":"2026-11-26T10:00:0{changed}Z"}}"#,
        n * 7,
        n % 1000,
        n.is_multiple_of(3)
    )
}

fn orders(changed: u32, space: &str) -> String {
    let elements: Vec<String> = (0..ELEMENTS).map(|n| element(n, changed, space)).collect();
    format!(r#"{{"orders":[{}]}}"#, elements.join(","))
}

/// One element of a hundred has another value.
fn one_differs() -> String {
    let changed = |n: usize| u32::from(n % 100 == 50);
    let elements: Vec<String> = (0..ELEMENTS).map(|n| element(n, changed(n), " ")).collect();
    format!(r#"{{"orders":[{}]}}"#, elements.join(","))
}

fn shuffled() -> String {
    let place = |n: usize| n * 7919 % ELEMENTS;
    let elements: Vec<String> = (0..ELEMENTS).map(|n| element(place(n), 0, "")).collect();
    format!(r#"{{"orders":[{}]}}"#, elements.join(","))
}

fn answer(body: String, date: &str) -> Response {
    let fields = [
        ("Content-Type", "application/json"),
        ("Cache-Control", "max-age=60, private"),
        ("Vary", "Accept, Origin"),
        ("X-Request-Id", date),
        ("Date", date),
        ("Content-Language", "en"),
        ("X-Frame-Options", "DENY"),
        ("Strict-Transport-Security", "max-age=31536000"),
    ];
    Response {
        headers: fields.into_iter().collect(),
        body: Bytes::from(body).into(),
        ..Response::new(200)
    }
}

/// What is compared: two answers to one request.
struct Pair {
    request: Request,
    options: CompareOptions,
    ours: Response,
    theirs: Response,
}

impl Pair {
    fn new(ours: String, theirs: String) -> Self {
        let mut request = Request::new("GET", "/orders/4711");
        request.headers.append("Host", b"shop.example");
        Self {
            request,
            options: CompareOptions::default(),
            ours: answer(ours, "Thu, 26 Nov 2026 10:00:00 GMT"),
            theirs: answer(theirs, "Thu, 26 Nov 2026 10:00:01 GMT"),
        }
    }

    fn compare(&self, ours: &Response, theirs: &Response) -> Comparison {
        let asked = Asked {
            request: Some(&self.request),
            mirror_authority: Some("mirror:8080"),
        };
        compare_full(&self.options, asked, black_box(ours), black_box(theirs))
    }

    /// The best of some rounds.
    fn figures(&self, pairs: usize, rounds: usize, mut round: impl FnMut()) -> Value {
        let mut timed = || {
            let begin = Instant::now();
            round();
            begin.elapsed().as_secs_f64()
        };
        let seconds = (0..rounds).map(|_| timed()).fold(f64::INFINITY, f64::min);
        let bytes = self.ours.body.len();
        let comparison = self.compare(&self.ours, &self.theirs);
        json!({
            "bytes_of_one_body": bytes,
            "differences": comparison.different.total(),
            "pairs_per_second": (pairs as f64 / seconds).round(),
            "megabytes_of_one_side_per_second": (pairs as f64 / seconds * bytes as f64 / 1e6).round(),
        })
    }
}

/// Compared only.
fn measured(pairs: usize, rounds: usize, (ours, theirs): (String, String)) -> Value {
    let pair = Pair::new(ours, theirs);
    pair.figures(pairs, rounds, || {
        for _ in 0..pairs {
            black_box(pair.compare(&pair.ours, &pair.theirs));
        }
    })
}

/// Compared, explained and counted, as the agent does it with repeats.
fn judged(pairs: usize, rounds: usize, (ours, theirs): (String, String)) -> Value {
    let pair = Pair::new(ours, theirs);
    let (mut judge, mut number) = (Judge::default(), 0);
    pair.figures(pairs, rounds, || {
        for _ in 0..pairs {
            number += 1;
            judge_one(&mut judge, "GET /orders/{id}", number, &pair);
        }
    })
}

fn judge_one(judge: &mut Judge, route: &str, number: u64, pair: &Pair) {
    let at = |millis| Timestamp((1_795_694_400_000 + number + millis) * 1_000_000);
    let found = pair.compare(&pair.ours, &pair.theirs);
    let answered = AnswerTimes {
        production: at(1),
        mirror: at(2),
    };
    let source = judge.wants_repeat(route, answered, &found);
    let again = source.map(|source| {
        let to_candidate = pair.compare(&pair.theirs, &pair.theirs);
        (source, to_candidate, pair.compare(&pair.ours, &pair.theirs))
    });
    let repeat = again
        .as_ref()
        .map(|(source, to_candidate, to_production)| ComparedRepeat {
            at: at(3),
            source: *source,
            to_candidate,
            to_production,
        });
    black_box(judge.judge(&ComparedAnswers {
        route,
        at: at(0),
        request: Some(number),
        production_status: 200,
        candidate_status: 200,
        answered,
        candidate: &found,
        control: None,
        repeat,
        durations: AnswerDurations::default(),
        cache: CacheHits::default(),
    }));
    let request = verdict::Request {
        route,
        method: "GET",
        size: 400,
        at: at(0),
    };
    judge.ended(&request, Some(200), Outcome::Matched);
}

/// A run of differing pairs over many routes: each answer has a clock, an id, and a member whose name is data.
fn many_routes(pairs: usize) -> Value {
    let (mut judge, begin) = (Judge::default(), Instant::now());
    let (mut at_tenth, before) = (0, memory("VmRSS"));
    let names: Vec<String> = (0..ROUTES).map(|n| format!("GET /r{n}/items")).collect();
    for number in 0..pairs {
        let body = |side: usize| {
            let n = number * 2 + side;
            let (who, what) = (n * 7919 % 50_000, n * 31 % 97);
            format!(
                r#"{{"id":"{:08x}","at":{n},"scores":{{"player-{who}-x":{what},"total":{n}}},"field{what}":{side},"price":{}}}"#,
                n * 2_654_435_761,
                100 + side
            )
        };
        let pair = Pair::new(body(0), body(1));
        judge_one(&mut judge, &names[number % ROUTES], number as u64, &pair);
        if number == pairs / 10 {
            at_tenth = memory("VmRSS");
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    let after = memory("VmRSS");
    let evidence = judge.evidence();
    let groups = evidence
        .routes()
        .values()
        .map(|route| route.groups.iter().count());
    let (groups, routes) = (groups.sum::<usize>(), evidence.routes().len());
    let deciding = Instant::now();
    black_box(decide(evidence, &VerdictPolicy::default(), Timestamp(0)));
    json!({
        "pairs": pairs,
        "routes": routes,
        "groups": groups,
        "pairs_per_second": (pairs as f64 / seconds).round(),
        "megabytes_after_a_tenth": at_tenth - before,
        "megabytes_at_the_end": after - before,
        "milliseconds_to_decide": deciding.elapsed().as_millis() as u64,
    })
}

/// In megabytes, as Linux counts it.
fn memory(name: &str) -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kibibytes = line.and_then(|line| line.trim().split(' ').next()?.parse::<i64>().ok());
    kibibytes.unwrap_or_default() / 1024
}

/// The time of a decision with as many routes and groups as there may be, none of which is decided.
fn decided() -> Value {
    let mut evidence = Evidence::default();
    let found: Vec<Observation> = (0..GROUPS)
        .map(|n| Observation {
            place: Place::Json(format!("/some/longer/place/{n}")),
            kind: Kind::Value,
            count: 1,
            production: "1".into(),
            mirror: "2".into(),
        })
        .collect();
    for route in 0..ROUTES {
        let route = format!("GET /r{route}/items");
        for number in 0..EXCHANGES {
            let left = |differs| match differs {
                true => &found[..],
                false => &[],
            };
            let differences = |left| Differences {
                left,
                ..Differences::default()
            };
            evidence.observe(&Trial {
                route: &route,
                at: Timestamp(number as u64),
                request: None,
                production_status: 200,
                candidate_status: 200,
                candidate: differences(left(number % 3 == 0)),
                control: Some(Control {
                    status: 200,
                    differences: differences(left(false)),
                }),
                repeat: None,
                durations: AnswerDurations::default(),
                cache: CacheHits::default(),
            });
        }
    }
    let begin = Instant::now();
    let copied = black_box(evidence.clone());
    let copying = begin.elapsed();
    let judgement = decide(&copied, &VerdictPolicy::default(), Timestamp(0));
    let deciding = begin.elapsed() - copying;
    json!({
        "routes": ROUTES,
        "groups": ROUTES * GROUPS,
        "milliseconds_to_copy": copying.as_millis() as u64,
        "milliseconds_to_decide": deciding.as_millis() as u64,
        "rows_that_are_told": judgement.findings.len() + judgement.undecided.len() + judgement.noted.len(),
    })
}
