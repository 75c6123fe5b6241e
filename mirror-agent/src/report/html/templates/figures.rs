//! All other figures, for who looks for one.

use maud::{Markup, html};
use mirror_core::verdict::words::count;
use serde_json::Value;

use super::super::super::latency::LatencyData;
use super::super::super::status::Results;
use super::super::super::table::Align;
use super::super::words::{millis, name, text};
use super::tables::static_table;

type Row = [String; 2];

pub(super) fn figures(results: &Results) -> Markup {
    let tables = [
        ("Replays in time", times(results)),
        ("Control", control(results)),
        (
            "Values that were carried into later requests",
            carried(results),
        ),
        (
            "Rules of the comparison, and how often each matched",
            rules(results),
        ),
        ("Kernel", kernel(results)),
        ("What was read of the connections", read(results)),
    ];
    html! {
        h2 #figures-title { "All other figures" }
        @for line in &results.counters.advice { p.notice { (text(line)) } }
        @for (title, rows) in tables {
            @if !rows.is_empty() {
                details.more {
                    summary { (title) }
                    (static_table(title, [("Figure", Align::Left), ("Value", Align::Right)], rows))
                }
            }
        }
    }
}

fn row(name: impl Into<String>, value: impl Into<String>) -> Row {
    [name.into(), value.into()]
}

fn of_times(rows: &mut Vec<Row>, title: &str, data: &LatencyData) {
    if data.count > 0 {
        let (p50, p99, max) = (millis(data.p50), millis(data.p99), millis(data.max));
        let text = format!("p50 {p50}, p99 {p99}, longest {max}");
        rows.push(row(title, text));
    }
}

fn times(results: &Results) -> Vec<Row> {
    let timing = &results.timing;
    let mut rows = Vec::new();
    of_times(&mut rows, "sent late by", &timing.send_lag_ms);
    of_times(
        &mut rows,
        "from sending to the answer's last byte",
        &timing.from_sending_ms,
    );
    of_times(
        &mut rows,
        "from the time it was due to the answer's last byte",
        &timing.from_due_ms,
    );
    if timing.sent_twice > 0 {
        let title = "sent a second time, because an idle connection was closed";
        rows.push(row(title, count(timing.sent_twice)));
    }
    rows
}

fn control(results: &Results) -> Vec<Row> {
    let Some(control) = &results.control else {
        return Vec::new();
    };
    let mut rows = vec![
        row("answers equal to production's", count(control.equal)),
        row(
            "different wherever the candidate's was",
            count(control.alike),
        ),
        row("different elsewhere", count(control.apart)),
        row("not answered", count(control.failed)),
    ];
    of_times(&mut rows, "times", &control.latency_ms);
    let failure = control.failure.as_deref();
    rows.extend(failure.map(|why| row("why the first one was not answered", name(why))));
    rows
}

fn carried(results: &Results) -> Vec<Row> {
    let carried = &results.carried;
    if carried.requests == 0 && carried.values == 0 {
        return Vec::new();
    }
    let mut rows = vec![
        row(
            "requests in which values were replaced",
            count(carried.requests),
        ),
        row("values replaced", count(carried.replaced)),
        row("values known", count(carried.values)),
        row(
            "sessions, connections and addresses known",
            count(carried.sessions),
        ),
        row("gave way to others at a limit", count(carried.evicted)),
    ];
    let places = carried.places.iter();
    rows.extend(places.map(|(place, number)| row(name(place), count(*number))));
    rows
}

fn rules(results: &Results) -> Vec<Row> {
    let rules = results.rules.iter();
    rules
        .map(|(rule, used)| row(name(rule), count(used.hits)))
        .collect()
}

fn kernel(results: &Results) -> Vec<Row> {
    let counted = results.counters.capture.iter();
    let counted = counted.filter(|(_, number)| **number > 0);
    let mut rows: Vec<Row> = counted
        .map(|(title, number)| row(title.replace('_', " "), count(*number)))
        .collect();
    for (interface, counters) in &results.counters.interfaces {
        let copied = counters.get("copied").copied().unwrap_or(0);
        rows.push(row(
            format!("copied from {}", name(interface)),
            count(copied),
        ));
    }
    let blind = results.counters.blind_times.iter();
    rows.extend(blind.map(|one| {
        let title = format!("{}: others may have hidden packets", name(&one.interface));
        row(title, format!("{} times, {:.1} s", one.times, one.seconds))
    }));
    rows
}

/// The counters have names in report.json, and those are shown.
fn read(results: &Results) -> Vec<Row> {
    let Ok(Value::Object(counters)) = serde_json::to_value(results.counters.dissect) else {
        return Vec::new();
    };
    let numbers = counters.iter().filter_map(|(title, value)| {
        let number = value.as_u64().filter(|number| *number > 0)?;
        Some(row(title.replace('_', " "), count(number)))
    });
    numbers.collect()
}
