//! How often the verdict is right. Runs of the labelled service and simulations, over all cores; one JSON object comes out.
//!
//! `cargo xtask bench verdict` runs it and makes tables of it, and says what each argument is ([`Asked`]).

#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use mirror_core::verdict::Decision;
use mirror_labelled::changes::Planted;
use mirror_labelled::service::{Caches, Route, Site};
use mirror_labelled::simulation::{self, Ends, Power};
use mirror_labelled::{BANK, Counts, Plan, SHOP, STRICT, TIMED, Way, found, policy, run, scored};
use serde_json::{Value, json};

/// Requests of each route: 20,000 over 30 routes.
const CHANGED: u64 = 667;
/// For a PASS of equal versions.
const EQUAL: u64 = 8_000;
/// Rows of the table, by what a run has and who keeps what is cached.
const ROWS: [(Way, Caches); 5] = [
    (Way::Neither, Caches::Shared),
    (Way::Repeats, Caches::Shared),
    (Way::Control, Caches::Shared),
    (Way::Repeats, Caches::Own),
    (Way::Control, Caches::Own),
];
/// Simulated runs of one job.
const SHARE: u64 = 100;

#[derive(Clone, Copy)]
enum Job {
    Run(usize, Planted, u64),
    FalseAlarms(u64),
    Rates(u64),
    Quantiles(u64),
    Equal(Way, u64),
    Power(Way, u64),
}

/// What the runs of a row came to.
#[derive(Clone, Default)]
struct Row {
    changed: Counts,
    rare: Counts,
    /// Runs with rare changes only, and those of them on hold.
    rare_runs: u64,
    held: u64,
    /// Runs of equal versions.
    equal: Ends,
    notes: Vec<String>,
}

#[derive(Default)]
struct Sums {
    rows: [Row; ROWS.len()],
    list: Counts,
    diffy: Counts,
    rival_runs: u64,
    /// Runs of equal versions in which the rules of others find something.
    rival_fails: [u64; 2],
    false_alarms: u64,
    missed_rates: u64,
    missed_quantiles: u64,
    simulated: [Ends; 2],
    power: [Power; 2],
}

/// What is run.
struct Asked {
    site: &'static Site,
    /// The first seed of the runs with changes; those of equal versions begin at 10,000 after it.
    first: u64,
    /// Runs of each row with changes, runs of equal versions, and runs that are simulated.
    seeds: u64,
    equal: u64,
    simulated: u64,
    /// Routes of each run of equal versions; the next run has the next ones.
    routes: usize,
}

impl Asked {
    /// `SERVICE FIRST SEEDS EQUAL SIMULATED ROUTES`
    fn read() -> Self {
        let arguments: Vec<String> = std::env::args().collect();
        let mut numbers = arguments.iter().filter_map(|arg| arg.parse::<u64>().ok());
        let mut next = |default: u64| numbers.next().unwrap_or(default);
        let is_bank = arguments.iter().any(|arg| arg == BANK.name);
        Self {
            site: if is_bank { &BANK } else { &SHOP },
            first: next(0),
            seeds: next(20),
            equal: next(20),
            simulated: next(10_000),
            routes: usize::try_from(next(u64::MAX)).unwrap_or(usize::MAX).max(1),
        }
    }

    fn equal_routes(&self, seed: u64) -> &'static [Route] {
        let mut parts = self.site.routes.chunks(self.routes);
        parts
            .nth(seed as usize % parts.len())
            .unwrap_or(self.site.routes)
    }
}

fn main() {
    let asked = Asked::read();
    let begin = Instant::now();
    let jobs = jobs(asked.seeds, asked.equal, asked.simulated);
    let sums = work(&asked, &jobs);
    let mut figures = figures(&sums, asked.simulated);
    figures["service"] = json!(asked.site.name);
    figures["seeds"] = json!({ "first": asked.first, "changed": asked.seeds, "equal": asked.equal, "simulated": asked.simulated });
    figures["routes_of_equal"] = json!(asked.equal_routes(0).len());
    figures["requests_a_route"] = json!({ "changed": CHANGED, "equal": EQUAL });
    figures["routes"] = json!(asked.site.routes.len());
    figures["seconds"] = json!(begin.elapsed().as_secs());
    println!("{figures:#}");
}

