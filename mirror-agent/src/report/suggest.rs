//! Rules of the comparison for what a run saw differ: each with its evidence, for someone to choose from.
//!
//! Suggested is what may be nature or intended: places that vary, what is noted, and what is undecided. What fails the run is left
//! out, because a rule for it would hide what was found.

use std::collections::{BTreeMap, BTreeSet};

use mirror_core::compare::{CompareOptions, CompareRule, Kind, Place};
use mirror_core::noise::{Family, Noise, Variation};
use mirror_core::options::FromText;
use mirror_core::verdict::words::count;
use serde::Serialize;

use super::status::ReportData;

/// A rule as `--compare-rule` takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SuggestedRule {
    pub rule: String,
    pub route: String,
    pub place: Place,
    /// In words, with figures.
    pub evidence: String,
}

/// What is known of a place of a route.
#[derive(Default)]
struct PlaceFacts<'a> {
    /// Of judged requests, the most that differ in one way.
    differed: u64,
    judged: u64,
    kinds: BTreeSet<Kind>,
    /// Answers of one version differ there as well.
    varies: bool,
    variation: Option<&'a Variation>,
}

/// Rules for what a run saw, by route and place. Together they are rules that [`CompareOptions::check`] takes.
pub fn suggest_rules(report: &ReportData, noise: &Noise) -> Vec<SuggestedRule> {
    let mut options = CompareOptions::default();
    let mut suggested = Vec::new();
    for ((route, place), facts) in facts(report, noise) {
        let Some(rule) = rule(route, &place, &facts) else {
            continue;
        };
        // A header that differed is compared: the user may have named it.
        let header = header_name(&place);
        options.headers.extend(header.map(str::to_owned));
        let Ok(read) = CompareRule::from_text(&rule) else {
            continue;
        };
        options.rules.push(read);
        // Another one leaves out what it is about.
        if options.check().is_err() {
            options.rules.pop();
            continue;
        }
        suggested.push(SuggestedRule {
            rule,
            route: route.to_owned(),
            evidence: evidence(route, &facts, noise),
            place,
        });
    }
    suggested
}

/// The rule that says that a difference is intended, for what fails a run; `None` where none would do.
pub(super) fn intended_rule(route: &str, place: &Place, kind: Kind) -> Option<String> {
    let rule = intended(&place_pattern(place)?, &BTreeSet::from([kind]));
    let rule = format!("{route} => {rule}");
    CompareRule::from_text(&rule).is_ok().then_some(rule)
}

/// The rules as text: each after a line with its evidence.
pub fn suggested_text(rules: &[SuggestedRule]) -> String {
    let lines = rules.iter();
    lines
        .map(|one| format!("# {}\n{}\n", one.evidence, one.rule))
        .collect()
}

type Facts<'a> = BTreeMap<(&'a str, Place), PlaceFacts<'a>>;

fn facts<'a>(report: &'a ReportData, noise: &'a Noise) -> Facts<'a> {
    let verdict = &report.results.verdict;
    let mut all = Facts::default();
    for finding in verdict.noted.iter().chain(&verdict.undecided) {
        let key = (finding.route.as_str(), finding.place.clone());
        let known = all.entry(key).or_default();
        known.differed = known.differed.max(finding.differed);
        known.judged = finding.judged;
        known.kinds.insert(finding.kind);
        known.varies |= finding.varies;
    }
    for route in noise.routes() {
        for (place, variation) in noise.places(route) {
            if noise.is_varying(route, place) {
                let known = all.entry((route, place.clone())).or_default();
                known.varies = true;
                known.variation = Some(variation);
            }
        }
    }
    let failed = verdict.findings.iter();
    for finding in failed {
        all.remove(&(finding.route.as_str(), finding.place.clone()));
    }
    all
}

/// The text of the rule; `None` where none would do.
fn rule(route: &str, place: &Place, facts: &PlaceFacts<'_>) -> Option<String> {
    let pattern = place_pattern(place)?;
    let rule = if facts.varies {
        varying(place, &pattern, facts)?
    } else {
        intended(&pattern, &facts.kinds)
    };
    Some(format!("{route} => {rule}"))
}

