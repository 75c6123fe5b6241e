//! A shop of a dozen routes, in runs that end in each of the four ways.

use mirror_agent::report::{ControlData, EffectsData, ReportData};
use mirror_core::compare::{Kind, Place};
use mirror_core::ledger::Outcome;
use mirror_core::verdict::{Decision, Finding, Missing, RuleMet, Uncovered};

use crate::Sample;
use crate::service::{
    Numbers, Route, answers, empty, example, figures, finding, group, lives, outcomes, route,
    summary, times,
};

const ROUTES: [Route; 12] = [
    shop_route("GET /products/{id}", 61_204, 8.2, Some([0.81, 0.80])),
    shop_route("GET /products", 40_118, 21.0, Some([0.62, 0.61])),
    shop_route("GET /orders/{id}", 22_390, 12.4, None),
    shop_route("GET /cart", 18_022, 6.1, None),
    shop_route("POST /orders", 8_120, 44.0, None),
    shop_route("GET /search", 7_551, 63.0, Some([0.31, 0.24])),
    shop_route("GET /customers/{id}", 4_210, 11.0, None),
    shop_route("PUT /cart/items/{id}", 2_914, 15.0, None),
    shop_route("GET /static/{file}", 1_702, 1.4, Some([0.99, 0.99])),
    shop_route("GET /recommendations/{id}/alternatives", 840, 92.0, None),
    shop_route("GET /health", 312, 0.6, None),
    shop_route("GET /invoices/{id}.pdf", 96, 310.0, None),
];

const fn shop_route(name: &'static str, judged: u64, median: f64, hits: Option<[f64; 2]>) -> Route {
    Route {
        name,
        judged,
        differed: 0,
        median,
        slower: 1.02,
        hits,
    }
}

/// All that a run of the shop has in common, whatever it ends in.
fn shop(name: &str, scale: f64) -> ReportData {
    let mut report = empty(name);
    let mut numbers = Numbers::new(7);
    let judged = |route: &Route| (route.judged as f64 * scale) as u64;
    let all: u64 = ROUTES.iter().map(judged).sum();
    for one in &ROUTES {
        let one = Route {
            judged: judged(one),
            ..*one
        };
        let results = &mut report.results;
        results.routes.push(route(&mut numbers, &one));
        results.verdict.each.push(summary(&one, true));
        let traffic = one.judged as f64 / all as f64;
        if traffic >= 0.01 {
            // As many as show a rate without a hit.
            let at_most = 4.1 / one.judged as f64;
            let row = figures(one.name, traffic, one.judged, 0, at_most);
            results.verdict.routes.push(row);
        }
    }
    let verdict = &mut report.results.verdict;
    verdict.routes.push(figures(
        "the other routes",
        0.007,
        (1_248.0 * scale) as u64,
        0,
        0.003_3,
    ));
    verdict.missing.clear();
    verdict.builds.production = ["shop 1.4.2 (a81f03c)".to_owned()].into();
    verdict.builds.candidate = ["shop 1.5.0 (7be2d11)".to_owned()].into();
    verdict.builds.control = ["shop 1.4.2 (a81f03c)".to_owned()].into();
    verdict.coverage = vec![Uncovered {
        route: "DELETE /cart/items/{id}".into(),
        requests: 1_204,
        traffic: 0.007,
        outcome: "filtered: method".into(),
    }];
    report.results.control = Some(ControlData {
        equal: all - all / 40,
        alike: all / 60,
        apart: all / 120,
        latency_ms: times(&mut numbers, all, 11.0, 0.4),
        ..ControlData::default()
    });
    data(&mut report, &mut numbers);
    report
}

