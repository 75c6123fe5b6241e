//! What was seen and what was lost on the way, each with its reason.

use crate::counters::counters;
use crate::http::HttpCounts;
use crate::packet::TunnelCounts;

counters! {
    /// Packets, and why some are no segments.
    pub struct PacketCounts {
        pub packets: u64,
        pub segments: u64,
        pub not_tcp: u64,
        /// Packets inside of a tunnel that is not looked into, by the tunnel's name.
        pub tunnelled: TunnelCounts,
        /// Pieces of IP packets.
        pub fragments: u64,
        /// IP packets put together from pieces.
        pub joined_packets: u64,
        /// IP packets of which a piece never came.
        pub incomplete_packets: u64,
        /// IP packets whose pieces contradict each other.
        pub refused_packets: u64,
        pub malformed: u64,
        pub other_port: u64,
    }
}

counters! {
    /// Connections and their bytes.
    pub struct StreamCounts {
        pub retransmitted_bytes: u64,
        /// Bytes of those that were other bytes than the first copy, which counts.
        pub conflicting_bytes: u64,
        pub gaps: u64,
        pub gap_bytes: u64,
        /// Gaps among them that were given up because their connection held too much.
        pub shed_gaps: u64,
        pub flows: u64,
        /// Flows given up because there were too many, the least recently used first.
        pub evicted_flows: u64,
        /// The same because together they held too many bytes.
        pub evicted_for_bytes: u64,
        pub idle_flows: u64,
    }
}

counters! {
    /// What was seen and what was lost on the way, each with its reason.
    pub struct DissectStats {
        #[serde(flatten)]
        pub packets: PacketCounts,
        #[serde(flatten)]
        pub streams: StreamCounts,
        #[serde(flatten)]
        pub http: HttpCounts,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_is_summed_and_told() {
        let mut stats = DissectStats::default();
        stats.packets.packets = 1;
        stats.packets.other_port = 2;
        stats.streams.gaps = 3;
        stats.streams.idle_flows = 4;
        stats.http.requests = 5;
        stats += stats;
        let json = serde_json::to_value(stats).unwrap();
        for (name, count) in [
            ("packets", 2),
            ("other_port", 4),
            ("gaps", 6),
            ("idle_flows", 8),
            ("requests", 10),
        ] {
            assert_eq!(json[name], count, "{name}");
        }
    }
}