/// The longest first.
fn jobs(seeds: u64, equal: u64, simulated: u64) -> Vec<Job> {
    let mut jobs = Vec::new();
    for (row, (way, caches)) in ROWS.iter().enumerate() {
        let equal = match (way, caches) {
            (Way::Neither, _) => 0,
            (_, Caches::Own) => equal.div_ceil(5),
            _ => equal,
        };
        jobs.extend((0..equal).map(|seed| Job::Run(row, Planted::None, seed)));
    }
    for way in [Way::Repeats, Way::Control] {
        let runs = simulated / 100;
        jobs.extend((0..runs.div_ceil(10)).map(|seed| Job::Equal(way, seed)));
        jobs.extend((0..runs.div_ceil(10)).map(|seed| Job::Power(way, seed)));
    }
    for row in 0..ROWS.len() {
        jobs.extend((0..seeds).map(|seed| Job::Run(row, Planted::Some, seed)));
        jobs.extend((0..seeds).map(|seed| Job::Run(row, Planted::Rare, seed)));
    }
    let shares = simulated.div_ceil(SHARE);
    jobs.extend((0..shares).map(Job::FalseAlarms));
    jobs.extend((0..shares).map(Job::Rates));
    jobs.extend((0..shares).map(Job::Quantiles));
    jobs
}

fn work(asked: &Asked, jobs: &[Job]) -> Sums {
    let (next, sums) = (AtomicUsize::new(0), Mutex::new(Sums::default()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    done(asked, *job, &sums);
                    let done = next.load(Ordering::Relaxed).min(jobs.len());
                    if done.is_multiple_of(20) || done == jobs.len() {
                        eprintln!("{done} of {} parts", jobs.len());
                    }
                }
            });
        }
    });
    sums.into_inner().expect("no thread panicked")
}

fn done(asked: &Asked, job: Job, sums: &Mutex<Sums>) {
    let locked = || sums.lock().expect("no thread panicked");
    let at = |way| usize::from(way == Way::Control);
    match job {
        Job::Run(row, planted, seed) => labelled(asked, row, planted, seed, sums),
        Job::FalseAlarms(seed) => {
            let failed = simulation::false_alarms(1_000 + seed, SHARE);
            locked().false_alarms += failed;
        }
        Job::Rates(seed) => {
            let p = [0.0005, 0.001, 0.02, 0.1][(seed % 4) as usize];
            let missed = simulation::missed_rates(2_000 + seed, SHARE, p);
            locked().missed_rates += missed;
        }
        Job::Quantiles(seed) => {
            let q = [0.5, 0.95, 0.99][(seed % 3) as usize];
            let missed = simulation::missed_quantiles(3_000 + seed, SHARE, q);
            locked().missed_quantiles += missed;
        }
        Job::Equal(way, seed) => {
            let ends = simulation::equal_versions(4_000 + seed, 10, EQUAL, way);
            let sum = &mut locked().simulated[at(way)];
            sum.passed += ends.passed;
            sum.failed += ends.failed;
            sum.other += ends.other;
        }
        Job::Power(way, seed) => {
            let power = simulation::changes(5_000 + seed, 10, way);
            let sum = &mut locked().power[at(way)];
            sum.planted += power.planted;
            sum.found += power.found;
            sum.wrong += power.wrong;
        }
    }
}

