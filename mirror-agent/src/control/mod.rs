//! The socket behind `status` and `stop`: one line asks, JSON answers, the connection closes.
//!
//! The agent removes the socket when it ends; what a killed agent left behind is replaced.

pub mod metrics;

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::watch,
};

use mirror_core::filter::FilterChange;

/// What is answered at once.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    Status,
    /// Shows the filter, after a change if there is one.
    Filter(FilterChange),
    Reload,
}

/// Longest order: a filter may name many networks.
const LONGEST: u64 = 4 << 20;

/// What the socket shows, and what it may do to the run.
pub struct Handles {
    pub order: Box<dyn Fn(Order) -> anyhow::Result<Value> + Send + Sync>,
    pub stop: watch::Sender<bool>,
    /// The final report, once there is one.
    pub ended: watch::Receiver<Option<Value>>,
}

/// The listening socket; removed from the file system on drop.
#[derive(Debug)]
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Control {
    /// Binds the socket, readable by its owner alone, unless another agent answers on it.
    pub async fn bind(path: &Path) -> anyhow::Result<Self> {
        if UnixStream::connect(path).await.is_ok() {
            bail!(
                "an agent is already running on {}: end it with `mirror-agent stop`, or give this one another --socket",
                path.display()
            );
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error)
                    .with_context(|| format!("removing the stale socket {}", path.display()));
            }
            _ => {}
        }
        let listener = UnixListener::bind(path).with_context(|| {
            format!(
                "listening on {} (choose another with --socket)",
                path.display()
            )
        })?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))
            .with_context(|| format!("restricting {}", path.display()))?;
        Ok(Self {
            listener,
            path: path.into(),
        })
    }

    /// Answers until dropped.
    pub async fn serve(self, handles: Handles) {
        let handles = Arc::new(handles);
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let handles = Arc::clone(&handles);
                    tokio::spawn(async move {
                        if let Err(error) = answer(stream, &handles).await {
                            tracing::debug!(%error, "control connection ended early");
                        }
                    });
                }
                // Out of descriptors, say: the run matters more than its socket.
                Err(error) => {
                    tracing::warn!(%error, "control socket");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

async fn answer(stream: UnixStream, handles: &Handles) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    // A peer that sends no newline cannot make it grow.
    BufReader::new(read.take(LONGEST))
        .read_line(&mut line)
        .await?;
    let reply = match line.trim() {
        "stop" => {
            handles.stop.send_replace(true);
            let mut ended = handles.ended.clone();
            let report = ended.wait_for(Option::is_some).await;
            report.ok().and_then(|r| r.clone()).unwrap_or(Value::Null)
        }
        order => parse(order)
            .and_then(|order| (handles.order)(order))
            .unwrap_or_else(|error| json!({ "error": format!("{error:#}") })),
    };
    write.write_all(reply.to_string().as_bytes()).await
}

fn parse(line: &str) -> anyhow::Result<Order> {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    Ok(match verb {
        "status" => Order::Status,
        "filter" => Order::Filter(serde_json::from_str(rest).context("reading the change")?),
        "reload" => Order::Reload,
        other => bail!("the agent knows no order {other:?}: is it of another version?"),
    })
}

/// Sends one command to the agent on `path` and waits for its answer.
pub async fn ask(path: &Path, command: &str) -> anyhow::Result<Value> {
    let mut stream = UnixStream::connect(path).await.with_context(|| {
        format!(
            "no agent answers on {}: start one with `mirror-agent start`, or name its --socket",
            path.display()
        )
    })?;
    stream.write_all(format!("{command}\n").as_bytes()).await?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await?;
    let answer: Value =
        serde_json::from_str(&reply).context("the agent ended before it answered")?;
    match answer.get("error").and_then(Value::as_str) {
        Some(error) => bail!("{error}"),
        None => Ok(answer),
    }
}
