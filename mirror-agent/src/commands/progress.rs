//! How far a run is: a line that is drawn again on a terminal, a line now and then elsewhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use mirror_agent::pipeline::Progress;

use crate::terminal;

/// Between two lines where they stay, as in a log.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

pub(super) struct ProgressLine {
    bar: Option<ProgressBar>,
    /// When the last line was written, and what it said.
    last: (Instant, u64),
    was_draining: bool,
}

impl ProgressLine {
    pub(super) fn new() -> Self {
        let on_terminal = !terminal::bars().is_hidden();
        let bar = on_terminal.then(|| {
            let style = ProgressStyle::with_template("{spinner} {msg}");
            terminal::bars()
                .add(ProgressBar::new_spinner())
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
        });
        Self {
            bar,
            last: (Instant::now(), 0),
            was_draining: false,
        }
    }

    pub(super) fn show(&mut self, progress: Progress) {
        let draining = progress.draining.is_some();
        let passed = self.last.0.elapsed();
        let is_news = draining && !self.was_draining;
        self.was_draining = draining;
        if self.bar.is_none() && passed < LINE_INTERVAL && !is_news {
            return;
        }
        let line = line(&progress, progress.seen - self.last.1, passed);
        self.last = (Instant::now(), progress.seen);
        match &self.bar {
            Some(bar) => {
                bar.set_message(line);
                bar.tick();
            }
            None => terminal::note(&line),
        }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn line(progress: &Progress, more: u64, passed: Duration) -> String {
    let Progress {
        seen,
        ended,
        differed,
        draining,
    } = progress;
    let in_flight = progress.in_flight();
    match draining {
        Some(left) => format!(
            "draining: {in_flight} in flight, at most {} s more; a second Ctrl-C ends at once",
            left.as_secs_f64().ceil()
        ),
        None => {
            let rate = more as f64 / passed.as_secs_f64().max(0.001);
            format!(
                "{rate:.0} requests/s: {seen} seen, {ended} ended, {differed} differ, {in_flight} in flight"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_a_watcher_wants_to_know() {
        let mut progress = Progress {
            seen: 30,
            ended: 20,
            differed: 2,
            draining: None,
        };
        assert_eq!(
            line(&progress, 20, Duration::from_secs(10)),
            "2 requests/s: 30 seen, 20 ended, 2 differ, 10 in flight"
        );
        progress.draining = Some(Duration::from_millis(9_200));
        assert_eq!(
            line(&progress, 0, Duration::from_secs(1)),
            "draining: 10 in flight, at most 10 s more; a second Ctrl-C ends at once"
        );
    }
}
