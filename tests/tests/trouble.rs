//! The mirror, the store or the agent itself dies: production goes on, and the ledger says why.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use aya::programs::{SchedClassifier, TcAttachType};
use mirror_tests::admin::token_file;
use mirror_tests::agent::Agent;
use mirror_tests::http;
use mirror_tests::load::{Answers, Call, Load, orders_mix};
use mirror_tests::net::{Host, INTERFACE, Network};
use mirror_tests::nginx::Nginx;
use mirror_tests::orders::{Options, Orders};
use mirror_tests::process::Signal;
use mirror_tests::scratch::Scratch;
use mirror_tests::stage::{Actor, Stage};
use mirror_tests::workspace::Profile;
use mirror_tests::{needs, testing, wait_until, wire};

const LIMIT: Duration = Duration::from_secs(15);
/// The exit code of a run without evidence.
const NOTHING_COMPARED: i32 = 4;

fn main() -> ExitCode {
    testing::main()
}

#[needs(root)]
fn a_dead_mirror_costs_production_nothing() -> Result<()> {
    let mut stage = Stage::new()?
        .production(Nginx::answering("{}"))?
        .mirror(Nginx::answering("{}"))?;
    let agent = stage.agent(&["--breaker-failures", "20", "--breaker-pause", "1m"])?;
    stage.mirror.kill();

    stage.get(100)?;
    let finished = agent.stop()?;
    let report = &finished.report;
    assert_eq!(report.seen, 100, "{:#}", report.json);
    // The first are tried, and then the mirror is left alone.
    let expected = [("replay: connect failed", 20), ("shed: breaker", 80)];
    for (outcome, count) in expected {
        assert_eq!(report.outcome(outcome), count, "{:#}", report.json);
    }
    assert_eq!(finished.exit, NOTHING_COMPARED, "{}", finished.output);
    Ok(())
}

#[needs(root)]
fn a_mirror_that_hangs_fills_the_queue_and_no_more() -> Result<()> {
    let stage = Stage::new()?
        .production(Nginx::answering("{}"))?
        .mirror(Nginx::answering("{}"))?;
    let config = stage.scratch.join("agent.toml");
    std::fs::write(
        &config,
        "queue = 20\nconcurrency = 4\nreplay-timeout = \"2s\"\n",
    )?;
    let config = config.to_str().context("a path in plain letters")?;
    let agent = stage.agent(&["--config", config])?;
    stage.mirror.freeze()?;
    stage.get(200)?;
    let report = agent.stop()?.report;
    assert_eq!(report.seen, 200, "{:#}", report.json);
    assert!(report.is_balanced(), "{:#}", report.json);
    // The queue holds 20, and they stay for the two seconds until the first time-out.
    assert!(
        report.outcome("shed: queue full") > 100,
        "{:#}",
        report.json
    );
    assert!(report.outcome("replay: timeout") > 0, "{:#}", report.json);
    Ok(())
}

/// Takes all CPU time of this host, until it is dropped.
struct BusyHost(Arc<AtomicBool>, Vec<thread::JoinHandle<()>>);

impl BusyHost {
    fn start() -> Result<Self> {
        let is_over = Arc::new(AtomicBool::new(false));
        let spin = || {
            let is_over = Arc::clone(&is_over);
            thread::spawn(move || {
                while !is_over.load(Relaxed) {
                    std::hint::spin_loop();
                }
            })
        };
        let threads = (0..2 * thread::available_parallelism()?.get()).map(|_| spin());
        let threads = threads.collect();
        Ok(Self(is_over, threads))
    }
}

impl Drop for BusyHost {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
        for thread in self.1.drain(..) {
            let _ = thread.join();
        }
    }
}

#[needs(root)]
fn a_host_without_time_is_left_alone_and_each_route_is_still_seen() -> Result<()> {
    let stage = Stage::new()?
        .production(Nginx::answering("{}"))?
        .mirror(Nginx::answering("{}"))?;
    let agent = stage.agent(&["--max-cpu-when-busy", "0.5%"])?;
    let url = stage.production.url();
    let calls: Vec<Call> = (0..3000)
        .map(|n| Call::get(format!("{url}/{}", ["users", "carts", "stock"][n % 3])))
        .collect();
    let busy = BusyHost::start()?;
    stage.send(&calls, 1000)?;
    drop(busy);
    let report = agent.stop()?.report;
    assert_eq!(report.seen, 3000, "{:#}", report.json);
    assert!(report.is_balanced(), "{:#}", report.json);
    let (shed, matched) = (report.outcome("shed: busy host"), report.outcome("matched"));
    assert_eq!(shed + matched, 3000, "{:#}", report.json);
    assert!(shed > 300, "{:#}", report.json);
    // Some hundred go on in any case.
    assert!(matched >= 100, "{:#}", report.json);
    Ok(())
}

