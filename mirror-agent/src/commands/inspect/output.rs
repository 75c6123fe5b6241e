//! Standard output, with a progress bar on a terminal's standard error that does not get in its way.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use mirror_agent::capture::Progress;
use mirror_core::printable::is_unsafe;

const FLUSH_AT: usize = 64 << 10;
/// A file that is read faster needs no bar.
const PATIENCE: Duration = Duration::from_secs(1);
/// Of the clock, so that it is not asked for every packet.
const LOOK_EVERY: u32 = 4096;
/// Columns where nothing says how many there are.
const USUAL_WIDTH: usize = 120;

pub(super) struct Output {
    /// What is to be printed next.
    pub(super) text: String,
    progress: Progress,
    began: Instant,
    bar: Option<ProgressBar>,
    calls: u32,
}

impl Output {
    pub(super) fn new(progress: Progress) -> Self {
        Self {
            text: String::new(),
            progress,
            began: Instant::now(),
            bar: None,
            calls: 0,
        }
    }

    /// Prints once there is enough, or at once what a terminal's reader waits for.
    pub(super) fn flush_some(&mut self) -> io::Result<()> {
        self.calls = self.calls.wrapping_add(1);
        if self.calls.is_multiple_of(LOOK_EVERY) {
            self.show_progress();
        }
        // Without a length it is a pipe, perhaps of live traffic.
        let at_once = self.progress.length.is_none() && !self.text.is_empty();
        if self.text.len() >= FLUSH_AT || at_once {
            self.print()?;
        }
        Ok(())
    }

    pub(super) fn finish(&mut self) -> io::Result<()> {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        self.print()
    }

    fn print(&mut self) -> io::Result<()> {
        let text = std::mem::take(&mut self.text);
        let print = || {
            let mut out = io::stdout().lock();
            out.write_all(text.as_bytes())?;
            out.flush()
        };
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    fn show_progress(&mut self) {
        if self.bar.is_none() && self.began.elapsed() >= PATIENCE && io::stderr().is_terminal() {
            self.bar = self.progress.length.map(new_bar);
        }
        if let Some(bar) = &self.bar {
            bar.set_position(self.progress.read());
        }
    }
}

fn new_bar(length: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
    );
    let bar = ProgressBar::new(length);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Columns of the terminal; of a file, what `COLUMNS` says.
pub(super) fn width() -> usize {
    let terminal = terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| width.0.into());
    let told = || std::env::var("COLUMNS").ok()?.parse().ok();
    terminal.or_else(told).unwrap_or(USUAL_WIDTH)
}

/// Text of the network for a terminal: nothing in it moves the cursor.
pub(super) fn harmless(text: &str) -> String {
    let shown = |c: char| if is_unsafe(c) { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}
