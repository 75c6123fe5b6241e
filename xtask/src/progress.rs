//! One line about work that prints nothing by itself and takes longer than a moment.

use std::io::{IsTerminal, Write, stderr};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::say::note;

const TICK: Duration = Duration::from_secs(1);

/// The line stands while this lives. On a terminal it counts the seconds, and goes at the end.
#[derive(Debug)]
pub(crate) struct Progress {
    /// Dropped, it ends the ticker.
    end: Option<SyncSender<()>>,
    ticker: Option<JoinHandle<()>>,
}

impl Progress {
    pub(crate) fn begin(what: impl Into<String>) -> Self {
        let what = what.into();
        if !stderr().is_terminal() {
            note!("{what} …");
            return Self {
                end: None,
                ticker: None,
            };
        }
        let (end, ended) = sync_channel(0);
        let ticker = std::thread::spawn(move || {
            let began = Instant::now();
            while ended.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                line(&format!("{what} … {} s", began.elapsed().as_secs()));
            }
            line("");
        });
        Self {
            end: Some(end),
            ticker: Some(ticker),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end = None;
        if let Some(ticker) = self.ticker.take() {
            // It does not panic, and there is nothing to do if it did.
            let _ = ticker.join();
        }
    }
}

/// Replaces the line that the cursor is in.
pub(crate) fn line(text: &str) {
    // A terminal that went away ends the task by a signal.
    let _ = write!(stderr(), "\r\x1b[K{text}");
    let _ = stderr().flush();
}
