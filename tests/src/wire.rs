//! Requests and answers as bytes: a server that notes what it received and answers what a test wants, and a client that sends
//! what it is given.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::net::{Host, Network};
use crate::scratch::Scratch;
use crate::stage::{Actor, Role};

const LIMIT: Duration = Duration::from_secs(10);
const ACCEPT_PAUSE: Duration = Duration::from_millis(2);

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// With the empty line at its end.
    pub head: Vec<u8>,
    pub body: Vec<u8>,
}

impl Received {
    /// The request line, without its end.
    pub fn line(&self) -> &[u8] {
        let end = self.head.windows(2).position(|two| two == b"\r\n");
        &self.head[..end.unwrap_or(self.head.len())]
    }

    /// The value of a header field; its name as it is written.
    pub fn header(&self, name: &str) -> Option<String> {
        let head = String::from_utf8_lossy(&self.head).into_owned();
        let field = head
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        field.map(|value| value.trim().to_owned())
    }
}

/// Serves until dropped, a thread for each connection.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    stop: Arc<AtomicBool>,
}

impl Server {
    /// Answers each request with the bytes that `answer` gives, and closes when a request says so.
    pub fn start(
        network: &Network,
        host: Host,
        port: u16,
        answer: impl Fn(&Received) -> Vec<u8> + Send + Sync + 'static,
    ) -> Result<Self> {
        let address = SocketAddr::from((host.address(), port));
        let listener = network.on(host, || {
            TcpListener::bind(address).with_context(|| format!("listening on {address}"))
        })?;
        Self::on(listener, answer)
    }

    /// The same, on a listener of the test's own.
    pub fn on(
        listener: TcpListener,
        answer: impl Fn(&Received) -> Vec<u8> + Send + Sync + 'static,
    ) -> Result<Self> {
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let server = Self {
            address,
            received: Arc::default(),
            stop: Arc::default(),
        };
        let (received, stop) = (Arc::clone(&server.received), Arc::clone(&server.stop));
        let answer = Arc::new(answer);
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((stream, _)) => {
                        let (received, answer) = (Arc::clone(&received), Arc::clone(&answer));
                        thread::spawn(move || serve(stream, &received, &*answer));
                    }
                    Err(_) => thread::sleep(ACCEPT_PAUSE),
                }
            }
        });
        Ok(server)
    }

    /// All requests so far.
    pub fn received(&self) -> Vec<Received> {
        self.received
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Their request lines.
    pub fn lines(&self) -> Vec<String> {
        let line = |request: &Received| String::from_utf8_lossy(request.line()).into_owned();
        self.received().iter().map(line).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Until the client closes, or sends what cannot be read.
fn serve(
    mut stream: TcpStream,
    received: &Mutex<Vec<Received>>,
    answer: &dyn Fn(&Received) -> Vec<u8>,
) -> Option<()> {
    stream.set_nonblocking(false).ok()?;
    stream.set_nodelay(true).ok()?;
    let mut buffer = Vec::new();
    loop {
        let request = read_request(&mut stream, &mut buffer)?;
        received
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(request.clone());
        stream.write_all(&answer(&request)).ok()?;
        if request.header("Connection").as_deref() == Some("close") {
            return None;
        }
    }
}

fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Received> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        read_more(stream, buffer)?;
    };
    let mut request = Received {
        head: buffer.drain(..end).collect(),
        body: Vec::new(),
    };
    let length = request
        .header("Content-Length")
        .or_else(|| request.header("content-length"));
    let length = length.map_or(Some(0), |text| text.parse().ok())?;
    while buffer.len() < length {
        read_more(stream, buffer)?;
    }
    request.body = buffer.drain(..length).collect();
    Some(request)
}

fn read_more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    let mut part = [0; 16 << 10];
    let read = stream.read(&mut part).ok().filter(|read| *read > 0)?;
    buffer.extend_from_slice(&part[..read]);
    Some(())
}

/// An answer with a length.
pub fn answer(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Sends bytes from the client's host on a connection of their own; all that comes back until the server closes it.
pub fn send(network: &Network, to: SocketAddr, bytes: &[u8]) -> Result<Vec<u8>> {
    send_until(network, to, bytes, |_| false)
}

/// The same, and closes the connection once it has read enough.
pub fn send_until(
    network: &Network,
    to: SocketAddr,
    bytes: &[u8],
    is_enough: impl Fn(&[u8]) -> bool + Sync,
) -> Result<Vec<u8>> {
    network.on(Host::Client, || {
        let mut stream = TcpStream::connect_timeout(&to, LIMIT)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.write_all(bytes)?;
        let mut answer = Vec::new();
        while !is_enough(&answer) {
            let mut part = [0; 16 << 10];
            match stream.read(&mut part) {
                Ok(0) => break,
                Ok(read) => answer.extend_from_slice(&part[..read]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
                Err(error) => return Err(error).context("waiting for the answer"),
            }
        }
        Ok(answer)
    })
}

/// The role of a server whose answers are made by a function.
#[derive(Clone, Copy, Debug)]
pub struct Answering<F>(pub F);

impl<F> Role for Answering<F>
where
    F: Fn(&Received) -> Vec<u8> + Clone + Send + Sync + 'static,
{
    type Actor = Server;

    fn start(&self, network: &Network, _: &Scratch, host: Host, port: u16) -> Result<Server> {
        Server::start(network, host, port, self.0.clone())
    }
}

impl Actor for Server {
    fn address(&self) -> SocketAddr {
        self.address
    }
}
