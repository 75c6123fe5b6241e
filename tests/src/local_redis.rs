//! A Redis server on the machine's own loopback interface: for tests of what talks to the store, which need no network of
//! their own, and so no root.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::process::{Process, Signal};
use crate::scratch::Scratch;

const LIMIT: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub struct LocalRedis {
    process: Process,
    port: u16,
    scratch: Scratch,
    options: Vec<String>,
}

/// Tells a story with a server of its own, on one thread. No story takes longer than the limit, unless something is wrong.
pub fn with_redis(story: impl AsyncFnOnce(&mut LocalRedis) -> Result<()>) -> Result<()> {
    let mut redis = LocalRedis::start()?;
    let story = async { tokio::time::timeout(LIMIT, story(&mut redis)).await? };
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(story)
}

impl LocalRedis {
    pub fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    /// With more of its options.
    pub fn start_with(options: &[&str]) -> Result<Self> {
        let options: Vec<String> = options.iter().map(ToString::to_string).collect();
        let scratch = Scratch::new()?;
        let mut tries = 3;
        loop {
            let port = free_port()?;
            match serve(port, &scratch, &options) {
                Ok(process) => {
                    return Ok(Self {
                        process,
                        port,
                        scratch,
                        options,
                    });
                }
                // Somebody else may have taken the port meanwhile.
                Err(error) if tries == 1 => return Err(error),
                Err(_) => tries -= 1,
            }
        }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// What `redis-cli` prints for a command.
    pub fn ask(&self, command: &[&str]) -> Result<String> {
        let output = Command::new("redis-cli")
            .args(["-p", &self.port.to_string()])
            .args(command)
            .output()
            .context("running redis-cli")?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// The same for one of which the last argument is the input.
    pub fn ask_with(&self, command: &[&str], input: &[u8]) -> Result<String> {
        let mut child = Command::new("redis-cli")
            .args(["-p", &self.port.to_string()])
            .args(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("running redis-cli")?;
        let mut stdin = child.stdin.take().context("redis-cli has no input")?;
        stdin.write_all(input).context("writing to redis-cli")?;
        drop(stdin);
        let output = child.wait_with_output().context("running redis-cli")?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// A command that must be done.
    pub fn command(&self, command: &[&str]) -> Result<()> {
        let answer = self.ask(command)?;
        ensure!(answer == "OK", "redis-cli {}: {answer}", command.join(" "));
        Ok(())
    }

    /// How often a command was run, or refused to its user.
    pub fn calls(&self, command: &str) -> Result<u64> {
        let statistics = self.ask(&["info", "commandstats"])?;
        let line = format!("cmdstat_{command}:");
        let line = statistics.lines().find_map(|l| l.strip_prefix(&line));
        let counts = line.unwrap_or_default().trim().split(',');
        let count = counts.filter_map(|count| {
            let (name, count) = count.split_once('=')?;
            let is_call = matches!(name, "calls" | "rejected_calls");
            is_call.then(|| count.parse::<u64>().ok()).flatten()
        });
        Ok(count.sum())
    }

    pub fn stop(&mut self) {
        self.process.kill();
    }

    pub fn start_again(&mut self) -> Result<()> {
        self.process = serve(self.port, &self.scratch, &self.options)?;
        Ok(())
    }

    /// From now on it takes connections and answers nothing.
    pub fn freeze(&self) -> Result<()> {
        self.process.signal(Signal::STOP)
    }

    pub fn thaw(&self) -> Result<()> {
        self.process.signal(Signal::CONT)
    }
}

/// Whether there is a server to start.
pub fn is_installed() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let programs = ["redis-server", "redis-cli", "setpriv"];
    programs
        .iter()
        .all(|program| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

/// One that nobody has now.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a port")?;
    Ok(listener.local_addr()?.port())
}

fn serve(port: u16, scratch: &Scratch, options: &[String]) -> Result<Process> {
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "redis-server"])
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no", "--dir"])
        .arg(scratch.path())
        .args(options);
    let mut process = Process::spawn("redis", command, scratch.path())?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    process.wait_ready("Redis", LIMIT, |_| TcpStream::connect(address).is_ok())?;
    Ok(process)
}
