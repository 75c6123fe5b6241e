//! Protocol buffers without their schema: an object by field number, as `f3`. A bare number would be a key of a map, and all
//! of them one place.
//!
//! What a field with a length is, is decided for all values at one path (`/f3/f1`) in all bodies that are compared: a message,
//! if each of them is whole as one and they are not all printable text; else text, if each of them is; else bytes. In the same
//! way eight bytes are floating point if all of them are of a usual size, else an integer. A field that comes several times in a
//! message is a list, in all messages of its path. So two bodies of one schema are read alike.

use std::collections::{BTreeMap, BTreeSet};

use super::digest;
use super::writer::Writer;
use crate::json::NotRead;

/// Messages one in the other.
const MAX_DEPTH: usize = 40;
/// Longest bytes that are shown as they are.
const MAX_BYTES: usize = 256;
/// The flag of a frame that holds trailers (gRPC-Web).
const TRAILERS: u8 = 0x80;

/// Writes each body as one message.
pub(super) fn write(bodies: &[&[u8]], writers: &mut [Writer]) -> Result<(), NotRead> {
    let mut root = Field::default();
    for body in bodies {
        if !is_message(body) {
            return Err(NotRead::NotJson);
        }
        root.learn(body, MAX_DEPTH);
    }
    for (body, writer) in bodies.iter().zip(writers) {
        root.write_message(body, MAX_DEPTH, writer);
    }
    Ok(())
}

/// Writes each body as the list of its messages, each in a frame of gRPC: a flag, and the length in four bytes.
pub(super) fn write_frames(bodies: &[&[u8]], writers: &mut [Writer]) -> Result<(), NotRead> {
    let mut root = Field::default();
    let mut all = Vec::new();
    for body in bodies {
        let frames = frames(body).ok_or(NotRead::NotJson)?;
        for (flag, message) in &frames {
            if *flag == 0 {
                root.see(message, MAX_DEPTH);
            }
        }
        all.push(frames);
    }
    for (frames, writer) in all.iter().zip(writers) {
        writer.open('[');
        for (flag, message) in frames {
            match *flag {
                0 => root.write_bytes(message, MAX_DEPTH, writer),
                flag if flag & TRAILERS != 0 => writer.text(&String::from_utf8_lossy(message)),
                // It is compressed by a way that the body does not name.
                _ => digest::write(message, writer),
            }
        }
        writer.close(']');
    }
    Ok(())
}

fn frames(mut body: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut frames = Vec::new();
    while let Some((head, rest)) = body.split_first_chunk::<5>() {
        let [flag, length @ ..] = *head;
        let (message, rest) = rest.split_at_checked(u32::from_be_bytes(length) as usize)?;
        frames.push((flag, message));
        body = rest;
    }
    body.is_empty().then_some(frames)
}

#[derive(Clone, Copy)]
enum Wire<'b> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'b [u8]),
}

/// The field that `bytes` begin with, and what follows it. Groups, which nobody uses any more, are not read.
fn field(bytes: &[u8]) -> Option<(u64, Wire<'_>, &[u8])> {
    let (tag, rest) = varint(bytes)?;
    let number = tag >> 3;
    if number == 0 || number >= 1 << 29 {
        return None;
    }
    let (wire, rest) = match tag & 7 {
        0 => {
            let (value, rest) = varint(rest)?;
            (Wire::Varint(value), rest)
        }
        1 => {
            let (value, rest) = rest.split_first_chunk()?;
            (Wire::Fixed64(u64::from_le_bytes(*value)), rest)
        }
        2 => {
            let (length, rest) = varint(rest)?;
            let (value, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            (Wire::Bytes(value), rest)
        }
        5 => {
            let (value, rest) = rest.split_first_chunk()?;
            (Wire::Fixed32(u32::from_le_bytes(*value)), rest)
        }
        _ => return None,
    };
    Some((number, wire, rest))
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        // Of the tenth byte one bit is left.
        if index == 9 && *byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    None
}

/// Whether the bytes are fields to their end. What is in fields with a length is not looked at.
fn is_message(mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match field(bytes) {
            Some((_, _, rest)) => bytes = rest,
            None => return false,
        }
    }
    true
}

