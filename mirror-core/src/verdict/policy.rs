//! What a run fails on, and how sure a decision has to be.
//!
//! A rule is read from one text: `value > 0.1%`, or `GET /users/* => p99 > +10%` for one route. It is checked when it is read: what can never be
//! met, or what the measure does not have, is an error. A rule replaces the default, or the former rule, with the same measure and route; one with a route wins over one without.

use std::fmt;

use mirror_contract::{RequestTarget, Route};
use serde::{Deserialize, Serialize};

use crate::filter::Share;
use crate::options::{BadValue, FromText, OptionValue};

use crate::compare::Severity;

const DEFAULTS: [&str; 3] = ["breaking > 0", "value > 0.1%", "error-rate > +0.5%"];
const MEASURES: &str =
    "breaking, value, order, added, cosmetic, p50, p95, p99, cache-hit or error-rate";

crate::options! {
    /// What a run fails on.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct VerdictPolicy("Verdict") {
        /// Rule that fails the run, as in 'value > 0.1%', 'p99 > +10%', 'cache-hit < -5%' or 'GET /users/* => order > 0': it replaces the
        /// default with the same measure; `none` leaves the defaults out (repeatable). Defaults: 'breaking > 0', 'value > 0.1%', 'error-rate > +0.5%'
        #[option("fail-on", "RULE", live)]
        pub fail_on: FailRules,
        /// Most requests of a route that may differ for a PASS; 0.1% takes 4,104 judged requests of each route without a difference
        #[option("max-mismatch", "SHARE", default = "0.1%", live)]
        pub max_mismatch: Share,
        /// Most of what fails a run that may be a false alarm, over all routes and all looks
        #[option("alpha", "SHARE", default = "1%", live)]
        pub alpha: Share,
        /// Ends by what was seen, for a look at one's desk: it promises nothing
        #[option("quick", "", live)]
        pub quick: bool,
        /// Most of production's own answers that may be 5xx before the run is invalid
        #[option("max-production-errors", "SHARE", default = "5%", live)]
        pub max_production_errors: Share,
        /// Most answers of the same version that may differ from each other, beyond what is known to vary, before the run is invalid
        #[option("max-noise", "SHARE", default = "20%", live)]
        pub max_noise: Share,
    }
}

impl VerdictPolicy {
    /// Refuses shares that make every run fail, or none.
    pub fn check(&self) -> Result<(), String> {
        let is_inside = |share: Share| share.fraction() > 0.0 && share.fraction() <= 0.5;
        if !is_inside(self.alpha) {
            return Err(format!(
                "--alpha `{}`: use more than 0% and at most 50%",
                self.alpha
            ));
        }
        if !is_inside(self.max_mismatch) {
            return Err(format!(
                "--max-mismatch `{}`: use more than 0% and at most 50%: no number of requests shows that nothing ever differs",
                self.max_mismatch
            ));
        }
        Ok(())
    }

    /// The limit of a measure on a route; none if nothing fails on it there.
    pub fn limit(&self, route: &str, measure: Measure) -> Option<f64> {
        self.fail_on.rule(route, measure).map(|rule| rule.limit)
    }

    /// Whether a rule names this route.
    pub fn names(&self, route: &str) -> bool {
        self.fail_on
            .rules
            .iter()
            .any(|rule| rule.route.is_some() && rule.applies(route))
    }
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// The share of requests that really differ.
    Differences(Severity),
    /// The median of the candidate's time over the control's, request by request.
    P50,
    P95,
    P99,
    /// Answers from a cache, candidate against control.
    CacheHit,
    /// Answers with 5xx, candidate against control, or production where there is none.
    ErrorRate,
}

