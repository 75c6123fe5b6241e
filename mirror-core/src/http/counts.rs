//! What conversations count.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::AddAssign;

use serde::de::Error;
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Protocol;
use crate::counters::{counters, schema_of};

counters! {
    /// What was read of all connections, and what was not.
    pub struct HttpCounts {
        /// Connections that speak TLS.
        pub tls: u64,
        pub tls_ports: PortCounts,
        /// Connections that speak HTTP/2.
        pub http2: u64,
        pub http2_ports: PortCounts,
        /// Connections that speak neither these nor HTTP/1.
        pub not_http: u64,
        /// The same by the name of what they speak.
        pub protocols: ProtocolCounts,
        /// Connections that may be HTTP/1, but of which a side, or a long part of it, could not be read.
        pub unread: u64,
        /// Some of the connections of the last two kinds.
        pub unread_examples: UnreadExamples,
        /// Connections that became something else by 101 or CONNECT.
        pub tunnels: u64,
        /// Heads that looked like a message and could not be parsed.
        pub bad_heads: u64,
        /// Requests found.
        pub requests: u64,
        /// Final response heads parsed, orphans included.
        pub responses: u64,
        /// 1xx responses other than 101.
        pub interim_responses: u64,
        /// Final responses whose request was not seen.
        pub orphan_responses: u64,
    }
}

/// How many connections by server port, for the first few ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortCounts([(u16, u64); 8]);

impl PortCounts {
    pub fn add(&mut self, port: u16) {
        self.add_many(port, 1);
    }

    fn add_many(&mut self, port: u16, more: u64) {
        let place = |(known, count): &&mut (u16, u64)| *known == port || *count == 0;
        if let Some(entry) = self.0.iter_mut().find(place) {
            *entry = (port, entry.1 + more);
        }
    }

    /// In order of appearance.
    pub fn iter(&self) -> impl Iterator<Item = (u16, u64)> {
        self.0.iter().copied().filter(|(_, count)| *count > 0)
    }
}

impl AddAssign for PortCounts {
    fn add_assign(&mut self, other: Self) {
        other
            .iter()
            .for_each(|(port, count)| self.add_many(port, count));
    }
}

schema_of!(PortCounts => BTreeMap<String, u64>);
schema_of!(ProtocolCounts => BTreeMap<String, u64>);
schema_of!(UnreadExamples => Vec<UnreadExample>);

impl Serialize for PortCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for PortCounts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // As text: a map with numbers for keys cannot be read from within a flattened struct.
        let counts = BTreeMap::<String, u64>::deserialize(deserializer)?;
        let mut ports = Self::default();
        for (port, count) in counts {
            ports.add_many(port.parse().map_err(D::Error::custom)?, count);
        }
        Ok(ports)
    }
}

/// How many connections by protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProtocolCounts([u64; Protocol::ALL.len()]);

impl ProtocolCounts {
    pub fn add(&mut self, protocol: Protocol) {
        self.0[protocol as usize] += 1;
    }

    /// Those that occurred.
    pub fn iter(&self) -> impl Iterator<Item = (Protocol, u64)> {
        let counts = Protocol::ALL.into_iter().zip(self.0);
        counts.filter(|(_, count)| *count > 0)
    }
}

impl AddAssign for ProtocolCounts {
    fn add_assign(&mut self, other: Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
    }
}

impl Serialize for ProtocolCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            self.iter()
                .map(|(protocol, count)| (protocol.name(), count)),
        )
    }
}

impl<'de> Deserialize<'de> for ProtocolCounts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let named = BTreeMap::<String, u64>::deserialize(deserializer)?;
        let count = |protocol: Protocol| named.get(protocol.name()).copied().unwrap_or(0);
        Ok(Self(Protocol::ALL.map(count)))
    }
}

/// A connection that could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct UnreadExample {
    #[schemars(with = "String")]
    pub from: SocketAddr,
    #[schemars(with = "String")]
    pub to: SocketAddr,
    /// What the first bytes that could not be read look like.
    pub first_bytes: Protocol,
}

/// The first few.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnreadExamples([Option<UnreadExample>; 3]);

impl UnreadExamples {
    pub fn add(&mut self, example: UnreadExample) {
        if let Some(free) = self.0.iter_mut().find(|place| place.is_none()) {
            *free = Some(example);
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &UnreadExample> {
        self.0.iter().flatten()
    }
}

impl AddAssign for UnreadExamples {
    fn add_assign(&mut self, other: Self) {
        other.iter().for_each(|example| self.add(*example));
    }
}

impl Serialize for UnreadExamples {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut examples = serializer.serialize_seq(None)?;
        for example in self.iter() {
            examples.serialize_element(example)?;
        }
        examples.end()
    }
}

impl<'de> Deserialize<'de> for UnreadExamples {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut examples = Self::default();
        for example in Vec::<UnreadExample>::deserialize(deserializer)? {
            examples.add(example);
        }
        Ok(examples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_counted_while_there_is_room() {
        let mut ports = PortCounts::default();
        for port in [443, 8443, 443].into_iter().chain(1..100) {
            ports.add(port);
        }
        let seen: Vec<_> = ports.iter().take(3).collect();
        assert_eq!(seen, [(443, 2), (8443, 1), (1, 1)]);
        assert_eq!(ports.iter().count(), 8);
        let json = serde_json::to_value(ports).unwrap();
        assert_eq!(json["443"], 2);
    }

    #[test]
    fn counts_add_up() {
        let mut counts = HttpCounts {
            requests: 2,
            ..HttpCounts::default()
        };
        counts.tls_ports.add(443);
        counts.protocols.add(Protocol::Ssh);
        let address = "10.0.0.1:80".parse().unwrap();
        counts.unread_examples.add(UnreadExample {
            from: address,
            to: address,
            first_bytes: Protocol::Binary,
        });
        counts += counts;
        counts += counts;
        assert_eq!(counts.requests, 8);
        assert_eq!(counts.tls_ports.iter().collect::<Vec<_>>(), [(443, 4)]);
        assert_eq!(
            counts.protocols.iter().collect::<Vec<_>>(),
            [(Protocol::Ssh, 4)]
        );
        assert_eq!(counts.unread_examples.iter().count(), 3);
        let json = serde_json::to_value(counts).unwrap();
        assert_eq!(json["unread_examples"][2]["first_bytes"], "binary");
        assert_eq!(
            serde_json::from_value::<HttpCounts>(json.clone()).unwrap(),
            counts
        );
        assert_eq!(json["protocols"]["SSH"], 4);
    }
}
