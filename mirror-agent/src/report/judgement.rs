//! What the judgement of a run says, part by part, in the words and cells that text and HTML share.

use mirror_core::verdict::words::{count, counted, percent};
use mirror_core::verdict::{
    Decision, Finding, Judgement, RouteFigures, RuleMet, Uncovered, Uneven,
};

use super::differences::DifferenceGroup;
use super::table::Align;

pub(super) const ROUTE_COLUMNS: [(&str, Align); 8] = [
    ("route", Align::Left),
    ("traffic", Align::Right),
    ("judged", Align::Right),
    ("differ", Align::Right),
    ("at most", Align::Right),
    ("limit", Align::Right),
    ("shown", Align::Left),
    ("varying places", Align::Right),
];

pub(super) const COVERAGE_COLUMNS: [(&str, Align); 4] = [
    ("route", Align::Left),
    ("requests", Align::Right),
    ("traffic", Align::Right),
    ("most ended as", Align::Left),
];

/// Titles of parts that a page shows in sections of their own.
pub(super) const ROUTE_BOUNDS: &str = "share of requests that really differ at most, with 95 %";
pub(super) const COVERAGE: &str = "routes of which nothing was judged";

/// A heading and what stands below it.
pub(super) struct Part {
    pub(super) title: &'static str,
    pub(super) entries: Entries,
    /// Entries that are not shown.
    pub(super) more: usize,
    /// Whether it tells why the run does not pass, so that a reader must see it.
    pub(super) is_reason: bool,
}

pub(super) enum Entries {
    Lines(Vec<String>),
    Findings(Vec<ShownFinding>),
    /// In the columns of [`ROUTE_COLUMNS`].
    Routes(Vec<[String; 8]>),
    /// In the columns of [`COVERAGE_COLUMNS`].
    Coverage(Vec<[String; 4]>),
}

/// One way in which the candidate differs, in words.
pub(super) struct ShownFinding {
    pub(super) route: String,
    pub(super) place: String,
    /// As in `missing, breaking`.
    pub(super) kind: String,
    /// Answers, as in `40 of 8,000`.
    pub(super) differ: String,
    /// As in `38 of 40`, of the requests that say which version is the odd one.
    pub(super) odd: Option<String>,
    /// A share of the route's requests.
    pub(super) at_least: Option<String>,
    pub(super) remarks: Vec<String>,
}

