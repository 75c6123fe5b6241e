//! What was compared on each route, and how long both sides took.

use std::fmt::{self, Write};

use super::super::latency::LatencyData;
use super::super::status::Results;
use super::super::table::{Align, number, table};

pub(super) fn routes(out: &mut String, results: &Results, width: Option<u16>) -> fmt::Result {
    if results.routes.is_empty() {
        return Ok(());
    }
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
    write!(out, "\n{}", table(width, columns, rows))?;
    let streamed: u64 = results.routes.iter().map(|route| route.streamed).sum();
    if streamed > 0 {
        writeln!(
            out,
            "{streamed} pairs of bodies are too large to be compared as data: they were compared byte for byte, those over --max-body by length and digest"
        )?;
    }
    Ok(())
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
        routes(&mut text, &results, None).unwrap();
        let ends: Vec<usize> = text
            .lines()
            .skip(1)
            .map(|line| line.chars().count())
            .collect();
        assert!(ends.windows(2).all(|pair| pair[0] == pair[1]), "{text}");
    }
}
