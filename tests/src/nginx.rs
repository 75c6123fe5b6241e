//! nginx as a service that knows nothing of us. Its access log is the count that the ledger is
//! held against.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::http::wait_listening;
use crate::net::{Host, Network};
use crate::process::{Process, Signal};
use crate::scratch::Scratch;
use crate::stage::{Actor, Role};

/// Longest parameter of a configuration, with some room.
const LONGEST_TEXT: usize = 2000;

/// What it answers to every request.
#[derive(Clone, Copy, Debug)]
pub struct Answering<'a> {
    body: &'a str,
    workers: u32,
}

impl Answering<'_> {
    /// With so many processes that answer.
    #[must_use]
    pub fn with_workers(self, workers: u32) -> Self {
        Self { workers, ..self }
    }
}

#[derive(Debug)]
pub struct Nginx {
    process: Process,
    access_log: PathBuf,
    address: SocketAddr,
}

impl Nginx {
    pub fn answering(body: &str) -> Answering<'_> {
        Answering { body, workers: 1 }
    }

    /// `body` is what `/` answers. A log line is method, target and the replay mark.
    pub fn start(
        network: &Network,
        host: Host,
        port: u16,
        body: &str,
        scratch: &Scratch,
    ) -> Result<Self> {
        Self::answering(body).start(network, scratch, host, port)
    }

    pub fn url(&self) -> String {
        Actor::url(self)
    }

    /// From now on it takes connections and answers nothing.
    pub fn freeze(&self) -> Result<()> {
        self.process.signal(Signal::STOP)
    }

    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Ends it, which flushes the log, and gives the log's lines.
    pub fn finish(mut self) -> Result<Vec<String>> {
        self.process.signal(Signal::QUIT)?;
        self.process.wait(Duration::from_secs(10))?;
        let text = std::fs::read_to_string(&self.access_log)
            .with_context(|| format!("reading {}", self.access_log.display()))?;
        Ok(text.lines().map(str::to_owned).collect())
    }
}

impl Role for Answering<'_> {
    type Actor = Nginx;

    fn start(&self, network: &Network, scratch: &Scratch, host: Host, port: u16) -> Result<Nginx> {
        let name = format!("nginx-{}-{port}", host.address());
        let dir = scratch.join(&name);
        std::fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
        let address = SocketAddr::from((host.address(), port));
        let config = dir.join("nginx.conf");
        let body = self.body;
        let answer = if body.len() <= LONGEST_TEXT {
            format!("return 200 '{body}';")
        } else {
            std::fs::write(dir.join("body"), body)
                .with_context(|| format!("writing to {}", dir.display()))?;
            format!("root {}; try_files /body =404;", dir.display())
        };
        std::fs::write(&config, settings(address, &answer, self.workers))
            .with_context(|| format!("writing {}", config.display()))?;
        let mut command = network.command(host, "nginx");
        command
            .arg("-p")
            .arg(&dir)
            .arg("-c")
            .arg(&config)
            .arg("-e")
            .arg(dir.join("error.log"));
        let process = Process::spawn(&name, command, scratch.path())?;
        wait_listening(network, host, address, Duration::from_secs(10))
            .with_context(|| process.log())?;
        Ok(Nginx {
            process,
            access_log: dir.join("access.log"),
            address,
        })
    }
}

impl Actor for Nginx {
    fn address(&self) -> SocketAddr {
        self.address
    }
}

/// One worker is the only process, so that its death is the death of all of it. Connections are never closed
/// for their age: a load tool would count that as failures.
fn settings(address: SocketAddr, answer: &str, workers: u32) -> String {
    let processes = match workers {
        1 => "master_process off;".to_owned(),
        workers => format!("worker_processes {workers};"),
    };
    format!(
        r#"daemon off;
{processes}
pid nginx.pid;
error_log error.log;
events {{ worker_connections 1024; }}
http {{
  log_format mark '$request_method $request_uri replay=$http_x_mirror_replay id=$http_x_mirror_request_id';
  access_log access.log mark buffer=64k flush=1s;
  client_body_temp_path .;
  proxy_temp_path .;
  fastcgi_temp_path .;
  uwsgi_temp_path .;
  scgi_temp_path .;
  keepalive_requests 100000000;
  server {{
    listen {address};
    default_type application/json;
    location / {{ {answer} }}
  }}
}}
"#
    )
}
