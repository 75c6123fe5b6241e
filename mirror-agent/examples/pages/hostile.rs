//! Text in every field that wants to be markup, script, a terminal's command, or another direction of writing; some of it a megabyte long.

use mirror_agent::report::{ControlData, EffectsData, ReportData};
use mirror_core::compare::{Kind, Place};
use mirror_core::ledger::Outcome;
use mirror_core::verdict::{Decision, Missing, RuleMet, Uncovered, Uneven};

use crate::Sample;
use crate::service::{
    Numbers, Route, answers, empty, example, figures, finding, group, outcomes, route, times,
};

const SCRIPT: &str = "</script><script>window.hacked=1</script>";
const IMAGE: &str = "<img src=x onerror=\"window.hacked=1\">";
const TURNED: &str = "\u{202e}evil\u{2066}\u{200f}\u{200b}";
const ESCAPES: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{0}\r\n";
const SHELL: &str = "'; touch /tmp/owned; echo $(id) `id` \"";

pub(crate) fn report() -> Sample {
    let long = "m".repeat(1 << 20);
    let all = format!("{SCRIPT}{IMAGE}{TURNED}{ESCAPES}{SHELL}");
    let mut report = empty(&all);
    let mut numbers = Numbers::new(3);
    let routes = [
        format!("GET /{all}"),
        format!("GET /{long}"),
        format!("<b>{TURNED} /x"),
    ];
    let names: Vec<&str> = routes.iter().map(String::as_str).collect();
    outcomes(
        &mut report,
        &[
            (Outcome::Matched, 900, None),
            (Outcome::Differed, 99, None),
            (Outcome::ReplayFailed, 12, Some(all.as_str())),
        ],
        &names,
    );
    let results = &mut report.results;
    for name in &routes {
        let mut data = route(
            &mut numbers,
            &Route {
                name: "",
                judged: 300,
                differed: 33,
                median: 5.0,
                slower: 1.1,
                hits: Some([0.5, 0.4]),
            },
        );
        data.route.clone_from(name);
        results.routes.push(data);
        let places = [
            Place::Json(format!("/{all}")),
            Place::Header(all.clone()),
            Place::Json(format!("/{long}")),
            Place::Status,
        ];
        for (place, kind) in
            places
                .into_iter()
                .zip([Kind::Missing, Kind::Value, Kind::Added, Kind::StatusClass])
        {
            let one = finding(name, place, kind, 33, 300);
            let request = format!("{SHELL} /{SCRIPT}{TURNED}?{SHELL}");
            let examples = vec![
                example(&request, &all, &long, Some(1)),
                example("GET /a'b`c", IMAGE, TURNED, None),
            ];
            results.differences.push(group(&one, examples));
            results.verdict.findings.push(one);
        }
    }
    judgement(&mut report, &all, &routes);
    let body = format!(
        r#"{{"name":"{IMAGE}","__proto__":{{"a":1}},"{TURNED}":"{SHELL_JSON}","deep":{}1{}}}"#,
        "[".repeat(3_000),
        "]".repeat(3_000)
    );
    let text = format!("{SCRIPT}\n{TURNED}{ESCAPES}\n{}\n", "x".repeat(50_000));
    let mut stored = answers(1, "GET /a'b HTTP/1.1", ("200 OK", &body), ("200 OK", &text));
    stored.production.headers.push((IMAGE.into(), all.clone()));
    stored
        .mirror
        .headers
        .push(("x-long".into(), "h".repeat(100_000)));
    Sample {
        name: "hostile",
        report,
        answers: vec![stored],
    }
}

const SHELL_JSON: &str = "'; touch /tmp/owned; $(id) `id`";

fn judgement(report: &mut ReportData, all: &str, routes: &[String]) {
    report.hosts = vec![all.into()];
    report.version = all.into();
    report.kept = Some(all.into());
    report.unfinished = Some(all.into());
    let mut numbers = Numbers::new(4);
    let results = &mut report.results;
    results.run.target = Some(format!("http://{all}"));
    results.run.interfaces = vec![all.into()];
    results.headline = Some(all.into());
    results.failed = Some(all.into());
    results.snapshots = [(all.to_owned(), 9), ("hit".to_owned(), 2)].into();
    results.mirror_snapshots = [(all.to_owned(), 9)].into();
    results.snapshot_wait_ms = times(&mut numbers, 100, 3.0, 0.5);
    results.effects = Some(EffectsData {
        compared: 3,
        failed: 1,
        failure: Some(all.into()),
        no_control: 1,
        ..EffectsData::default()
    });
    results.control = Some(ControlData {
        failed: 3,
        failure: Some(all.into()),
        ..ControlData::default()
    });
    results.carried.requests = 1;
    results.carried.places = [(all.to_owned(), 1)].into();
    results.counters.advice = vec![all.into()];
    results.counters.interfaces = [(all.to_owned(), [("copied".to_owned(), 7)].into())].into();
    let verdict = &mut results.verdict;
    verdict.decision = Decision::Fail;
    verdict.reason = all.into();
    verdict.invalid = vec![all.into()];
    verdict.advice = vec![all.into()];
    verdict.uneven = vec![Uneven {
        stratum: all.into(),
        admitted: 10,
        share: 0.2,
        rest: 0.9,
    }];
    verdict.rules_met = vec![RuleMet {
        rule: all.into(),
        scope: routes[0].clone(),
        what: all.into(),
    }];
    verdict.missing = vec![Missing {
        what: all.into(),
        have: 1,
        needed: None,
        seconds: None,
    }];
    verdict.coverage = vec![Uncovered {
        route: all.into(),
        requests: 7,
        traffic: 0.1,
        outcome: all.into(),
    }];
    verdict.builds.production = [all.to_owned()].into();
    verdict.builds.candidate = [all.to_owned(), IMAGE.to_owned()].into();
    verdict.routes = vec![figures(&routes[0], 0.5, 300, 33, 0.2)];
}
