//! The state of a run in the text format that Prometheus reads (version 0.0.4).

use std::fmt::Write;

use serde_json::{Map, Value};

/// Media type of the text.
pub const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// One family of metrics: what it is called, its help and kind, and its samples as labels and value.
struct Family {
    name: &'static str,
    help: &'static str,
    kind: &'static str,
    samples: Vec<(Vec<(&'static str, String)>, u64)>,
}

/// `status` is what `mirror-agent status --json` prints.
pub fn metrics(status: &Value) -> String {
    let ledger = &status["ledger"];
    let counter = |name, help, samples| Family {
        name,
        help,
        kind: "counter",
        samples,
    };
    let one = |value: &Value| vec![(Vec::new(), value.as_u64().unwrap_or(0))];
    let families = [
        counter(
            "mirror_requests_seen_total",
            "Requests that production received.",
            one(&ledger["seen"]),
        ),
        counter(
            "mirror_requests_total",
            "Requests by the outcome they ended with.",
            labelled(&ledger["outcomes"], "outcome"),
        ),
        counter(
            "mirror_snapshots_total",
            "Waits for a snapshot by how they ended.",
            labelled(&status["snapshots"], "outcome"),
        ),
        counter(
            "mirror_service_snapshots_total",
            "Answers of the mirror by what they say of their snapshot.",
            labelled(&status["mirror_snapshots"], "state"),
        ),
        Family {
            name: "mirror_snapshot_ttl_milliseconds",
            help: "Time that snapshots had left to live when they were found: the median and the shortest 1%.",
            kind: "gauge",
            samples: vec![
                quantile(&status["snapshot_ttl_ms"]["p50"], "0.5"),
                quantile(&status["snapshot_ttl_ms"]["p99"], "0.01"),
            ],
        },
        counter(
            "mirror_differences_total",
            "Places where the mirror answered differently.",
            one(&status["differences"]),
        ),
        counter(
            "mirror_packets_total",
            "Packets at an interface by what the kernel program did with them.",
            by_interface(&status["interfaces"]),
        ),
        counter(
            "mirror_read_total",
            "What TCP and HTTP read, and could not read.",
            labelled(&status["dissect"], "what"),
        ),
        Family {
            name: "mirror_attached",
            help: "Where the kernel program is attached.",
            kind: "gauge",
            samples: attached(&status["attached"]),
        },
    ];
    let mut text: String = families.iter().map(Family::text).collect();
    text.push_str(&wait_histogram(status));
    text
}

fn quantile(value: &Value, quantile: &str) -> (Vec<(&'static str, String)>, u64) {
    let labels = vec![("quantile", quantile.to_owned())];
    (labels, value.as_f64().unwrap_or(0.0) as u64)
}

/// The waits for a snapshot; their sum is not kept.
fn wait_histogram(status: &Value) -> String {
    let name = "mirror_snapshot_wait_seconds";
    let mut out =
        format!("# HELP {name} Waits for a snapshot that was found.\n# TYPE {name} histogram\n");
    let buckets = status["snapshot_wait_histogram"].as_array();
    for bucket in buckets.into_iter().flatten() {
        let edge = bucket[0].as_u64().unwrap_or(0) as f64 / 1000.0;
        // Writing to a string does not fail.
        let _ = writeln!(out, "{name}_bucket{{le=\"{edge}\"}} {}", bucket[1]);
    }
    let count = status["snapshot_wait_ms"]["count"].as_u64().unwrap_or(0);
    let _ = writeln!(
        out,
        "{name}_bucket{{le=\"+Inf\"}} {count}\n{name}_count {count}"
    );
    out
}

impl Family {
    fn text(&self) -> String {
        let Self {
            name, help, kind, ..
        } = self;
        let mut out = format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
        for (labels, value) in &self.samples {
            let labels: Vec<String> = labels
                .iter()
                .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
                .collect();
            let labels = match labels.as_slice() {
                [] => String::new(),
                some => format!("{{{}}}", some.join(",")),
            };
            // Writing to a string does not fail.
            let _ = writeln!(out, "{name}{labels} {value}");
        }
        out
    }
}

/// The numbers of an object, each under its name.
fn labelled(object: &Value, label: &'static str) -> Vec<(Vec<(&'static str, String)>, u64)> {
    numbers(object)
        .map(|(name, value)| (vec![(label, name.clone())], value))
        .collect()
}

fn by_interface(interfaces: &Value) -> Vec<(Vec<(&'static str, String)>, u64)> {
    let mut samples = Vec::new();
    for (interface, counts) in interfaces.as_object().into_iter().flatten() {
        for (reason, value) in numbers(counts) {
            let labels = vec![("interface", interface.clone()), ("reason", reason.clone())];
            samples.push((labels, value));
        }
    }
    samples
}

fn attached(places: &Value) -> Vec<(Vec<(&'static str, String)>, u64)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let places = places.as_array().into_iter().flatten();
    let labels = |place: &Value| {
        vec![
            ("interface", text(&place["interface"])),
            ("hook", text(&place["hook"])),
        ]
    };
    places.map(|place| (labels(place), 1)).collect()
}

fn numbers(object: &Value) -> impl Iterator<Item = (&String, u64)> {
    let entries = object.as_object().into_iter().flat_map(Map::iter);
    entries.filter_map(|(name, value)| Some((name, value.as_u64()?)))
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_shown_under_their_names() {
        let status = json!({
            "ledger": { "seen": 7, "outcomes": { "lost: ring full": 2, "matched": 5 } },
            "snapshots": {},
            "differences": 0,
            "interfaces": { "eth0": { "copied": 3 }, "a\"b": { "copied": 1 } },
            "dissect": { "gaps": 1, "tls_ports": [[443, 1]] },
            "attached": [{ "interface": "eth0", "hook": "tcx" }],
        });
        let text = metrics(&status);
        for line in [
            "# TYPE mirror_requests_total counter",
            "mirror_requests_seen_total 7",
            "mirror_requests_total{outcome=\"lost: ring full\"} 2",
            "mirror_packets_total{interface=\"a\\\"b\",reason=\"copied\"} 1",
            "mirror_read_total{what=\"gaps\"} 1",
            "mirror_attached{interface=\"eth0\",hook=\"tcx\"} 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
        assert!(!text.contains("tls_ports"), "{text}");
    }
}
