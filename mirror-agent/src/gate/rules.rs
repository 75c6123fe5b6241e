//! What the gate asks of a route: whether it needs a snapshot, and what is done where none came.

use std::str::FromStr;

use mirror_core::exchange::Request;
use mirror_core::options::{BadValue, FromText, OptionValue};
use mirror_snapshot::Route;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnMissing {
    /// Do not replay it.
    #[default]
    Skip,
    /// Replay it all the same; the comparison is no evidence.
    Replay,
    /// End the run as failed.
    Fail,
}

impl FromStr for OnMissing {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "skip" => Ok(Self::Skip),
            "replay" => Ok(Self::Replay),
            "fail" => Ok(Self::Fail),
            _ => Err("use skip, replay or fail, or as in 'POST /orders => fail'".into()),
        }
    }
}

mirror_core::options! {
    /// What is asked of a route.
    #[derive(Clone, Debug)]
    pub struct GateRules("Snapshots") {
        /// What to do with a request whose snapshot never came: skip it, replay it without evidence, or fail the run; for
        /// one route as in 'POST /orders => fail' (repeatable)
        #[option("on-missing", "WHAT", default = "skip", live)]
        on_missing: MissingRules,
        /// Route whose answers need no snapshot, as in 'GET /static/**' (repeatable)
        #[option("no-snapshot", "ROUTE", live)]
        not_required: Vec<Route>,
    }
}

/// The first rule whose route fits decides.
#[derive(Clone, Debug)]
struct MissingRules(Vec<(Option<Route>, OnMissing)>);

impl OptionValue for MissingRules {
    const IS_LIST: bool = true;

    fn read(texts: &[String]) -> Result<Self, BadValue> {
        let rules = texts
            .iter()
            .map(|text| missing_rule(text).map_err(|remedy| BadValue::new(text, remedy)));
        let mut rules: Vec<_> = rules.collect::<Result<_, _>>()?;
        // What is said of a route goes before what is said of all.
        rules.sort_by_key(|(route, _)| route.is_none());
        Ok(Self(rules))
    }
}

fn missing_rule(text: &str) -> Result<(Option<Route>, OnMissing), String> {
    let (route, what) = match text.split_once("=>") {
        None => (None, text),
        Some((route, what)) => (Some(Route::from_text(route)?), what),
    };
    Ok((route, what.trim().parse()?))
}

impl GateRules {
    pub fn on_missing(&self, request: &Request) -> OnMissing {
        let fits = |route: &Option<Route>| {
            route
                .as_ref()
                .is_none_or(|r| r.matches(&request.method, &request.target))
        };
        let rule = self.on_missing.0.iter().find(|(route, _)| fits(route));
        rule.map_or_else(OnMissing::default, |(_, what)| *what)
    }

    pub fn requires(&self, request: &Request) -> bool {
        !self
            .not_required
            .iter()
            .any(|r| r.matches(&request.method, &request.target))
    }
}

#[cfg(test)]
mod tests {
    use mirror_core::options::{Given, Options, Origin};

    use super::*;

    #[test]
    fn a_routes_own_rule_goes_before_the_general_one() {
        let mut given = Given::default();
        let texts = ["replay", "POST /orders => fail"].map(String::from);
        given.set("on-missing", texts.into(), Origin::Flag);
        given.set("no-snapshot", vec!["GET /static/**".into()], Origin::Flag);
        let rules = GateRules::read(&given).unwrap();
        assert_eq!(
            rules.on_missing(&Request::new("POST", "/orders")),
            OnMissing::Fail
        );
        assert_eq!(
            rules.on_missing(&Request::new("GET", "/orders")),
            OnMissing::Replay
        );
        assert!(!rules.requires(&Request::new("GET", "/static/a.css")));
        assert!(rules.requires(&Request::new("GET", "/orders")));
        assert_eq!(
            GateRules::default().on_missing(&Request::new("GET", "/")),
            OnMissing::Skip
        );
        given.set("on-missing", vec!["later".into()], Origin::Flag);
        let error = GateRules::read(&given).unwrap_err().to_string();
        assert!(
            error.contains("`later`: use skip, replay or fail"),
            "{error}"
        );
    }

    #[test]
    fn a_rule_is_one_of_three_words() {
        for (text, what) in [
            ("skip", OnMissing::Skip),
            ("replay", OnMissing::Replay),
            ("fail", OnMissing::Fail),
        ] {
            assert_eq!(text.parse(), Ok(what));
        }
    }
}
