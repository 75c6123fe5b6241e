//! One row for each route, with all that is known of it.

use std::collections::BTreeMap;

use mirror_core::compare::Severity;
use mirror_core::verdict::words::{count, percent};
use mirror_core::verdict::{Change, RouteFigures, RouteSummary, Uncovered};
use serde::Serialize;

use super::super::super::latency::LatencyData;
use super::super::super::status::{CacheHits, ReportData, RouteData};
use super::super::words::name;
use super::groups::{GroupRow, State};
use super::rounded;
use super::times::{Course, Distribution};

/// What is known of a route.
#[derive(Serialize)]
pub(in crate::report::html) struct RouteRow {
    pub(in crate::report::html) name: String,
    /// Share of all requests of production.
    pub(in crate::report::html) traffic: f64,
    pub(in crate::report::html) judged: u64,
    pub(in crate::report::html) differed: u64,
    pub(in crate::report::html) standing: Standing,
    /// Why it stands so, in words.
    pub(in crate::report::html) why: String,
    /// Of a route that is shown by itself: at most this share really differs, and the limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::report::html) bound: Option<(f64, f64)>,
    /// Index of the worst severity that really differs, and the number of ways to differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    worst: Option<usize>,
    groups: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<TimesChange>,
    cold: u64,
    /// p50, p95, p99 in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    production: Option<[f64; 3]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate: Option<[f64; 3]>,
    /// Answers from a cache, of those that say so: production's, and the candidate's.
    #[serde(skip_serializing_if = "Option::is_none")]
    cache: Option<[(u64, u64); 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    distribution: Option<Distribution>,
    #[serde(skip_serializing_if = "Option::is_none")]
    course: Option<Course>,
}

impl RouteRow {
    pub(in crate::report::html) fn has_times(&self) -> bool {
        self.distribution.is_some()
    }
}

/// How a route stands to its limit. The order is that of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::report::html) enum Standing {
    Fails,
    /// Not yet shown to be within the limit.
    Open,
    /// Small ones are shown together.
    Together,
    Shown,
    /// Nothing was judged.
    Uncovered,
}

impl Standing {
    pub(in crate::report::html) const fn words(self) -> &'static str {
        match self {
            Self::Fails => "fails",
            Self::Open => "not shown yet",
            Self::Together => "with others",
            Self::Shown => "within limit",
            Self::Uncovered => "not judged",
        }
    }
}

/// Each is what was seen, at least, and at most; 0.1 for +10 %.
#[derive(Serialize)]
struct TimesChange {
    is_to_control: bool,
    requests: u64,
    p50: [Option<f64>; 3],
    p95: [Option<f64>; 3],
}

/// What parts of the report say of one route.
#[derive(Default)]
struct Parts<'r> {
    data: Option<&'r RouteData>,
    figures: Option<&'r RouteFigures>,
    summary: Option<&'r RouteSummary>,
    uncovered: Option<&'r Uncovered>,
    rule_met: Option<&'r str>,
    worst: Option<usize>,
    groups: u64,
    failing: u64,
}

/// The worst first, then the busiest.
pub(super) fn rows(report: &ReportData, groups: &[GroupRow]) -> Vec<RouteRow> {
    let results = &report.results;
    let compared: u64 = results.routes.iter().map(requests).sum();
    let mut rows: Vec<RouteRow> = parts(report, groups)
        .into_iter()
        .map(|(route, parts)| parts.row(route, results.ledger.seen, compared))
        .collect();
    rows.sort_by(|a, b| {
        let order = a.standing.cmp(&b.standing);
        let order = order.then_with(|| b.traffic.total_cmp(&a.traffic));
        order.then_with(|| a.name.cmp(&b.name))
    });
    rows
}

fn parts<'r>(report: &'r ReportData, groups: &[GroupRow]) -> BTreeMap<&'r str, Parts<'r>> {
    let results = &report.results;
    let verdict = &results.verdict;
    let mut all = BTreeMap::<&str, Parts<'_>>::new();
    for data in &results.routes {
        all.entry(&data.route).or_default().data = Some(data);
    }
    for summary in &verdict.each {
        all.entry(&summary.route).or_default().summary = Some(summary);
    }
    for figures in &verdict.routes {
        all.entry(&figures.scope).or_default().figures = Some(figures);
    }
    for uncovered in &verdict.coverage {
        all.entry(&uncovered.route).or_default().uncovered = Some(uncovered);
    }
    for met in &verdict.rules_met {
        all.entry(&met.scope).or_default().rule_met = Some(&met.what);
    }
    // Groups know routes by their shown name.
    let mut by_name = BTreeMap::<&str, (u64, u64, Option<usize>)>::new();
    for group in groups {
        let counts = by_name.entry(&group.route).or_default();
        counts.0 += 1;
        counts.1 += u64::from(group.state == State::Fails);
        let is_real = group.state < State::Chance;
        let severity = Severity::ALL
            .iter()
            .position(|one| one.name() == group.severity);
        counts.2 = match (is_real, counts.2, severity) {
            (true, Some(known), Some(other)) => Some(known.min(other)),
            (true, None, other) => other,
            (_, known, _) => known,
        };
    }
    for (route, parts) in &mut all {
        if let Some((groups, failing, worst)) = by_name.get(name(route).as_str()) {
            (parts.groups, parts.failing, parts.worst) = (*groups, *failing, *worst);
        }
    }
    all
}

