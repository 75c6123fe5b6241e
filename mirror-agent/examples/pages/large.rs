//! 10,000 groups over 2,000 routes: more than an agent keeps, as a sum of many hosts may have.

use mirror_agent::report::RouteData;
use mirror_core::compare::{Kind, Place};
use mirror_core::ledger::Outcome;
use mirror_core::verdict::Decision;

use crate::Sample;
use crate::service::{Numbers, Route, empty, example, figures, finding, group, outcomes, route};

const ROUTES: u64 = 2_000;
const GROUPS: u64 = 10_000;
/// As many as a judgement lists.
const FINDINGS: usize = 500;

pub(crate) fn report() -> Sample {
    let mut report = empty("everything");
    let mut numbers = Numbers::new(11);
    let counts = [
        (Outcome::Matched, 9_800_112, None),
        (Outcome::Differed, 402_113, None),
        (Outcome::ShedRate, 40_011, None),
    ];
    outcomes(&mut report, &counts, &["GET /service-1/resource-1/{id}"]);
    let results = &mut report.results;
    results.routes = (0..ROUTES)
        .map(|number| one_route(&mut numbers, number))
        .collect();
    let kinds = [
        Kind::Missing,
        Kind::Value,
        Kind::Type,
        Kind::Order,
        Kind::Added,
        Kind::Cosmetic,
    ];
    let all: Vec<_> = (0..GROUPS)
        .map(|number| {
            let kind = kinds[(number % 6) as usize];
            let place = Place::Json(format!("/data/items/*/field{}/value", number % 97));
            let differed = 1 + numbers.below(900);
            finding(&name(number % ROUTES), place, kind, differed, 5_000)
        })
        .collect();
    results.differences = all
        .iter()
        .map(|finding| {
            let request = finding.route.replace("{id}", "4711");
            let long = "some text of a value that is as long as values are ".repeat(2);
            let examples = (0..3).map(|n| {
                example(
                    &format!("{request}?page={n}"),
                    &format!("\"{long}{n}\""),
                    "\"another\"",
                    None,
                )
            });
            group(finding, examples.collect())
        })
        .collect();
    let verdict = &mut results.verdict;
    verdict.findings = all
        .iter()
        .filter(|one| one.severity == mirror_core::compare::Severity::Breaking)
        .take(FINDINGS)
        .cloned()
        .collect();
    verdict.decision = Decision::Fail;
    verdict.reason = "731 answers really differ at GET /service-7/resource-12/{id} body /data/items/*/field12/value (missing, breaking): at least 12 % of its requests; and 499 more".into();
    verdict.routes = (0..40)
        .map(|number| figures(&name(number), 0.012, 120_000, 0, 0.000_08))
        .collect();
    Sample {
        name: "large",
        report,
        answers: Vec::new(),
    }
}

fn name(number: u64) -> String {
    format!("GET /service-{}/resource-{number}/{{id}}", number % 40)
}

fn one_route(numbers: &mut Numbers, number: u64) -> RouteData {
    let one = Route {
        name: "",
        judged: 200 + numbers.below(300),
        differed: numbers.below(40),
        median: 2.0 + numbers.share() * 40.0,
        slower: 0.9 + numbers.share() * 0.3,
        hits: None,
    };
    RouteData {
        route: name(number),
        ..route(numbers, &one)
    }
}
