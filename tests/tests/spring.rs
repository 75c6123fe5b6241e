//! The order service in Spring Boot and its mirror: another language, the same agent. Live traffic at a constant rate while the
//! data changes, and a store in trouble.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use mirror_tests::agent::{Agent, Finished};
use mirror_tests::http;
use mirror_tests::net::Host;
use mirror_tests::orders::{Options, Orders, PLANTED, Service};
use mirror_tests::paced::{Paced, Plan, Routes, Sent};
use mirror_tests::redis::{Redis, Trouble};
use mirror_tests::stage::Stage;
use mirror_tests::{needs, testing};
use serde_json::Value;

const HEADER_RULE: &str = "header:x-request-id";
const DIGEST_RULE: &str = r#"md5("{json:userId}:{json:productId}:{time:s}")"#;

/// Production and its mirror, warm: what a JVM does in its first seconds is not what is looked at here.
struct Shop {
    stage: Stage<Orders, Orders>,
}

impl Shop {
    /// Production's data changes every 10 ms.
    fn open() -> Result<Self> {
        let production = Options {
            service: Service::Spring,
            ..Options::production()
        };
        let stage = Stage::new()?
            .redis()?
            .production(production)?
            .mirror(mirror(1))?;
        let shop = Self { stage };
        // Production first and alone, then the mirror through an agent of its own.
        shop.send(2000, 400, Routes::All, "cold")?;
        shop.warm_mirror("warm")?;
        Ok(shop)
    }

    fn warm_mirror(&self, label: &str) -> Result<()> {
        let agent = self.agent(HEADER_RULE)?;
        self.send(3000, 600, Routes::All, label)?;
        agent.stop().map(drop)
    }

    /// Another mirror in the place of the one that is there.
    fn release(mut self, version: u8) -> Result<Self> {
        self.stage.mirror.kill();
        let stage = self.stage.mirror(mirror(version))?;
        let shop = Self { stage };
        shop.warm_mirror("release")?;
        Ok(shop)
    }

    fn agent(&self, rule: &str) -> Result<Agent> {
        self.stage
            .agent(&["--rule", rule, "--allow", "POST /orders"])
    }

    fn send(&self, requests: u32, per_second: u32, routes: Routes, label: &str) -> Result<Sent> {
        let plan = Plan {
            requests,
            per_second,
            routes,
            label,
        };
        let stage = &self.stage;
        Paced::start(
            &stage.network,
            &stage.production.url(),
            plan,
            &stage.scratch,
        )?
        .finish()
    }

    /// Production files snapshots again after its store was away.
    fn wait_filing(&self, name: &str) -> Result<()> {
        let mut round = 0;
        let limit = Duration::from_secs(30);
        mirror_tests::wait_until("snapshots in the store again", limit, || {
            round += 1;
            let label = format!("{name}-probe-{round}");
            self.send(10, 100, Routes::All, &label).is_ok()
                && Redis::has_snapshot(&self.stage.network, &format!("{label}-5"))
        })
    }

    /// Requests that production has answered by its own count.
    fn served(&self) -> Result<u64> {
        let url = format!(
            "{}/actuator/metrics/http.server.requests",
            self.stage.production.url()
        );
        let (_, body) = http::get(&self.stage.network, Host::Client, &url)?;
        let meter: Value = serde_json::from_str(&body).with_context(|| body.clone())?;
        let count = meter["measurements"][0]["value"].as_f64();
        Ok(count.with_context(|| body)? as u64)
    }

    /// All of the plan through an agent of its own: production answers each request and the ledger has them all.
    fn mirrored(
        &self,
        rule: &str,
        requests: u32,
        per_second: u32,
        routes: Routes,
    ) -> Result<Finished> {
        let before = self.served()?;
        let agent = self.agent(rule)?;
        let sent = self.send(
            requests,
            per_second,
            routes,
            &format!("live-{}", agent.id()),
        )?;
        let finished = agent.stop()?;
        assert_eq!(
            (sent.ok, sent.failed),
            (u64::from(requests), 0),
            "{}",
            sent.told()
        );
        // The question itself is one.
        assert_eq!(self.served()? - before, u64::from(requests) + 1);
        check_ledger(&finished, requests);
        println!("{}\n{}", sent.told(), finished.output);
        Ok(finished)
    }
}

fn mirror(api_version: u8) -> Options<'static> {
    Options {
        service: Service::Spring,
        api_version,
        ..Options::mirror()
    }
}

