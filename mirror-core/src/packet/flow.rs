//! Which connection, and which end of it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A connection, the same for both directions: the smaller address first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FlowKey {
    low: Address,
    high: Address,
}

/// An address in as few bytes as IPv6 needs; IPv4 is mapped (RFC 4291 §2.5.5.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Address {
    ip: [u8; 16],
    port: u16,
}

/// What a mapped address begins with.
const MAPPED: u128 = 0xffff;

impl Address {
    // As numbers, because byte by byte costs ten times as much, twice a packet.
    #[inline]
    fn new(address: SocketAddr) -> Self {
        let ip = match address.ip() {
            IpAddr::V4(ip) => MAPPED << 32 | u128::from(u32::from(ip)),
            IpAddr::V6(ip) => u128::from(ip),
        };
        Self {
            ip: ip.to_be_bytes(),
            port: address.port(),
        }
    }

    #[inline]
    fn get(self) -> SocketAddr {
        let ip = u128::from_be_bytes(self.ip);
        let ip = match ip >> 32 {
            MAPPED => IpAddr::V4(Ipv4Addr::from(ip as u32)),
            _ => IpAddr::V6(Ipv6Addr::from(ip)),
        };
        SocketAddr::new(ip, self.port)
    }
}

impl FlowKey {
    /// The key of the connection, and the side that `from` is.
    pub fn new(from: SocketAddr, to: SocketAddr) -> (Self, Side) {
        let (from, to) = (Address::new(from), Address::new(to));
        if from <= to {
            (
                Self {
                    low: from,
                    high: to,
                },
                Side::Low,
            )
        } else {
            (
                Self {
                    low: to,
                    high: from,
                },
                Side::High,
            )
        }
    }

    pub fn addr(&self, side: Side) -> SocketAddr {
        self.address(side).get()
    }

    pub fn port(&self, side: Side) -> u16 {
        self.address(side).port
    }

    fn address(&self, side: Side) -> Address {
        match side {
            Side::Low => self.low,
            Side::High => self.high,
        }
    }
}

impl fmt::Debug for FlowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.low.get(), self.high.get())
    }
}

impl Hash for FlowKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(u128::from_ne_bytes(self.low.ip));
        state.write_u128(u128::from_ne_bytes(self.high.ip));
        state.write_u32(u32::from(self.low.port) << 16 | u32::from(self.high.port));
    }
}

/// The end of a connection that sent something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    Low,
    High,
}

impl Side {
    pub const fn other(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }

    pub const fn index(self) -> usize {
        self as usize
    }
}
