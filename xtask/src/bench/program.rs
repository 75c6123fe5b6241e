//! The kernel program on one packet, over and over, timed by the kernel's test run: its own time, without the
//! traffic around it and without the accounting, which costs some 45 ns a run by itself.

use anyhow::{Context, Result};
use aya::EbpfLoader;
use aya::maps::{Array, RingBuf};
use aya::programs::{SchedClassifier, TestRun, TestRunOptions};
use mirror_tests::workspace;
use serde_json::{Value, json};

const PORT: u16 = 8080;
/// So many records of any class that is measured here fit the ring, which nobody reads meanwhile.
const RUNS: u32 = 10_000;
const ROUNDS: usize = 11;

/// The median of several rounds, in nanoseconds, for each kind of packet.
pub(super) fn test_runs() -> Result<Value> {
    let object = workspace::root().join("mirror-ebpf/mirror.bpf.o");
    let mut ebpf = EbpfLoader::new()
        .map_max_entries("RECORDS_0", 64 << 20)
        .load_file(object)?;
    let mut ports: Array<_, u8> = ebpf.map_mut("PORTS").context("PORTS")?.try_into()?;
    ports.set(u32::from(PORT), 1, 0)?;
    let mut config: Array<_, [u32; 6]> = ebpf.map_mut("CONFIG").context("CONFIG")?.try_into()?;
    // No filter, one ring, no wake-up: the last word is the step, larger than the ring.
    config.set(0, [0, 0, 0, 0, 0, 1 << 31], 0)?;
    let mut ring = RingBuf::try_from(ebpf.take_map("RECORDS_0").context("RECORDS_0")?)?;
    let program = ebpf.program_mut("mirror_egress").context("the program")?;
    let program: &mut SchedClassifier = program.try_into()?;
    program.load()?;
    let mut figures = serde_json::Map::new();
    for (name, frame) in [
        ("other_port", frame(9, 200)),
        ("acknowledgement", frame(PORT, 0)),
        ("200_bytes", frame(PORT, 200)),
        ("1400_bytes", frame(PORT, 1400)),
    ] {
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let mut options = TestRunOptions::new();
            options.data_in = Some(&frame);
            options.repeat = RUNS;
            rounds.push(program.test_run(options)?.duration.as_nanos() as u64);
            while ring.next().is_some() {}
        }
        rounds.sort_unstable();
        figures.insert(name.into(), json!(rounds[ROUNDS / 2]));
    }
    Ok(figures.into())
}

fn frame(port: u16, payload: usize) -> Vec<u8> {
    let total = (40 + payload) as u16;
    let mut bytes = vec![2; 12];
    bytes.extend_from_slice(&[8, 0, 0x45, 0]);
    bytes.extend_from_slice(&total.to_be_bytes());
    bytes.extend_from_slice(&[0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    bytes.extend_from_slice(&40_000_u16.to_be_bytes());
    bytes.extend_from_slice(&port.to_be_bytes());
    bytes.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x10, 0, 0, 0, 0, 0, 0]);
    bytes.resize(bytes.len() + payload, 7);
    bytes
}
