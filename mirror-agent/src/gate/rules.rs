//! What the gate asks of a route: whether it needs a snapshot, and what is done where none came.

use std::str::FromStr;

use anyhow::{Context, bail};
use mirror_core::exchange::Request;
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
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        match text {
            "skip" => Ok(Self::Skip),
            "replay" => Ok(Self::Replay),
            "fail" => Ok(Self::Fail),
            other => bail!(
                "`{other}` is not known: write skip, replay or fail, or as in 'POST /orders => fail'"
            ),
        }
    }
}

/// The first rule whose route fits decides.
#[derive(Clone, Debug, Default)]
pub struct GateRules {
    on_missing: Vec<(Option<Route>, OnMissing)>,
    not_required: Vec<Route>,
}

impl GateRules {
    /// `on_missing` are texts as in `skip` or `POST /orders => fail`, `not_required` routes.
    pub fn parse(on_missing: &[String], not_required: &[String]) -> anyhow::Result<Self> {
        let mut rules = Vec::new();
        for text in on_missing {
            let (route, what) = match text.split_once("=>") {
                None => (None, text.as_str()),
                Some((route, what)) => (Some(route.parse().context("in --on-missing")?), what),
            };
            rules.push((route, what.trim().parse().context("in --on-missing")?));
        }
        // What is said of a route goes before what is said of all.
        rules.sort_by_key(|(route, _)| route.is_none());
        let not_required: Result<_, _> = not_required.iter().map(|text| text.parse()).collect();
        Ok(Self {
            on_missing: rules,
            not_required: not_required.context("in --no-snapshot")?,
        })
    }

    pub fn on_missing(&self, request: &Request) -> OnMissing {
        let fits = |route: &Option<Route>| {
            route
                .as_ref()
                .is_none_or(|r| r.matches(&request.method, &request.target))
        };
        let rule = self.on_missing.iter().find(|(route, _)| fits(route));
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
    use super::*;

    #[test]
    fn a_routes_own_rule_goes_before_the_general_one() {
        let texts = ["replay", "POST /orders => fail"].map(String::from);
        let rules = GateRules::parse(&texts, &["GET /static/**".into()]).unwrap();
        assert_eq!(
            rules.on_missing(&Request::new("POST", "/orders")),
            OnMissing::Fail
        );
        assert_eq!(
            rules.on_missing(&Request::new("GET", "/orders")),
            OnMissing::Replay
        );
        assert!(!rules.requires(&Request::new("GET", "/static/a.css")));
        assert_eq!(
            GateRules::default().on_missing(&Request::new("GET", "/")),
            OnMissing::Skip
        );
        let error = GateRules::parse(&["later".into()], &[]).unwrap_err();
        assert!(format!("{error:#}").contains("skip, replay or fail"));
    }
}
