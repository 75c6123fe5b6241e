//! The asking side of the control socket.

use std::{io, path::Path, time::Duration};

use anyhow::{Context, bail, ensure};
use nix::unistd::geteuid;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::{sleep, timeout},
};

use super::protocol::{self, Order};

/// For all answers but that to `stop`, which waits for the run's end.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// How often a client comes back to a socket that is busy, and after which time.
const BUSY_TRIES: u32 = 200;
const BUSY_PAUSE: Duration = Duration::from_millis(20);
/// Longest answer: a report with all its examples.
const MAX_ANSWER: u64 = 256 << 20;

/// Tells the agent on `path` what to do and waits for its answer.
pub async fn ask(path: &Path, order: &Order) -> anyhow::Result<Value> {
    let stream = connect(path).await.with_context(|| {
        format!(
            "no agent answers on {}: start one with `mirror-agent start`, or name its --socket",
            path.display()
        )
    })?;
    check_agent(&stream, path)?;
    let answer = exchange(stream, order);
    if *order == Order::Stop {
        return answer.await;
    }
    match timeout(ANSWER_TIMEOUT, answer).await {
        Ok(answer) => answer,
        Err(_) => bail!(
            "the agent on {} did not answer within {ANSWER_TIMEOUT:?}",
            path.display()
        ),
    }
}

/// Tries again while more clients wait than the socket's queue holds.
async fn connect(path: &Path) -> io::Result<UnixStream> {
    for _ in 0..BUSY_TRIES {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(BUSY_PAUSE).await,
            connected => return connected,
        }
    }
    UnixStream::connect(path).await
}

/// Anyone may have made a socket at a path where others can write.
fn check_agent(stream: &UnixStream, path: &Path) -> anyhow::Result<()> {
    let agent = stream.peer_cred().context("asking who answers")?.uid();
    ensure!(
        agent == 0 || agent == geteuid().as_raw(),
        "what answers on {} belongs to user {agent}: it is no agent of yours",
        path.display()
    );
    Ok(())
}

async fn exchange(mut stream: UnixStream, order: &Order) -> anyhow::Result<Value> {
    let sent = stream
        .write_all(protocol::question(order)?.as_bytes())
        .await;
    let mut line = Vec::new();
    let read = stream.take(MAX_ANSWER).read_to_end(&mut line).await;
    // An answer that came counts, even if the agent did not read all of the question.
    if line.is_empty() {
        sent.and(read.map(drop))
            .context("the agent closed the connection before it had answered")?;
    }
    protocol::parse_answer(&line)
}
