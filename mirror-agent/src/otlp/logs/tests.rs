use mirror_core::compare::Kind;
use mirror_core::filter::FilterSettings;

use super::*;
use crate::report::{CaptureCounters, FORMAT, Recorder, RunInfo};

fn example(index: u32, trace_id: Option<&str>) -> DifferenceExample {
    DifferenceExample {
        request: "GET /a".into(),
        id: None,
        connection: 1,
        index,
        times: 1,
        production: "1".into(),
        mirror: "2".into(),
        trace_id: trace_id.map(str::to_owned),
        answers: None,
    }
}

fn status(decision: Decision, examples: Vec<DifferenceExample>) -> Status {
    let mut results = Recorder::new(RunInfo::default()).results(CaptureCounters::default());
    results.verdict.decision = decision;
    results.verdict.reason = "because".into();
    results.differences = vec![DifferenceGroup {
        route: "GET /a".into(),
        place: "body /total".into(),
        kind: Kind::Value,
        severity: Severity::Value,
        count: 7,
        is_evidence: true,
        varies: false,
        examples,
    }];
    Status {
        format: FORMAT,
        name: "run".into(),
        host: "a".into(),
        kept: None,
        version: "1".into(),
        pid: 1,
        started_at: 0,
        hook: "tcx".into(),
        attached: Vec::new(),
        filter: FilterSettings::default(),
        results,
    }
}

fn events(records: &[LogRecord]) -> Vec<&str> {
    records.iter().map(|record| &*record.event_name).collect()
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[test]
fn an_example_leads_to_the_trace_of_productions_request() {
    let status = status(
        Decision::Fail,
        vec![example(1, Some(TRACE)), example(2, None)],
    );
    let (records, _) = Told::default().news(&status, false);
    assert_eq!(
        events(&records),
        ["mirror.decision", "mirror.difference", "mirror.difference"]
    );
    assert_eq!(records[0].severity_text, "ERROR");
    assert_eq!(records[1].severity_text, "WARN");
    let digits: String = records[1]
        .trace_id
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(digits, TRACE);
    assert!(records[2].trace_id.is_empty());
}

#[test]
fn what_arrived_is_told_once_and_what_did_not_again() {
    let mut told = Told::default();
    let first = status(Decision::Hold, vec![example(1, None)]);
    let (records, _lost) = told.news(&first, false);
    assert_eq!(records.len(), 2);
    let (again, news) = told.news(&first, false);
    assert_eq!(events(&again), events(&records));
    told.remember(news);
    assert!(told.news(&first, false).0.is_empty());
    let second = status(Decision::Fail, vec![example(1, None), example(2, None)]);
    let (records, news) = told.news(&second, false);
    assert_eq!(events(&records), ["mirror.decision", "mirror.difference"]);
    told.remember(news);
    let (records, _) = told.news(&second, true);
    assert_eq!(events(&records), ["mirror.run.ended"]);
}

#[test]
fn an_export_is_bounded_and_the_rest_comes_with_the_next() {
    let mut told = Told::default();
    let many = (0..MAX_RECORDS as u32 + 10).map(|index| example(index, None));
    let many = status(Decision::Hold, many.collect());
    let (records, news) = told.news(&many, false);
    assert_eq!(records.len(), 1 + MAX_RECORDS);
    told.remember(news);
    assert_eq!(told.news(&many, false).0.len(), 10);
}

#[test]
fn what_is_no_trace_id_is_left_out() {
    assert_eq!(trace(&TRACE[1..]), None);
    assert_eq!(trace(&format!("é{}", &TRACE[2..])), None);
    assert_eq!(trace(&format!("zz{}", &TRACE[2..])), None);
}
