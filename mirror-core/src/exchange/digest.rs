//! What is known of a body that is too large to be kept.

use xxhash_rust::xxh3::Xxh3;

use super::Body;

/// Length and hash (XXH3, 128 bits) of all bytes of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyDigest {
    pub len: u64,
    pub hash: u128,
}

impl BodyDigest {
    pub fn of(body: &Body) -> Self {
        Digester::of(body).finish()
    }
}

/// Takes a body's bytes as they come.
pub struct Digester {
    hash: Xxh3,
    len: u64,
}

impl Digester {
    /// One that has taken `body`.
    pub fn of(body: &Body) -> Self {
        let mut digester = Self {
            hash: Xxh3::new(),
            len: 0,
        };
        body.slices().for_each(|slice| digester.take(slice));
        digester
    }

    pub fn take(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.len += bytes.len() as u64;
    }

    /// Bytes taken.
    pub fn len(&self) -> u64 {
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
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_digest_depends_on_the_bytes_and_not_on_how_they_came() {
        let bytes: Vec<u8> = (0..=255).cycle().take(5000).collect();
        let whole = BodyDigest::of(&Body::from(Bytes::from(bytes.clone())));
        for size in [1, 7, 1000, 4999] {
            let mut digester = Digester::of(&Body::default());
            bytes.chunks(size).for_each(|part| digester.take(part));
            assert_eq!(digester.finish(), whole, "{size}");
        }
        assert_eq!(whole.len, 5000);
        let other = Body::from(Bytes::from([&bytes[..4999], b"x"].concat()));
        assert_ne!(BodyDigest::of(&other), whole);
    }
}
