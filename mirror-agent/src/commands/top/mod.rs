//! top: the essentials of a running agent, drawn again every second.
//!
//! A thread asks the agent, the main thread draws and reads keys. The terminal is as it was before, however this ends.

mod figures;
mod screen;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use mirror_agent::control::Order;
use mirror_agent::report::Status;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use super::live::{ask, single};
use crate::terminal;
use figures::{Figures, Watch};
use screen::Paint;

/// Between two questions; longer where an answer takes long, so that watching costs the agent little.
const ASK_INTERVAL: Duration = Duration::from_secs(1);
const REST: u32 = 10;
/// Between two looks at keys and news.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

pub(super) fn top(socket: &Path, json: bool) -> anyhow::Result<ExitCode> {
    // What is wrong with the socket is told on a terminal that is not drawn on yet.
    let first: Status = single()?.block_on(ask(socket, &Order::Status))?;
    let mut watch = Watch::default();
    let figures = watch.look(&first, Instant::now());
    if json {
        return lines(socket, watch, figures);
    }
    ensure!(
        io::stdout().is_terminal(),
        "`top` draws on a terminal, and this is none: use `mirror-agent status`, or --json"
    );
    let news = News::follow(socket.to_owned())?;
    let mut terminal = ratatui::try_init().context("setting up the terminal")?;
    let ended = drawn(&mut terminal, &news, watch, figures);
    ratatui::restore();
    if let Some(why) = ended? {
        terminal::note(&why);
    }
    Ok(ExitCode::SUCCESS)
}

/// Draws until the user leaves, or until the agent is gone: why, then.
fn drawn(
    terminal: &mut DefaultTerminal,
    news: &News,
    mut watch: Watch,
    mut figures: Figures,
) -> anyhow::Result<Option<String>> {
    let paint = Paint::new();
    let mut is_new = true;
    while !news.is_told_to_end.load(Relaxed) {
        if is_new {
            terminal.draw(|frame| screen::draw(frame, &figures, paint))?;
            is_new = false;
        }
        if event::poll(LOOK_INTERVAL)? {
            match event::read()? {
                Event::Key(key) if leaves(key) => return Ok(None),
                Event::Resize(..) => is_new = true,
                _ => {}
            }
        }
        match news.statuses.try_recv() {
            Ok(Ok(status)) => {
                figures = watch.look(&status, Instant::now());
                is_new = true;
            }
            Ok(Err(why)) => return Ok(Some(why)),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => {}
        }
    }
    Ok(None)
}

fn leaves(key: KeyEvent) -> bool {
    let is_interrupt =
        key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    let is_leave = matches!(key.code, KeyCode::Char('q' | 'Q') | KeyCode::Esc);
    key.kind == KeyEventKind::Press && (is_leave || is_interrupt)
}

/// One line of JSON each second, until the agent or the reader is gone.
fn lines(socket: &Path, mut watch: Watch, mut figures: Figures) -> anyhow::Result<ExitCode> {
    let runtime = single()?;
    loop {
        terminal::print_json_line(&figures)?;
        let status = runtime.block_on(async {
            sleep(ASK_INTERVAL).await;
            ask::<Status>(socket, &Order::Status).await
        });
        match status {
            Ok(status) => figures = watch.look(&status, Instant::now()),
            Err(error) => {
                terminal::note(&terminal::told(&error));
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
}

/// What the agent says, and whether a signal came.
struct News {
    /// At most one that nobody has drawn yet.
    statuses: Receiver<Result<Status, String>>,
    is_told_to_end: Arc<AtomicBool>,
}

impl News {
    fn follow(socket: PathBuf) -> anyhow::Result<Self> {
        let (sender, statuses) = sync_channel(1);
        let is_told_to_end = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_told_to_end);
        let runtime = single()?;
        thread::spawn(move || {
            runtime.block_on(async {
                tokio::spawn(heed_signals(told));
                loop {
                    let began = Instant::now();
                    let asked = ask::<Status>(&socket, &Order::Status).await;
                    let took = began.elapsed();
                    let asked = asked.map_err(|error| terminal::told(&error));
                    let is_over = asked.is_err();
                    // Nobody draws any more.
                    if sender.send(asked).is_err() || is_over {
                        return;
                    }
                    sleep(ASK_INTERVAL.max(REST * took)).await;
                }
            });
        });
        Ok(Self {
            statuses,
            is_told_to_end,
        })
    }
}

/// In raw mode Ctrl-C is a key. These come from elsewhere, and must leave the terminal in order too.
async fn heed_signals(told: Arc<AtomicBool>) {
    let signals = [SignalKind::terminate(), SignalKind::hangup()].map(signal);
    let [Ok(mut terminate), Ok(mut hangup)] = signals else {
        return;
    };
    tokio::select! { _ = terminate.recv() => {}, _ = hangup.recv() => {} }
    told.store(true, Relaxed);
}
