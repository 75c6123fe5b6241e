//! Where packets come from: a kernel program on live interfaces (`tc`) or a capture file (`pcap`).
//!
//! `tc` attaches the program to interfaces as they come and go, `net` knows interfaces and namespaces, `filter` tells
//! the program what is wanted, and `ring` turns its records into packets.

pub mod filter;
mod input;
pub mod net;
pub mod pcap;
pub mod ring;
pub mod tc;

pub use input::Progress;