impl Measure {
    const ALL: [Self; 10] = [
        Self::Differences(Severity::Breaking),
        Self::Differences(Severity::Value),
        Self::Differences(Severity::Order),
        Self::Differences(Severity::Added),
        Self::Differences(Severity::Cosmetic),
        Self::P50,
        Self::P95,
        Self::P99,
        Self::CacheHit,
        Self::ErrorRate,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Differences(severity) => severity.name(),
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::CacheHit => "cache-hit",
            Self::ErrorRate => "error-rate",
        }
    }

    /// How a limit is written: a sign where it is a change against the other side.
    const fn example(self) -> &'static str {
        match self {
            Self::Differences(Severity::Breaking) => "breaking > 0",
            Self::Differences(_) => "value > 0.1%",
            Self::P50 | Self::P95 | Self::P99 => "p99 > +10%",
            Self::CacheHit => "cache-hit < -5%",
            Self::ErrorRate => "error-rate > +0.5%",
        }
    }
}

/// One rule.
#[derive(Clone, Debug, PartialEq)]
pub struct FailOn {
    route: Option<Route>,
    pub measure: Measure,
    /// A fraction: 0.1 for +10 %; −0.05 for -5 % of a cache.
    pub limit: f64,
    text: String,
}

impl FailOn {
    fn applies(&self, route: &str) -> bool {
        let Some(pattern) = &self.route else {
            return true;
        };
        let Some((method, path)) = route.split_once(' ') else {
            return false;
        };
        pattern.matches(method, &RequestTarget::parse(method, path.to_owned()))
    }
}

impl fmt::Display for FailOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromText for FailOn {
    fn from_text(text: &str) -> Result<Self, String> {
        let (route, rule) = match text.split_once("=>") {
            None => (None, text),
            Some((route, rule)) => (Some(Route::from_text(route.trim())?), rule),
        };
        let at = rule
            .find(['<', '>'])
            .ok_or("use MEASURE > LIMIT, as in 'value > 0.1%'")?;
        let name = rule[..at].trim();
        let measure = Measure::ALL
            .into_iter()
            .find(|measure| measure.name() == name);
        let measure =
            measure.ok_or_else(|| format!("there is no measure `{name}`: use {MEASURES}"))?;
        let example = measure.example();
        let limit = limit(measure, &rule[at..at + 1], rule[at + 1..].trim())
            .map_err(|what| format!("{what}, as in '{example}'"))?;
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        Ok(Self {
            route,
            measure,
            limit,
            text,
        })
    }
}

/// The number after the sign of comparison.
fn limit(measure: Measure, sign: &str, text: &str) -> Result<f64, String> {
    let wanted = if measure == Measure::CacheHit {
        "<"
    } else {
        ">"
    };
    if sign != wanted {
        return Err(format!("`{}` is compared by `{wanted}`", measure.name()));
    }
    let number = text.strip_suffix('%').map_or(text, str::trim_end);
    let value: f64 = number
        .parse()
        .map_err(|_| format!("`{text}` is not a percentage"))?;
    if number == text && value != 0.0 {
        return Err(format!("`{text}` has no `%`: a limit is a share"));
    }
    let value = value / 100.0;
    let is_signed = text.starts_with(['+', '-']);
    match measure {
        Measure::Differences(_) if is_signed => Err("a share of requests has no sign".into()),
        Measure::Differences(_) if !(0.0..1.0).contains(&value) => {
            Err("a share of requests is at least 0 and less than 100%".into())
        }
        Measure::CacheHit if !(-1.0..0.0).contains(&value) => Err(
            "the limit of a cache is what its hits may lose: at least -100% and less than 0".into(),
        ),
        Measure::P50 | Measure::P95 | Measure::P99 | Measure::ErrorRate
            if text.starts_with('-') =>
        {
            Err("the limit is what may be added".into())
        }
        Measure::ErrorRate if !(0.0..1.0).contains(&value) => {
            Err("a share of requests is at least 0 and less than 100%".into())
        }
        _ if !value.is_finite() => Err(format!("`{text}` is not a percentage")),
        _ => Ok(value),
    }
}

