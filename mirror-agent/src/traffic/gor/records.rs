//! The records of a file, one after the other.

use std::io::{BufRead, Read};

use anyhow::{bail, ensure};
use bytes::Bytes;
use mirror_core::time::Timestamp;

use super::SEPARATOR;

/// Longest record. GoReplay's own limit is 5 MiB unless it is told otherwise.
const MAX_RECORD: usize = 64 << 20;

/// Whether a file begins as a record does.
pub(in crate::traffic) fn is_gor(start: &[u8]) -> bool {
    let line = start.split(|byte| *byte == b'\n').next();
    line.and_then(Head::parse).is_some()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordKind {
    Request,
    /// Production's answer.
    Response,
    /// The answer of the host that GoReplay sent the request to.
    Replayed,
}

/// A record's first line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: RecordKind,
    pub(super) id: Box<[u8]>,
    pub(super) at: Timestamp,
    /// Nanoseconds; older versions do not tell.
    pub(super) took: u64,
}

impl Head {
    fn parse(line: &[u8]) -> Option<Self> {
        let mut words = line.split(|byte| *byte == b' ');
        let kind = match words.next()? {
            b"1" => RecordKind::Request,
            b"2" => RecordKind::Response,
            b"3" => RecordKind::Replayed,
            _ => return None,
        };
        let id = words.next()?;
        let is_id = id.len() >= 8 && id.iter().all(u8::is_ascii_hexdigit);
        let mut number = || std::str::from_utf8(words.next()?).ok()?.parse::<i64>().ok();
        let at = number()?;
        let took = number().unwrap_or_default();
        is_id.then(|| Self {
            kind,
            id: id.into(),
            at: Timestamp(at.unsigned_abs()),
            took: took.unsigned_abs(),
        })
    }
}

pub(super) struct Record {
    pub(super) head: Head,
    pub(super) message: Bytes,
}

pub(super) struct Records<R> {
    file: R,
    /// Records that were read so far.
    read: u64,
}

impl<R: BufRead> Records<R> {
    pub(super) fn new(file: R) -> Self {
        Self { file, read: 0 }
    }

    /// The next record; `None` at the end of the file.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<Record>> {
        let mut record = Vec::new();
        // As GoReplay reads it: the separator is a line of its own.
        loop {
            let left = MAX_RECORD.saturating_sub(record.len()) as u64;
            let read = self
                .file
                .by_ref()
                .take(left)
                .read_until(b'\n', &mut record)?;
            if record.ends_with(SEPARATOR) {
                record.truncate(record.len() - SEPARATOR.len());
                break;
            }
            ensure!(
                record.len() < MAX_RECORD,
                "record {} is larger than {} MiB",
                self.read,
                MAX_RECORD >> 20
            );
            if read == 0 {
                ensure!(
                    record.is_empty(),
                    "it ends in the middle of record {}, counted from 0",
                    self.read
                );
                return Ok(None);
            }
        }
        let end = record.iter().position(|byte| *byte == b'\n');
        let end = end.unwrap_or(record.len());
        let Some(head) = Head::parse(&record[..end]) else {
            bail!("record {} does not begin as a record does", self.read);
        };
        self.read += 1;
        let message = Bytes::from(record);
        Ok(Some(Record {
            head,
            message: message.slice((end + 1).min(message.len())..),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(file: &[u8], expect: &[(RecordKind, u64, &[u8])], damage: &str) {
        let mut records = Records::new(file);
        let mut found = Vec::new();
        let end = loop {
            match records.next() {
                Ok(Some(record)) => {
                    found.push((record.head.kind, record.head.at.0, record.message))
                }
                Ok(None) => break String::new(),
                Err(error) => break error.to_string(),
            }
        };
        let found: Vec<_> = found
            .iter()
            .map(|(kind, at, message)| (*kind, *at, &message[..]))
            .collect();
        assert_eq!(found, expect);
        assert_eq!(end.is_empty(), damage.is_empty(), "{end}");
        assert!(end.contains(damage), "{end}");
    }

    #[test]
    fn a_record_ends_with_the_separator_and_with_nothing_else() {
        let (one, two) = (RecordKind::Request, RecordKind::Response);
        check(b"", &[], "");
        let file = "1 8e091765 5 7\nGET / HTTP/1.1\r\n\r\n\n🐵🙈🙉\n2 8e091765 9\nanswer\n\n🐵🙈🙉 not\n\n🐵🙈🙉\n";
        check(
            file.as_bytes(),
            &[
                (one, 5, b"GET / HTTP/1.1\r\n\r\n"),
                (two, 9, "answer\n\n🐵🙈🙉 not\n".as_bytes()),
            ],
            "",
        );
        check(
            "1 8e091765 5 7\n\n🐵🙈🙉\n".as_bytes(),
            &[(one, 5, b"")],
            "",
        );
        check(
            "1 8e091765 5\na\n🐵🙈🙉\n2 8e091765 9\nanswer".as_bytes(),
            &[(one, 5, b"a")],
            "in the middle of record 1",
        );
        check("1 apples 5\na\n🐵🙈🙉\n".as_bytes(), &[], "record 0");
    }
}
