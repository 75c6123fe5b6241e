//! What the program is told: one [`CaptureConfig`], and maps of ports, networks and endpoints. All of it
//! may change while packets pass.

/// Some networks are allowed: a packet outside all of them is filtered.
pub const FILTER_ALLOW: u32 = 1;
/// Some networks are denied.
pub const FILTER_DENY: u32 = 2;
/// Only a share of the flows is taken.
pub const FILTER_SAMPLE: u32 = 4;
/// Some endpoints are the mirror's or our own replays'.
pub const FILTER_EXCLUDE: u32 = 8;

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaptureConfig {
    /// Seed of the flow hash: the same on all hosts that are to take the same flows.
    pub seed: u64,
    /// A flow is taken when the upper half of its hash is below this.
    pub sample_below: u32,
    /// `FILTER_*` bits: only what they name is looked up.
    pub filters: u32,
    /// Rings in use less one, which is 0, 1 or 3.
    pub ring_mask: u32,
    /// A power of two: a ring wakes its reader each time it has filled by so many bytes.
    pub wake_at: u32,
}

const _: () = assert!(size_of::<CaptureConfig>() == 24);

/// One end of a connection; IPv4 as an IPv4-mapped IPv6 address.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    pub address: [u8; 16],
    pub port: u32,
}

const _: () = assert!(size_of::<Endpoint>() == 20);

/// Whether packets of a network are taken; of nested networks the narrowest decides.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkRule {
    Allow = 1,
    Deny = 2,
}
