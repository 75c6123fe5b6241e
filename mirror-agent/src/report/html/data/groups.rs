//! The ways to differ, each with what the verdict and the noise say of it.

use std::collections::{BTreeMap, HashMap, HashSet};

use mirror_core::compare::{Kind, Severity};
use mirror_core::noise::Noise;
use mirror_core::verdict::Finding;
use serde::Serialize;

use super::super::super::curl::ShortCurl;
use super::super::super::differences::DifferenceGroup;
use super::super::super::examples::DifferenceExample;
use super::super::super::judgement::finding_sentence;
use super::super::super::status::ReportData;
use super::super::super::suggest::{intended_rule, suggest_rules};
use super::super::words::{name, text};

/// Bytes of examples that a page carries; the most significant groups come first.
const MAX_EXAMPLES: usize = 12 << 20;
/// Longest value of an example: the values are excerpts already.
const MAX_VALUE: usize = 1_000;

/// One way to differ.
#[derive(Serialize)]
pub(in crate::report::html) struct GroupRow {
    pub(in crate::report::html) route: String,
    pub(in crate::report::html) place: String,
    pub(in crate::report::html) kind: &'static str,
    pub(in crate::report::html) severity: &'static str,
    pub(in crate::report::html) count: u64,
    /// Compared answers of the route, where they are known.
    pub(in crate::report::html) of: Option<u64>,
    pub(in crate::report::html) state: State,
    /// Why it counts as that.
    pub(in crate::report::html) why: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<Suggestion>,
    pub(in crate::report::html) examples: Vec<Example>,
}

/// What a way to differ does to the decision. The order is that of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::report::html) enum State {
    Fails,
    Undecided,
    Noted,
    /// It is evidence, and no finding names it: there are too many, or it is of a moment before the first look.
    Counted,
    Chance,
    Varies,
    NoEvidence,
}

impl State {
    pub(in crate::report::html) const fn words(self) -> &'static str {
        match self {
            Self::Fails => "fails the run",
            Self::Undecided => "undecided",
            Self::Noted => "real, allowed",
            Self::Counted => "counted",
            Self::Chance => "chance so far",
            Self::Varies => "varies by nature",
            Self::NoEvidence => "no evidence",
        }
    }
}

#[derive(Serialize)]
struct Suggestion {
    rule: String,
    evidence: String,
}

#[derive(Serialize)]
pub(in crate::report::html) struct Example {
    /// Why this one stands for the group.
    label: &'static str,
    pub(in crate::report::html) request: String,
    pub(in crate::report::html) production: String,
    pub(in crate::report::html) candidate: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
    at: (u64, u32),
    times: u64,
    /// Number of the stored answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    answers: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    curl: Option<ShortCurl>,
}

type Key<'r> = (&'r str, String, Kind);

/// What fails the run first, then by severity, then by how many differ so.
pub(super) fn rows(report: &ReportData) -> Vec<GroupRow> {
    let known = Known::new(report);
    let results = &report.results;
    let mut bytes = 0;
    let mut seen = HashSet::new();
    let mut rows: Vec<(Severity, GroupRow)> = Vec::with_capacity(results.differences.len());
    for group in &results.differences {
        seen.insert((group.route.as_str(), group.place.as_str(), group.kind));
        rows.push((group.severity, known.row(group, &mut bytes)));
    }
    // A finding whose group gave way to others has no example.
    for (key, (state, finding)) in &known.findings {
        if !seen.contains(&(key.0, key.1.as_str(), key.2)) {
            rows.push((finding.severity, known.bare(*state, finding)));
        }
    }
    rows.sort_by(|(a_severity, a), (b_severity, b)| {
        let order = (a.state, a_severity).cmp(&(b.state, b_severity));
        let order = order.then_with(|| b.count.cmp(&a.count));
        order.then_with(|| (&a.route, &a.place, a.kind).cmp(&(&b.route, &b.place, b.kind)))
    });
    rows.into_iter().map(|(_, row)| row).collect()
}

/// What other parts of the report say of a route and a place.
struct Known<'r> {
    has_control: bool,
    compared: HashMap<&'r str, u64>,
    findings: BTreeMap<Key<'r>, (State, &'r Finding)>,
    rules: HashMap<(String, String), (String, String)>,
}

impl<'r> Known<'r> {
    fn new(report: &'r ReportData) -> Self {
        let results = &report.results;
        let verdict = &results.verdict;
        let routes = results.routes.iter();
        let lists = [
            (State::Noted, &verdict.noted),
            (State::Undecided, &verdict.undecided),
            (State::Fails, &verdict.findings),
        ];
        let all = lists.into_iter().flat_map(|(state, list)| {
            list.iter().map(move |finding| {
                let state = match state {
                    State::Undecided if finding.is_by_chance => State::Chance,
                    state => state,
                };
                let place = finding.place.to_string();
                (
                    (finding.route.as_str(), place, finding.kind),
                    (state, finding),
                )
            })
        });
        let rules = suggest_rules(report, &Noise::default()).into_iter();
        Self {
            has_control: results.control.is_some(),
            compared: routes
                .map(|route| (route.route.as_str(), route.compared + route.heads_only))
                .collect(),
            findings: all.collect(),
            rules: rules
                .map(|one| ((one.route, one.place.to_string()), (one.rule, one.evidence)))
                .collect(),
        }
    }