fn check_ledger(finished: &Finished, requests: u32) {
    let report = &finished.report;
    assert_eq!(report.seen, u64::from(requests), "{:#}", report.json);
    assert!(report.is_balanced(), "{:#}", report.json);
}

/// Of all looks for a snapshot, 999 of 1,000 found it.
fn check_hits(finished: &Finished) -> Result<()> {
    let json = &finished.report.json;
    let looks = json["snapshots"].as_object().context("snapshots")?;
    let count = |name: &str| {
        looks
            .get(name)
            .and_then(|count| count.as_u64())
            .unwrap_or(0)
    };
    let found = count("hit") + count("late");
    let all = found
        + count("missing")
        + count("expired")
        + count("collided")
        + count("no id")
        + count("store unavailable");
    assert!(
        all > 0 && found * 1000 >= all * 999,
        "{found} of {all}: {json:#}"
    );
    Ok(())
}

fn main() -> ExitCode {
    testing::main()
}

/// One test of several stories, since the services need longer to get warm than each of them takes.
#[needs(root)]
fn a_spring_service_is_mirrored_like_any_other() -> Result<()> {
    let mut shop = Shop::open()?;
    a_thousand_requests_a_second_are_mirrored_without_a_difference(&shop)?;
    a_digest_of_body_and_time_names_the_same_request_on_all_sides(&shop)?;
    production_answers_every_request_whatever_the_store_does(&mut shop)?;
    let shop = shop.release(2)?;
    version_2_differs_in_the_planted_place_only(&shop)
}

fn a_thousand_requests_a_second_are_mirrored_without_a_difference(shop: &Shop) -> Result<()> {
    let finished = shop.mirrored(HEADER_RULE, 12_000, 1000, Routes::All)?;
    check_hits(&finished)?;
    let report = &finished.report;
    assert_eq!(report.outcome("differed"), 0, "{:#}", report.json);
    assert_eq!(finished.exit, 0);
    Ok(())
}

/// The requests carry no id: production and agent both compute it from the body and the clock.
fn a_digest_of_body_and_time_names_the_same_request_on_all_sides(shop: &Shop) -> Result<()> {
    let finished = shop.mirrored(DIGEST_RULE, 3000, 600, Routes::Orders)?;
    check_hits(&finished)?;
    let report = &finished.report;
    assert_eq!(report.outcome("differed"), 0, "{:#}", report.json);
    Ok(())
}

fn production_answers_every_request_whatever_the_store_does(shop: &mut Shop) -> Result<()> {
    for trouble in Trouble::ALL {
        let name = format!("{trouble:?}");
        shop.wait_filing(&name)?;
        let agent = shop.agent(HEADER_RULE)?;
        let plan = Plan {
            requests: 1500,
            per_second: 300,
            routes: Routes::All,
            label: &name,
        };
        let stage = &mut shop.stage;
        let (network, scratch) = (&stage.network, &stage.scratch);
        let load = Paced::start(network, &stage.production.url(), plan, scratch)?;
        std::thread::sleep(Duration::from_secs(2));
        let redis = stage.redis.as_mut().context("a Redis")?;
        redis.strike(network, trouble)?;
        let sent = load.finish()?;
        let finished = agent.stop()?;
        redis.recover(network, scratch, trouble)?;

        let report = &finished.report;
        println!("{name}: {:?}, {}", report.outcomes, sent.told());
        assert_eq!((sent.ok, sent.failed), (1500, 0), "{name}: {}", sent.told());
        check_ledger(&finished, 1500);
        assert_eq!(report.outcome("differed"), 0, "{name}: {:#}", report.json);
        let matched = report.outcome("matched");
        assert!((300..1500).contains(&matched), "{name}: {:#}", report.json);
    }
    shop.wait_filing("after")
}

fn version_2_differs_in_the_planted_place_only(shop: &Shop) -> Result<()> {
    let finished = shop.mirrored(HEADER_RULE, 5000, 1000, Routes::All)?;
    check_hits(&finished)?;
    let report = &finished.report;
    assert!(report.outcome("differed") > 0, "{:#}", report.json);
    for difference in &report.differences {
        assert_eq!(
            (difference.route.as_str(), difference.place.as_str()),
            (PLANTED.route, PLANTED.place)
        );
    }
    assert_eq!(finished.exit, 1);
    Ok(())
}