/// All rules of a policy, the defaults among them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct FailRules {
    rules: Vec<FailOn>,
}

impl FailRules {
    /// The rule that counts for a route; one that names it wins, and of several the last.
    pub fn rule(&self, route: &str, measure: Measure) -> Option<&FailOn> {
        let all = || {
            self.rules
                .iter()
                .rev()
                .filter(|rule| rule.measure == measure)
        };
        let named = all().find(|rule| rule.route.is_some() && rule.applies(route));
        named.or_else(|| all().find(|rule| rule.route.is_none()))
    }

    pub fn iter(&self) -> impl Iterator<Item = &FailOn> {
        self.rules.iter()
    }
}

impl From<FailRules> for Vec<String> {
    fn from(rules: FailRules) -> Self {
        rules.rules.into_iter().map(|rule| rule.text).collect()
    }
}

/// All rules are given: no default is added.
impl TryFrom<Vec<String>> for FailRules {
    type Error = String;

    fn try_from(texts: Vec<String>) -> Result<Self, String> {
        let rules = texts.iter().map(|text| FailOn::from_text(text));
        Ok(Self {
            rules: rules.collect::<Result<_, _>>()?,
        })
    }
}

impl Default for FailRules {
    fn default() -> Self {
        let rules = DEFAULTS
            .iter()
            .filter_map(|text| FailOn::from_text(text).ok());
        Self {
            rules: rules.collect(),
        }
    }
}

impl OptionValue for FailRules {
    const IS_LIST: bool = true;

