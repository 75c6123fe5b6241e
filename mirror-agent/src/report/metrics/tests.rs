use std::collections::BTreeSet;
use std::time::Duration;

use mirror_core::filter::FilterSettings;
use mirror_core::ledger::Outcome;

use super::super::judgement::tests::judgement;
use super::super::{
    AttachedPlace, CaptureCounters, EffectsData, FORMAT, Latencies, Recorder, RunInfo,
};
use super::*;

fn status() -> Status {
    let mut counters = CaptureCounters::default();
    for (interface, count) in [("eth0", 3), ("a\"b", 1)] {
        let counts = [("copied".to_owned(), count)].into();
        counters.interfaces.insert(interface.into(), counts);
    }
    counters.dissect.streams.gaps = 1;
    counters.dissect.http.tls_ports.add(443);
    let mut results = Recorder::new(RunInfo::default()).results(counters);
    results.verdict = judgement();
    results.ledger.seen = 7;
    results.ledger.outcomes = [("lost: ring full".into(), 2), ("matched".into(), 5)].into();
    let mut waits = Latencies::default();
    for millis in [3, 3, 40, 9000] {
        waits.add(Duration::from_millis(millis));
    }
    results.snapshot_wait_ms = waits.data();
    results.effects = Some(EffectsData {
        compared: 3,
        missing: 1,
        ..EffectsData::default()
    });
    Status {
        format: FORMAT,
        name: "run".into(),
        host: "a".into(),
        kept: None,
        version: "1".into(),
        pid: 1,
        started_at: 0,
        hook: "tcx".into(),
        attached: vec![AttachedPlace {
            interface: "eth0".into(),
            hook: "tcx".into(),
        }],
        filter: FilterSettings::default(),
        results,
    }
}

fn prometheus(status: Status) -> String {
    Metrics::default().text(status, MetricsFormat::Prometheus)
}

