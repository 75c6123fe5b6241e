//! The digest by which requests, bodies and written values are told apart.

/// XXH3-64 in hex.
pub fn hash(bytes: &[u8]) -> String {
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(bytes))
}
