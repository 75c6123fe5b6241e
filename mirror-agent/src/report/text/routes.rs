//! What was compared on each route, and how long both sides took.

use std::fmt::{self, Write};

use mirror_core::verdict::words::{count, percent};

use super::super::latency::LatencyData;
use super::super::status::Results;
use super::super::table::{Align, number, table};
use super::Extent;

/// Routes on the screen; all are in report.json.
const MAX_ON_SCREEN: usize = 10;

pub(super) fn routes(
    out: &mut String,
    results: &Results,
    extent: Extent,
    width: Option<u16>,
) -> fmt::Result {
    if results.routes.is_empty() {
        return Ok(());
    }
    match extent {
        Extent::Screen => shares(out, results, width)?,
        Extent::Details => latencies(out, results, width)?,
    }
    let streamed: u64 = results.routes.iter().map(|route| route.streamed).sum();
    if streamed > 0 {
        writeln!(
            out,
            "{streamed} pairs of bodies are too large to be compared as data: they were compared byte for byte, those over --max-body by length and digest"
        )?;
    }
    Ok(())
}

/// How much of each route was compared, how much differs, and how long both sides took.
fn shares(out: &mut String, results: &Results, width: Option<u16>) -> fmt::Result {
    let figures = &results.verdict.routes;
    let rows = results.routes.iter().take(MAX_ON_SCREEN).map(|route| {
        let figures = figures.iter().find(|one| one.scope == route.route);
        let at_most = figures.filter(|figures| figures.limit < 1.0);
        [
            route.route.clone(),
            figures.map_or_else(String::new, |figures| percent(figures.traffic)),
            count(route.compared),
            count(route.differed),
            at_most.map_or_else(|| "–".into(), |figures| percent(figures.at_most)),
            format!(
                "{:.1} / {:.1}",
                route.production_ms.p95, route.mirror_ms.p95
            ),
        ]
    });
    let columns = [
        ("route", Align::Left),
        ("traffic", Align::Right),
        ("compared", Align::Right),
        ("differ", Align::Right),
        ("at most", Align::Right),
        ("p95 ms", Align::Right),
    ];
    write!(out, "\n{}", table(width, columns, rows))?;
    writeln!(
        out,
        "at most: share of requests that really differ, with 95 %; p95: production's / the mirror's"
    )?;
    match results.routes.len().saturating_sub(MAX_ON_SCREEN) {
        0 => Ok(()),
        more => writeln!(out, "and {more} more routes"),
    }
}

fn latencies(out: &mut String, results: &Results, width: Option<u16>) -> fmt::Result {
    let pair = |latency: &LatencyData| format!("{:.2} / {:.2}", latency.p50, latency.p99);
    let rows = results.routes.iter().map(|route| {
        [
            route.route.clone(),
            number(route.compared),
            number(route.differed),
            pair(&route.production_ms),
            pair(&route.mirror_ms),
        ]
    });
    let columns = [
        ("route", Align::Left),
        ("compared", Align::Right),
        ("differed", Align::Right),
        ("production p50/p99 ms", Align::Right),
        ("mirror p50/p99 ms", Align::Right),
    ];
    write!(out, "\n{}", table(width, columns, rows))
}

#[cfg(test)]
mod tests {
    use super::super::super::{CaptureCounters, Recorder, RouteData, RunInfo};
    use super::*;

    #[test]
    fn no_route_breaks_the_table() {
        let mut results = Recorder::new(RunInfo::default()).results(CaptureCounters::default());
        results.routes = [
            "/short",
            "/a/route/that/is/longer/than/forty/columns/in/a/table",
        ]
        .map(|path| RouteData {
            route: format!("GET {path}"),
            compared: 1_000_000,
            ..Default::default()
        })
        .to_vec();
        let mut text = String::new();
        routes(&mut text, &results, Extent::Details, None).unwrap();
        let ends: Vec<usize> = text
            .lines()
            .skip(1)
            .map(|line| line.chars().count())
            .collect();
        assert!(ends.windows(2).all(|pair| pair[0] == pair[1]), "{text}");
        for width in [40, 80, 120] {
            let mut text = String::new();
            routes(&mut text, &results, Extent::Screen, Some(width)).unwrap();
            let rows = text
                .lines()
                .take_while(|line| !line.starts_with("at most:"));
            let widest = rows.map(|line| line.chars().count()).max();
            assert!(widest <= Some(width.into()), "{text}");
        }
    }
}