/// Snapshots and effects.
fn data(report: &mut ReportData, numbers: &mut Numbers) {
    let results = &mut report.results;
    let states = [
        ("hit", 148_201),
        ("late", 17_933),
        ("missing", 612),
        ("expired", 41),
        ("no id", 12),
        ("not required", 1_702),
    ];
    results.snapshots = states.map(|(name, count)| (name.to_owned(), count)).into();
    results.snapshot_wait_ms = times(numbers, 17_933, 14.0, 0.7);
    results.snapshot_ttl_ms = lives(numbers, 166_134, 42_000.0);
    results.mirror_snapshots = [("hit".to_owned(), 164_990), ("miss".to_owned(), 144)].into();
    results.timing.send_lag_ms = times(numbers, 9_000, 0.3, 0.6);
    results.timing.from_sending_ms = times(numbers, 9_000, 12.0, 0.5);
    results.effects = Some(EffectsData {
        compared: 10_820,
        missing: 14,
        ..EffectsData::default()
    });
}

/// All that was judged matches, but for those that differ, and those that differ as the control does.
fn ledger(report: &mut ReportData, differed: u64) {
    let judged: u64 = report
        .results
        .routes
        .iter()
        .map(|route| route.compared)
        .sum();
    let as_control = judged / 60;
    let matched = judged - differed - as_control;
    let routes: Vec<&str> = ROUTES.iter().map(|route| route.name).collect();
    let counts = [
        (Outcome::Matched, matched, None),
        (Outcome::Differed, differed, None),
        (Outcome::DifferedAsControl, as_control, None),
        (Outcome::FilteredMethod, 1_204, None),
        (Outcome::FilteredWrite, 88, None),
        (
            Outcome::SnapshotMissing,
            612,
            Some("no snapshot within 500 ms"),
        ),
        (Outcome::SnapshotExpired, 41, None),
        (Outcome::ReplayTimeout, 7, Some("no answer within 5000 ms")),
        (Outcome::ShedQueueFull, 190, None),
        (Outcome::DroppedGap, 23, None),
        (Outcome::LostRingFull, 4, None),
    ];
    let counts: Vec<_> = counts
        .into_iter()
        .filter(|(_, count, _)| *count > 0)
        .collect();
    outcomes(report, &counts, &routes);
}

pub(crate) fn passed() -> Sample {
    let mut report = shop("nightly", 1.0);
    ledger(&mut report, 0);
    for figures in &mut report.results.verdict.routes {
        figures.at_most = figures.at_most.min(0.000_95);
    }
    let verdict = &mut report.results.verdict;
    verdict.decision = Decision::Pass;
    verdict.reason = "167,479 requests were judged: a change hitting more than 0.1 % of GET /products/{id} would have been found with 95 %, and so on 8 more routes".into();
    sample("pass", report)
}

pub(crate) fn failed() -> Sample {
    let mut report = shop("release-1.5", 1.0);
    ledger(&mut report, 8_887);
    let found = findings();
    let results = &mut report.results;
    results.verdict.decision = Decision::Fail;
    results.verdict.reason = "412 answers really differ at GET /orders/{id} body /total (missing, breaking): at least 1.5 % of its requests; and 3 more".into();
    results.verdict.findings = found[..3].to_vec();
    results.verdict.rules_met = vec![RuleMet {
        rule: "p99 > +10%".into(),
        scope: "GET /search".into(),
        what: "the p99 of GET /search is 240.0 ms, and the control's 190.0 ms: at least 18 % more"
            .into(),
    }];
    results.verdict.undecided = found[3..5].to_vec();
    results.verdict.noted = found[5..7].to_vec();
    results.verdict.missing = vec![Missing {
        what: "1,912 of 4,104 needed on the other routes, about 6 minutes more".into(),
        have: 1_912,
        needed: Some(4_104),
        seconds: Some(360),
    }];
    results.verdict.advice =
        vec!["`expect added /discount` matched nothing: the intended change never came".into()];
    for (route, differed, slower) in [(0, 31, 1.02), (2, 412, 1.0), (4, 133, 1.0), (5, 20, 1.28)] {
        let mut numbers = Numbers::new(route as u64);
        let one = Route {
            differed,
            slower,
            ..ROUTES[route]
        };
        results.routes[route] = crate::service::route(&mut numbers, &one);
        results.verdict.each[route] = summary(&one, true);
        let row = &mut results.verdict.routes[route];
        row.differing = differed;
        row.at_most = differed as f64 / row.judged as f64 * 1.24;
    }
    results.differences = groups(&found);
    results.differences_dropped = 212;
    Sample {
        answers: stored(),
        ..sample("fail", report)
    }
}

