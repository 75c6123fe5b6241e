//! Whether the agent that attached a program is alive. A clsact filter outlives its agent, and must be removed
//! then, but never while its agent lives.
//!
//! An agent shows that it lives by an abstract socket with the program's number, in the network namespace of the
//! filter. The kernel closes the socket in whatever way the agent ends, and who looks needs neither rights nor the
//! agent's processes: two agents in containers do not see each other's.

use std::{
    io,
    os::unix::net::UnixDatagram,
    os::{linux::net::SocketAddrExt, unix::net::SocketAddr},
};

/// Says that a program's agent is alive, while it exists.
#[derive(Debug)]
pub(super) struct SignOfLife {
    _socket: Option<UnixDatagram>,
}

impl SignOfLife {
    /// Given in the network namespace of the calling thread, before a filter with the program is.
    pub(super) fn give(program: u32) -> io::Result<Self> {
        match bind(program) {
            Ok(socket) => Ok(Self {
                _socket: Some(socket),
            }),
            // Who holds the name says the same.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(Self { _socket: None }),
            Err(error) => Err(error),
        }
    }
}

/// Whether the agent of a program in the calling thread's network namespace is alive. True where that cannot be told: a
/// filter too many does less harm than a living agent's taken away.
pub(super) fn is_alive(program: u32) -> bool {
    bind(program).is_err()
}

fn bind(program: u32) -> io::Result<UnixDatagram> {
    let name = format!("mirror-agent/program/{program}");
    UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No program of the kernel's has these numbers, which are signed there.
    const PROGRAM: u32 = u32::MAX;

    #[test]
    fn a_sign_of_life_ends_with_its_owner() {
        assert!(!is_alive(PROGRAM));
        let sign = SignOfLife::give(PROGRAM).unwrap();
        let again = SignOfLife::give(PROGRAM).unwrap();
        assert!(is_alive(PROGRAM) && !is_alive(PROGRAM - 1));
        drop(again);
        assert!(is_alive(PROGRAM));
        drop(sign);
        assert!(!is_alive(PROGRAM));
    }
}
