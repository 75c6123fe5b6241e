//! How far a run is: a line that is drawn again on a terminal, a line now and then elsewhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use mirror_agent::pipeline::{Event, Progress};

use crate::terminal;

/// Between two lines where they stay, as in a log.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

pub(super) struct ProgressLine {
    bar: Option<ProgressBar>,
    /// When there was time for a line last, and how many requests were seen by then.
    last: (Instant, u64),
    /// What the last line said.
    told: Option<Progress>,
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
            told: None,
        }
    }

    pub(super) fn show(&mut self, event: Event) {
        match event {
            Event::Begins(text) => terminal::note(&text),
            Event::Goes(progress) => self.tell(progress),
        }
    }

    fn tell(&mut self, progress: Progress) {
        let passed = self.last.0.elapsed();
        let was_draining = self.told.is_some_and(|told| told.draining.is_some());
        let begins_to_drain = progress.draining.is_some() && !was_draining;
        if self.bar.is_none() && passed < LINE_INTERVAL && !begins_to_drain {
            return;
        }
        let line = line(&progress, progress.seen.saturating_sub(self.last.1), passed);
        self.last = (Instant::now(), progress.seen);
        match &self.bar {
            Some(bar) => {
                bar.set_message(line);
                bar.tick();
            }
            // Nothing new fills no log.
            None if self.told != Some(progress) => terminal::note(&line),
            None => {}
        }
        self.told = Some(progress);
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
            "draining: {in_flight} in flight, at most {} s more; Ctrl-C ends at once",
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
            "draining: 10 in flight, at most 10 s more; Ctrl-C ends at once"
        );
    }
}
