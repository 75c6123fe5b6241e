//! The header that proxies put before a connection's bytes: the PROXY protocol of HAProxy, versions 1 and 2,
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, command, family, length of the rest.
const FIXED_LEN: usize = 16;
/// The longest line of version 1, its end included.
const MAX_LINE: usize = 107;

/// What a connection's first bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProxyHeader {
    No,
    /// The beginning of one.
    Begun,
    /// All of one: its length, and the client that it names.
    Whole(usize, Option<SocketAddr>),
}

impl ProxyHeader {
    pub(super) fn read(bytes: &[u8]) -> Self {
        match bytes.first() {
            Some(b'P') => line(bytes),
            Some(b'\r') => binary(bytes),
            _ => Self::No,
        }
    }
}

/// Version 1, as in `PROXY TCP4 192.0.2.1 192.0.2.2 40000 80`.
fn line(bytes: &[u8]) -> ProxyHeader {
    const START: &[u8] = b"PROXY ";
    let common = bytes.len().min(START.len());
    if bytes[..common] != START[..common] {
        return ProxyHeader::No;
    }
    let Some(end) = memchr::memchr(b'\n', &bytes[..bytes.len().min(MAX_LINE)]) else {
        return match bytes.len() < MAX_LINE {
            true => ProxyHeader::Begun,
            false => ProxyHeader::No,
        };
    };
    let Some(text) = bytes[..end].strip_suffix(b"\r") else {
        return ProxyHeader::No;
    };
    let words: Vec<_> = text.split(|byte| *byte == b' ').collect();
    match words[..] {
        [_, b"UNKNOWN", ..] => ProxyHeader::Whole(end + 1, None),
        [_, b"TCP4" | b"TCP6", ip, _, port, _] => match (parsed(ip), parsed(port)) {
            (Some(ip), Some(port)) => ProxyHeader::Whole(end + 1, Some(SocketAddr::new(ip, port))),
            _ => ProxyHeader::No,
        },
        _ => ProxyHeader::No,
    }
}

fn parsed<T: std::str::FromStr>(word: &[u8]) -> Option<T> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// Version 2: addresses in bytes, and what else the proxy has to say.
fn binary(bytes: &[u8]) -> ProxyHeader {
    const LOCAL: u8 = 0x20;
    const PROXY: u8 = 0x21;
    let common = bytes.len().min(SIGNATURE.len());
    if bytes[..common] != SIGNATURE[..common] {
        return ProxyHeader::No;
    }
    let Some(fixed) = bytes.get(..FIXED_LEN) else {
        return ProxyHeader::Begun;
    };
    let length = FIXED_LEN + usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    let Some(rest) = bytes.get(FIXED_LEN..length) else {
        return ProxyHeader::Begun;
    };
    match (fixed[12], fixed[13] >> 4) {
        (PROXY, family) => ProxyHeader::Whole(length, client(family, rest)),
        (LOCAL, _) => ProxyHeader::Whole(length, None),
        _ => ProxyHeader::No,
    }
}

/// Both addresses come first, then both ports.
fn client(family: u8, rest: &[u8]) -> Option<SocketAddr> {
    const INET: u8 = 1;
    const INET6: u8 = 2;
    let port = |at: usize| Some(u16::from_be_bytes(rest.get(at..at + 2)?.try_into().ok()?));
    let (ip, port) = match family {
        INET => {
            let ip: [u8; 4] = rest.get(..4)?.try_into().ok()?;
            (IpAddr::V4(Ipv4Addr::from(ip)), port(8)?)
        }
        INET6 => {
            let ip: [u8; 16] = rest.get(..16)?.try_into().ok()?;
            (IpAddr::V6(Ipv6Addr::from(ip)), port(32)?)
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every part of a whole header is the beginning of one.
    fn check(header: &[u8], client: Option<&str>) {
        let client = client.map(|client| client.parse().unwrap());
        let whole = ProxyHeader::Whole(header.len(), client);
        assert_eq!(ProxyHeader::read(header), whole, "{header:?}");
        let more = [header, b"GET / HTTP/1.1\r\n"].concat();
        assert_eq!(ProxyHeader::read(&more), whole, "{header:?}");
        for length in 1..header.len() {
            let begun = ProxyHeader::read(&header[..length]);
            assert_eq!(begun, ProxyHeader::Begun, "{length} bytes of {header:?}");
        }
    }

    #[test]
    fn a_line_names_the_client() {
        let line = b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 80\r\n";
        check(line, Some("192.0.2.1:40000"));
        check(
            b"PROXY TCP6 2001:db8::1 ::1 4 80\r\n",
            Some("[2001:db8::1]:4"),
        );
        check(b"PROXY UNKNOWN\r\n", None);
        check(b"PROXY UNKNOWN ::1 ::1 1 2\r\n", None);
    }

    #[test]
    fn a_binary_header_names_the_client() {
        let header = |command: &[u8], rest: &[u8]| {
            let length = (rest.len() as u16).to_be_bytes();
            [SIGNATURE, command, &length, rest].concat()
        };
        let v4 = [192, 0, 2, 1, 192, 0, 2, 2, 0x9c, 0x40, 0, 80];
        check(&header(&[0x21, 0x11], &v4), Some("192.0.2.1:40000"));
        let with_more = [&v4[..], &[4, 0, 1, 0]].concat();
        check(&header(&[0x21, 0x11], &with_more), Some("192.0.2.1:40000"));
        let mut v6 = [0; 36];
        v6[15] = 1;
        v6[33] = 7;
        check(&header(&[0x21, 0x21], &v6), Some("[::1]:7"));
        check(&header(&[0x21, 0x31], &[0; 216]), None);
        check(&header(&[0x21, 0x11], &v4[..9]), None);
        check(&header(&[0x20, 0x00], b""), None);
        check(&header(&[0x20, 0x11], &v4), None);
        let bad = header(&[0x31, 0x11], &v4);
        assert_eq!(ProxyHeader::read(&bad), ProxyHeader::No);
    }

    #[test]
    fn what_is_no_header_is_left_alone() {
        for bytes in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"",
            b"POST / HTTP/1.1\r\n",
            b"PROXY TCP4 a b 1 2\r\n",
            b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n",
            b"PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n",
            b"\r\nGET / HTTP/1.1\r\n",
        ] {
            assert_eq!(ProxyHeader::read(bytes), ProxyHeader::No, "{bytes:?}");
        }
        let endless = [&b"PROXY "[..], &[b'a'; MAX_LINE]].concat();
        assert_eq!(ProxyHeader::read(&endless), ProxyHeader::No);
        assert_eq!(
            ProxyHeader::read(&endless[..MAX_LINE - 1]),
            ProxyHeader::Begun
        );
        assert_eq!(ProxyHeader::read(&endless[..MAX_LINE]), ProxyHeader::No);
    }
}
