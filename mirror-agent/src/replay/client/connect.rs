//! A connection to the target, whose socket is known as the agent's own before its first packet.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};

use super::super::own_sockets::{OwnSocket, OwnSockets};
use super::super::{ReplayOptions, SocketMark, Target};
use super::connection::{Connection, Stream};
use super::failure::{Failure, FailureKind};
use super::tls::Tls;

/// How long the addresses of a name are used.
const ADDRESSES_TIMEOUT: Duration = Duration::from_secs(10);
/// Ports that are tried, where one turns out to be taken.
const MAX_PORTS: usize = 3;

pub(in crate::replay) struct Connector {
    target: Target,
    tls: Option<Tls>,
    own: Option<Arc<dyn OwnSockets>>,
    mark: SocketMark,
    timeout: Duration,
    addresses: Mutex<Option<(Instant, Arc<[SocketAddr]>)>>,
}

impl Connector {
    pub(in crate::replay) fn new(
        target: Target,
        options: &ReplayOptions,
        own: Option<Arc<dyn OwnSockets>>,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            tls: Tls::new(&target, options)?,
            target,
            own,
            mark: options.socket_mark,
            timeout: options.connect_timeout,
            addresses: Mutex::new(None),
        })
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    pub(in crate::replay) async fn connect(&self) -> Result<Connection, Failure> {
        let (stream, own) = self.stream().await?;
        Ok(Connection::new(stream, own))
    }

    pub(super) async fn stream(&self) -> Result<(Stream, Option<OwnSocket>), Failure> {
        let connecting = timeout(self.timeout, self.any_address());
        let Ok(connected) = connecting.await else {
            let what = format!("no connection to {}", self.target);
            return Err(Failure {
                kind: FailureKind::Connect,
                ..Failure::timeout(&what, self.timeout, "--connect-timeout")
            });
        };
        let (tcp, own) = connected.map_err(|why| Failure::new(FailureKind::Connect, why))?;
        let Some(tls) = &self.tls else {
            return Ok((Stream::Plain(tcp), own));
        };
        let Ok(shaken) = timeout(self.timeout, tls.handshake(tcp)).await else {
            let what = format!("no TLS handshake with {}", self.target);
            return Err(Failure {
                kind: FailureKind::Connect,
                ..Failure::timeout(&what, self.timeout, "--connect-timeout")
            });
        };
        let stream = shaken.map_err(|error| {
            let why = format!("TLS handshake with {}: {error}", self.target);
            Failure::new(FailureKind::Connect, why)
        })?;
        Ok((Stream::Tls(Box::new(stream)), own))
    }

    /// The first address that takes a connection; else what is wrong with the last.
    async fn any_address(&self) -> Result<(TcpStream, Option<OwnSocket>), String> {
        let addresses = self.addresses().await;
        let addresses = addresses.map_err(|e| format!("resolving {}: {e}", self.target))?;
        let mut wrong = format!("the name in {} resolves to no address", self.target);
        for address in addresses.iter() {
            match self.address(*address).await {
                Ok(connected) => return Ok(connected),
                Err(error) => wrong = format!("connecting to {address}: {error}"),
            }
        }
        // They may have changed.
        self.known_addresses(|known| *known = None);
        Err(wrong)
    }

    async fn addresses(&self) -> io::Result<Arc<[SocketAddr]>> {
        let fresh = |known: &mut Option<(Instant, Arc<[SocketAddr]>)>| {
            let (at, addresses) = known.as_ref()?;
            (at.elapsed() < ADDRESSES_TIMEOUT).then(|| Arc::clone(addresses))
        };
        if let Some(addresses) = self.known_addresses(fresh) {
            return Ok(addresses);
        }
        let addresses: Arc<[SocketAddr]> = self.target.resolve().await?.into();
        self.known_addresses(|known| *known = Some((Instant::now(), Arc::clone(&addresses))));
        Ok(addresses)
    }

    fn known_addresses<T>(
        &self,
        with: impl FnOnce(&mut Option<(Instant, Arc<[SocketAddr]>)>) -> T,
    ) -> T {
        let mut known = self
            .addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        with(&mut known)
    }

    async fn address(&self, to: SocketAddr) -> io::Result<(TcpStream, Option<OwnSocket>)> {
        let Some(own) = &self.own else {
            let stream = self.socket(to)?.connect(to).await?;
            return Ok((stream, None));
        };
        let mut tries = 0;
        loop {
            let socket = self.socket(to)?;
            // Bound first, so that not even its SYN is captured.
            socket.set_reuseaddr(true)?;
            socket.bind(SocketAddr::new(source(to)?, 0))?;
            let told = OwnSocket::opened(own, socket.local_addr()?);
            tries += 1;
            match socket.connect(to).await {
                // The port is still in use by an earlier connection to the same place.
                Err(error) if is_taken(&error) && tries < MAX_PORTS => {}
                connected => return Ok((connected?, Some(told))),
            }
        }
    }

    fn socket(&self, to: SocketAddr) -> io::Result<TcpSocket> {
        let socket = match to {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_nodelay(true)?;
        // Without CAP_NET_ADMIN there is none; `doctor` says so.
        let _ = set_mark(&socket, self.mark);
        Ok(socket)
    }
}

/// Marks a socket for the rules of firewalls and routing.
pub(in crate::replay) fn set_mark(
    socket: &impl std::os::fd::AsFd,
    mark: SocketMark,
) -> nix::Result<()> {
    match mark.0 {
        0 => Ok(()),
        mark => setsockopt(socket, sockopt::Mark, &mark),
    }
}

fn is_taken(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable
    )
}

/// The address of this host that its routes choose for a peer; nothing is sent.
fn source(to: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match to {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let probe = UdpSocket::bind((any, 0))?;
    probe.connect(to)?;
    Ok(probe.local_addr()?.ip())
}
