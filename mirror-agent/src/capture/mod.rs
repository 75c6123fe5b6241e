//! Where packets come from: a kernel program on live interfaces (`tc`) or a capture file (`pcap`).
//!
//! `tc` attaches the program to interfaces as they come and go and tells it what is wanted, `net` knows interfaces and
//! namespaces, and `ring` turns the program's records into packets.

pub(crate) mod input;
pub mod net;
mod options;
pub mod pcap;
pub mod ring;
pub mod tc;

pub use input::Progress;
pub use options::FileOptions;