    fn row(&self, group: &DifferenceGroup, bytes: &mut usize) -> GroupRow {
        let key = (group.route.as_str(), group.place.clone(), group.kind);
        // Answers that are no evidence have a group of their own beside that of the finding.
        let found = self.findings.get(&key).filter(|_| group.is_evidence);
        let remark = group.remark(self.has_control);
        let (state, sentence) = match found {
            Some((state, finding)) => (*state, Some(finding_sentence(finding))),
            None if group.is_evidence => (State::Counted, None),
            None if group.varies => (State::Varies, None),
            None => (State::NoEvidence, None),
        };
        let usual = (state == State::Counted && remark.is_none())
            .then_some("it counts in the bound of its route; no finding names it");
        let parts = [sentence.as_deref(), remark, usual];
        let why: Vec<&str> = parts.into_iter().flatten().collect();
        GroupRow {
            why: why.join("; "),
            rule: self.rule(state, &key, found.map(|(_, finding)| *finding)),
            examples: examples(group, bytes),
            ..self.of(key, group.severity, (group.count, state))
        }
    }

    fn bare(&self, state: State, finding: &Finding) -> GroupRow {
        let key = (
            finding.route.as_str(),
            finding.place.to_string(),
            finding.kind,
        );
        GroupRow {
            why: format!("{}; no example was kept", finding_sentence(finding)),
            rule: self.rule(state, &key, Some(finding)),
            ..self.of(key, finding.severity, (finding.differed, state))
        }
    }

    fn of(&self, key: Key<'_>, severity: Severity, (count, state): (u64, State)) -> GroupRow {
        let (route, place, kind) = key;
        GroupRow {
            route: name(route),
            place: name(&place),
            kind: kind.name(),
            severity: severity.name(),
            count,
            of: self.compared.get(route).copied(),
            state,
            why: String::new(),
            rule: None,
            examples: Vec::new(),
        }
    }

    /// For what fails the run, the rule that says that it is intended.
    fn rule(&self, state: State, key: &Key<'_>, finding: Option<&Finding>) -> Option<Suggestion> {
        let (route, place, kind) = key;
        if state == State::Fails {
            let rule = intended_rule(route, &finding?.place, *kind)?;
            let evidence = "it fails the run: add this only if the change is intended; the run then fails if the change never comes";
            return Some(Suggestion {
                rule: text(&rule),
                evidence: evidence.into(),
            });
        }
        let known = self.rules.get(&((*route).to_owned(), place.clone()));
        known.map(|(rule, evidence)| Suggestion {
            rule: text(rule),
            evidence: text(evidence),
        })
    }
}

/// As long as there is room; one of each at least for who reads the first rows.
fn examples(group: &DifferenceGroup, bytes: &mut usize) -> Vec<Example> {
    if *bytes >= MAX_EXAMPLES {
        return Vec::new();
    }
    let examples = group.distinct_examples();
    let examples: Vec<Example> = examples
        .map(|example| Example::new(label(group, example), example))
        .collect();
    *bytes += examples.iter().map(Example::held_bytes).sum::<usize>();
    examples
}

/// A report has the smallest first, then the first, then the rarest; one that is two of these stands once.
fn label(group: &DifferenceGroup, example: &DifferenceExample) -> &'static str {
    let mut all = group.examples.iter();
    let at = all.position(|one| std::ptr::eq(one, example));
    match (group.examples.len(), at) {
        (1, _) => "Example",
        (_, Some(0)) => "The smallest example",
        (3, Some(1)) => "The first example",
        (3, _) => "The example with the rarest values",
        _ => "Another example",
    }
}

impl Example {
    fn new(label: &'static str, example: &DifferenceExample) -> Self {
        let value = |text: &str| mirror_core::compare::excerpt(text, MAX_VALUE);
        Self {
            label,
            request: name(&example.request),
            production: value(&example.production),
            candidate: value(&example.mirror),
            id: example.id.as_deref().map(name),
            trace: example.trace_id.as_deref().map(name),
            at: (example.connection, example.index),
            times: example.times,
            answers: example.answers,
            curl: ShortCurl::new(&example.request),
        }
    }

    fn held_bytes(&self) -> usize {
        2 * self.request.len() + self.production.len() + self.candidate.len() + 100
    }
}
