//! Records by their keys, compressed.

use std::io::Read;

use thiserror::Error;

/// Texts of counts are a fifth of themselves then, and take less time to compress than to write.
const LEVEL: i32 = 1;
/// Most bytes that a batch is read into: some ten times what a full run takes.
const MAX_BYTES: u64 = 1 << 30;

/// Records with their keys, in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    records: Vec<(String, Vec<u8>)>,
}

/// Why bytes are not a batch.
#[derive(Debug, Error)]
pub enum BadBatch {
    #[error("it cannot be decompressed: {0}")]
    Coding(#[from] std::io::Error),
    #[error("its records are not whole")]
    Torn,
}

impl Batch {
    pub fn put(&mut self, key: &str, value: &[u8]) {
        self.records.push((key.into(), value.into()));
    }

    /// Leaves out what need not be written again.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &[u8]) -> bool) {
        self.records.retain(|(key, value)| keep(key, value));
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub fn into_records(self) -> impl Iterator<Item = (String, Vec<u8>)> {
        self.records.into_iter()
    }

    /// An error is the compressor's, which has no memory.
    pub fn encode(&self) -> std::io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        for (key, value) in &self.records {
            for part in [key.as_bytes(), value] {
                // Records are parts of a payload, which is shorter than 4 GiB.
                plain.extend((part.len() as u32).to_le_bytes());
                plain.extend(part);
            }
        }
        zstd::encode_all(&plain[..], LEVEL)
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, BadBatch> {
        let mut plain = Vec::new();
        let decoder = zstd::Decoder::with_buffer(bytes)?;
        let length = decoder.take(MAX_BYTES).read_to_end(&mut plain)?;
        if length as u64 == MAX_BYTES {
            return Err(BadBatch::Torn);
        }
        let mut rest = &plain[..];
        let mut batch = Self::default();
        while !rest.is_empty() {
            let key = part(&mut rest).ok_or(BadBatch::Torn)?;
            let value = part(&mut rest).ok_or(BadBatch::Torn)?;
            let key = std::str::from_utf8(key).map_err(|_| BadBatch::Torn)?;
            batch.put(key, value);
        }
        Ok(batch)
    }
}

fn part<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let (part, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *rest = after;
    Some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_they_were_written() {
        let mut batch = Batch::default();
        assert_eq!(Batch::decode(&batch.encode().unwrap()).unwrap(), batch);
        batch.put("a", b"");
        batch.put("", b"\0\xff");
        batch.put("\u{fc} key", &[7; 100_000]);
        let bytes = batch.encode().unwrap();
        assert!(bytes.len() < 1000, "{}", bytes.len());
        assert_eq!(Batch::decode(&bytes).unwrap(), batch);
    }

    #[test]
    fn what_is_cut_is_refused() {
        let mut batch = Batch::default();
        batch.put("key", b"value");
        let bytes = batch.encode().unwrap();
        for cut in 0..bytes.len() {
            assert!(Batch::decode(&bytes[..cut]).is_err() || cut == 0, "{cut}");
        }
    }
}
