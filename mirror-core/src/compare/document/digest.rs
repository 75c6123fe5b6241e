//! Bytes that are not read: their length and digest.

use super::writer::Writer;
use crate::exchange::{BodyDigest, Digester};

pub(super) fn of(bytes: &[u8]) -> BodyDigest {
    let mut digester = Digester::default();
    digester.take(bytes);
    digester.finish()
}

/// Writes `{"len": …, "xxh3": …}`.
pub(super) fn write(bytes: &[u8], writer: &mut Writer) {
    let BodyDigest { len, hash } = of(bytes);
    writer.open('{');
    writer.name(&["len"]);
    writer.number(len);
    writer.name(&["xxh3"]);
    writer.text(&format!("{hash:032x}"));
    writer.close('}');
}

pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let digits = |byte: &u8| {
        [
            DIGITS[usize::from(byte >> 4)],
            DIGITS[usize::from(byte & 15)],
        ]
    };
    bytes.iter().flat_map(digits).collect()
}
