//! Asks the kernel for lists by rtnetlink, in the calling thread's network namespace.

use std::os::fd::AsRawFd;

use anyhow::Context;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};

// include/uapi/linux/netlink.h
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const REQUEST_DUMP: u16 = 0x301;
const HEADER: usize = 16;
/// The kernel makes no larger datagram for a dump.
const DATAGRAM: usize = 65_536;
/// Without the bits that say "nested" and "big endian".
const ATTRIBUTE_TYPE: u16 = 0x3fff;

/// The messages of a list, each without its header. A list that the kernel refuses is empty.
pub(in crate::capture) fn dump(kind: u16, body: &[u8]) -> anyhow::Result<Vec<Vec<u8>>> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )
    .context("opening a netlink socket")?;
    let mut question = Vec::with_capacity(HEADER + body.len());
    question.extend_from_slice(&((HEADER + body.len()) as u32).to_ne_bytes());
    question.extend_from_slice(&kind.to_ne_bytes());
    question.extend_from_slice(&REQUEST_DUMP.to_ne_bytes());
    question.extend_from_slice(&[0; 8]);
    question.extend_from_slice(body);
    send(socket.as_raw_fd(), &question, MsgFlags::empty()).context("asking by netlink")?;
    let mut messages = Vec::new();
    let mut buffer = vec![0; DATAGRAM];
    loop {
        let len = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty())
            .context("reading from netlink")?;
        if split(&buffer[..len], &mut messages) {
            return Ok(messages);
        }
    }
}

/// Takes a datagram apart; true when it was the last.
fn split(mut bytes: &[u8], messages: &mut Vec<Vec<u8>>) -> bool {
    while let (Some(len), Some(kind)) = (word(bytes, 0), half(bytes, 4)) {
        let len = len as usize;
        if kind == NLMSG_DONE || kind == NLMSG_ERROR {
            return true;
        }
        messages.extend(bytes.get(HEADER..len).map(<[u8]>::to_vec));
        bytes = bytes
            .get(len.max(HEADER).next_multiple_of(4)..)
            .unwrap_or_default();
    }
    false
}

/// The value of the first attribute of this type.
pub(in crate::capture) fn attribute(mut bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    while let (Some(len), Some(kind)) = (half(bytes, 0), half(bytes, 2)) {
        let len = usize::from(len);
        if kind & ATTRIBUTE_TYPE == wanted {
            return bytes.get(4..len);
        }
        bytes = bytes.get(len.max(4).next_multiple_of(4)..)?;
    }
    None
}

pub(in crate::capture) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

pub(in crate::capture) fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// Text up to its zero byte.
pub(in crate::capture) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_split_and_attributes_found() {
        let message = |kind: u16, body: &[u8]| {
            let mut bytes = ((HEADER + body.len()) as u32).to_ne_bytes().to_vec();
            bytes.extend_from_slice(&kind.to_ne_bytes());
            bytes.extend_from_slice(&[0; 10]);
            bytes.extend_from_slice(body);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            bytes
        };
        let mut attributes = Vec::new();
        for (kind, value) in [(1_u16, &b"abc\0"[..]), (0x8002, b"xy")] {
            attributes.extend_from_slice(&((4 + value.len()) as u16).to_ne_bytes());
            attributes.extend_from_slice(&kind.to_ne_bytes());
            attributes.extend_from_slice(value);
            attributes.resize(attributes.len().next_multiple_of(4), 0);
        }
        let datagram = [message(16, &attributes), message(NLMSG_DONE, &[])].concat();
        let mut messages = Vec::new();
        assert!(split(&datagram, &mut messages));
        assert_eq!(messages.len(), 1);
        assert_eq!(attribute(&messages[0], 1).map(text).as_deref(), Some("abc"));
        assert_eq!(attribute(&messages[0], 2), Some(&b"xy"[..]));
        assert_eq!(attribute(&messages[0], 3), None);
        // A length that lies ends the walk.
        assert_eq!(attribute(&[200, 0, 1, 0, 9], 1), None);
        assert!(!split(&[255; 20], &mut messages));
    }
}
