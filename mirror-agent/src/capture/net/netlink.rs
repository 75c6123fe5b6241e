//! Asks the kernel for lists by rtnetlink, in the network namespace of the calling thread.
//!
//! The crates that frame and name the messages are used without `rtnetlink`, which needs an async runtime: each namespace
//! has a thread of its own that asks a few times a second. Attributes are decoded one by one, because a message of
//! `netlink-packet-route` is either decoded whole or not at all: an attribute that a newer kernel adds would hide
//! an interface or a filter.

use std::{convert::Infallible, io};

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkDeserializable, NetlinkHeader, NetlinkMessage,
    NetlinkPayload, NlasIterator,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

/// Messages are aligned to this many bytes.
const ALIGNMENT: usize = 4;
const ATTRIBUTE_HEADER: usize = 4;
/// The kernel makes no larger datagram for a list.
const MAX_DATAGRAM: usize = 65_536;

/// A message of a list, from the end of its netlink header on.
pub(in crate::capture) struct RouteMessage(pub(in crate::capture) Vec<u8>);

impl NetlinkDeserializable for RouteMessage {
    type Error = Infallible;

    fn deserialize(_: &NetlinkHeader, payload: &[u8]) -> Result<Self, Infallible> {
        Ok(Self(payload.to_vec()))
    }
}

/// The messages of the list that `question` asks for.
pub(in crate::capture) fn dump(question: RouteNetlinkMessage) -> io::Result<Vec<RouteMessage>> {
    let socket = Socket::new(NETLINK_ROUTE)?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut message = NetlinkMessage::from(question);
    message.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    socket.send(&bytes, 0)?;
    let mut messages = Vec::new();
    let mut datagram = Vec::with_capacity(MAX_DATAGRAM);
    loop {
        datagram.clear();
        socket.recv(&mut datagram, 0)?;
        if split(&datagram, &mut messages)? {
            return Ok(messages);
        }
    }
}

/// Adds the messages of a datagram; true when the list ends with it.
fn split(mut datagram: &[u8], messages: &mut Vec<RouteMessage>) -> io::Result<bool> {
    while !datagram.is_empty() {
        let message =
            NetlinkMessage::<RouteMessage>::deserialize(datagram).map_err(io::Error::other)?;
        match message.payload {
            NetlinkPayload::Done(done) if done.code != 0 => {
                return Err(io::Error::from_raw_os_error(done.code.abs()));
            }
            NetlinkPayload::Done(_) => return Ok(true),
            NetlinkPayload::Error(refused) if refused.code.is_some() => {
                return Err(refused.to_io());
            }
            NetlinkPayload::InnerMessage(inner) => messages.push(inner),
            _ => {}
        }
        let len = (message.header.length as usize).next_multiple_of(ALIGNMENT);
        datagram = datagram.get(len..).unwrap_or_default();
    }
    Ok(false)
}

/// The value of the first attribute of this kind.
pub(in crate::capture) fn attribute(attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    // One with a length that cannot be true ends the walk.
    NlasIterator::new(attributes)
        .map_while(Result::ok)
        .find(|attribute| attribute.kind() == wanted)
        .and_then(|attribute| {
            let len = usize::from(attribute.length());
            attribute.into_inner().get(ATTRIBUTE_HEADER..len)
        })
}

/// Text up to its zero byte. Names of interfaces need not be UTF-8.
pub(in crate::capture) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DONE: u16 = 3;
    const ERROR: u16 = 2;

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = ((16 + body.len()) as u32).to_ne_bytes().to_vec();
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(&[0; 10]);
        bytes.extend_from_slice(body);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn attributes(list: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (kind, value) in list {
            bytes.extend_from_slice(&((4 + value.len()) as u16).to_ne_bytes());
            bytes.extend_from_slice(&kind.to_ne_bytes());
            bytes.extend_from_slice(value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes
    }

    #[test]
    fn messages_are_split_and_attributes_found() {
        // The second has the bit that says "nested".
        let body = attributes(&[(1, b"abc\0"), (0x8002, b"xy")]);
        let datagram = [message(16, &body), message(DONE, &[0; 4])].concat();
        let mut messages = Vec::new();
        assert!(split(&datagram, &mut messages).unwrap());
        let [RouteMessage(message)] = &messages[..] else {
            panic!("{} messages", messages.len());
        };
        assert_eq!(attribute(message, 1).map(text).as_deref(), Some("abc"));
        assert_eq!(attribute(message, 2), Some(&b"xy"[..]));
        assert_eq!(attribute(message, 3), None);
    }

    #[test]
    fn a_list_goes_on_over_datagrams_until_it_is_done() {
        let mut messages = Vec::new();
        assert!(!split(&message(16, b"abcd"), &mut messages).unwrap());
        assert!(!split(&message(16, b"efgh"), &mut messages).unwrap());
        assert!(split(&message(DONE, &[0; 4]), &mut messages).unwrap());
        assert_eq!(messages.len(), 2);
    }

    #[test]
    fn a_refusal_and_a_length_that_lies_are_errors() {
        let mut refusal = (-libc::EOPNOTSUPP).to_ne_bytes().to_vec();
        refusal.extend_from_slice(&[0; 16]);
        let broken_off = (-libc::ENODEV).to_ne_bytes();
        for (kind, body, error) in [
            (ERROR, &refusal[..], libc::EOPNOTSUPP),
            (DONE, &broken_off[..], libc::ENODEV),
        ] {
            let refused = split(&message(kind, body), &mut Vec::new()).unwrap_err();
            assert_eq!(refused.raw_os_error(), Some(error));
        }
        assert!(split(&[255; 20], &mut Vec::new()).is_err());
        assert_eq!(attribute(&[200, 0, 1, 0, 9], 1), None);
    }
}
