//! The hash of a connection, the same for both directions and on every host.

/// An IPv4 address as an IPv4-mapped IPv6 address.
#[inline(always)]
pub const fn mapped(v4: [u8; 4]) -> [u8; 16] {
    let [a, b, c, d] = v4;
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d]
}

/// Hashes a connection by its two ends, each an address (IPv4 as mapped) and a port. Swapping the
/// ends gives the same.
#[inline(always)]
pub fn flow_hash(seed: u64, a: &[u8; 16], a_port: u16, b: &[u8; 16], b_port: u16) -> u64 {
    mix(end(a, a_port).wrapping_add(end(b, b_port)) ^ seed)
}

#[inline(always)]
fn end(address: &[u8; 16], port: u16) -> u64 {
    let [
        a0,
        a1,
        a2,
        a3,
        a4,
        a5,
        a6,
        a7,
        b0,
        b1,
        b2,
        b3,
        b4,
        b5,
        b6,
        b7,
    ] = *address;
    let high = u64::from_be_bytes([a0, a1, a2, a3, a4, a5, a6, a7]);
    let low = u64::from_be_bytes([b0, b1, b2, b3, b4, b5, b6, b7]);
    mix(mix(high ^ port as u64) ^ low)
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014).
#[inline(always)]
const fn mix(mut bits: u64) -> u64 {
    bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_hash_alike_and_ports_count() {
        let (client, server) = (mapped([10, 0, 0, 1]), mapped([10, 0, 0, 2]));
        let hash = flow_hash(7, &client, 40_000, &server, 8080);
        assert_eq!(hash, flow_hash(7, &server, 8080, &client, 40_000));
        assert_ne!(hash, flow_hash(7, &client, 40_001, &server, 8080));
        assert_ne!(hash, flow_hash(7, &client, 8080, &server, 40_000));
        assert_ne!(hash, flow_hash(8, &client, 40_000, &server, 8080));
    }

    #[test]
    fn a_share_of_the_flows_is_that_share() {
        let (client, server) = (mapped([10, 0, 0, 1]), mapped([10, 0, 0, 2]));
        let below = u32::MAX / 20;
        let taken = (1024..65_535)
            .filter(|port| ((flow_hash(0, &client, *port, &server, 80) >> 32) as u32) < below)
            .count();
        let share = taken as f64 / (65_535.0 - 1024.0);
        assert!((share - 0.05).abs() < 0.005, "{share}");
    }
}
