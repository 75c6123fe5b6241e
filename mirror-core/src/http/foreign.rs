//! The first bytes of what is not HTTP/1, by name where that tells a user what to do.

use serde::{Deserialize, Serialize, Serializer};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Foreign {
    Tls,
    Http2,
    Other,
}

impl Foreign {
    /// Of a packet that begins with `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        if is_tls(bytes) {
            Self::Tls
        } else if is_http2(bytes) {
            Self::Http2
        } else {
            Self::Other
        }
    }
}

/// How many connections by server port, for the first few ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortCounts([(u16, u64); 8]);

impl PortCounts {
    pub fn add(&mut self, port: u16) {
        let place = |(known, count): &&mut (u16, u64)| *known == port || *count == 0;
        if let Some(entry) = self.0.iter_mut().find(place) {
            *entry = (port, entry.1 + 1);
        }
    }

    /// In order of appearance.
    pub fn iter(&self) -> impl Iterator<Item = (u16, u64)> {
        self.0.iter().copied().filter(|(_, count)| *count > 0)
    }
}

impl Serialize for PortCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

/// A record of TLS (RFC 8446 §5.1): its type, a version 3.x, a length of at most 2¹⁴ + 2048.
fn is_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [0x14..=0x17, 3, 0..=4, high, _, ..] if *high <= 0x48)
}

/// The client's preface, or the server's: a SETTINGS frame on stream 0 of whole settings (RFC 9113 §3.4, §6.5).
fn is_http2(bytes: &[u8]) -> bool {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";
    let common = bytes.len().min(PREFACE.len());
    match bytes {
        [0, high, low, 4, 0, 0, 0, 0, 0, ..] => u16::from_be_bytes([*high, *low]).is_multiple_of(6),
        _ => common >= 8 && bytes[..common] == PREFACE[..common],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expect: Foreign) {
        assert_eq!(Foreign::of(bytes), expect, "{bytes:?}");
    }

    #[test]
    fn ports_are_counted_while_there_is_room() {
        let mut ports = PortCounts::default();
        for port in [443, 8443, 443].into_iter().chain(1..100) {
            ports.add(port);
        }
        let seen: Vec<_> = ports.iter().take(3).collect();
        assert_eq!(seen, [(443, 2), (8443, 1), (1, 1)]);
        assert_eq!(ports.iter().count(), 8);
        let json = serde_json::to_value(ports).unwrap();
        assert_eq!(json["443"], 2);
    }

    #[test]
    fn protocols_have_names() {
        check(b"\x16\x03\x01\x02\x00\x01", Foreign::Tls);
        check(b"\x17\x03\x03\x40\x11", Foreign::Tls);
        check(b"\x16\x03\x01\xff\x00", Foreign::Other);
        check(b"\x16\x03", Foreign::Other);
        check(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Foreign::Http2);
        check(b"PRI * HTTP/1.1\r\n", Foreign::Other);
        check(
            b"\x00\x00\x0c\x04\x00\x00\x00\x00\x00\x00\x03",
            Foreign::Http2,
        );
        check(b"\x00\x00\x0d\x04\x00\x00\x00\x00\x00", Foreign::Other);
        check(b"SSH-2.0-OpenSSH", Foreign::Other);
        check(b"", Foreign::Other);
    }
}