/// A run of the labelled service, with its score.
fn labelled(asked: &Asked, row: usize, planted: Planted, seed: u64, sums: &Mutex<Sums>) {
    let (way, caches) = ROWS[row];
    let is_equal = planted == Planted::None;
    let ended = run(Plan {
        site: asked.site,
        // Other seeds than those with changes.
        seed: asked.first + seed + if is_equal { 10_000 } else { 0 },
        planted,
        way,
        caches,
        routes: match is_equal {
            true => asked.equal_routes(seed),
            false => asked.site.routes,
        },
        requests: if is_equal { EQUAL } else { CHANGED },
    });
    let mut rules: Vec<&str> = Vec::new();
    if !is_equal {
        rules.extend(STRICT);
        rules.extend(TIMED.iter().filter(|_| way == Way::Control));
    }
    let judgement = ended.decide(&policy(&rules));
    let score = scored(&ended, way, &found(asked.site, &judgement));
    let rivals = [
        ended.rivals.by_list(asked.site.ignored),
        ended.rivals.by_diffy(),
    ];
    let mut sums = sums.lock().expect("no thread panicked");
    let sums = &mut *sums;
    let sum = &mut sums.rows[row];
    let name = |note: String| format!("{planted:?} {seed}: {note}");
    sum.notes.extend(score.notes.into_iter().map(name));
    match planted {
        Planted::Some => sum.changed += score.counts,
        Planted::Rare => {
            sum.rare += score.counts;
            sum.rare_runs += 1;
            sum.held += u64::from(judgement.decision == Decision::Hold);
        }
        Planted::None => match judgement.decision {
            Decision::Pass => sum.equal.passed += 1,
            Decision::Fail => sum.equal.failed += 1,
            Decision::Hold | Decision::Invalid => {
                sum.equal.other += 1;
                sum.notes
                    .push(format!("equal {seed}: {}", judgement.reason));
            }
        },
    }
    if (way, caches) != (Way::Control, Caches::Shared) {
        return;
    }
    for (at, places) in rivals.into_iter().enumerate() {
        sums.rival_fails[at] += u64::from(is_equal && !places.is_empty());
        if planted == Planted::Some {
            let counts = scored(&ended, way, &places.into()).counts;
            let sum = if at == 0 {
                &mut sums.list
            } else {
                &mut sums.diffy
            };
            *sum += counts;
        }
    }
    sums.rival_runs += u64::from(is_equal);
}

fn figures(sums: &Sums, simulated: u64) -> Value {
    let rows = ROWS.iter().zip(&sums.rows).map(|((way, caches), row)| {
        let name = match caches {
            Caches::Shared => format!("ours, {}", way.name()),
            Caches::Own => format!("ours, {}, a cache in each instance", way.name()),
        };
        let mut figures = of_row(&name, row.changed);
        figures["equal"] = of_ends(row.equal);
        figures["rare"] = json!({
            "runs": row.rare_runs,
            "on_hold": row.held,
            "undecided": row.rare.undecided,
            "found": row.rare.early,
            "not_told": row.rare.unseen,
            "wrong": row.rare.wrong,
        });
        figures["notes"] = json!(row.notes);
        figures
    });
    let rivals = [
        ("a fixed ignore list", sums.list),
        ("Diffy's rule", sums.diffy),
    ];
    let rivals = rivals.into_iter().enumerate().map(|(at, (name, counts))| {
        let mut figures = of_row(name, counts);
        figures["equal"] = json!({ "runs": sums.rival_runs, "failed": sums.rival_fails[at] });
        figures
    });
    let both = ["repeats", "control"].into_iter().enumerate();
    let simulations = both.map(|(at, name)| {
        let Power {
            planted,
            found,
            wrong,
        } = sums.power[at];
        let changes = json!({ "planted": planted, "found": found, "wrong": wrong });
        (
            name.into(),
            json!({ "equal": of_ends(sums.simulated[at]), "changes": changes }),
        )
    });
    let mut simulations: serde_json::Map<String, Value> = simulations.collect();
    let of = |hits: u64| json!({ "runs": simulated.div_ceil(SHARE) * SHARE, "wrong": hits });
    simulations.insert("false_alarms".into(), of(sums.false_alarms));
    simulations.insert("bounds_of_rates".into(), of(sums.missed_rates));
    simulations.insert("bounds_of_quantiles".into(), of(sums.missed_quantiles));
    json!({ "rows": rows.chain(rivals).collect::<Vec<_>>(), "simulations": simulations })
}

fn of_row(name: &str, counts: Counts) -> Value {
    json!({
        "name": name,
        "precision": counts.precision(),
        "recall": counts.recall(),
        "findings": counts.right + counts.wrong,
        "wrong": counts.wrong,
        "changes": counts.found + counts.missed,
        "missed": counts.missed,
        "rarer": counts.early + counts.undecided + counts.unseen,
        "rarer_found": counts.early,
        "rarer_undecided": counts.undecided,
        "takes_a_control": counts.beyond,
    })
}

fn of_ends(ends: Ends) -> Value {
    json!({
        "runs": ends.passed + ends.failed + ends.other,
        "passed": ends.passed,
        "failed": ends.failed,
        "on_hold": ends.other,
    })
}
