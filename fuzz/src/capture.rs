//! Capture files. Their reader is at the edge, in the agent, whose crate would bring a runtime and a Redis client into every build
//! of the targets. It needs none of these, so its two files are compiled in here.

#[path = "../../mirror-agent/src/capture/input.rs"]
pub mod input;
#[path = "../../mirror-agent/src/capture/pcap.rs"]
pub mod reader;

use std::path::Path;

use mirror_core::packet;

/// Where files are not written to a disk.
const MEMORY: &str = "/dev/shm";

/// A damaged capture file ends in an error, not in a panic, and never in more packets than it has room for.
pub fn pcap(bytes: &[u8]) {
    let memory = Path::new(MEMORY);
    let folder = if memory.is_dir() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    };
    let path = folder.join(format!("mirror-fuzz-{}.pcap", std::process::id()));
    std::fs::write(&path, bytes).expect("the file for the reader can be written");
    if let Ok(file) = reader::PcapFile::open(&path) {
        for packet in file.take(100).flatten() {
            let _ = packet::parse(&packet);
        }
    }
    // The next input replaces it.
    let _ = std::fs::remove_file(&path);
}