    fn read(texts: &[String]) -> Result<Self, BadValue> {
        let mut found = Self::default();
        for text in texts {
            if text == "none" {
                found.rules.clear();
                continue;
            }
            let rule = FailOn::from_text(text).map_err(|remedy| BadValue::new(text, remedy))?;
            found
                .rules
                .retain(|known| (known.measure, &known.route) != (rule.measure, &rule.route));
            found.rules.push(rule);
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Given, Options, Origin};

    fn policy(rules: &[&str]) -> Result<VerdictPolicy, String> {
        let mut given = Given::default();
        let texts = rules.iter().map(|text| (*text).to_owned()).collect();
        given.set("fail-on", texts, Origin::Flag);
        VerdictPolicy::read(&given).map_err(|error| error.to_string())
    }

    const VALUE: Measure = Measure::Differences(Severity::Value);
    const ORDER: Measure = Measure::Differences(Severity::Order);

    #[test]
    fn a_policy_is_read_as_it_was_written() {
        for rules in [
            &[][..],
            &["none"],
            &["none", "GET /a => p99 > +10%", "order > 0"],
        ] {
            let policy = policy(rules).unwrap();
            let text = serde_json::to_string(&policy).unwrap();
            let read: VerdictPolicy = serde_json::from_str(&text).unwrap();
            assert_eq!(read, policy, "{text}");
        }
        assert!(serde_json::from_str::<FailRules>(r#"["value > lots"]"#).is_err());
    }

    #[test]
    fn without_rules_the_defaults_count_and_the_rest_is_advice() {
        let policy = VerdictPolicy::default();
        policy.check().unwrap();
        let limit = |measure| policy.limit("GET /", measure);
        assert_eq!(limit(Measure::Differences(Severity::Breaking)), Some(0.0));
        assert_eq!(limit(VALUE), Some(0.001));
        assert_eq!(limit(Measure::ErrorRate), Some(0.005));
        for advice in [ORDER, Measure::P50, Measure::P99, Measure::CacheHit] {
            assert_eq!(limit(advice), None, "{advice:?}");
        }
        assert_eq!(
            (policy.alpha.fraction(), policy.max_mismatch.fraction()),
            (0.01, 0.001)
        );
        assert!(!policy.quick && !policy.names("GET /"));
    }

    #[test]
    fn each_measure_is_read_with_its_limit() {
        let check = |text: &str, measure: Measure, limit: f64| {
            let rule = FailOn::from_text(text).unwrap();
            assert_eq!(rule.measure, measure, "{text}");
            assert!((rule.limit - limit).abs() < 1e-12, "{text}: {}", rule.limit);
        };
        check(
            "breaking > 0",
            Measure::Differences(Severity::Breaking),
            0.0,
        );
        check("value>0.1%", VALUE, 0.001);
        check("order > 0.5 %", ORDER, 0.005);
        check("added > 0", Measure::Differences(Severity::Added), 0.0);
        check("p99 > +10%", Measure::P99, 0.1);
        check("p50 > 5%", Measure::P50, 0.05);
        check("p95 > +150%", Measure::P95, 1.5);
        check("cache-hit < -5%", Measure::CacheHit, -0.05);
        check("error-rate > +0.5%", Measure::ErrorRate, 0.005);
    }

    #[test]
    fn a_rule_replaces_the_default_of_its_measure_and_a_route_wins() {
        let general =
            policy(&["value > 1%", "GET /users/* => value > 0.2%", "p99 > +10%"]).unwrap();
        assert_eq!(general.limit("GET /items", VALUE), Some(0.01));
        assert_eq!(general.limit("GET /users/{id}", VALUE), Some(0.002));
        assert_eq!(general.limit("GET /items", Measure::P99), Some(0.1));
        assert_eq!(general.limit("GET /items", Measure::ErrorRate), Some(0.005));
        assert!(general.names("GET /users/{id}") && !general.names("GET /items"));
        let last = policy(&["none", "order > 0", "order > 1%"]).unwrap();
        assert_eq!(last.limit("GET /", VALUE), None);
        assert_eq!(last.limit("GET /", ORDER), Some(0.01));
    }

    #[test]
    fn what_cannot_be_met_is_refused_with_what_to_write() {
        let check = |text: &str, expect: &str| {
            let error = policy(&[text]).unwrap_err();
            assert_eq!(error, format!("invalid --fail-on `{text}`: {expect}"));
        };
        check("value", "use MEASURE > LIMIT, as in 'value > 0.1%'");
        check(
            "values > 1%",
            "there is no measure `values`: use breaking, value, order, added, cosmetic, p50, p95, p99, cache-hit or error-rate",
        );
        check(
            "value > 3",
            "`3` has no `%`: a limit is a share, as in 'value > 0.1%'",
        );
        check(
            "value < 1%",
            "`value` is compared by `>`, as in 'value > 0.1%'",
        );
        check(
            "value > +1%",
            "a share of requests has no sign, as in 'value > 0.1%'",
        );
        check(
            "value > 100%",
            "a share of requests is at least 0 and less than 100%, as in 'value > 0.1%'",
        );
        check(
            "p99 > -10%",
            "the limit is what may be added, as in 'p99 > +10%'",
        );
        check(
            "p99 > ten%",
            "`ten%` is not a percentage, as in 'p99 > +10%'",
        );
        check(
            "cache-hit < 5%",
            "the limit of a cache is what its hits may lose: at least -100% and less than 0, as in 'cache-hit < -5%'",
        );
        check(
            "cache-hit > -5%",
            "`cache-hit` is compared by `<`, as in 'cache-hit < -5%'",
        );
        check(
            "users => value > 1%",
            "use METHOD /path, for example 'POST /orders', 'PUT /users/*' or 'GET /static/**'",
        );
    }

    #[test]
    fn limits_that_nothing_can_show_are_refused() {
        let with = |key: &str, text: &str| {
            let mut given = Given::default();
            given.set(key, vec![text.into()], Origin::Flag);
            VerdictPolicy::read(&given).unwrap().check().unwrap_err()
        };
        assert!(with("max-mismatch", "0%").contains("no number of requests"));
        assert!(with("alpha", "0%").starts_with("--alpha `0%`"));
        assert!(with("alpha", "90%").starts_with("--alpha `90%`"));
    }
}
