//! What the dissector may hold, and for how long.

use std::time::Duration;

use crate::filter::PortSet;
use crate::options::ByteSize;

crate::options! {
    /// What the dissector may hold, and for how long.
    #[derive(Clone, Debug)]
    pub struct DissectLimits("Limits of what is read") {
        /// Server ports to look at; empty for any.
        #[not_an_option("the capture's filter knows them")]
        pub ports: PortSet,
        /// Whether to look into VXLAN, Geneve, GRE, IP-in-IP and MPLS.
        #[not_an_option("live capture sees no tunnels")]
        pub tunnels: bool,
        /// Largest body that is kept whole, in production and from the mirror: a larger request is not replayed, larger
        /// answers are compared by length and digest
        #[option("max-body", "SIZE", default = "1MiB")]
        pub max_body: ByteSize,
        /// Largest start line and headers of a message; of a larger head the beginning is kept, and the message is not
        /// replayed
        #[option("max-head", "SIZE", default = "256KiB")]
        pub max_head: ByteSize,
        /// Most connections followed at once; the least recently used goes first
        #[option("max-flows", "N", default = "65536")]
        pub max_flows: usize,
        /// Most out-of-order bytes held for a connection
        #[option("max-held", "SIZE", default = "1MiB")]
        pub max_held: ByteSize,
        /// Most bytes held for all connections together: out of order, and of messages that are not finished
        #[option("max-held-total", "SIZE", default = "256MiB")]
        pub max_total: ByteSize,
        /// Time without a packet after which a connection counts as closed
        #[option("idle-timeout", "TIME", default = "5m")]
        pub idle: Duration,
        /// Time by which packets of a connection may be captured out of their order
        #[option("reorder-timeout", "TIME", default = "200ms")]
        pub patience: Duration,
        /// Time to wait for bytes that the receiver was not seen to acknowledge
        #[option("unacked-timeout", "TIME", default = "3s")]
        pub unacked_patience: Duration,
    }
}

pub(super) fn bytes(size: ByteSize) -> usize {
    usize::try_from(size.as_u64()).unwrap_or(usize::MAX)
}

pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
