//! What is known of a body that is too large to be kept.

use xxhash_rust::xxh3::Xxh3;

/// Length and hash (XXH3, 128 bits) of all bytes of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyDigest {
    pub len: u64,
    pub hash: u128,
}

/// Takes a body's bytes as they come.
#[derive(Default)]
pub struct Digester {
    hash: Xxh3,
    len: u64,
}

impl Digester {
    pub fn take(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.len += bytes.len() as u64;
    }

    /// Bytes taken.
    pub fn taken(&self) -> u64 {
        self.len
    }

    pub fn finish(&self) -> BodyDigest {
        BodyDigest {
            len: self.len,
            hash: self.hash.digest128(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest<'a>(parts: impl Iterator<Item = &'a [u8]>) -> BodyDigest {
        let mut digester = Digester::default();
        parts.for_each(|part| digester.take(part));
        digester.finish()
    }

    #[test]
    fn a_digest_depends_on_the_bytes_and_not_on_how_they_came() {
        let bytes: Vec<u8> = (0..=255).cycle().take(5000).collect();
        let whole = digest([&bytes[..]].into_iter());
        for size in [1, 7, 1000, 4999] {
            assert_eq!(digest(bytes.chunks(size)), whole, "{size}");
        }
        assert_eq!(whole.len, 5000);
        assert_ne!(digest([&bytes[..4999], b"x"].into_iter()), whole);
    }
}
