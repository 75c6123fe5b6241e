//! What the page's script draws, as JSON: names, counts and sentences, with everything joined that belongs together.
//!
//! It is bounded: by the bounds of a report, by short names, and by a sum of bytes for examples and answers.

mod groups;
mod requests;
mod routes;
mod times;

use mirror_core::compare::Severity;
use serde::Serialize;

use super::super::answers::StoredAnswers;
use super::super::curl;
use super::super::status::ReportData;
use super::words::rfc3339;

use groups::GroupRow;
use requests::Stage;
use routes::RouteRow;

/// Bytes of answers in full that a page carries.
const MAX_ANSWERS: usize = 8 << 20;

/// All that is drawn.
#[derive(Serialize)]
pub(in crate::report::html) struct PageData<'r> {
    /// As elements `time` have it.
    pub(super) as_of: String,
    pub(super) started_at: u64,
    pub(super) paused: bool,
    pub(super) severities: [&'static str; Severity::ALL.len()],
    pub(super) routes: Vec<RouteRow>,
    pub(super) groups: Vec<GroupRow>,
    /// Where the same request can be sent to, as words of the shell.
    pub(super) addresses: Addresses,
    pub(super) stages: Vec<Stage>,
    /// Requests of which it is not known yet how they end.
    pub(super) in_flight: u64,
    pub(super) seen: u64,
    /// What the kernel counted, in words.
    pub(super) capture: Vec<(&'static str, u64)>,
    pub(super) answers: Vec<Answers<'r>>,
}

#[derive(Serialize)]
pub(super) struct Addresses {
    pub(super) production: String,
    pub(super) candidate: String,
}

/// Both answers in full, and the commands that ask for them again.
#[derive(Serialize)]
pub(super) struct Answers<'r> {
    #[serde(flatten)]
    stored: &'r StoredAnswers,
    /// To production, and to the candidate.
    curl: Option<[String; 2]>,
}

impl<'r> PageData<'r> {
    pub(super) fn new(report: &'r ReportData, answers: &'r [StoredAnswers]) -> Self {
        let results = &report.results;
        let addresses = Addresses::new(report);
        let groups = groups::rows(report);
        Self {
            as_of: rfc3339(report.ended_at),
            started_at: report.started_at,
            paused: results.schedule.paused,
            severities: Severity::ALL.map(Severity::name),
            routes: routes::rows(report, &groups),
            groups,
            stages: requests::stages(results),
            in_flight: results.ledger.in_flight(),
            seen: results.ledger.seen,
            capture: requests::capture(results),
            answers: within_bounds(answers)
                .map(|stored| Answers::new(stored, &addresses))
                .collect(),
            addresses,
        }
    }
}

/// The first ones that have room together.
fn within_bounds(answers: &[StoredAnswers]) -> impl Iterator<Item = &StoredAnswers> {
    let mut bytes = 0;
    answers.iter().take_while(move |stored| {
        let messages = [&stored.request, &stored.production, &stored.mirror];
        let sizes = messages.iter().map(|message| {
            let fields = message.headers.iter();
            let fields: usize = fields.map(|(name, value)| name.len() + value.len()).sum();
            let body = &message.body;
            let texts = [&body.text, &body.base64].into_iter().flatten();
            let texts: usize = texts.map(String::len).sum();
            message.first_line.len() + fields + texts
        });
        bytes += sizes.sum::<usize>();
        bytes <= MAX_ANSWERS
    })
}

impl Addresses {
    /// Nothing in a report says where production is, so the shell is told by the reader.
    fn new(report: &ReportData) -> Self {
        let first = report.results.run.first_target();
        let first = first.map(|url| url.trim_end_matches('/'));
        Self {
            production: "\"$PRODUCTION\"".into(),
            candidate: first.map_or_else(|| "\"$CANDIDATE\"".into(), curl::quoted),
        }
    }
}

impl<'r> Answers<'r> {
    fn new(stored: &'r StoredAnswers, addresses: &Addresses) -> Self {
        let own = curl::address_of(&stored.request);
        let production = own.as_ref().unwrap_or(&addresses.production);
        let to = |address: &str| curl::full(&stored.request, address);
        let curl = to(production).zip(to(&addresses.candidate));
        Self {
            stored,
            curl: curl.map(|(production, candidate)| [production, candidate]),
        }
    }
}

/// Numbers with three digits that say something: pages are read, and carry thousands of them.
fn rounded(number: f64) -> f64 {
    if number == 0.0 || !number.is_finite() {
        return 0.0;
    }
    let digits = 2 - number.abs().log10().floor() as i32;
    let scale = 10f64.powi(digits);
    (number * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_say_enough() {
        for (number, expect) in [
            (0.0, 0.0),
            (123_456.0, 123_000.0),
            (0.012_345, 0.0123),
            (-1.999, -2.0),
            (f64::NAN, 0.0),
        ] {
            assert_eq!(rounded(number), expect);
        }
    }
}
