//! `cargo xtask bench java`: what production's clients notice of snapshots in Java. The order service in Spring Boot gets a
//! constant rate of requests without the starter and with it, its store well and in every kind of trouble, in rounds one after the
//! other so that the machine's noise hits all alike. Then the benchmarks of the request path in memory, by JMH.
//!
//! The load is wrk's, paced by a script (`tests/src/paced.rs`).

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mirror_tests::java as jdk;
use mirror_tests::net::{Host, Network};
use mirror_tests::orders::{self, Orders, Service};
use mirror_tests::paced::{Latency, Paced, Plan, Routes, Sent};
use mirror_tests::redis::{Redis, Trouble};
use mirror_tests::scratch::Scratch;
use mirror_tests::stage::Role;
use mirror_tests::workspace;
use serde_json::{Value, json};

use crate::cargo::check;
use crate::install::{self, IP, JDK, MAVEN, REDIS, SETPRIV, WRK};
use crate::java;
use crate::say::{note, say};

#[derive(clap::Args)]
pub(super) struct Options {
    #[arg(long)]
    json: bool,
    /// Requests per second
    #[arg(long, default_value_t = 300)]
    rate: u32,
    /// Seconds of load for each state of the store in each round
    #[arg(long, default_value_t = 5)]
    seconds: u32,
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Leave out the benchmarks in memory
    #[arg(long)]
    no_jmh: bool,
}

/// What the requests of a round meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Off,
    Well,
    In(Trouble),
}

impl State {
    fn all() -> Vec<Self> {
        let troubles = Trouble::ALL.into_iter().map(Self::In);
        [Self::Off, Self::Well]
            .into_iter()
            .chain(troubles)
            .collect()
    }

    fn name(self) -> &'static str {
        match self {
            Self::Off => "snapshots switched off",
            Self::Well => "store well",
            Self::In(Trouble::Killed) => "store killed",
            Self::In(Trouble::Frozen) => "store frozen",
            Self::In(Trouble::Full) => "store full",
            Self::In(Trouble::Refusing) => "store refusing",
        }
    }
}

/// What came of one state, over all rounds.
#[derive(Default)]
struct Answers {
    latency: Latency,
    ok: u64,
    failed: u64,
}

pub(super) fn run(options: &Options) -> Result<()> {
    install::ensure(&[IP, SETPRIV, REDIS, WRK, JDK, MAVEN])?;
    java::build_orders()?;
    let latencies = measure(options)?;
    let request_path = if options.no_jmh {
        Value::Null
    } else {
        in_memory()?
    };
    let figures = json!({
        "load_tool": "wrk",
        "rate": options.rate,
        "seconds": options.seconds,
        "rounds": options.rounds,
        "latencies": latencies,
        "request_path": request_path,
    });
    if options.json {
        say!("{figures:#}");
    } else {
        tell(options, &figures);
    }
    Ok(())
}

fn measure(options: &Options) -> Result<Value> {
    let mut stage = Stage::set()?;
    // Until compiled code is the rule.
    for state in [State::Off, State::Well, State::Off, State::Well] {
        stage.send(state, options.rate, 5)?;
    }
    let states = State::all();
    let mut found: Vec<Answers> = states.iter().map(|_| Answers::default()).collect();
    for round in 0..options.rounds as usize {
        for turn in 0..states.len() {
            // Another order in each round: nobody always comes behind the same.
            let place = (round + turn) % states.len();
            note!("round {}: {}", round + 1, states[place].name());
            let sent = stage.play(states[place], options)?;
            found[place].latency.add(&sent.latency);
            found[place].ok += sent.ok;
            found[place].failed += sent.failed;
        }
    }
    let lines = states.iter().zip(found).map(|(state, answers)| {
        json!({
            "state": state.name(),
            "p50_ms": answers.latency.percentile(0.5),
            "p99_ms": answers.latency.percentile(0.99),
            "max_ms": answers.latency.percentile(1.0),
            "answers": answers.ok,
            "failed": answers.failed,
        })
    });
    Ok(lines.collect())
}

/// Two services on production's host, one without snapshots, and the store of the other.
struct Stage {
    without: Orders,
    with: Orders,
    redis: Redis,
    scratch: Scratch,
    network: Network,
    /// Each load so far had ids of its own.
    loads: u32,
}

impl Stage {
    fn set() -> Result<Self> {
        let (network, scratch) = (Network::new()?, Scratch::new()?);
        let redis = Redis::start(&network, &scratch)?;
        let start = |port, snapshots| {
            let options = orders::Options {
                service: Service::Spring,
                snapshots,
                ..orders::Options::production()
            };
            options.start(&network, &scratch, Host::Production, port)
        };
        Ok(Self {
            without: start(8081, false)?,
            with: start(8080, true)?,
            redis,
            scratch,
            network,
            loads: 0,
        })
    }

