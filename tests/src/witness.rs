//! A server on the loopback interface that remembers what it was sent, and answers as it is told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result};

/// A request as it came, but for the framing of its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witnessed {
    pub method: String,
    /// As it stood in the request line.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Witnessed {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| &**value)
    }
}

/// Status, media type and body for a request.
type Answer = fn(&Witnessed) -> (u16, &'static str, Vec<u8>);

/// Ends with its process: its threads wait for connections that nobody opens any more.
#[derive(Debug)]
pub struct Witness {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Witnessed>>>,
}

impl Witness {
    pub fn start(answer: Answer) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("listening")?;
        let address = listener.local_addr()?;
        let seen = Arc::default();
        let all = Arc::clone(&seen);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let seen = Arc::clone(&all);
                // A client that breaks off has its reasons.
                thread::spawn(move || serve(connection, &seen, answer));
            }
        });
        Ok(Self { address, seen })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What came since the last call.
    pub fn take(&self) -> Vec<Witnessed> {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many requests came since the last call of `take`.
    pub fn count(&self) -> usize {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }
}

fn serve(connection: TcpStream, seen: &Mutex<Vec<Witnessed>>, answer: Answer) -> Result<()> {
    let mut reader = BufReader::new(connection.try_clone()?);
    let mut writer = connection;
    while let Some(request) = read(&mut reader)? {
        let (status, kind, body) = answer(&request);
        let body = match &*request.method {
            "HEAD" => Vec::new(),
            _ => body,
        };
        let head = format!(
            "HTTP/1.1 {status} Witnessed\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        seen.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(request);
        writer.write_all(&[head.as_bytes(), &body].concat())?;
    }
    Ok(())
}

/// `None` at the end of the connection.
fn read(reader: &mut impl BufRead) -> Result<Option<Witnessed>> {
    let first = line(reader)?;
    let mut words = first.split(' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Ok(None);
    };
    let mut request = Witnessed {
        method: method.to_owned(),
        target: target.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    loop {
        let field = line(reader)?;
        let Some((name, value)) = field.split_once(':') else {
            break;
        };
        let field = (name.to_owned(), value.trim().to_owned());
        request.headers.push(field);
    }
    if request.header("transfer-encoding").is_some() {
        loop {
            let size = usize::from_str_radix(&line(reader)?, 16)?;
            let chunk = exactly(reader, size + 2)?;
            request.body.extend(&chunk[..size]);
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = request.header("content-length") {
        request.body = exactly(reader, length.parse()?)?;
    }
    Ok(Some(request))
}

/// A line without its end, a char for each byte.
fn line(reader: &mut impl BufRead) -> Result<String> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line)?;
    let line = line
        .iter()
        .map(|byte| char::from(*byte))
        .collect::<String>();
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn exactly(reader: &mut impl Read, size: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; size];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}
