//! A capture file, pcap or pcapng, as packets.
//!
//! A damaged file gives every packet up to the damage, then one error, then nothing.

use std::fs::File;
use std::path::Path;

use anyhow::Context;
use bytes::Bytes;
use pcap_parser::data::{PacketData, get_packetdata};
use pcap_parser::traits::PcapReaderIterator;
use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError};

use super::{Link, Packet};
use crate::exchange::Timestamp;

/// The largest block a reader's buffer must hold: snaplen is 256 KiB at most in practice.
const BUFFER: usize = 4 << 20;

pub struct PcapFile {
    reader: Box<dyn PcapReaderIterator + Send>,
    interfaces: Vec<Interface>,
    /// Packets left out because their link type is not one of ours.
    pub unsupported_link: u64,
    done: bool,
}

/// How to read the packets of one interface of the file.
#[derive(Clone, Copy)]
struct Interface {
    link: Linktype,
    /// Timestamp units per second.
    resolution: u64,
    offset_secs: i64,
    snaplen: u32,
}

#[derive(Debug, thiserror::Error)]
pub enum PcapError_ {
    #[error("the capture file is damaged after this packet: {0}")]
    Damaged(String),
}