/// For a place that varies by nature: as much of it is still compared as is known to stay.
fn varying(place: &Place, pattern: &str, facts: &PlaceFacts<'_>) -> Option<String> {
    // A fault that comes and goes is no noise.
    if *place == Place::Status {
        return None;
    }
    let variation = facts.variation;
    let mut kinds: BTreeSet<Kind> = facts.kinds.clone();
    kinds.extend(variation.map(Variation::kinds).unwrap_or_default());
    let is_only = |wanted| kinds.iter().all(|kind| *kind == wanted);
    if is_only(Kind::Order) {
        return Some(format!("unordered {pattern}"));
    }
    let form = variation.filter(|_| is_only(Kind::Value));
    let form = form.and_then(Variation::only_form).and_then(expression);
    Some(match form {
        Some(form) => format!("pattern {form} {pattern}"),
        None => format!("ignore {pattern}"),
    })
}

/// For a place that only the new version shows otherwise.
fn intended(pattern: &str, kinds: &BTreeSet<Kind>) -> String {
    match kinds.iter().collect::<Vec<_>>().as_slice() {
        [Kind::Order] => format!("unordered {pattern}"),
        [Kind::Format | Kind::Range | Kind::Clock | Kind::Distribution] => {
            format!("expect value {pattern}")
        }
        [one] => format!("expect {} {pattern}", one.name()),
        _ => format!("expect {pattern}"),
    }
}

/// What values of a form look like.
const fn expression(form: Family) -> Option<&'static str> {
    Some(match form {
        Family::Integer => "-?[0-9]+",
        Family::Decimal => "-?[0-9.eE+-]+",
        Family::Epoch(_) | Family::Digits => "[0-9]+",
        Family::Hex(_) => "[0-9a-fA-F]+",
        Family::Uuid(..) => "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
        Family::Ulid => "[0-9A-Za-z]{26}",
        Family::DateTime(_) => "[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9:.,]+([Zz]|[+-][0-9:]+)?",
        Family::HttpDate => "[A-Z][a-z]{2}, [0-9A-Za-z]+ [A-Za-z]+ [0-9]+ [0-9:]+ GMT",
        Family::Date => "[0-9]{4}-[0-9]{2}-[0-9]{2}",
        Family::Jwt => r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*",
        Family::Alphanumeric => "[A-Za-z0-9]+",
        Family::Base64 => "[A-Za-z0-9+/=]+",
        Family::Base64Url => "[A-Za-z0-9_=-]+",
        _ => return None,
    })
}

/// A place as a rule names it; `None` for one that no rule can name alone.
fn place_pattern(place: &Place) -> Option<String> {
    match place {
        Place::Status => Some("status".into()),
        Place::Body => Some("body".into()),
        Place::Header(_) => header_name(place).map(|name| format!("header:{name}")),
        Place::Json(pointer) => json_pattern(pointer),
        Place::Effects(pointer) => json_pattern(pointer).map(|place| format!("effects:{place}")),
    }
}

/// Steps that a rule cannot spell become `*`, and what follows one that was cut `**`.
fn json_pattern(pointer: &str) -> Option<String> {
    let mut pattern = String::new();
    for step in pointer.strip_prefix('/')?.split('/') {
        let is_cut = step.ends_with('…');
        let is_plain = !step.contains(|c: char| c.is_whitespace() || c.is_control())
            && !step.contains("**")
            && !step.is_empty();
        pattern.push('/');
        pattern.push_str(match (is_cut, is_plain) {
            (true, _) => "**",
            (false, true) => step,
            (false, false) => "*",
        });
        if is_cut {
            break;
        }
    }
    Some(pattern)
}

/// A cookie's place has its name after the header's.
fn header_name(place: &Place) -> Option<&str> {
    match place {
        Place::Header(name) => name.split(' ').next(),
        _ => None,
    }
}

