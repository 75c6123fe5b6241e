//! What could not be kept of a run, as a sentence.

use super::time::time_of_day;

/// What could not be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// What was counted; it is all written again afterwards.
    Run,
    /// The answers of examples; those of that time are not written again.
    Answers,
}

/// Times in which something of a run was not kept.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    lost: Lost,
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
    pub(super) fn new(lost: Lost, started_at: u64) -> Self {
        Self {
            lost,
            started_at,
            now: None,
            before: None,
            times: 0,
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
            let what = match self.lost {
                Lost::Run => "nothing of the run has been kept",
                Lost::Answers => "answers of examples have not been stored",
            };
            return Some(format!("{what} since {}: {why}", shown(*since)));
        }
        let (since, until, why) = self.before.as_ref()?;
        let often = match self.times {
            1 => String::new(),
            times => format!(", the last of {times} times"),
        };
        let (what, again) = match self.lost {
            Lost::Run => (
                "nothing of the run could be kept",
                "all that was counted is kept again",
            ),
            Lost::Answers => (
                "answers of examples could not be stored",
                "those of later examples are stored",
            ),
        };
        Some(format!(
            "{what} from {} to {}{often} ({why}); {again}",
            shown(*since),
            shown(*until)
        ))
    }
}

/// All troubles as one sentence. None while all was well.
pub(super) fn sentence(troubles: [&Trouble; 2]) -> Option<String> {
    let texts: Vec<_> = troubles.into_iter().filter_map(Trouble::text).collect();
    (!texts.is_empty()).then(|| texts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_while_it_lasts_and_afterwards() {
        let start = 1_795_756_701;
        let mut trouble = Trouble::new(Lost::Run, start);
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

    #[test]
    fn trouble_with_answers_does_not_say_that_nothing_is_kept() {
        let start = 1_795_756_701;
        let mut trouble = Trouble::new(Lost::Answers, start);
        trouble.begins(start + 1, "no space".into());
        let now = "answers of examples have not been stored since 05:18:22 UTC: no space";
        assert_eq!(trouble.text().as_deref(), Some(now));
        trouble.ends(start + 60);
        let after = "answers of examples could not be stored from 05:18:22 UTC to 05:19:21 UTC (no space); those of later examples are stored";
        assert_eq!(trouble.text().as_deref(), Some(after));
    }
}
