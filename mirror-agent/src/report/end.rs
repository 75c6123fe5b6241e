//! How a request ended, as it is told to the recorder.

use mirror_core::ledger::Outcome;

use super::pair::JudgedPair;

/// How a request ended.
#[derive(Debug)]
pub struct End {
    /// Where there is no pair.
    pub outcome: Outcome,
    /// Why, where more is known than the outcome says.
    pub reason: Option<String>,
    /// The two answers, where there are two.
    pub pair: Option<Box<JudgedPair>>,
}

impl From<Outcome> for End {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            reason: None,
            pair: None,
        }
    }
}

impl End {
    pub fn because(outcome: Outcome, reason: impl Into<String>) -> Self {
        Self {
            reason: Some(reason.into()),
            ..outcome.into()
        }
    }

    /// What is known to vary decides its outcome too, so it is made when the request is recorded.
    pub fn judged(pair: JudgedPair) -> Self {
        Self {
            pair: Some(Box::new(pair)),
            ..Outcome::Matched.into()
        }
    }
}
