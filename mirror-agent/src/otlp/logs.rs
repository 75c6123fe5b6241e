//! What is worth a line in a log: each change of the decision, and each example of a difference, with the trace of production's
//! request, so that a difference leads to its trace.

use std::collections::HashSet;

use mirror_core::compare::Severity;
use mirror_core::verdict::Decision;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, SeverityNumber};

use super::values::{attribute, now, number, text};
use crate::report::{DifferenceExample, DifferenceGroup, Status};

/// Records of one export; the rest comes with the next.
const MAX_RECORDS: usize = 500;
/// Examples that are told in a run.
const MAX_EXAMPLES: usize = 20_000;

/// What a collector knows already.
#[derive(Debug, Default)]
pub(super) struct Told {
    decision: Option<Decision>,
    examples: HashSet<ExampleKey>,
}

/// What it knows once an export has arrived.
#[derive(Debug)]
pub(super) struct News {
    decision: Decision,
    examples: Vec<ExampleKey>,
}

/// Which difference, and which request.
type ExampleKey = (String, String, u64, u32);

impl Told {
    /// What has not been told yet. The decision is told at the end in any case.
    pub(super) fn news(&self, status: &Status, is_last: bool) -> (Vec<LogRecord>, News) {
        let decision = status.results.verdict.decision;
        let mut records = Vec::new();
        if is_last || self.decision != Some(decision) {
            records.push(decided(status, is_last));
        }
        let mut news = News {
            decision,
            examples: Vec::new(),
        };
        let room = MAX_EXAMPLES.saturating_sub(self.examples.len());
        let examples = status.results.differences.iter().flat_map(|group| {
            let examples = group.examples.iter();
            examples.map(move |example| (group, example))
        });
        let new = examples
            .map(|(group, example)| (key(group, example), group, example))
            .filter(|(key, ..)| !self.examples.contains(key));
        for (key, group, example) in new.take(MAX_RECORDS.min(room)) {
            records.push(differs(group, example));
            news.examples.push(key);
        }
        (records, news)
    }

    pub(super) fn remember(&mut self, news: News) {
        self.decision = Some(news.decision);
        self.examples.extend(news.examples);
    }
}

fn key(group: &DifferenceGroup, example: &DifferenceExample) -> ExampleKey {
    let place = format!("{} {:?}", group.place, group.kind);
    (
        group.route.clone(),
        place,
        example.connection,
        example.index,
    )
}

fn decided(status: &Status, is_last: bool) -> LogRecord {
    let verdict = &status.results.verdict;
    let severity = match verdict.decision {
        Decision::Pass | Decision::Hold => SeverityNumber::Info,
        Decision::Invalid => SeverityNumber::Warn,
        Decision::Fail => SeverityNumber::Error,
    };
    let name = verdict.decision.name();
    let event = match is_last {
        true => "mirror.run.ended",
        false => "mirror.decision",
    };
    LogRecord {
        attributes: vec![
            attribute("mirror.decision", name),
            attribute("mirror.reason", &verdict.reason),
            number("mirror.exit_code", verdict.decision.exit_code().into()),
            number("mirror.requests_seen", status.results.ledger.seen),
        ],
        ..record(event, severity, &format!("{name}: {}", verdict.reason))
    }
}

fn differs(group: &DifferenceGroup, example: &DifferenceExample) -> LogRecord {
    let severity = match group.severity {
        _ if !group.is_evidence => SeverityNumber::Debug,
        Severity::Breaking | Severity::Value => SeverityNumber::Warn,
        Severity::Order | Severity::Added | Severity::Cosmetic => SeverityNumber::Info,
    };
    let what = format!(
        "{} {}: production {}, mirror {}",
        group.route, group.place, example.production, example.mirror
    );
    LogRecord {
        attributes: vec![
            attribute("mirror.route", &group.route),
            attribute("mirror.place", &group.place),
            attribute("mirror.severity", group.severity.name()),
            attribute("mirror.kind", group.kind.name()),
            attribute("mirror.request", &example.request),
            attribute("mirror.production", &example.production),
            attribute("mirror.mirror", &example.mirror),
            number("mirror.count", group.count),
        ],
        trace_id: example
            .trace_id
            .as_deref()
            .and_then(trace)
            .unwrap_or_default(),
        ..record("mirror.difference", severity, &what)
    }
}

fn record(event: &str, severity: SeverityNumber, body: &str) -> LogRecord {
    let name = severity
        .as_str_name()
        .trim_start_matches("SEVERITY_NUMBER_");
    LogRecord {
        time_unix_nano: now(),
        observed_time_unix_nano: now(),
        severity_number: severity.into(),
        severity_text: name.into(),
        body: Some(text(body)),
        event_name: event.into(),
        ..LogRecord::default()
    }
}

/// The 16 bytes that 32 hexadecimal digits stand for.
fn trace(digits: &str) -> Option<Vec<u8>> {
    if digits.len() != 32 || !digits.is_ascii() {
        return None;
    }
    let pairs = (0..16).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16));
    pairs.collect::<Result<_, _>>().ok()
}

#[cfg(test)]
mod tests;
