//! A server that keeps every byte of each request, and answers all alike.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use mirror_tests::net::{Host, Network};
use mirror_tests::scratch::Scratch;
use mirror_tests::stage::{Actor, Role};

const ACCEPT_PAUSE: Duration = Duration::from_millis(2);

/// The role of such a server.
pub(super) struct Recording;

pub(super) struct Server {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Vec<u8>>>>,
    stop: Arc<AtomicBool>,
}

impl Role for Recording {
    type Actor = Server;

    fn start(&self, network: &Network, _: &Scratch, host: Host, port: u16) -> Result<Server> {
        let address = SocketAddr::from((host.address(), port));
        let listener = network.on(host, || {
            TcpListener::bind(address).with_context(|| format!("listening on {address}"))
        })?;
        listener.set_nonblocking(true)?;
        let server = Server {
            address,
            received: Arc::default(),
            stop: Arc::default(),
        };
        let (received, stop) = (Arc::clone(&server.received), Arc::clone(&server.stop));
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((stream, _)) => {
                        let received = Arc::clone(&received);
                        thread::spawn(move || serve(stream, &received));
                    }
                    Err(_) => thread::sleep(ACCEPT_PAUSE),
                }
            }
        });
        Ok(server)
    }
}

impl Actor for Server {
    fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Server {
    /// All requests so far, with the framing of their bodies.
    pub(super) fn received(&self) -> Vec<Vec<u8>> {
        let received = self.received.lock();
        received.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn serve(mut stream: TcpStream, received: &Mutex<Vec<Vec<u8>>>) -> Option<()> {
    stream.set_nonblocking(false).ok()?;
    stream.set_nodelay(true).ok()?;
    let mut buffer = Vec::new();
    loop {
        let request = read_request(&mut stream, &mut buffer)?;
        let head = head(&request);
        let is_old = head.lines().next()?.ends_with("http/1.0");
        let keeps = head.contains("keep-alive");
        let closes = head.contains("\nconnection: close") || (is_old && !keeps);
        let all = received.lock();
        all.unwrap_or_else(PoisonError::into_inner).push(request);
        let connection = match (closes, is_old) {
            (true, _) => "Connection: close\r\n",
            (false, true) => "Connection: keep-alive\r\n",
            (false, false) => "",
        };
        let body = if head.starts_with("head ") { "" } else { "ok" };
        let answer = format!("HTTP/1.1 200 OK\r\n{connection}Content-Length: 2\r\n\r\n{body}");
        stream.write_all(answer.as_bytes()).ok()?;
        if closes {
            return None;
        }
    }
}

/// In lower case, with simple line ends.
fn head(request: &[u8]) -> String {
    let end = head_end(request).unwrap_or(request.len());
    let text = String::from_utf8_lossy(&request[..end]);
    text.to_lowercase().replace("\r\n", "\n")
}

fn head_end(bytes: &[u8]) -> Option<usize> {
    let crlf = position(bytes, b"\r\n\r\n").map(|at| at + 4);
    let lf = position(bytes, b"\n\n").map(|at| at + 2);
    crlf.into_iter().chain(lf).min()
}

fn position(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|part| part == what)
}

fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    let end = loop {
        match head_end(buffer) {
            Some(end) => break end,
            None => read_more(stream, buffer)?,
        }
    };
    let head = head(&buffer[..end]);
    if head.contains("\nexpect: 100-continue") && buffer.len() == end {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
    }
    let length = match head.contains("\ntransfer-encoding: chunked") {
        true => loop {
            match chunked_length(&buffer[end..]) {
                Some(length) => break length,
                None => read_more(stream, buffer)?,
            }
        },
        false => {
            let line = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:"));
            let first = line.and_then(|value| value.split(',').next());
            first.map_or(Some(0), |value| value.trim().parse().ok())?
        }
    };
    while buffer.len() < end + length {
        read_more(stream, buffer)?;
    }
    Some(buffer.drain(..end + length).collect())
}

/// Bytes of a chunked body with its trailers; `None` while it is not whole.
fn chunked_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let line = position(&bytes[at..], b"\r\n")?;
        let size = String::from_utf8_lossy(&bytes[at..at + line]);
        let size = size.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        at += line + 2;
        if size == 0 {
            break;
        }
        at += size + 2;
        bytes.get(..at)?;
    }
    loop {
        let line = position(&bytes[at..], b"\r\n")?;
        at += line + 2;
        if line == 0 {
            return Some(at);
        }
    }
}

fn read_more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    let mut part = [0; 16 << 10];
    let read = stream.read(&mut part).ok().filter(|read| *read > 0)?;
    buffer.extend_from_slice(&part[..read]);
    Some(())
}