fn findings() -> Vec<Finding> {
    let json = |pointer: &str| Place::Json(pointer.into());
    let open = Finding {
        informative: 3,
        candidate_odd: 3,
        at_least: 0.0,
        needed: Some(17),
        ..finding("GET /cart", json("/items/*/stock"), Kind::Value, 3, 18_022)
    };
    vec![
        finding(
            "GET /orders/{id}",
            json("/total"),
            Kind::Missing,
            412,
            22_390,
        ),
        finding(
            "POST /orders",
            Place::Effects("/writes/book/*/amount".into()),
            Kind::Value,
            133,
            8_120,
        ),
        finding(
            "GET /products/{id}",
            Place::Status,
            Kind::StatusClass,
            31,
            61_204,
        ),
        open.clone(),
        Finding {
            is_unsteady: true,
            needed: None,
            ..finding("GET /search", json("/hits/*/score"), Kind::Value, 20, 7_551)
        },
        finding(
            "GET /products",
            json("/currency"),
            Kind::Added,
            40_118,
            40_118,
        ),
        finding(
            "GET /static/{file}",
            Place::Header("content-type".into()),
            Kind::Cosmetic,
            1_702,
            1_702,
        ),
        Finding {
            varies: true,
            ..finding(
                "GET /recommendations/{id}/alternatives",
                json("/items"),
                Kind::Order,
                502,
                840,
            )
        },
        finding("GET /invoices/{id}.pdf", Place::Body, Kind::Value, 8, 96),
    ]
}

fn groups(found: &[Finding]) -> Vec<mirror_agent::report::DifferenceGroup> {
    let values = [
        ("GET /orders/4711", "129.90", "(absent)", Some(1)),
        ("POST /orders", "129.90", "12.99", Some(2)),
        ("GET /products/88", "200", "503", Some(3)),
        ("GET /cart", "4", "3", None),
        ("GET /search?q=lamp", "0.8113", "0.8104", None),
        ("GET /products", "(absent)", "\"EUR\"", Some(4)),
        (
            "GET /static/app.css",
            "text/css; charset=utf-8",
            "text/css;charset=UTF-8",
            None,
        ),
        (
            "GET /recommendations/7/alternatives",
            "[12 elements]",
            "[12 elements]",
            None,
        ),
        (
            "GET /invoices/19.pdf",
            "line 3: Total 129.90",
            "line 3: Total 129,90",
            Some(5),
        ),
    ];
    let pairs = found.iter().zip(values);
    let mut groups: Vec<_> = pairs
        .map(|(finding, (request, ours, theirs, answers))| {
            let first = example(request, ours, theirs, answers);
            let second = example(&request.replace("4711", "4714"), "85.00", theirs, None);
            let examples = match answers {
                Some(1) => vec![first, second],
                _ => vec![first],
            };
            group(finding, examples)
        })
        .collect();
    groups[7].is_evidence = false;
    groups
}