/// The parts of which there is something to say, each with at most so many entries.
pub(super) fn parts(judgement: &Judgement, most: usize) -> Vec<Part> {
    let Judgement {
        decision,
        reason: _,
        is_quick: _,
        invalid,
        uneven,
        findings,
        rules_met,
        undecided,
        noted,
        missing,
        routes,
        each: _,
        coverage,
        advice,
        // Told with the facts of the run.
        builds: _,
    } = judgement;
    let mut by_traffic: Vec<_> = routes.iter().collect();
    by_traffic.sort_by(|a, b| b.traffic.total_cmp(&a.traffic));
    // Nothing makes a run that fails a PASS.
    let missing = missing.iter().filter(|_| *decision != Decision::Fail);
    let needs: Vec<_> = missing.map(|one| one.what.clone()).collect();
    let parts = [
        lines("why the run is invalid", invalid.clone(), most).reason(),
        lines("judged unevenly", all(uneven, unevenly), most).reason(),
        found("what fails the run", findings, false, most).reason(),
        lines("rules that fail the run", all(rules_met, rule_met), most).reason(),
        found("not decided", undecided, true, most).reason(),
        lines("still needed for a PASS", needs, most).reason(),
        found(
            "real differences that do not fail the run",
            noted,
            false,
            most,
        ),
        Part {
            title: ROUTE_BOUNDS,
            more: routes.len().saturating_sub(most),
            entries: Entries::Routes(by_traffic.into_iter().take(most).map(figures).collect()),
            is_reason: false,
        },
        Part {
            title: COVERAGE,
            more: coverage.len().saturating_sub(most),
            entries: Entries::Coverage(coverage.iter().take(most).map(uncovered).collect()),
            is_reason: false,
        },
        lines("advice", advice.clone(), most),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect()
}

impl Part {
    fn reason(self) -> Self {
        Self {
            is_reason: true,
            ..self
        }
    }

    fn is_empty(&self) -> bool {
        match &self.entries {
            Entries::Lines(lines) => lines.is_empty(),
            Entries::Findings(findings) => findings.is_empty(),
            Entries::Routes(rows) => rows.is_empty(),
            Entries::Coverage(rows) => rows.is_empty(),
        }
    }
}

fn all<T>(entries: &[T], shown: fn(&T) -> String) -> Vec<String> {
    entries.iter().map(shown).collect()
}

fn lines(title: &'static str, mut lines: Vec<String>, most: usize) -> Part {
    let more = lines.len().saturating_sub(most);
    lines.truncate(most);
    Part {
        title,
        entries: Entries::Lines(lines),
        more,
        is_reason: false,
    }
}

/// `is_open` where a reader waits for a decision.
fn found(title: &'static str, findings: &[Finding], is_open: bool, most: usize) -> Part {
    let shown = findings.iter().take(most);
    let shown = shown.map(|one| ShownFinding::new(one, is_open)).collect();
    Part {
        title,
        entries: Entries::Findings(shown),
        more: findings.len().saturating_sub(most),
        is_reason: false,
    }
}

impl ShownFinding {
    /// `is_open` where a reader waits for a decision.
    pub(super) fn new(finding: &Finding, is_open: bool) -> Self {
        let (k, n) = (finding.candidate_odd, finding.informative);
        let mut remarks = Vec::new();
        if finding.varies {
            remarks.push("the place varies by nature as well".to_owned());
        }
        if finding.is_unsteady {
            remarks.push("the candidate's second answer does not differ".to_owned());
        }
        if finding.is_by_chance {
            remarks.push("chance explains it so far".to_owned());
        }
        if let Some(needed) = finding.needed.filter(|needed| is_open && *needed > 0) {
            remarks.push(format!(
                "{} more that say the same are needed",
                count(needed)
            ));
        }
        Self {
            route: finding.route.clone(),
            place: finding.place.to_string(),
            kind: finding.kind.with_severity(finding.severity),
            differ: format!("{} of {}", count(finding.differed), count(finding.judged)),
            odd: (n > 0).then(|| format!("{} of {}", count(k), count(n))),
            at_least: (finding.at_least > 0.0).then(|| percent(finding.at_least)),
            remarks,
        }
    }

    /// Whether a group of differences holds its examples.
    pub(super) fn is_of(&self, group: &DifferenceGroup) -> bool {
        self.route == group.route
            && self.place == group.place
            && self.kind == group.kind.with_severity(group.severity)
    }

    /// What is known of it, as one sentence.
    pub(super) fn sentence(&self) -> String {
        let odd = self.odd.as_ref().map(|odd| {
            format!("in {odd} that tell the versions apart, the candidate is the odd one")
        });
        let at_least = self.at_least.as_ref();
        let at_least = at_least.map(|share| format!("at least {share} of the requests"));
        let mut parts = vec![format!("{} answers differ", self.differ)];
        parts.extend(odd.into_iter().chain(at_least));
        parts.extend(self.remarks.iter().cloned());
        parts.join("; ")
    }
}

/// What is known of a way to differ, as one sentence.
pub(super) fn finding_sentence(finding: &Finding) -> String {
    ShownFinding::new(finding, finding.needed.is_some()).sentence()
}

pub(super) fn rule_met(met: &RuleMet) -> String {
    format!("{}: {}", met.rule, met.what)
}

fn unevenly(uneven: &Uneven) -> String {
    format!(
        "{}: {} of {} were judged, and {} of the others",
        uneven.stratum,
        percent(uneven.share),
        counted(uneven.admitted, "request"),
        percent(uneven.rest)
    )
}

/// A severity that fails no run has no limit.
fn figures(route: &RouteFigures) -> [String; 8] {
    let [at_most, limit, shown] = match (route.limit < 1.0, route.is_shown()) {
        (false, _) => ["–".to_owned(), "none".into(), "–".into()],
        (true, true) => [percent(route.at_most), percent(route.limit), "yes".into()],
        (true, false) => [
            percent(route.at_most),
            percent(route.limit),
            "not yet".into(),
        ],
    };
    let mut varying = count(route.varying);
    if route.dropped > 0 {
        varying.push_str(&format!(" ({} not kept)", count(route.dropped)));
    }
    [
        route.scope.clone(),
        percent(route.traffic),
        count(route.judged),
        count(route.differing),
        at_most,
        limit,
        shown,
        varying,
    ]
}

fn uncovered(one: &Uncovered) -> [String; 4] {
    [
        one.route.clone(),
        count(one.requests),
        percent(one.traffic),
        one.outcome.clone(),
    ]
}

#[cfg(test)]
pub(super) mod tests {
    use mirror_core::compare::{Kind, Place, Severity};
    use mirror_core::verdict::{Builds, Missing};

    use super::*;

    fn finding(place: &str, kind: Kind, differed: u64) -> Finding {
        let place = Place::Json(place.into());
        Finding {
            route: "GET /orders/{id}".into(),
            severity: kind.severity_at(&place),
            place,
            kind,
            differed,
            judged: 8_120,
            informative: 40,
            candidate_odd: 38,
            e_value: 1e7,
            at_least: 0.021,
            needed: None,
            varies: false,
            is_unsteady: false,
            is_by_chance: false,
        }
    }

    fn route(scope: &str, traffic: f64, judged: u64, at_most: f64) -> RouteFigures {
        RouteFigures {
            scope: scope.into(),
            traffic,
            judged,
            differing: 0,
            at_most,
            limit: 0.001,
            varying: 3,
            dropped: 0,
        }
    }

    /// A run that has something to say in each part.
    pub(in crate::report) fn judgement() -> Judgement {
        let open = Finding {
            informative: 3,
            candidate_odd: 3,
            at_least: 0.0,
            needed: Some(9),
            varies: true,
            ..finding("/items/*/stock", Kind::Value, 3)
        };
        let noted = Finding {
            informative: 0,
            candidate_odd: 0,
            at_least: 0.98,
            ..finding("/currency", Kind::Added, 8_120)
        };
        Judgement {
            decision: Decision::Fail,
            reason: "412 answers really differ at GET /orders/{id} body /total (missing, breaking): at least 2.1 % of its requests; and 2 more".into(),
            is_quick: false,
            invalid: Vec::new(),
            uneven: vec![Uneven {
                stratum: "method POST".into(),
                admitted: 1_000,
                share: 0.81,
                rest: 0.99,
            }],
            findings: vec![
                finding("/total", Kind::Missing, 412),
                finding("/name<b>", Kind::Value, 170),
            ],
            rules_met: vec![RuleMet {
                rule: "p99 > +10%".into(),
                scope: "GET /orders/{id}".into(),
                what: "the p99 of GET /orders/{id} is 140.0 ms, and the control's 100.0 ms: at least 18 % more".into(),
            }],
            undecided: vec![open],
            noted: vec![noted],
            missing: vec![Missing {
                what: "1,912 of 4,104 needed on POST /orders, about 6 minutes more".into(),
                have: 1_912,
                needed: Some(4_104),
                seconds: Some(360),
            }],
            routes: vec![
                route("POST /orders", 0.19, 1_912, 0.0021),
                route("GET /orders/{id}", 0.8, 8_120, 0.059),
                RouteFigures {
                    at_most: 0.0,
                    limit: 1.0,
                    dropped: 7,
                    ..route("the other routes", 0.01, 101, 0.0)
                },
            ],
            each: Vec::new(),
            coverage: vec![Uncovered {
                route: "DELETE /orders/{id}".into(),
                requests: 230,
                traffic: 0.022,
                outcome: "filtered: method".into(),
            }],
            advice: vec!["without a control, the candidate's clock cannot be told from its code".into()],
            builds: Builds {
                production: ["shop 1.4".to_owned()].into(),
                candidate: ["shop <1.5>".to_owned()].into(),
                control: Default::default(),
            },
        }
    }

    fn titles(judgement: &Judgement) -> Vec<&'static str> {
        let parts = parts(judgement, 10);
        parts.into_iter().map(|part| part.title).collect()
    }

    #[test]
    fn only_parts_with_something_to_say_are_shown() {
        let mut judgement = judgement();
        assert_eq!(titles(&judgement).len(), 8);
        assert!(!titles(&judgement).contains(&"why the run is invalid"));
        judgement.invalid.push("the clocks are apart".into());
        assert_eq!(titles(&judgement)[0], "why the run is invalid");
        judgement.findings.clear();
        assert!(!titles(&judgement).contains(&"what fails the run"));
        let needed = "still needed for a PASS";
        assert!(!titles(&judgement).contains(&needed));
        judgement.decision = Decision::Hold;
        assert!(titles(&judgement).contains(&needed));
    }

    #[test]
    fn a_finding_says_how_many_differ_and_who_is_the_odd_one() {
        let check = |finding: Finding, is_open, expect: &str| {
            assert_eq!(ShownFinding::new(&finding, is_open).sentence(), expect);
        };
        let judgement = judgement();
        check(
            judgement.findings[0].clone(),
            false,
            "412 of 8,120 answers differ; in 38 of 40 that tell the versions apart, the candidate is the odd one; at least 2.1 % of the requests",
        );
        let open = judgement.undecided[0].clone();
        let of_three = "3 of 8,120 answers differ; in 3 of 3 that tell the versions apart, the candidate is the odd one; the place varies by nature as well";
        let needed = format!("{of_three}; 9 more that say the same are needed");
        check(open.clone(), true, &needed);
        check(open.clone(), false, of_three);
        check(
            Finding {
                varies: false,
                is_unsteady: true,
                is_by_chance: false,
                informative: 0,
                ..open
            },
            false,
            "3 of 8,120 answers differ; the candidate's second answer does not differ",
        );
    }

    #[test]
    fn a_kind_stands_beside_its_severity_unless_both_are_one_word() {
        let shown = |kind: Kind| kind.with_severity(kind.severity_at(&Place::Body));
        assert_eq!(shown(Kind::Missing), "missing, breaking");
        assert_eq!(shown(Kind::Value), "value");
        assert_eq!(
            Kind::Value.with_severity(Severity::Breaking),
            "value, breaking"
        );
    }

    #[test]
    fn the_busiest_routes_are_shown_and_the_rest_is_counted() {
        let parts = parts(&judgement(), 2);
        let routes = parts.iter().find_map(|part| match &part.entries {
            Entries::Routes(rows) => Some((rows, part.more)),
            _ => None,
        });
        let (rows, more) = routes.unwrap();
        assert_eq!(more, 1);
        assert_eq!(
            rows[0],
            [
                "GET /orders/{id}",
                "80 %",
                "8,120",
                "0",
                "5.9 %",
                "0.1 %",
                "not yet",
                "3"
            ]
        );
        assert_eq!(rows[1][0], "POST /orders");
    }

    #[test]
    fn a_route_on_which_nothing_fails_has_no_limit() {
        let row = figures(&judgement().routes[2]);
        assert_eq!(row[4..7], ["–", "none", "–"]);
        assert_eq!(row[7], "3 (7 not kept)");
    }
}