fn is_text(bytes: &[u8]) -> bool {
    let is_shown = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    std::str::from_utf8(bytes).is_ok_and(|text| text.chars().all(is_shown))
}

/// What is known of the fields at one path.
#[derive(Default)]
struct Field {
    /// Some message has several of them.
    is_list: bool,
    /// Some value is not printable text, or not a message.
    has_other_than_text: bool,
    has_other_than_message: bool,
    /// Some value of a fixed size would be a very large or small number in floating point.
    has_other_than_float: bool,
    /// The fields in it, where it is a message.
    fields: BTreeMap<u64, Field>,
}

impl Field {
    /// Takes a value with a length into account.
    fn see(&mut self, bytes: &[u8], depth: usize) {
        self.has_other_than_text |= !is_text(bytes);
        self.has_other_than_message |= depth == 0 || !is_message(bytes);
        if !self.has_other_than_message {
            self.learn(bytes, depth - 1);
        }
    }

    /// Takes the fields of a message into account.
    fn learn(&mut self, mut bytes: &[u8], depth: usize) {
        let mut seen = BTreeSet::new();
        while let Some((number, wire, rest)) = field(bytes) {
            bytes = rest;
            let is_again = !seen.insert(number);
            let field = self.fields.entry(number).or_default();
            field.is_list |= is_again;
            match wire {
                Wire::Varint(_) => {}
                Wire::Fixed64(bits) => {
                    field.has_other_than_float |= !is_usual(f64::from_bits(bits))
                }
                Wire::Fixed32(bits) => {
                    field.has_other_than_float |= !is_usual(f32::from_bits(bits).into());
                }
                Wire::Bytes(value) => field.see(value, depth),
            }
        }
    }

    fn write_message(&self, mut bytes: &[u8], depth: usize, writer: &mut Writer) {
        let mut fields = Vec::new();
        while let Some((number, wire, rest)) = field(bytes) {
            bytes = rest;
            fields.push((number, wire));
        }
        // Values of one field stay in their order.
        fields.sort_by_key(|(number, _)| *number);
        writer.open('{');
        for same in fields.chunk_by(|a, b| a.0 == b.0) {
            let Some(field) = self.fields.get(&same[0].0) else {
                continue;
            };
            writer.name(&["f", &same[0].0.to_string()]);
            if field.is_list {
                writer.open('[');
            }
            for (_, wire) in same {
                if writer.is_over() {
                    return;
                }
                field.write(*wire, depth, writer);
            }
            if field.is_list {
                writer.close(']');
            }
        }
        writer.close('}');
    }

    fn write(&self, wire: Wire<'_>, depth: usize, writer: &mut Writer) {
        match wire {
            Wire::Varint(value) => writer.number(value),
            Wire::Fixed64(bits) if self.has_other_than_float => writer.number(bits),
            Wire::Fixed64(bits) => writer.number(f64::from_bits(bits)),
            Wire::Fixed32(bits) if self.has_other_than_float => writer.number(bits),
            Wire::Fixed32(bits) => writer.number(f32::from_bits(bits)),
            Wire::Bytes(bytes) => self.write_bytes(bytes, depth, writer),
        }
    }

    fn write_bytes(&self, bytes: &[u8], depth: usize, writer: &mut Writer) {
        if self.has_other_than_text && !self.has_other_than_message {
            return self.write_message(bytes, depth - 1, writer);
        }
        match std::str::from_utf8(bytes) {
            Ok(text) if !self.has_other_than_text => writer.text(text),
            _ if bytes.len() > MAX_BYTES => digest::write(bytes, writer),
            _ => writer.text(&digest::hex(bytes)),
        }
    }
}

