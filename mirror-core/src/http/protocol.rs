//! Protocols other than HTTP/1, by their first bytes, where a name tells a user what to do.

use serde::{Deserialize, Serialize};

/// What a connection speaks that is not HTTP/1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    Tls,
    Http2,
    Ssh,
    Redis,
    Postgres,
    Mysql,
    Amqp,
    Mqtt,
    /// Bytes of no protocol that has a name here, all printable.
    Text,
    /// The same, with bytes that no text has.
    Binary,
}

impl Protocol {
    pub const ALL: [Self; 10] = [
        Self::Tls,
        Self::Http2,
        Self::Ssh,
        Self::Redis,
        Self::Postgres,
        Self::Mysql,
        Self::Amqp,
        Self::Mqtt,
        Self::Text,
        Self::Binary,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Tls => "TLS",
            Self::Http2 => "HTTP/2",
            Self::Ssh => "SSH",
            Self::Redis => "Redis",
            Self::Postgres => "PostgreSQL",
            Self::Mysql => "MySQL",
            Self::Amqp => "AMQP",
            Self::Mqtt => "MQTT",
            Self::Text => "unknown text",
            Self::Binary => "unknown binary",
        }
    }

    /// The protocol of a stream that begins with `bytes`, if they cannot be the beginning of another one.
    pub fn known(bytes: &[u8]) -> Option<Self> {
        if let Some(anywhere) = Self::anywhere(bytes) {
            return Some(anywhere);
        }
        let starts = |prefix: &[u8]| bytes.starts_with(prefix);
        match bytes {
            _ if is_settings(bytes) => Some(Self::Http2),
            _ if starts(b"SSH-") => Some(Self::Ssh),
            _ if starts(b"AMQP") => Some(Self::Amqp),
            [b'*', b'1'..=b'9', b'\r', b'\n', b'$', ..] => Some(Self::Redis),
            // StartupMessage 3.0 and 3.2, SSLRequest, GSSENCRequest.
            [0, 0, _, _, 0, 3, 0, 0 | 2, ..] | [0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f | 0x30] => {
                Some(Self::Postgres)
            }
            // Packet 0 of the server: protocol 10, then its version.
            [_, 0, 0, 0, 10, b'0'..=b'9', b'0'..=b'9' | b'.', ..] => Some(Self::Mysql),
            [0x10, _, 0, 4, b'M', b'Q', b'T', b'T', ..]
            | [0x10, _, _, 0, 4, b'M', b'Q', b'T', b'T', ..] => Some(Self::Mqtt),
            _ => None,
        }
    }

    /// A protocol whose bytes are unmistakable even in the middle of a stream.
    pub fn anywhere(bytes: &[u8]) -> Option<Self> {
        if is_tls(bytes) {
            Some(Self::Tls)
        } else if is_preface(bytes) {
            Some(Self::Http2)
        } else {
            None
        }
    }

    /// A name in any case.
    pub fn of(bytes: &[u8]) -> Self {
        let is_text = |byte: &u8| matches!(byte, b'\t' | b'\r' | b'\n' | b' '..=0x7e);
        Self::known(bytes).unwrap_or(match bytes.iter().take(64).all(is_text) {
            true => Self::Text,
            false => Self::Binary,
        })
    }
}

/// A record of TLS (RFC 8446 §5.1): its type, a version 3.x, a length of at most 2¹⁴ + 2048.
fn is_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [0x14..=0x17, 3, 0..=4, high, _, ..] if *high <= 0x48)
}

/// The client's preface (RFC 9113 §3.4).
fn is_preface(bytes: &[u8]) -> bool {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";
    let common = bytes.len().min(PREFACE.len());
    common >= 8 && bytes[..common] == PREFACE[..common]
}

/// The server's preface: a SETTINGS frame on stream 0 of whole settings (RFC 9113 §6.5).
fn is_settings(bytes: &[u8]) -> bool {
    match bytes {
        [0, high, low, 4, 0, 0, 0, 0, 0, ..] => u16::from_be_bytes([*high, *low]).is_multiple_of(6),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expect: Protocol) {
        assert_eq!(Protocol::of(bytes), expect, "{bytes:?}");
    }

    #[test]
    fn protocols_have_names() {
        check(b"\x16\x03\x01\x02\x00\x01", Protocol::Tls);
        check(b"\x17\x03\x03\x40\x11", Protocol::Tls);
        check(b"\x16\x03\x01\x48\x00", Protocol::Tls);
        check(b"\x16\x03\x01\x49\x00", Protocol::Binary);
        check(b"\x16\x03\x05\x02\x00", Protocol::Binary);
        check(b"\x16\x03", Protocol::Binary);
        check(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Protocol::Http2);
        check(b"PRI * HT", Protocol::Http2);
        check(b"PRI * H", Protocol::Text);
        check(b"PRI * HTTP/1.1\r\n", Protocol::Text);
        check(b"\0\0\x0c\x04\0\0\0\0\0\0\x03", Protocol::Http2);
        check(b"\0\0\x0d\x04\0\0\0\0\0", Protocol::Binary);
        check(b"SSH-2.0-OpenSSH", Protocol::Ssh);
        check(b"*1\r\n$4\r\nPING\r\n", Protocol::Redis);
        check(b"\0\0\0\x08\x04\xd2\x16\x2f", Protocol::Postgres);
        check(b"\0\0\0\x20\0\x03\0\0user\0a\0", Protocol::Postgres);
        check(b"\x4a\0\0\0\x0a8.0.33\0", Protocol::Mysql);
        check(b"AMQP\0\0\x09\x01", Protocol::Amqp);
        check(b"\x10\x12\0\x04MQTT\x04", Protocol::Mqtt);
        check(b"EHLO a\r\n", Protocol::Text);
        check(b"\x05\x01\0", Protocol::Binary);
        check(b"", Protocol::Text);
    }

    #[test]
    fn in_the_middle_of_a_stream_few_bytes_are_unmistakable() {
        assert_eq!(
            Protocol::anywhere(b"\x17\x03\x03\x01\x11"),
            Some(Protocol::Tls)
        );
        assert_eq!(
            Protocol::anywhere(b"PRI * HTTP/2.0\r\n"),
            Some(Protocol::Http2)
        );
        assert_eq!(Protocol::anywhere(b"\0\0\0\x04\0\0\0\0\0"), None);
        assert_eq!(Protocol::anywhere(b"SSH-2.0"), None);
    }
}
