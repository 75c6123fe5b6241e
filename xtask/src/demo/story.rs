//! What the demo prints: a small table per act, a diff to read, the ledger, and the same as JSON.

use mirror_tests::orders::Service;
use serde_json::{Value, json};

use super::act::{Act, Played};
use crate::say::say;

fn called(service: Service) -> &'static str {
    match service {
        Service::Rust => "the order service in Rust, over SQLite (examples/orders)",
        Service::Spring => "the order service in Spring Boot, over H2 (examples/orders-spring)",
    }
}

pub(super) fn open(service: Service) {
    say!("\nProduction and mirror are {}", called(service));
}

pub(super) fn announce(act: &Act) {
    say!("\nAct {} · {}", act.number, act.title);
}

pub(super) fn tell(played: &Played) {
    let report = &played.report;
    let rows = [
        ("requests answered by production", played.answers.ok as u64),
        ("requests captured", report.seen),
        ("mirror answered alike", report.outcome("matched")),
        ("mirror answered differently", report.outcome("differed")),
    ];
    for (name, count) in rows {
        say!("  {name:<34}{count:>6}");
    }
    if !report.differences.is_empty() {
        say!("\n  {:<34}{:<28}{:>6}", "route", "place", "count");
    }
    for difference in &report.differences {
        say!(
            "  {:<34}{:<28}{:>6}",
            difference.route,
            difference.place,
            difference.count
        );
    }
    if let Some(example) = report.json["differences"][0]["examples"].get(0) {
        say!("\n{}", diff(example).trim_end());
    }
    let (decision, exit) = (played.decision.to_uppercase(), played.exit);
    say!("\n  {decision} (exit code {exit}): {}", played.reason());
    let mark = if played.as_expected() {
        "✓"
    } else {
        "✗ this should show:"
    };
    say!("\n  {mark} {}", played.moral());
}

/// One request and the two answers to it, where they part.
fn diff(example: &Value) -> String {
    let plain = |name: &str| {
        example[name]
            .as_str()
            .map_or_else(|| example[name].to_string(), str::to_owned)
    };
    let id = example["id"]
        .as_str()
        .map(|id| format!("   (id {id})"))
        .unwrap_or_default();
    format!(
        "    {}{id}\n  - production  {}\n  + mirror      {}\n",
        plain("request"),
        plain("production"),
        plain("mirror")
    )
}

pub(super) fn close(results: &[Played]) {
    say!("\nLedger: every captured request ends in exactly one line");
    say!("  {:<34}{:>8}{:>8}{:>8}", "", "act 1", "act 2", "act 3");
    let line = |name: &str, count: &dyn Fn(&Played) -> u64| {
        let cells: String = results
            .iter()
            .map(|played| format!("{:>8}", count(played)))
            .collect();
        say!("  {name:<34}{cells}");
    };
    let mut names: Vec<&String> = results
        .iter()
        .flat_map(|played| played.report.outcomes.keys())
        .collect();
    names.sort();
    names.dedup();
    for name in names {
        line(name, &|played| played.report.outcome(name));
    }
    line("seen", &|played| played.report.seen);
    say!("");
    for played in results {
        say!(
            "Report of act {}: {}",
            played.act.number,
            played.report_dir.join("report.html").display()
        );
    }
    let all = results.iter().all(Played::as_expected);
    say!(
        "\n{}",
        if all {
            "All three acts came out as told."
        } else {
            "NOT every act came out as told."
        }
    );
}

pub(super) fn json(service: Service, results: &[Played]) -> Value {
    let acts: Vec<Value> = results
        .iter()
        .map(|played| {
            json!({
                "act": played.act.number,
                "title": played.act.title,
                "answered": played.answers.ok,
                "failed": played.answers.failed,
                "seen": played.report.seen,
                "outcomes": played.report.outcomes,
                "differences": played.report.json["differences"],
                "decision": played.decision,
                "exit": played.exit,
                "reason": played.reason(),
                "as_expected": played.as_expected(),
                "report": played.report_dir.join("report.json"),
            })
        })
        .collect();
    json!({
        "service": called(service),
        "passed": results.iter().all(Played::as_expected),
        "acts": acts,
    })
}
