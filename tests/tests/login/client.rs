//! What a browser does: keeps cookies, repeats what it was given.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mirror_tests::net::{Host, Network};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(10);

/// A client with a connection at a time.
pub(crate) struct Client<'n> {
    network: &'n Network,
    to: SocketAddr,
    stream: TcpStream,
    cookies: BTreeMap<String, String>,
    /// Sent with every request.
    pub(crate) headers: Vec<String>,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.body).with_context(|| self.body.clone())
    }

    /// What stands between two texts of the body.
    pub(crate) fn between(&self, before: &str, after: &str) -> Result<String> {
        let (_, rest) = self.body.split_once(before).context("the text before")?;
        let (found, _) = rest.split_once(after).context("the text after")?;
        Ok(found.into())
    }
}

impl<'n> Client<'n> {
    pub(crate) fn connect(network: &'n Network, to: SocketAddr) -> Result<Self> {
        Ok(Self {
            network,
            to,
            stream: stream(network, to)?,
            cookies: BTreeMap::new(),
            headers: Vec::new(),
        })
    }

    /// The next request goes on another connection.
    pub(crate) fn reconnect(&mut self) -> Result<()> {
        self.stream = stream(self.network, self.to)?;
        Ok(())
    }

    pub(crate) fn get(&mut self, target: &str) -> Result<Answer> {
        self.ask("GET", target, "", "")
    }

    pub(crate) fn post(&mut self, target: &str, media: &str, body: &str) -> Result<Answer> {
        self.ask("POST", target, media, body)
    }

    fn ask(&mut self, method: &str, target: &str, media: &str, body: &str) -> Result<Answer> {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: shop.example\r\n");
        if method == "POST" {
            head += &format!(
                "Content-Type: {media}\r\nContent-Length: {}\r\n",
                body.len()
            );
        }
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(n, v)| format!("{n}={v}"))
            .collect();
        if !cookies.is_empty() {
            head += &format!("Cookie: {}\r\n", cookies.join("; "));
        }
        for line in &self.headers {
            head += &format!("{line}\r\n");
        }
        let request = format!("{head}\r\n{body}");
        self.stream.write_all(request.as_bytes())?;
        let answer = self.read()?;
        for line in answer.head.lines() {
            let set = line
                .strip_prefix("Set-Cookie: ")
                .and_then(|set| set.split(';').next());
            if let Some((name, value)) = set.and_then(|set| set.split_once('=')) {
                self.cookies.insert(name.into(), value.into());
            }
        }
        Ok(answer)
    }

    fn read(&mut self) -> Result<Answer> {
        let mut read = Vec::new();
        let mut part = [0; 16 << 10];
        loop {
            let text = String::from_utf8_lossy(&read);
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head
                    .lines()
                    .find_map(|l| l.strip_prefix("Content-Length: "));
                if length.map_or(Ok(0), str::parse) == Ok(body.len()) {
                    let status = head.get(9..12).context("a status")?.parse()?;
                    let (head, body) = (head.to_owned(), body.to_owned());
                    return Ok(Answer { status, head, body });
                }
            }
            let count = self.stream.read(&mut part)?;
            ensure!(count > 0, "production closed the connection");
            read.extend_from_slice(&part[..count]);
        }
    }
}

fn stream(network: &Network, to: SocketAddr) -> Result<TcpStream> {
    network.on(Host::Client, || {
        let stream = TcpStream::connect_timeout(&to, LIMIT)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    })
}
