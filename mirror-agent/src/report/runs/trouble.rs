//! What could not be kept of a run, as a sentence.

use super::time::time_of_day;

/// Times in which a run was not kept.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    /// Of the run.
    started_at: u64,
    /// Since when it is not kept, and why not.
    now: Option<(u64, String)>,
    /// From when to when it was not kept before, and why not.
    before: Option<(u64, u64, String)>,
    /// How often that was.
    times: u64,
}

impl Trouble {
    pub(super) fn new(started_at: u64) -> Self {
        Self {
            started_at,
            ..Self::default()
        }
    }

    /// It could not be kept at `at`. Returns whether it could be before.
    pub(super) fn begins(&mut self, at: u64, why: String) -> bool {
        let is_new = self.now.is_none();
        let since = self.now.take().map_or(at, |(since, _)| since);
        self.times += u64::from(is_new);
        self.now = Some((since, why));
        is_new
    }

    /// It could be kept at `at`. Returns whether it could not be before.
    pub(super) fn ends(&mut self, at: u64) -> bool {
        let ended = self.now.take();
        let has_ended = ended.is_some();
        if let Some((since, why)) = ended {
            self.before = Some((since, at, why));
        }
        has_ended
    }

    /// None while all was well.
    pub(super) fn text(&self) -> Option<String> {
        let shown = |at: u64| time_of_day(at, self.started_at);
        if let Some((since, why)) = &self.now {
            return Some(format!(
                "nothing of the run has been kept since {}: {why}",
                shown(*since)
            ));
        }
        let (since, until, why) = self.before.as_ref()?;
        let often = match self.times {
            1 => String::new(),
            times => format!(", the last of {times} times"),
        };
        Some(format!(
            "nothing of the run could be kept from {} to {}{often} ({why}); all that was counted is kept again",
            shown(*since),
            shown(*until)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_while_it_lasts_and_afterwards() {
        let start = 1_795_756_701;
        let mut trouble = Trouble::new(start);
        assert_eq!(trouble.text(), None);
        assert!(trouble.begins(start + 1, "no space".into()));
        assert!(!trouble.begins(start + 9, "no inodes".into()));
        let now = "nothing of the run has been kept since 05:18:22 UTC: no inodes";
        assert_eq!(trouble.text().as_deref(), Some(now));
        assert!(trouble.ends(start + 60));
        assert!(!trouble.ends(start + 61));
        let after = "nothing of the run could be kept from 05:18:22 UTC to 05:19:21 UTC (no inodes); all that was counted is kept again";
        assert_eq!(trouble.text().as_deref(), Some(after));
        trouble.begins(start + 70, "read-only".into());
        trouble.ends(start + 71);
        let text = trouble.text().unwrap();
        assert!(
            text.contains("05:19:31 UTC to 05:19:32 UTC, the last of 2 times (read-only)"),
            "{text}"
        );
    }
}
