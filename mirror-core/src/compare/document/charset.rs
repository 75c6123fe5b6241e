//! The characters of a body.
//!
//! Bytes that are no characters of the charset must stay apart: they become U+FFFD and their hexadecimal digits. So two
//! bodies with other bytes never become one text.

use std::borrow::Cow;
use std::fmt::Write;

/// Bytes 0x80 to 0x9f in windows-1252, as browsers read ISO-8859-1 too (WHATWG Encoding §9).
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];
/// What ISO-8859-15 has in the place of others.
const LATIN_9: [(u8, char); 8] = [
    (0xa4, '€'),
    (0xa6, 'Š'),
    (0xa8, 'š'),
    (0xb4, 'Ž'),
    (0xb8, 'ž'),
    (0xbc, 'Œ'),
    (0xbd, 'œ'),
    (0xbe, 'Ÿ'),
];

/// Reads a body by its byte order mark, else by its charset, else as UTF-8. A charset that is not known is read as UTF-8
/// too: where it differs from ASCII, the bytes stay as they are.
pub(super) fn decoded<'b>(body: &'b [u8], charset: Option<&str>) -> Cow<'b, str> {
    match body {
        [0xef, 0xbb, 0xbf, rest @ ..] => return utf8(rest),
        [0xff, 0xfe, rest @ ..] => return utf16(rest, u16::from_le_bytes).into(),
        [0xfe, 0xff, rest @ ..] => return utf16(rest, u16::from_be_bytes).into(),
        _ => {}
    }
    let charset = charset.unwrap_or_default().to_ascii_lowercase();
    match charset.as_str() {
        "utf-16" | "utf-16le" | "unicode" => utf16(body, u16::from_le_bytes).into(),
        "utf-16be" => utf16(body, u16::from_be_bytes).into(),
        "iso-8859-1" | "iso8859-1" | "iso_8859-1" | "latin1" | "latin-1" | "l1"
        | "windows-1252" | "cp1252" | "x-cp1252" => single_bytes(body, windows_1252),
        "iso-8859-15" | "iso8859-15" | "iso_8859-15" | "latin-9" | "l9" => {
            single_bytes(body, latin_9)
        }
        _ => utf8(body),
    }
}

/// Reads bytes as UTF-8.
pub(super) fn utf8(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.into();
    }
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            mark(&mut out, format_args!("{byte:02X}"));
        }
    }
    out.into()
}

fn mark(out: &mut String, code: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = write!(out, "\u{fffd}{code}");
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut out = String::with_capacity(bytes.len());
    for character in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        match character {
            Ok(character) => out.push(character),
            Err(half) => mark(&mut out, format_args!("{:04X}", half.unpaired_surrogate())),
        }
    }
    for byte in rest {
        mark(&mut out, format_args!("{byte:02X}"));
    }
    out
}

fn single_bytes(bytes: &[u8], character: fn(u8) -> char) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => text.into(),
        _ => bytes.iter().map(|byte| character(*byte)).collect(),
    }
}

fn windows_1252(byte: u8) -> char {
    match byte {
        0x80..=0x9f => WINDOWS_1252[usize::from(byte - 0x80)],
        byte => char::from(byte),
    }
}

fn latin_9(byte: u8) -> char {
    let other = LATIN_9.iter().find(|(other, _)| *other == byte);
    other.map_or(char::from(byte), |(_, character)| *character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &[u8], charset: Option<&str>, expect: &str) {
        assert_eq!(decoded(body, charset), expect, "{body:?}");
    }

    #[test]
    fn charsets_are_read_as_browsers_read_them() {
        check("é€".as_bytes(), None, "é€");
        check(b"caf\xe9 \x80 \x97", Some("ISO-8859-1"), "café € —");
        check(b"caf\xe9", Some("windows-1252"), "café");
        check(b"5 \xa4 \xe9", Some("iso-8859-15"), "5 € é");
        check(b"a\0\xac\x20", Some("utf-16le"), "a€");
        check(b"\0a\x20\xac", Some("UTF-16BE"), "a€");
        check("é".as_bytes(), Some("x-unknown"), "é");
    }

    #[test]
    fn a_byte_order_mark_counts_more_than_a_charset() {
        check(b"\xef\xbb\xbfa\xc3\xa9", Some("latin1"), "aé");
        check(b"\xff\xfea\0", None, "a");
        check(b"\xfe\xff\0a", Some("utf-8"), "a");
    }

    #[test]
    fn bytes_that_are_no_characters_stay_apart() {
        check(b"caf\xe9!", None, "caf\u{fffd}E9!");
        check(b"caf\xe8!", Some("utf-8"), "caf\u{fffd}E8!");
        check(b"\xd8\x3da\xff", Some("utf-16be"), "\u{fffd}D83D\u{61ff}");
        check(b"\xd8\x3d\0", Some("utf-16be"), "\u{fffd}D83D\u{fffd}00");
    }
}
