//! What a user can do about connections that cannot be read.

use super::DissectStats;
use crate::http::HttpCounts;

/// Messages of one kind that are enough to say that the other is missing.
const ENOUGH_MESSAGES: u64 = 100;

impl DissectStats {
    /// A line for each thing that a user can do.
    pub fn advice(&self) -> Vec<String> {
        let http = &self.http;
        let tls = http
            .tls_ports
            .iter()
            .map(|(port, _)| format!("port {port} speaks TLS: capture behind its termination"));
        let http2 = http
            .http2_ports
            .iter()
            .map(|(port, _)| format!("port {port} speaks HTTP/2, which cannot be read yet"));
        let tunnels = self.packets.tunnelled.iter().map(|(tunnel, count)| {
            format!(
                "{}: use --tunnels",
                count_of(count, "packet", tunnel.name())
            )
        });
        tls.chain(http2)
            .chain(tunnels)
            .chain(unread(http))
            .chain(one_direction(http))
            .collect()
    }
}

/// As in `10 packets are VXLAN`.
fn count_of(count: u64, what: &str, is: &str) -> String {
    match count {
        1 => format!("1 {what} is {is}"),
        _ => format!("{count} {what}s are {is}"),
    }
}

fn unread(http: &HttpCounts) -> Option<String> {
    let connections = match http.unread + http.not_http {
        0 => return None,
        1 => "1 connection".to_owned(),
        count => format!("{count} connections"),
    };
    let examples: Vec<_> = http
        .unread_examples
        .iter()
        .map(|example| {
            let name = example.first_bytes.name();
            format!("{name} from {} to {}", example.from, example.to)
        })
        .collect();
    Some(format!(
        "{connections} could not be read, or not wholly: {}; if this is not HTTP, leave its port out",
        examples.join(", ")
    ))
}

/// A network plug-in that redirects packets past an interface shows there as one direction only.
fn one_direction(http: &HttpCounts) -> Option<String> {
    let told = |seen: &str, count: u64, missing: &str, other: u64| {
        (count >= ENOUGH_MESSAGES && other < count / 10).then(|| {
            format!(
                "{seen} are seen without their {missing}: they pass another interface, or are redirected past this one; capture with --hook cgroup"
            )
        })
    };
    let (requests, responses) = (http.requests, http.responses);
    told("requests", requests, "responses", responses)
        .or_else(|| told("responses", responses, "requests", requests))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Protocol, UnreadExample};
    use crate::packet::Tunnel;

    fn check(change: impl FnOnce(&mut DissectStats), expect: &[&str]) {
        let mut stats = DissectStats::default();
        change(&mut stats);
        assert_eq!(stats.advice(), expect);
    }

    #[test]
    fn nothing_is_said_when_all_is_read() {
        check(|_| {}, &[]);
        check(|stats| stats.http.requests = 99, &[]);
        check(
            |stats| (stats.http.requests, stats.http.responses) = (1000, 100),
            &[],
        );
    }

    #[test]
    fn protocols_and_tunnels_are_named() {
        check(
            |stats| {
                stats.http.tls_ports.add(443);
                stats.http.http2_ports.add(50051);
                for _ in 0..10 {
                    stats.packets.tunnelled.add(Tunnel::Vxlan);
                }
                stats.packets.tunnelled.add(Tunnel::Gre);
            },
            &[
                "port 443 speaks TLS: capture behind its termination",
                "port 50051 speaks HTTP/2, which cannot be read yet",
                "10 packets are VXLAN: use --tunnels",
                "1 packet is GRE: use --tunnels",
            ],
        );
    }

    #[test]
    fn connections_that_stay_unread_are_named() {
        let example = UnreadExample {
            from: "10.0.0.1:40000".parse().unwrap(),
            to: "10.0.0.2:80".parse().unwrap(),
            first_bytes: Protocol::Redis,
        };
        check(
            |stats| {
                stats.http.unread = 1;
                stats.http.unread_examples.add(example);
            },
            &[
                "1 connection could not be read, or not wholly: Redis from 10.0.0.1:40000 to 10.0.0.2:80; if this is not HTTP, leave its port out",
            ],
        );
        check(
            |stats| {
                (stats.http.unread, stats.http.not_http) = (1, 2);
                stats.http.unread_examples.add(example);
            },
            &[
                "3 connections could not be read, or not wholly: Redis from 10.0.0.1:40000 to 10.0.0.2:80; if this is not HTTP, leave its port out",
            ],
        );
    }

    #[test]
    fn one_direction_is_told_from_a_hundred_messages_on() {
        let requests = "requests are seen without their responses: they pass another interface, or are redirected past this one; capture with --hook cgroup";
        let responses = "responses are seen without their requests: they pass another interface, or are redirected past this one; capture with --hook cgroup";
        let counts = |requests, responses| {
            move |stats: &mut DissectStats| {
                (stats.http.requests, stats.http.responses) = (requests, responses);
            }
        };
        check(counts(100, 9), &[requests]);
        check(counts(9, 100), &[responses]);
        check(counts(100, 10), &[]);
        check(counts(99, 0), &[]);
        check(counts(100, 100), &[]);
    }
}
