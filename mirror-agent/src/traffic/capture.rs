//! A capture of packets as exchanges.

use std::path::Path;

use mirror_core::dissect::{DissectLimits, DissectStats, Dissector};
use mirror_core::time::Timestamp;

use super::{LeftOut, Step, Traffic};
use crate::capture::{input::Input, pcap::PcapFile};

pub(super) const UNSUPPORTED_LINK: &str = "unsupported_link";

/// pcap in both byte orders, with micro- and nanoseconds; pcapng.
const BEGINNINGS: [[u8; 4]; 5] = [
    [0xa1, 0xb2, 0xc3, 0xd4],
    [0xd4, 0xc3, 0xb2, 0xa1],
    [0xa1, 0xb2, 0x3c, 0x4d],
    [0x4d, 0x3c, 0xb2, 0xa1],
    [0x0a, 0x0d, 0x0d, 0x0a],
];

pub(super) fn is_capture(start: &[u8]) -> bool {
    BEGINNINGS
        .iter()
        .any(|beginning| start.starts_with(beginning))
}

pub(super) struct Capture {
    packets: PcapFile,
    dissector: Dissector,
    reached: Option<Timestamp>,
    is_read: bool,
}

impl Capture {
    pub(super) fn new(input: Input, path: &Path, limits: DissectLimits) -> anyhow::Result<Self> {
        Ok(Self {
            packets: PcapFile::new(input, path)?,
            dissector: Dissector::new(limits),
            reached: None,
            is_read: false,
        })
    }

    /// A packet is read when no exchange is ready. An error says that no packet follows; exchanges may.
    pub(super) fn step(&mut self) -> anyhow::Result<Step> {
        if let Some(exchange) = self.dissector.poll() {
            return Ok(Step::Traffic(Traffic::Captured(Box::new(exchange))));
        }
        if self.is_read {
            return Ok(Step::End);
        }
        match self.packets.next() {
            Some(Ok(packet)) => {
                self.reached = Some(packet.at);
                self.dissector.packet(&packet);
                Ok(Step::More)
            }
            end => {
                self.is_read = true;
                self.dissector.finish();
                end.map_or(Ok(Step::More), |damage| damage.map(|_| Step::More))
            }
        }
    }

    /// The time of the packet that was read last.
    pub(super) fn reached(&self) -> Option<Timestamp> {
        self.reached
    }

    pub(super) fn stats(&self) -> DissectStats {
        self.dissector.stats()
    }

    pub(super) fn left_out(&self) -> LeftOut {
        LeftOut::from([(UNSUPPORTED_LINK, self.packets.unsupported_link())])
    }
}
