//! Serves the control socket to its owner and to root.

use std::{os::unix::fs::MetadataExt, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::geteuid;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixSocket, UnixStream},
    sync::watch,
    task::spawn_blocking,
    time::{sleep, timeout},
};

use super::connections::{Connections, Hold};
use super::place::Place;
use super::protocol::{self, Order};

/// Connections at a time.
pub const MAX_CONNECTIONS: usize = 16;
/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;
/// Longest question: a filter may name many networks.
const MAX_QUESTION: u64 = 2 << 20;
const QUESTION_TIMEOUT: Duration = Duration::from_secs(5);
/// For a reader to take its answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Before `accept` is tried again after it failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// What the socket shows, and what it may do to the run.
pub struct Handles {
    /// Answers all orders but [`Order::Stop`]; may block.
    pub order: Box<dyn Fn(Order) -> anyhow::Result<Value> + Send + Sync>,
    pub stop: watch::Sender<bool>,
    /// The final report, once there is one.
    pub ended: watch::Receiver<Option<Value>>,
}

/// The listening socket; removed from the file system on drop.
#[derive(Debug)]
pub struct Control {
    listener: UnixListener,
    place: Place,
    /// Device and inode: what must still be there to be removed.
    own: (u64, u64),
}

impl Control {
    /// Binds the socket, for its owner alone, unless another agent answers on it. What a killed agent left is replaced.
    pub async fn bind(path: &Path) -> anyhow::Result<Self> {
        let place = Place::open(path)?;
        let lock = place.lock().await;
        place.clear().await?;
        let listening = || {
            format!(
                "listening on {} (choose another with --socket)",
                path.display()
            )
        };
        let socket = UnixSocket::new_stream().with_context(listening)?;
        // Before `bind`, which makes the file with this mode: there is no moment in which others may connect.
        fchmod(&socket, Mode::S_IRUSR | Mode::S_IWUSR).with_context(listening)?;
        socket.bind(place.entry()).with_context(listening)?;
        let listener = socket.listen(BACKLOG).with_context(listening)?;
        drop(lock);
        let own = identity(&place).with_context(listening)?;
        Ok(Self {
            listener,
            place,
            own,
        })
    }

    /// Answers until dropped.
    pub async fn serve(self, handles: Handles, max_connections: usize) {
        let handles = Arc::new(handles);
        let mut connections = Connections::new(max_connections);
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let handles = Arc::clone(&handles);
                    connections
                        .serve(|hold| converse(stream, handles, hold))
                        .await;
                }
                // Out of memory or descriptors, say: the run matters more than its socket.
                Err(error) => {
                    tracing::warn!(%error, "control socket");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if identity(&self.place).is_ok_and(|there| there == self.own) {
            let _ = std::fs::remove_file(self.place.entry());
        }
    }
}

fn identity(place: &Place) -> std::io::Result<(u64, u64)> {
    let there = std::fs::symlink_metadata(place.entry())?;
    Ok((there.dev(), there.ino()))
}

async fn converse(mut stream: UnixStream, handles: Arc<Handles>, hold: Hold) {
    let asked = timeout(QUESTION_TIMEOUT, read_order(&mut stream)).await;
    let result = match asked {
        Ok(Ok(order)) => carry_out(order, handles, &hold).await,
        Ok(Err(error)) => Err(error),
        Err(_) => Err(anyhow::anyhow!("no order came within {QUESTION_TIMEOUT:?}")),
    };
    let line = protocol::answer(result);
    let sent = timeout(ANSWER_TIMEOUT, stream.write_all(line.as_bytes())).await;
    if !matches!(sent, Ok(Ok(()))) {
        tracing::debug!("a client of the control socket did not take its answer");
    }
}

async fn read_order(stream: &mut UnixStream) -> anyhow::Result<Order> {
    check_peer(stream)?;
    let mut line = Vec::new();
    let mut reader = BufReader::new(stream.take(MAX_QUESTION));
    reader.read_until(b'\n', &mut line).await?;
    ensure!(
        line.ends_with(b"\n"),
        "the order has no end, or is longer than {MAX_QUESTION} bytes"
    );
    protocol::parse_question(&line)
}

/// The file's mode keeps others out; this does where that was changed.
fn check_peer(stream: &UnixStream) -> anyhow::Result<()> {
    let peer = stream.peer_cred().context("asking who asks")?.uid();
    let own = geteuid().as_raw();
    ensure!(
        peer == 0 || peer == own,
        "user {peer} may not give this agent orders: it takes them from root and from user {own}"
    );
    Ok(())
}

async fn carry_out(order: Order, handles: Arc<Handles>, hold: &Hold) -> anyhow::Result<Value> {
    if order == Order::Stop {
        hold.set();
        handles.stop.send_replace(true);
        let mut ended = handles.ended.clone();
        let report = ended.wait_for(Option::is_some).await;
        return Ok(report.ok().and_then(|r| r.clone()).unwrap_or_default());
    }
    // Away from the runtime's threads: the kernel is asked, interfaces are attached to.
    spawn_blocking(move || (handles.order)(order)).await?
}