/// The bits of an integer are a very small or very large number in floating point.
fn is_usual(value: f64) -> bool {
    value.to_bits() == 0 || (1e-9..1e18).contains(&value.abs())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_bytes, check_not_read, check_pair, check_read};

    const PROTO: &str = "application/x-protobuf";

    #[test]
    fn fields_are_members_by_number() {
        // The examples of the encoding's own description.
        check(PROTO, b"\x08\x96\x01", r#"{"f1":150}"#);
        check(PROTO, b"\x12\x07testing", r#"{"f2":"testing"}"#);
        check(PROTO, b"\x1a\x03\x08\x96\x01", r#"{"f3":{"f1":150}}"#);
        check(
            "application/vnd.google.protobuf",
            b"\x19\x9a\x99\x99\x99\x99\x99\xf1\x3f\x25\0\0\x20\x40\x2a\x02\xff\x01",
            r#"{"f3":1.1,"f4":2.5,"f5":"ff01"}"#,
        );
        check(
            "application/protobuf; proto=shop.Order",
            b"\x11\x05\0\0\0\0\0\0\0\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            r#"{"f1":18446744073709551615,"f2":5}"#,
        );
        check(PROTO, b"", "{}");
    }

    #[test]
    fn repeated_fields_are_lists_wherever_they_stand() {
        check(
            PROTO,
            b"\x0a\x02\x08\x01\x10\x07\x0a\x04\x08\x02\x08\x03",
            r#"{"f1":[{"f1":[1]},{"f1":[2,3]}],"f2":7}"#,
        );
        check_pair(
            (PROTO, "\u{8}\u{1}"),
            (PROTO, "\u{8}\u{1}\u{8}\u{2}"),
            Some((r#"{"f1":[1]}"#, r#"{"f1":[1,2]}"#)),
        );
    }

    #[test]
    fn what_a_field_is_is_decided_for_both_sides() {
        // `\x08\x01` may be a message, `a\x0ab` may not.
        check_pair(
            (PROTO, "\u{a}\u{2}\u{8}\u{1}"),
            (PROTO, "\u{a}\u{2}a\n"),
            Some((r#"{"f1":"0801"}"#, r#"{"f1":"610a"}"#)),
        );
        check_pair(
            (PROTO, "\u{a}\u{2}\u{8}\u{1}"),
            (PROTO, "\u{a}\0"),
            Some((r#"{"f1":{"f1":1}}"#, r#"{"f1":{}}"#)),
        );
    }

    #[test]
    fn a_float_is_no_integer_of_the_same_name() {
        check_pair(
            (PROTO, "\u{9}\0\0\0\0\0\0\0\u{40}"),
            (PROTO, "\u{9}\u{2}\0\0\0\0\0\0\0"),
            Some((r#"{"f1":4611686018427387904}"#, r#"{"f1":2}"#)),
        );
    }

    #[test]
    fn frames_of_grpc_are_a_list() {
        check(
            "application/grpc",
            b"\0\0\0\0\x02\x08\x01\0\0\0\0\x05\x08\x02\x12\x01a",
            r#"[{"f1":1},{"f1":2,"f2":"a"}]"#,
        );
        check(
            "application/grpc-web+proto",
            b"\0\0\0\0\x02\x08\x01\x80\0\0\0\x0fgrpc-status: 0\n",
            r#"[{"f1":1},"grpc-status: 0\n"]"#,
        );
        check_bytes("application/grpc", b"\0\0\0\0\x02\x08");
        check_bytes("application/grpc", b"\0\0\0");
    }

    #[test]
    fn what_is_not_whole_is_not_read() {
        for body in [
            &b"\x08"[..],
            b"\x0a\x05ab",
            b"\0\x01",
            b"\x0b\x0c",
            b"\x0d\0",
        ] {
            check_bytes(PROTO, body);
        }
        check_bytes(PROTO, &[&[8][..], &[0xff; 10]].concat());
        check_bytes("application/x-unknown", b"\x08\x96\x01");
    }

    #[test]
    fn a_hostile_message_is_harmless() {
        let mut nested = vec![8, 1];
        for _ in 0..10_000 {
            let mut length = Vec::new();
            let mut rest = nested.len();
            while rest > 0x7f {
                length.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            length.push(rest as u8);
            nested = [&[0x0a], &length[..], &nested].concat();
        }
        check_read(PROTO, &nested);
        check_not_read(PROTO, b"\x08\x01".repeat(30_000));
    }
}
