//! Why there is no answer, in words that say which phase it was, what was seen, and how long it took.

use std::io;
use std::time::Duration;

use mirror_core::exchange::Ambiguity;

use super::super::ReplayOutcome;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::replay) enum FailureKind {
    Connect,
    Timeout,
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::replay) struct Failure {
    pub(super) kind: FailureKind,
    pub(super) reason: String,
    /// The other end closed the connection, and no byte of an answer came.
    pub(super) is_stale: bool,
    /// No byte of the request was written either.
    pub(super) is_unsent: bool,
}

impl Failure {
    pub(super) fn new(kind: FailureKind, reason: impl Into<String>) -> Self {
        Self {
            kind,
            reason: reason.into(),
            is_stale: false,
            is_unsent: false,
        }
    }

    pub(super) fn timeout(what: &str, limit: Duration, option: &str) -> Self {
        let limit = humantime::format_duration(limit);
        Self::new(
            FailureKind::Timeout,
            format!("{what} within {limit} ({option})"),
        )
    }

    pub(in crate::replay) fn reason(self) -> String {
        self.reason
    }

    pub(in crate::replay) fn outcome(self, attempts: u8) -> ReplayOutcome {
        let reason = match attempts {
            1 => self.reason,
            _ => format!(
                "{}; sent a second time, after an idle connection turned out to be closed",
                self.reason
            ),
        };
        match self.kind {
            FailureKind::Connect => ReplayOutcome::ConnectFailed { reason },
            FailureKind::Timeout => ReplayOutcome::Timeout { reason },
            FailureKind::Other => ReplayOutcome::Failed { reason },
        }
    }
}

/// What is wrong with the bytes of an answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadAnswer {
    #[error("what came is not an HTTP/1 answer: it begins with \"{0}\"")]
    NotHttp(String),
    #[error("the head of the answer is larger than {} bytes (--max-head)", grouped(*.0 as u64))]
    HeadTooLarge(usize),
    #[error("more than {0} interim answers (1xx) and no final one")]
    TooManyInterim(u32),
    #[error("the target switched to another protocol, which was not asked for")]
    Switched,
    #[error("the answer is ambiguous: {}", .0.reason())]
    Ambiguous(Ambiguity),
    #[error("the target {0} before it answered")]
    Nothing(End),
    #[error("the target {0} after an interim answer (1xx) and before the final one")]
    AfterInterim(End),
    #[error("the target {end} inside the head of its answer, after {} bytes", grouped(*.bytes))]
    InHead { end: End, bytes: u64 },
    #[error("the target {end} after {} body bytes", progress(*.came, *.all))]
    InBody {
        end: End,
        came: u64,
        all: Option<u64>,
    },
}

/// How a connection ended.
#[derive(Debug)]
pub(super) enum End {
    Closed,
    Broken(io::Error),
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Closed => f.write_str("closed the connection"),
            Self::Broken(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                f.write_str("reset the connection")
            }
            Self::Broken(error) => write!(f, "broke the connection ({error})"),
        }
    }
}

/// As in "120 of 4,096".
pub(super) fn progress(came: u64, all: Option<u64>) -> String {
    match all {
        Some(all) => format!("{} of {}", grouped(came), grouped(all)),
        None => grouped(came),
    }
}

/// A number with commas between its thousands.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let check = |number, expect| assert_eq!(grouped(number), expect);
        check(0, "0");
        check(999, "999");
        check(1000, "1,000");
        check(4_096_000, "4,096,000");
        assert_eq!(progress(120, Some(4096)), "120 of 4,096");
        assert_eq!(progress(1200, None), "1,200");
    }
}