fn requests(data: &RouteData) -> u64 {
    data.compared + data.heads_only
}

impl Parts<'_> {
    fn row(&self, route: &str, seen: u64, compared: u64) -> RouteRow {
        let (standing, why) = self.standing();
        let data = self.data;
        RouteRow {
            name: name(route),
            traffic: rounded(self.traffic(seen, compared)),
            judged: self.judged(),
            differed: data.map_or(0, |data| data.differed),
            standing,
            why,
            bound: self.bound().map(|one| (rounded(one.at_most), one.limit)),
            worst: self.worst,
            groups: self.groups,
            change: self.summary.and_then(TimesChange::new),
            cold: self.summary.map_or(0, |summary| summary.cold),
            production: data.and_then(|data| quantiles(&data.production_ms)),
            candidate: data.and_then(|data| quantiles(&data.mirror_ms)),
            cache: data.and_then(cache),
            distribution: data
                .and_then(|data| Distribution::new(&data.production_ms, &data.mirror_ms)),
            course: data.and_then(|data| Course::new(&data.trend)),
        }
    }

    fn judged(&self) -> u64 {
        let told = [
            self.summary.map(|summary| summary.judged),
            self.figures.map(|figures| figures.judged),
            self.data.map(requests),
        ];
        told.into_iter().flatten().next().unwrap_or(0)
    }

    /// Of all requests of production, as far as they are known by route.
    fn traffic(&self, seen: u64, compared: u64) -> f64 {
        let share = |part: u64, all: u64| (all > 0).then(|| part as f64 / all as f64);
        let told = [
            self.summary.and_then(|summary| share(summary.seen, seen)),
            self.uncovered.map(|one| one.traffic),
            self.figures.map(|figures| figures.traffic),
            self.data.and_then(|data| share(requests(data), compared)),
        ];
        told.into_iter().flatten().next().unwrap_or(0.0)
    }

    /// Where a severity fails no run there is no limit.
    fn bound(&self) -> Option<&RouteFigures> {
        self.figures.filter(|figures| figures.limit < 1.0)
    }

    fn standing(&self) -> (Standing, String) {
        if self.failing > 0 {
            let what = match self.failing {
                1 => "one way to differ fails the run".into(),
                many => format!("{} ways to differ fail the run", count(many)),
            };
            return (Standing::Fails, what);
        }
        if let Some(what) = self.rule_met {
            return (Standing::Fails, super::super::words::text(what));
        }
        match (self.bound(), self.uncovered) {
            (Some(figures), _) if figures.judged > 0 => {
                let (at_most, limit) = (percent(figures.at_most), percent(figures.limit));
                let said =
                    format!("at most {at_most} really differ, with 95 %; the limit is {limit}");
                match figures.is_shown() {
                    true => (Standing::Shown, said),
                    false => (Standing::Open, said),
                }
            }
            (_, Some(one)) => {
                let most = format!("most of its requests ended as `{}`", name(&one.outcome));
                (Standing::Uncovered, most)
            }
            _ if self.judged() == 0 => (Standing::Uncovered, "nothing was judged".into()),
            _ if self.figures.is_some() => {
                (Standing::Shown, "no severity fails the run here".into())
            }
            _ => (
                Standing::Together,
                "less than 1 % of the traffic: it is shown with the other small routes".into(),
            ),
        }
    }
}

impl TimesChange {
    fn new(summary: &RouteSummary) -> Option<Self> {
        let times = summary.times.as_ref()?;
        let three = |change: Change| {
            [change.seen, change.at_least, change.at_most].map(|part| part.map(rounded))
        };
        Some(Self {
            is_to_control: times.is_to_control,
            requests: times.requests,
            p50: three(times.p50),
            p95: three(times.p95),
        })
    }
}

fn quantiles(times: &LatencyData) -> Option<[f64; 3]> {
    (times.count > 0).then(|| [times.p50, times.p95, times.p99].map(rounded))
}

fn cache(data: &RouteData) -> Option<[(u64, u64); 2]> {
    let sides = [data.production_cache, data.mirror_cache];
    let is_told = sides.iter().any(|side| side.told > 0);
    is_told.then(|| sides.map(|CacheHits { hits, told }| (hits, told)))
}