/// What is aborted at the end of the drain time ends in the ledger before the report is written.
#[needs(root)]
fn what_the_drain_time_cuts_off_ends_as_interrupted() -> Result<()> {
    const REQUESTS: usize = 2000;
    let (network, scratch) = (Network::new()?, Scratch::new()?);
    let production = Nginx::start(&network, Host::Production, 8080, "{}", &scratch)?;
    let mirror = Nginx::start(&network, Host::Mirror, 9090, "{}", &scratch)?;
    let config = scratch.join("agent.toml");
    std::fs::write(
        &config,
        "drain-timeout = \"300ms\"\nreplay-timeout = \"60s\"\n",
    )?;
    let config = config.to_str().context("a path in plain letters")?;
    let args = ["--config", config];
    let agent = Agent::start(
        &network,
        8080,
        &mirror.url(),
        &args,
        Profile::Debug,
        &scratch,
    )?;
    mirror.freeze()?;

    let calls: Vec<Call> = (0..REQUESTS)
        .map(|n| Call::get(format!("{}/{n}", production.url())))
        .collect();
    let answers = Load::start(&network, &calls, 1000, &scratch)?.finish()?;
    assert_eq!(answers.ok, REQUESTS, "{answers:?}");
    let report = agent.stop()?.report;
    assert_eq!(report.seen, REQUESTS as u64, "{:#}", report.json);
    // No replay ever ends here by itself.
    assert_eq!(
        report.outcome("interrupted"),
        REQUESTS as u64,
        "{:#}",
        report.json
    );
    assert!(report.is_balanced(), "{:#}", report.json);
    Ok(())
}

/// The first one would wait for a minute here.
#[needs(root)]
fn a_second_interrupt_ends_the_draining_with_the_ledger() -> Result<()> {
    const REQUESTS: usize = 500;
    let stage = Stage::new()?
        .production(Nginx::answering("{}"))?
        .mirror(Nginx::answering("{}"))?;
    let admin = format!("{}:9464", Host::Production.address());
    let token = token_file(&stage.scratch)?;
    let args = ["--drain-timeout", "60s", "--replay-timeout", "60s"];
    let admin_args = ["--admin", &admin, "--admin-token-file", &token];
    let agent = stage.agent(&[args, admin_args].concat())?;
    stage.mirror.freeze()?;
    stage.get(REQUESTS)?;
    agent.signal(Signal::INT)?;
    let ready = format!("http://{admin}/readyz");
    // Two signals that come at once may be one.
    wait_until("an agent that drains", LIMIT, || {
        http::get(&stage.network, Host::Client, &ready).is_ok_and(|(status, _)| status == 503)
    })?;
    let report = agent.end(Signal::INT, Duration::from_secs(30))?.report;
    assert_eq!(report.seen, REQUESTS as u64, "{:#}", report.json);
    assert_eq!(
        report.outcome("interrupted"),
        REQUESTS as u64,
        "{:#}",
        report.json
    );
    Ok(())
}

/// As many as filled the agent before: they take the places of each other, and nobody else's.
#[needs(root)]
fn strangers_at_the_admin_port_stop_neither_replays_nor_orders() -> Result<()> {
    const STRANGERS: usize = 1125;
    const PLACES: usize = mirror_agent::control::http::MAX_CONNECTIONS;
    let (network, scratch) = (Network::new()?, Scratch::new()?);
    let production = Nginx::start(&network, Host::Production, 8080, "{}", &scratch)?;
    let mirror = Nginx::start(&network, Host::Mirror, 9090, "{}", &scratch)?;
    let admin = SocketAddr::from((Host::Production.address(), 9464));
    let (address, token) = (admin.to_string(), token_file(&scratch)?);
    let args = ["--admin", &address, "--admin-token-file", &token];
    let args = [&args[..], &["--admin-open-metrics"]].concat();
    let agent = Agent::start_with_files(&network, 1024, &mirror.url(), &args, &scratch)?;
    let before = agent.open_files()?;

    let mut strangers = network.on(Host::Client, || {
        let connect = |_| Ok(TcpStream::connect_timeout(&admin, LIMIT)?);
        (0..STRANGERS).map(connect).collect::<Result<Vec<_>>>()
    })?;
    for (number, stranger) in strangers.iter_mut().enumerate() {
        let begun: &[u8] = [&b""[..], b"GET /met", b"GET /metrics HTTP/1.1\r\nA:"][number % 3];
        // Some are closed already.
        let _ = stranger.write_all(begun);
    }
    let calls: Vec<Call> = (0..100)
        .map(|n| Call::get(format!("{}/{n}", production.url())))
        .collect();
    let answers = Load::start(&network, &calls, 500, &scratch)?.finish()?;
    assert_eq!(answers, Answers { ok: 100, failed: 0 });
    let (status, text) = http::get(&network, Host::Client, &format!("http://{admin}/metrics"))?;
    assert_eq!(status, 200, "{text}");
    let status = agent.wait_settled(100, LIMIT)?;
    assert_eq!(status["ledger"]["outcomes"]["matched"], 100, "{status:#}");
    // Each of the 64 replays may have a connection of its own; a few more are the tests' questions.
    let open = agent.open_files()?;
    assert!(open <= before + PLACES + 64 + 8, "{before} -> {open}");
    drop(strangers);
    let report = agent.stop()?.report;
    assert!(report.is_balanced(), "{:#}", report.json);
    Ok(())
}

