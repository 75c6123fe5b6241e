//! Where packets come from: a kernel program on live interfaces (`tc`) or a capture file (`pcap`).
//!
//! `tc` joins the parts of live capture: `attach` (programs to one place), `watch` (to the interfaces of a
//! namespace as they come and go), `filter` and `counters` (maps), `ring` (records to packets).

pub mod attach;
pub mod clsact;
mod counters;
pub mod filter;
mod input;
pub mod links;
pub mod namespace;
mod netlink;
pub mod pcap;
pub mod ring;
pub mod tc;
mod watch;

pub use counters::Counters;
pub use input::Progress;