fn stored() -> Vec<mirror_agent::report::StoredAnswers> {
    let order = |total: &str, status: &str| {
        let items: Vec<String> = (1..=14)
            .map(|n| {
                format!(
                    r#"{{"sku":"A-{n}","count":{},"price":{}.50}}"#,
                    n % 3 + 1,
                    n * 7
                )
            })
            .collect();
        format!(
            r#"{{"id":4711,"customer":{{"id":88,"name":"Ada","address":{{"city":"Köln","zip":"50667"}}}},"items":[{}],{total}"status":"{status}"}}"#,
            items.join(",")
        )
    };
    let lines = |sep: &str| {
        format!("Invoice 19\nCustomer Ada\nTotal 129{sep}90\nDue 2026-12-24\nThank you\n")
    };
    vec![
        answers(
            1,
            "GET /orders/4711?full=1 HTTP/1.1",
            ("200 OK", &order("\"total\":129.90,", "paid")),
            ("200 OK", &order("", "paid")),
        ),
        answers(
            2,
            "POST /orders HTTP/1.1",
            ("201 Created", r#"{"id":4712,"total":129.90}"#),
            ("201 Created", r#"{"id":4712,"total":12.99}"#),
        ),
        answers(
            3,
            "GET /products/88 HTTP/1.1",
            ("200 OK", r#"{"id":88,"name":"Lamp"}"#),
            ("503 Service Unavailable", "upstream timed out\n"),
        ),
        answers(
            4,
            "GET /products HTTP/1.1",
            ("200 OK", r#"{"products":[{"id":1},{"id":2}]}"#),
            (
                "200 OK",
                r#"{"currency":"EUR","products":[{"id":1},{"id":2}]}"#,
            ),
        ),
        answers(
            5,
            "GET /invoices/19.pdf HTTP/1.1",
            ("200 OK", &lines(".")),
            ("200 OK", &lines(",")),
        ),
    ]
}

pub(crate) fn held() -> Sample {
    let mut report = shop("canary", 0.05);
    ledger(&mut report, 0);
    let verdict = &mut report.results.verdict;
    verdict.decision = Decision::Hold;
    verdict.reason = "406 of 4,104 needed on POST /orders, about 5 hours more; 1,119 of 4,104 needed on GET /orders/{id}, about 2 hours more; and 6 more".into();
    let needed = [
        ("GET /products/{id}", 3_060),
        ("GET /products", 2_005),
        ("GET /orders/{id}", 1_119),
        ("POST /orders", 406),
    ];
    verdict.missing = needed
        .map(|(route, have)| Missing {
            what: format!(
                "{have} of 4,104 needed on {route}, about {} hours more",
                4_104 / have
            ),
            have,
            needed: Some(4_104),
            seconds: Some(7_200),
        })
        .to_vec();
    sample("hold", report)
}

pub(crate) fn compared_nothing() -> Sample {
    let mut report = empty("first-try");
    let counts = [
        (Outcome::SnapshotNoId, 4_120, None),
        (Outcome::FilteredMethod, 311, None),
    ];
    outcomes(&mut report, &counts, &["GET /products/{id}", "GET /cart"]);
    let results = &mut report.results;
    results.snapshots = [("no id".to_owned(), 4_120)].into();
    results.verdict.decision = Decision::Hold;
    results.verdict.reason = format!(
        "nothing was compared that is evidence: 4,120 of 4,431 requests ended as `snapshot: no id`: {}",
        Outcome::SnapshotNoId.meaning()
    );
    results.verdict.coverage = [
        ("GET /products/{id}", 3_000, 0.7),
        ("GET /cart", 1_120, 0.25),
        ("POST /orders", 311, 0.05),
    ]
    .map(|(route, requests, traffic)| Uncovered {
        route: route.into(),
        requests,
        traffic,
        outcome: "snapshot: no id".into(),
    })
    .to_vec();
    sample("nothing", report)
}

pub(crate) fn invalid() -> Sample {
    let mut report = shop("release-1.5", 0.4);
    ledger(&mut report, 211);
    report.unfinished = Some("ended without its end at 14:03:22 UTC".into());
    report.kept = Some("answers of examples could not be kept: no space left on device".into());
    let verdict = &mut report.results.verdict;
    verdict.decision = Decision::Invalid;
    verdict.reason = "the candidate changed during the run: `shop 1.5.0`, `shop 1.5.1`".into();
    verdict.invalid = vec![
        verdict.reason.clone(),
        "method POST: 81 % of 1,000 requests were judged, and 99 % of the others".into(),
    ];
    verdict.builds.candidate = ["shop 1.5.0".to_owned(), "shop 1.5.1".to_owned()].into();
    sample("invalid", report)
}

fn sample(name: &'static str, report: ReportData) -> Sample {
    Sample {
        name,
        report,
        answers: Vec::new(),
    }
}
