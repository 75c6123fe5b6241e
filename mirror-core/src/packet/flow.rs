//! Which connection, and which end of it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

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

impl Address {
    fn new(address: SocketAddr) -> Self {
        let ip = match address.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        Self {
            ip: ip.octets(),
            port: address.port(),
        }
    }

    fn get(self) -> SocketAddr {
        SocketAddr::new(Ipv6Addr::from(self.ip).to_canonical(), self.port)
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