    fn send(&mut self, state: State, per_second: u32, seconds: u32) -> Result<Sent> {
        self.loads += 1;
        let plan = Plan {
            requests: per_second * seconds,
            per_second,
            routes: Routes::All,
            label: &format!("load-{}", self.loads),
        };
        let service = if state == State::Off {
            &self.without
        } else {
            &self.with
        };
        Paced::start(&self.network, &service.url(), plan, &self.scratch)?.finish()
    }

    fn play(&mut self, state: State, options: &Options) -> Result<Sent> {
        let State::In(trouble) = state else {
            return self.send(state, options.rate, options.seconds);
        };
        self.redis.strike(&self.network, trouble)?;
        let sent = self.send(state, options.rate, options.seconds)?;
        self.redis.recover(&self.network, &self.scratch, trouble)?;
        self.wait_filing()?;
        Ok(sent)
    }

    /// What comes next shall not begin with what was left behind.
    fn wait_filing(&mut self) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(30);
        while Instant::now() < end {
            self.send(State::Well, 100, 1)?;
            std::thread::sleep(Duration::from_millis(100));
            if Redis::has_snapshot(&self.network, &format!("load-{}-90", self.loads)) {
                return Ok(());
            }
        }
        bail!("the store is well again, and takes no snapshots for 30 s")
    }
}

/// What JMH measures, where its module is there.
fn in_memory() -> Result<Value> {
    let module = workspace::root().join("sdk/java/benchmarks");
    if !module.is_dir() {
        return Ok(Value::Null);
    }
    java::build_benchmarks()?;
    let built = module.join(jdk::output_directory());
    let libraries = built.join("classpath.txt");
    let libraries = std::fs::read_to_string(&libraries)
        .with_context(|| format!("reading {}", libraries.display()))?;
    let jdk = jdk::jdk().context("a JDK")?;
    let scratch = Scratch::new()?;
    let results = scratch.join("jmh.json");
    let classes = format!("{}:{}", built.join("classes").display(), libraries.trim());
    check(
        Command::new(jdk.home.join("bin/java"))
            .args([
                "-cp",
                &classes,
                "org.openjdk.jmh.Main",
                "-prof",
                "gc",
                "-rf",
                "json",
                "-rff",
            ])
            .arg(&results)
            .stdout(std::io::stderr()),
    )?;
    read_results(&results)
}

fn read_results(path: &Path) -> Result<Value> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let all: Vec<Value> = serde_json::from_str(&text).context("JMH's results")?;
    let lines = all.iter().map(|result| {
        let bytes = &result["secondaryMetrics"]["gc.alloc.rate.norm"]["score"];
        json!({
            "benchmark": result["benchmark"],
            "parameters": result["params"],
            "score": result["primaryMetric"]["score"],
            "error": result["primaryMetric"]["scoreError"],
            "unit": result["primaryMetric"]["scoreUnit"],
            "bytes_allocated": bytes,
        })
    });
    Ok(lines.collect())
}

fn tell(options: &Options, figures: &Value) {
    say!(
        "{} requests a second by wrk, {} rounds of {} s each",
        options.rate,
        options.rounds,
        options.seconds
    );
    say!(
        "{:<28}{:>10}{:>10}{:>10}{:>10}{:>8}",
        "latency in ms",
        "p50",
        "p99",
        "max",
        "answers",
        "failed"
    );
    for line in figures["latencies"].as_array().into_iter().flatten() {
        let number = |name: &str| line[name].as_f64().unwrap_or(0.0);
        say!(
            "  {:<26}{:>10.2}{:>10.2}{:>10.2}{:>10.0}{:>8.0}",
            line["state"].as_str().unwrap_or_default(),
            number("p50_ms"),
            number("p99_ms"),
            number("max_ms"),
            number("answers"),
            number("failed")
        );
    }
    let Some(paths) = figures["request_path"].as_array() else {
        return;
    };
    say!(
        "\n{:<78}{:>12}{:>10}{:>12}",
        "request path, by JMH",
        "",
        "±",
        "bytes"
    );
    for path in paths {
        let number = |name: &str| path[name].as_f64().unwrap_or(0.0);
        let name = path["benchmark"].as_str().unwrap_or_default();
        let short: Vec<&str> = name.rsplitn(3, '.').take(2).collect();
        let parameters = path["parameters"].as_object().into_iter().flatten();
        let parameters: Vec<_> = parameters.filter_map(|(_, value)| value.as_str()).collect();
        let name = format!(
            "{}.{} {}",
            short.last().unwrap_or(&""),
            short[0],
            parameters.join(" ")
        );
        say!(
            "  {name:<76}{:>6.0} {}{:>10.0}{:>12.0}",
            number("score"),
            path["unit"].as_str().unwrap_or_default(),
            number("error"),
            number("bytes_allocated")
        );
    }
}
