//! The example patterns: data that changes at every read, and answers that are alike all the same.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use mirror_tests::load::{Answers, Call, Load};
use mirror_tests::net::Host;
use mirror_tests::patterns::Patterns;
use mirror_tests::redis::Redis;
use mirror_tests::stage::Stage;
use mirror_tests::{needs, testing};

const REQUESTS: usize = 90;

fn main() -> ExitCode {
    testing::main()
}

#[needs(root)]
fn every_pattern_answers_alike_in_the_mirror() -> Result<()> {
    let store = Redis::url();
    let service = Patterns {
        store: &store,
        args: &[],
    };
    let stage = Stage::new()?
        .redis()?
        .production(service)?
        .mirror(service)?;
    let rules = Patterns::rules()?;
    let mut args = vec!["--allow", "POST /orders"];
    args.extend(rules.lines().flat_map(|rule| ["--rule", rule]));
    let agent = stage.agent(&args)?;

    let base = stage.production.url();
    let call = |n: usize| match n % 3 {
        0 => Call::post(
            format!("{base}/orders"),
            format!(r#"{{"userId":{n},"productId":7}}"#),
        ),
        // Identical ones in one second: told apart by their order.
        1 => Call::get(format!("{base}/catalogue/{}", n % 2)),
        _ => Call::get(format!("{base}/checkout")),
    };
    let calls: Vec<_> = (0..REQUESTS).map(call).collect();
    stage.send(&calls, 60)?;
    let report = agent.stop()?.report;
    assert_eq!(report.seen, REQUESTS as u64, "{:#}", report.json);
    assert_eq!(
        report.outcome("matched"),
        REQUESTS as u64,
        "{:#}",
        report.json
    );
    Ok(())
}

/// The master dies in the middle of a run: production goes on, and every request has an outcome.
#[needs(root)]
fn a_failover_in_the_middle_of_a_run_leaves_the_ledger_balanced() -> Result<()> {
    let stage = Stage::new()?;
    let (network, scratch) = (&stage.network, &stage.scratch);
    let host = Host::Mirror.address();
    let mut master = Redis::start(network, scratch)?;
    let _replica = Redis::on_port(
        network,
        scratch,
        6380,
        &["--replicaof", &format!("{host} 6379")],
    )?;
    let trio: Result<Vec<_>> = [26379, 26380, 26381]
        .map(|p| Redis::sentinel(network, scratch, p))
        .into_iter()
        .collect();
    let _trio = trio?;
    mirror_tests::wait_until("the trio's agreement", Duration::from_secs(30), || {
        Redis::ask(network, 26379, &["sentinel", "replicas", "main"])
            .is_ok_and(|t| t.contains("runid"))
            && Redis::ask(network, 26379, &["sentinel", "ckquorum", "main"])
                .is_ok_and(|t| t.starts_with("OK 3"))
    })?;
    let store = format!("redis+sentinel://{host}:26379,{host}:26380,{host}:26381/main");
    let service = Patterns {
        store: &store,
        args: &[],
    };
    let stage = stage.production(service)?.mirror(service)?;
    let agent = stage.agent(&["--redis", &store, "--rule", "response-header:x-request-id"])?;
    let base = stage.production.url();
    let calls: Vec<_> = (0..900)
        .map(|_| Call::get(format!("{base}/checkout")))
        .collect();
    let load = Load::start(&stage.network, &calls, 60, &stage.scratch)?;
    std::thread::sleep(Duration::from_secs(3));
    master.kill();
    // Production never fails for it.
    assert_eq!(
        load.finish()?,
        Answers {
            ok: calls.len(),
            failed: 0
        }
    );
    let finished = agent.stop()?;
    let report = &finished.report;
    assert_eq!(report.seen, calls.len() as u64, "{:#}", report.json);
    assert!(
        report.is_balanced() && report.outcome("differed") == 0,
        "{:#}",
        report.json
    );
    let matched = report.outcome("matched");
    assert!((180..900).contains(&matched), "{:#}", report.json);
    println!("matched {matched} of 900: {:?}", report.json["ledger"]);
    Ok(())
}