#[needs(root)]
fn with_few_descriptors_fewer_replays_run_and_the_user_is_told() -> Result<()> {
    const REQUESTS: u64 = 60;
    let (network, scratch) = (Network::new()?, Scratch::new()?);
    let production = Nginx::start(&network, Host::Production, 8080, "ok", &scratch)?;
    let slow = |_: &wire::Received| {
        thread::sleep(Duration::from_millis(100));
        wire::answer("200 OK", "ok")
    };
    let mirror = wire::Server::start(&network, Host::Mirror, 9090, slow)?;
    let args = ["--compare-header", "x-none"];
    let agent = Agent::start_with_files(&network, 40, &mirror.url(), &args, &scratch)?;
    let calls: Vec<Call> = (0..REQUESTS)
        .map(|n| Call::get(format!("{}/{n}", production.url())))
        .collect();
    Load::start(&network, &calls, 500, &scratch)?.finish()?;
    let status = agent.wait_settled(REQUESTS, LIMIT)?;
    assert_eq!(
        status["ledger"]["outcomes"]["matched"], REQUESTS,
        "{status:#}"
    );
    let advice = status["advice"].to_string();
    assert!(advice.contains("only 40 files may be open"), "{advice}");
    let finished = agent.stop()?;
    assert!(
        finished.output.contains("only 40 files"),
        "{}",
        finished.output
    );
    Ok(())
}

#[needs(root)]
fn with_hardly_any_descriptors_nothing_is_started() -> Result<()> {
    let (network, scratch) = (Network::new()?, Scratch::new()?);
    let mirror = Nginx::start(&network, Host::Mirror, 9090, "{}", &scratch)?;
    let refused = Agent::start_with_files(&network, 32, &mirror.url(), &[], &scratch);
    let error = format!("{:#}", refused.unwrap_err());
    assert!(error.contains("only 32 files may be open"), "{error}");
    assert!(error.contains("ulimit -n"), "{error}");
    Ok(())
}

#[needs(root)]
fn a_store_that_goes_and_comes_back_is_in_the_ledger() -> Result<()> {
    let mut stage = Stage::new()?
        .redis()?
        .production(Options::production())?
        .mirror(Options::mirror())?;
    let agent = stage.agent(&["--rule", "header:x-request-id", "--allow", "POST /orders"])?;
    let mut sent = 0;
    let mut send = |stage: &Stage<Orders, Orders>, label: &str| -> Result<serde_json::Value> {
        stage.send(&orders_mix(&stage.production.url(), 20, label), 100)?;
        sent += 20;
        agent.wait_settled(sent, LIMIT)
    };
    let count = |status: &serde_json::Value, name: &str| {
        status["ledger"]["outcomes"][name].as_u64().unwrap_or(0)
    };

    let before = send(&stage, "before")?;
    assert_eq!(count(&before, "matched"), 20, "{before:#}");
    stage.redis = None;
    let during = send(&stage, "during")?;
    assert_eq!(
        count(&during, "snapshot: store unavailable"),
        20,
        "{during:#}"
    );
    stage = stage.redis()?;
    // Both sides find it again by themselves; the first batch may still be early.
    let mut matched = count(&during, "matched");
    for batch in 0..10 {
        let after = send(&stage, &format!("after{batch}"))?;
        if count(&after, "matched") == matched + 20 {
            assert!(agent.stop()?.report.is_balanced());
            return Ok(());
        }
        matched = count(&after, "matched");
    }
    bail!(
        "no batch matched after the store came back: {:#}",
        agent.status()?
    )
}

#[needs(root, tcx)]
fn a_killed_agent_leaves_no_program_behind() -> Result<()> {
    let stage = Stage::new()?
        .production(Nginx::answering("{}"))?
        .mirror(Nginx::answering("{}"))?;
    let mut agent = stage.agent(&[])?;
    assert_eq!(agent.status()?["hook"], "tcx");
    assert_eq!(
        attached(&stage.network)?,
        ["mirror_egress", "mirror_ingress"]
    );
    agent.kill();
    // The kernel frees a link a moment after its last descriptor.
    wait_until("an interface without programs", LIMIT, || {
        attached(&stage.network).is_ok_and(|names| names.is_empty())
    })?;
    let url = stage.production.url();
    assert_eq!(http::get(&stage.network, Host::Client, &url)?.0, 200);
    Ok(())
}

/// The names of the TCX programs on production's interface, as the kernel tells them, sorted.
fn attached(network: &Network) -> Result<Vec<String>> {
    network.on(Host::Production, || {
        let mut names = Vec::new();
        for direction in [TcAttachType::Ingress, TcAttachType::Egress] {
            let (_, programs) = SchedClassifier::query_tcx(INTERFACE, direction)
                .context("asking for TCX programs")?;
            names.extend(
                programs
                    .iter()
                    .filter_map(|program| program.name_as_str().map(str::to_owned)),
            );
        }
        names.sort();
        Ok(names)
    })
}