fn evidence(route: &str, facts: &PlaceFacts<'_>, noise: &Noise) -> String {
    let mut parts = Vec::new();
    if facts.judged > 0 {
        let (differed, judged) = (count(facts.differed), count(facts.judged));
        parts.push(format!("{differed} of {judged} requests of {route}"));
    }
    if let Some(variation) = facts.variation {
        let (all, differed) = (noise.pairs(route).0, variation.differed);
        let sources = [
            (
                differed.repeat + differed.recheck,
                all.repeat + all.recheck,
                "repeats",
            ),
            (differed.control, all.control, "answers of the control"),
            (
                differed.production,
                all.production,
                "repeats of production's own",
            ),
        ];
        let seen = sources.iter().filter(|(_, all, _)| *all > 0);
        let seen: Vec<_> = seen
            .map(|(differed, all, what)| format!("{} of {} {what}", count(*differed), count(*all)))
            .collect();
        parts.push(format!("varies in {}", seen.join(", in ")));
        parts.push(variation.describe());
    } else if facts.varies {
        parts.push("varies among answers of one version".into());
    }
    parts.retain(|part| !part.is_empty());
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use mirror_core::compare::{Comparison, Observation, Severity};
    use mirror_core::noise::{AnswerTimes, Source};
    use mirror_core::verdict::Finding;

    use super::super::{CaptureCounters, Recorder, RunInfo};
    use super::*;

    const ROUTE: &str = "GET /orders/{id}";

    fn json(pointer: &str) -> Place {
        Place::Json(pointer.into())
    }

    fn finding(place: Place, kind: Kind, differed: u64) -> Finding {
        Finding {
            route: ROUTE.into(),
            place,
            kind,
            severity: Severity::Value,
            differed,
            judged: 8_000,
            informative: 0,
            candidate_odd: 0,
            e_value: 1.0,
            at_least: 0.0,
            needed: None,
            varies: false,
            is_unsteady: false,
            is_by_chance: false,
        }
    }

    fn report(noted: Vec<Finding>, undecided: Vec<Finding>, findings: Vec<Finding>) -> ReportData {
        let recorder = Recorder::new(RunInfo::default());
        let mut report = recorder.finish(CaptureCounters::default());
        report.results.verdict.noted = noted;
        report.results.verdict.undecided = undecided;
        report.results.verdict.findings = findings;
        report
    }

    /// 64 pairs of one version, of which 31 differ at these places in these ways.
    fn noise(places: &[(Place, Kind, &str, &str)]) -> Noise {
        let mut noise = Noise::default();
        for pair in 0..64 {
            let found = places.iter().map(|(place, kind, one, other)| Observation {
                place: place.clone(),
                kind: *kind,
                count: 1,
                production: (*one).into(),
                mirror: (*other).into(),
            });
            let comparison = Comparison {
                observations: if pair < 31 {
                    found.collect()
                } else {
                    Vec::new()
                },
                ..Comparison::default()
            };
            noise.learn(ROUTE, Source::Control, AnswerTimes::default(), &comparison);
        }
        noise
    }

    fn rules(report: &ReportData, noise: &Noise) -> Vec<String> {
        let suggested = suggest_rules(report, noise);
        let text: String = suggested_text(&suggested);
        // What is written is what `--compare-rule` takes.
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let rules: Vec<_> = lines
            .map(|line| CompareRule::from_text(line).unwrap())
            .collect();
        let headers = suggested.iter().filter_map(|one| header_name(&one.place));
        let options = CompareOptions {
            headers: ["all"].into_iter().chain(headers).map(Into::into).collect(),
            rules: rules.clone(),
            ..CompareOptions::default()
        };
        options.check().unwrap();
        let without_route = |rule: &CompareRule| {
            let text = rule.to_string();
            text.strip_prefix("GET /orders/{id} => ")
                .unwrap()
                .to_owned()
        };
        rules.iter().map(without_route).collect()
    }

    #[test]
    fn what_only_the_new_version_shows_may_be_intended() {
        let noted = vec![finding(json("/currency"), Kind::Added, 412)];
        let undecided = vec![
            finding(Place::Status, Kind::StatusClass, 2),
            finding(json("/items"), Kind::Order, 9),
            finding(json("/sum"), Kind::Value, 3),
            finding(json("/sum"), Kind::Type, 7),
            finding(json("/until"), Kind::Clock, 3),
            finding(Place::Header("x-cache-key".into()), Kind::Value, 3),
            finding(Place::Header("etag".into()), Kind::Value, 3),
            finding(Place::Body, Kind::Bytes, 1),
        ];
        let failed = vec![finding(json("/currency/name"), Kind::Missing, 99)];
        let report = report(noted, undecided, failed);
        let expect = [
            "expect status-class status",
            "expect value header:etag",
            "expect value header:x-cache-key",
            "expect added /currency",
            "unordered /items",
            "expect /sum",
            "expect value /until",
            "expect bytes body",
        ];
        assert_eq!(rules(&report, &Noise::default()), expect);
        let text = suggested_text(&suggest_rules(&report, &Noise::default()));
        let lines = "# 412 of 8,000 requests of GET /orders/{id}\n\
                     GET /orders/{id} => expect added /currency\n";
        assert!(text.contains(lines), "{text}");
    }

    #[test]
    fn what_varies_is_held_to_its_form_where_it_has_one() {
        let uuids = [
            "\"550e8400-e29b-41d4-a716-446655440000\"",
            "\"550e8400-e29b-41d4-a716-446655440001\"",
        ];
        let noise = noise(&[
            (json("/trace"), Kind::Value, uuids[0], uuids[1]),
            (json("/n"), Kind::Value, "17", "18"),
            (json("/tags"), Kind::Order, "[2 elements]", "[2 elements]"),
            (json("/note"), Kind::Value, "\"some words\"", "\"others\""),
            (json("/maybe"), Kind::Missing, "1", "(absent)"),
            (json("/failed"), Kind::Value, "1", "2"),
            (Place::Status, Kind::StatusClass, "200", "503"),
        ]);
        let undecided = vec![finding(json("/trace"), Kind::Value, 412)];
        let failed = vec![finding(json("/failed"), Kind::Value, 99)];
        let report = report(Vec::new(), undecided, failed);
        let expect = [
            "ignore /maybe",
            "pattern -?[0-9]+ /n",
            "ignore /note",
            "unordered /tags",
            "pattern [0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12} /trace",
        ];
        assert_eq!(rules(&report, &noise), expect);
        let suggested = suggest_rules(&report, &noise);
        let evidence = &suggested.last().unwrap().evidence;
        let start = "412 of 8,000 requests of GET /orders/{id}; varies in 31 of 64 answers of the control; ";
        assert!(evidence.starts_with(start), "{evidence}");
    }

    #[test]
    fn a_place_that_no_rule_can_spell_is_widened_or_left_out() {
        let check = |pointer: &str, expect: Option<&str>| {
            assert_eq!(json_pattern(pointer).as_deref(), expect, "{pointer}");
        };
        check("/items/*/price", Some("/items/*/price"));
        check("/prices/{*}", Some("/prices/{*}"));
        check("/two words/a", Some("/*/a"));
        check("/a\n# b/c", Some("/*/c"));
        check("/a~1b/", Some("/a~1b/*"));
        check("/a/…", Some("/a/**"));
        check("", None);
        // A rule that leaves out all of `/a` leaves nothing to one for `/a/b`.
        let mut whole = finding(json("/a"), Kind::Value, 1);
        whole.varies = true;
        let undecided = vec![finding(json("/a/b"), Kind::Value, 1), whole];
        let report = report(Vec::new(), undecided, Vec::new());
        assert_eq!(rules(&report, &Noise::default()), ["ignore /a"]);
    }

    #[test]
    fn a_route_that_no_rule_can_name_has_no_rule() {
        let mut other = finding(json("/a"), Kind::Value, 1);
        other.route = "(other)".into();
        let report = report(Vec::new(), vec![other], Vec::new());
        assert_eq!(suggest_rules(&report, &Noise::default()), []);
    }
}
