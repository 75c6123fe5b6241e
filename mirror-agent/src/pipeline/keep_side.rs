//! What was captured is kept on disk for a while, beside what becomes of it: a thread that nobody waits for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use mirror_core::policy::Envelope;
use mirror_core::recording::RecordingLedger;
use tokio::task::spawn_blocking;

use super::metadata::metadata;
use crate::clock::wall_clock;
use crate::config::Settings;
use crate::report::Recorder;
use crate::transport::file::{RecordingFiles, RecordingPlace, kept_folder};

/// Exchanges that wait to be written, and bytes of them.
const MAX_WAITING: usize = 8192;
const MAX_WAITING_BYTES: usize = 64 << 20;
/// What is kept is on the disk at least this often.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// Takes what is to be kept.
pub(super) struct KeepSender {
    sender: SyncSender<Envelope>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    waiting_bytes: AtomicUsize,
    /// Exchanges that there was no room for.
    lost: AtomicU64,
}

impl KeepSender {
    /// Never waits: what there is no room for is counted.
    pub(super) fn offer(&self, envelope: &Envelope) {
        let bytes = envelope.held_bytes();
        let waiting = self.state.waiting_bytes.fetch_add(bytes, Relaxed) + bytes;
        let is_taken =
            waiting <= MAX_WAITING_BYTES && self.sender.try_send(envelope.clone()).is_ok();
        if !is_taken {
            self.state.waiting_bytes.fetch_sub(bytes, Relaxed);
            self.state.lost.fetch_add(1, Relaxed);
        }
    }
}

/// The thread that keeps.
pub(super) struct KeepThread {
    thread: thread::JoinHandle<Option<String>>,
    state: Arc<State>,
}

impl KeepThread {
    /// Begins to keep, if it is asked for.
    fn start(settings: &Settings, host: &str) -> anyhow::Result<Option<(KeepSender, Self)>> {
        let config = &settings.config;
        let Some(keep) = config.recording.keep else {
            return Ok(None);
        };
        let folder = kept_folder(config.recording.keep_in.clone(), &config.control.name())?;
        let mut files = RecordingFiles::begin(
            RecordingPlace::of(&folder).context("--keep")?,
            keep.limits(),
            config.recording.keys()?,
            metadata(settings, host),
        )
        .context("--keep")?;
        files.adopt().context("--keep")?;
        let (sender, receiver) = sync_channel(MAX_WAITING);
        let state = Arc::new(State::default());
        let written = Arc::clone(&state);
        let thread = thread::Builder::new()
            .name("keep".into())
            .spawn(move || keep_all(&receiver, files, &written))
            .context("starting the thread that keeps what was captured")?;
        let sender = KeepSender {
            sender,
            state: Arc::clone(&state),
        };
        Ok(Some((sender, Self { thread, state })))
    }

    /// Says what could not be kept, if anything could not.
    fn finish(self) -> Option<String> {
        let trouble = self.thread.join().ok().flatten();
        let lost = self.state.lost.load(Relaxed);
        let why = trouble.unwrap_or_else(|| "the disk was slower than production".into());
        (lost > 0).then(|| format!("{lost} exchanges were not kept for a look back: {why}"))
    }
}

/// Begins to keep what is captured, if it is asked for.
pub(super) fn keep(
    settings: &Settings,
    host: &str,
) -> anyhow::Result<(Option<KeepSender>, Option<KeepThread>)> {
    Ok(KeepThread::start(settings, host)?.unzip())
}

/// Call it when nothing is captured any more.
pub(super) async fn finish_keeping(
    kept: Option<KeepThread>,
    recorder: &Recorder,
) -> anyhow::Result<()> {
    let Some(kept) = kept else {
        return Ok(());
    };
    if let Some(trouble) = spawn_blocking(|| kept.finish()).await? {
        recorder.note_kept_too(trouble);
    }
    Ok(())
}

/// Until nobody can send any more.
fn keep_all(
    receiver: &Receiver<Envelope>,
    mut files: RecordingFiles<()>,
    state: &State,
) -> Option<String> {
    let mut synced = Instant::now();
    loop {
        match receiver.recv_timeout(SYNC_INTERVAL) {
            Ok(envelope) => {
                files.push(&envelope, ());
                state
                    .waiting_bytes
                    .fetch_sub(envelope.held_bytes(), Relaxed);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if synced.elapsed() >= SYNC_INTERVAL {
            synced = Instant::now();
            files.tick(&ledger(&files));
        }
        count_lost(&mut files, state);
    }
    let counts = files.end(&ledger(&files));
    count_lost(&mut files, state);
    counts.trouble
}

fn count_lost(files: &mut RecordingFiles<()>, state: &State) {
    let settled = files.take_settled().into_iter();
    let lost = settled.filter(|(_, lost)| lost.is_some()).count();
    state.lost.fetch_add(lost as u64, Relaxed);
}

fn ledger(files: &RecordingFiles<()>) -> RecordingLedger {
    let counts = files.counts();
    RecordingLedger {
        at: wall_clock(),
        seen: counts.exchanges + counts.lost,
        outcomes: [
            ("recorded".to_owned(), counts.exchanges),
            ("lost: not written".to_owned(), counts.lost),
        ]
        .into(),
    }
}
