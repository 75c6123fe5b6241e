//! Pairs of answers of equal programs to one request: what differs in them differs by nature.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// A place that differs in one of so many A/A pairs varies often.
const OFTEN: u64 = 4;
/// Pairs before anything is said of it.
const MIN_PAIRS: u64 = 4;

/// Which two answers an A/A pair is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The candidate's answer and its answer to the same request again, whatever the first was like.
    Repeat,
    /// The same, where the request was sent again because the first answer differed from production's. It says that a place
    /// varies, and not how often or in which direction.
    Recheck,
    /// Production's answer and that of the control, which is the old version.
    Control,
    /// Two answers of production to the same request within a short time.
    Production,
}

/// A/A pairs by what they are of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pairs {
    pub repeat: u64,
    pub recheck: u64,
    pub control: u64,
    pub production: u64,
}

impl Pairs {
    pub(super) fn count(&mut self, source: Source) {
        *match source {
            Source::Repeat => &mut self.repeat,
            Source::Recheck => &mut self.recheck,
            Source::Control => &mut self.control,
            Source::Production => &mut self.production,
        } += 1;
    }

    pub const fn total(&self) -> u64 {
        self.repeat + self.recheck + self.control + self.production
    }

    /// Whether it is a large part of `all` of one kind. Rechecks are left out, because they were chosen.
    pub(super) const fn is_often_among(self, all: Self) -> bool {
        const fn is_often(part: u64, all: u64) -> bool {
            all >= MIN_PAIRS && part * OFTEN >= all
        }
        is_often(self.repeat, all.repeat)
            || is_often(self.control, all.control)
            || is_often(self.production, all.production)
    }

    /// Not more of any kind than there are in `all`.
    pub(super) fn at_most(self, all: Self) -> Self {
        Self {
            repeat: self.repeat.min(all.repeat),
            recheck: self.recheck.min(all.recheck),
            control: self.control.min(all.control),
            production: self.production.min(all.production),
        }
    }

    /// Those of production's own version.
    pub const fn of_production(&self) -> u64 {
        self.control + self.production
    }
}

impl AddAssign for Pairs {
    fn add_assign(&mut self, other: Self) {
        self.repeat += other.repeat;
        self.recheck += other.recheck;
        self.control += other.control;
        self.production += other.production;
    }
}
