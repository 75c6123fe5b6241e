//! Which packets are wanted, and which ring they go to. What the agent sets here may change at any time.

use aya_ebpf::{
    bindings::BPF_F_NO_PREALLOC,
    macros::map,
    maps::{Array, HashMap, LpmTrie, lpm_trie::Key},
};
use mirror_common::{
    CaptureConfig, Counter, Endpoint, FILTER_ALLOW, FILTER_DENY, FILTER_EXCLUDE, FILTER_SAMPLE,
    NetworkRule, flow_hash,
};

use crate::frame::Frame;

#[map]
static CONFIG: Array<CaptureConfig> = Array::with_max_entries(1, 0);

/// One entry a port: 1 where it is captured. An array, because its look-up is inlined.
#[map]
static PORTS: Array<u8> = Array::with_max_entries(65_536, 0);

/// Networks with a [`NetworkRule`], IPv4 as mapped.
#[map]
static NETWORKS: LpmTrie<[u8; 16], u8> = LpmTrie::with_max_entries(65_536, BPF_F_NO_PREALLOC);

/// The mirror's addresses, and the local ends of our own replays.
#[map]
static EXCLUDED: HashMap<Endpoint, u8> = HashMap::with_max_entries(16_384, BPF_F_NO_PREALLOC);

/// Where the captured port must be.
#[derive(Clone, Copy)]
pub enum ServerEnd {
    Either,
    Source,
    Destination,
}

/// Whether a packet has a captured port.
#[inline(always)]
pub fn port(frame: &Frame, server: ServerEnd) -> Result<(), Counter> {
    let wanted = match server {
        ServerEnd::Either => captured(frame.source_port) || captured(frame.destination_port),
        ServerEnd::Source => captured(frame.source_port),
        ServerEnd::Destination => captured(frame.destination_port),
    };
    if wanted {
        Ok(())
    } else {
        Err(Counter::OtherPort)
    }
}

/// The number of the ring that a packet with a captured port goes to.
#[inline(always)]
pub fn ring(frame: &Frame) -> Result<u32, Counter> {
    let Some(config) = CONFIG.get(0) else {
        return Err(Counter::OtherPort);
    };
    if config.filters & FILTER_EXCLUDE != 0
        && (excluded(&frame.source, frame.source_port)
            || excluded(&frame.destination, frame.destination_port))
    {
        return Err(Counter::Excluded);
    }
    if config.filters & (FILTER_ALLOW | FILTER_DENY) != 0 && !allowed(frame, config.filters) {
        return Err(Counter::Filtered);
    }
    if config.filters & FILTER_SAMPLE == 0 && config.ring_mask == 0 {
        return Ok(0);
    }
    let hash = flow_hash(
        config.seed,
        &frame.source,
        frame.source_port,
        &frame.destination,
        frame.destination_port,
    );
    if config.filters & FILTER_SAMPLE != 0 && (hash >> 32) as u32 >= config.sample_below {
        return Err(Counter::SampledOut);
    }
    Ok(hash as u32 & config.ring_mask)
}

/// When a ring's reader is to be woken.
#[inline(always)]
pub fn wake_at() -> u64 {
    CONFIG.get(0).map_or(0, |config| u64::from(config.wake_at))
}

#[inline(always)]
pub fn captured(port: u16) -> bool {
    PORTS.get(u32::from(port)).is_some_and(|on| *on != 0)
}

#[inline(always)]
fn excluded(address: &[u8; 16], port: u16) -> bool {
    let endpoint = Endpoint {
        address: *address,
        port: u32::from(port),
    };
    EXCLUDED.get_ptr(&endpoint).is_some()
}

/// Denied at one end is denied; with an allow list, one of the ends must be on it.
#[inline(always)]
fn allowed(frame: &Frame, filters: u32) -> bool {
    let source = rule(&frame.source);
    let destination = rule(&frame.destination);
    let either = |rule: NetworkRule| source == rule as u8 || destination == rule as u8;
    !either(NetworkRule::Deny) && (filters & FILTER_ALLOW == 0 || either(NetworkRule::Allow))
}

#[inline(always)]
fn rule(address: &[u8; 16]) -> u8 {
    NETWORKS
        .get(Key::new(128, *address))
        .map_or(0, |rule| *rule)
}