#[test]
fn numbers_are_shown_under_their_names() {
    let text = prometheus(status());
    for line in [
        "# TYPE mirror_requests_total counter",
        "mirror_build_info{version=\"1\"} 1",
        "mirror_requests_seen_total 7",
        "mirror_requests_in_flight 0",
        "mirror_requests_total{outcome=\"lost: ring full\"} 2",
        "mirror_packets_total{interface=\"a\\\"b\",reason=\"copied\"} 1",
        "mirror_read_total{what=\"gaps\"} 1",
        "mirror_attached{interface=\"eth0\",hook=\"tcx\"} 1",
        "mirror_effects_total{outcome=\"compared\"} 3",
        "mirror_effects_total{outcome=\"missing\"} 1",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    assert!(!text.contains("tls_ports"), "{text}");
}

#[test]
fn the_decision_is_one_of_all_and_what_it_needs_is_a_number() {
    let text = prometheus(status());
    for line in [
        "mirror_decision{decision=\"FAIL\"} 1",
        "mirror_decision{decision=\"HOLD\"} 0",
        "mirror_judged{route=\"POST /orders\"} 1912",
        "mirror_findings{severity=\"breaking\"} 1",
        "mirror_findings{severity=\"order\"} 0",
        "mirror_undecided{severity=\"value\"} 1",
        "mirror_rules_met 1",
        "mirror_judged_needed 2192",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    let mut done = status();
    done.results.verdict.missing.clear();
    let text = prometheus(done);
    let mut lines = text.lines();
    assert!(!lines.any(|l| l.starts_with("mirror_judged_needed ")));
}

#[test]
fn the_readme_names_only_metrics_that_there_are() {
    let text = prometheus(status());
    let readme = include_str!("../../../../README.md");
    let named: Vec<&str> = readme
        .split('`')
        .filter(|word| word.starts_with("mirror_"))
        .collect();
    assert!(named.contains(&"mirror_decision"), "{named:?}");
    for name in named {
        assert!(text.contains(&format!("\n# TYPE {name} ")), "{name}");
    }
}

#[test]
fn histograms_have_their_sum() {
    let text = prometheus(status());
    let name = "mirror_snapshot_wait_seconds";
    for line in [
        format!("# TYPE {name} histogram"),
        format!("{name}_bucket{{le=\"0.002\"}} 0"),
        format!("{name}_bucket{{le=\"0.005\"}} 2"),
        format!("{name}_bucket{{le=\"0.05\"}} 3"),
        format!("{name}_bucket{{le=\"5\"}} 3"),
        format!("{name}_bucket{{le=\"+Inf\"}} 4"),
        format!("{name}_sum 9.046"),
        format!("{name}_count 4"),
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
}

#[test]
fn open_metrics_are_the_same_and_have_an_end() {
    let open = Metrics::default().text(status(), MetricsFormat::OpenMetrics);
    assert!(open.ends_with("\n# EOF\n"), "{open}");
    // There a family of counters is named without the suffix of its samples.
    assert!(
        open.contains("# TYPE mirror_requests_seen counter\n"),
        "{open}"
    );
    let samples = |text: &str| -> BTreeSet<String> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        // The only difference is how a whole number is written.
        lines.map(|line| line.replace(".0\"", "\"")).collect()
    };
    assert_eq!(samples(&open), samples(&prometheus(status())));
}

#[test]
fn a_client_gets_the_format_that_it_asks_for() {
    let check = |accept: &[&str], expect| {
        assert_eq!(
            MetricsFormat::wanted(accept.iter().copied()),
            expect,
            "{accept:?}"
        );
    };
    check(&[], MetricsFormat::Prometheus);
    check(&["*/*"], MetricsFormat::Prometheus);
    check(
        &["text/html,application/xhtml+xml"],
        MetricsFormat::Prometheus,
    );
    // As Prometheus 2.42 asks.
    let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    check(&[prometheus], MetricsFormat::OpenMetrics);
    check(
        &["text/plain", "Application/OpenMetrics-Text"],
        MetricsFormat::OpenMetrics,
    );
}

const ALERTS: &str = include_str!("../../../../deploy/monitoring/alerts.yaml");
const DASHBOARD: &str = include_str!("../../../../deploy/monitoring/grafana.json");

/// Words of a text that begin as metrics do.
fn named(text: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_ascii_lowercase() || c == '_';
    let words = text.split(|c| !is_part(c));
    words.filter(|word| word.starts_with("mirror_")).collect()
}

#[test]
fn alerts_and_dashboard_name_only_metrics_that_there_are() {
    let text = prometheus(status());
    let is_family = |name: &str| text.contains(&format!("\n# TYPE {name} "));
    for name in named(ALERTS).union(&named(DASHBOARD)) {
        let of_histogram = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix));
        assert!(
            is_family(name) || of_histogram.is_some_and(is_family),
            "{name}"
        );
    }
}

#[test]
fn alerts_name_only_outcomes_that_there_are() {
    let lists = ALERTS.split("outcome=~\"").skip(1);
    let lists: Vec<&str> = lists.filter_map(|rest| rest.split('"').next()).collect();
    assert!(lists.len() >= 3, "{lists:?}");
    for outcome in lists.iter().flat_map(|list| list.split('|')) {
        let mut all = Outcome::ALL.iter().map(|outcome| outcome.name());
        let is_known = match outcome.strip_suffix(".*") {
            Some(begin) => all.any(|name| name.starts_with(begin)),
            None => all.any(|name| name == outcome),
        };
        assert!(is_known, "{outcome}");
    }
}

#[test]
fn every_alert_says_what_to_do() {
    let alerts: Vec<&str> = ALERTS.split("- alert: ").skip(1).collect();
    assert!(alerts.len() >= 10);
    for alert in alerts {
        for key in ["expr:", "for:", "severity:", "summary:", "action:"] {
            assert!(alert.contains(key), "{key} {alert}");
        }
    }
}
