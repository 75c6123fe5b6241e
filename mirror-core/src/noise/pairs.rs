//! Pairs of answers of equal programs to one request: what differs in them differs by nature.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

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
