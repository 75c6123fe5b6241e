//! How long each phase of an exchange may take.

use std::time::Duration;

use super::super::ReplayOptions;

#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For the first byte of the answer, after the request's last.
    pub(super) head: Duration,
    /// Between two bytes.
    pub(super) body: Duration,
    /// For all of the answer.
    pub(super) whole: Duration,
}

impl Patience {
    pub(super) fn of(options: &ReplayOptions) -> Self {
        Self {
            head: options.head_timeout.unwrap_or(options.timeout),
            body: options.body_timeout.unwrap_or(options.timeout),
            whole: options.timeout,
        }
    }

    /// With so much time for the whole answer. Where that is more than usual, production was slow: then so may be the first
    /// byte, and each after it.
    pub(super) fn extended(self, allowance: Duration) -> Self {
        let extended = |limit: Duration| match allowance > self.whole {
            true => limit.max(allowance),
            false => limit,
        };
        Self {
            head: extended(self.head),
            body: extended(self.body),
            whole: allowance,
        }
    }
}
