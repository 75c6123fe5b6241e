//! How a service takes part: as production or as a mirror, and what it does then.

use std::{str::FromStr, time::Duration};

use crate::{DEFAULT_MAX_BYTES, DEFAULT_TTL, Encoding, WaitOptions};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    Production,
    Mirror,
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "production" => Ok(Self::Production),
            "mirror" => Ok(Self::Mirror),
            other => Err(format!(
                "`{other}` is no profile: write production or mirror"
            )),
        }
    }
}

/// What the mirror does with a read that no snapshot answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnMiss {
    #[default]
    Error,
    /// Does the read, on the mirror's own database.
    Database,
}

/// What the mirror does with a write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnWrite {
    /// Notes it and answers with what the write gave in production.
    #[default]
    Record,
    Refuse,
}

#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub profile: Profile,
    pub on_miss: OnMiss,
    pub on_write: OnWrite,
    pub encoding: Encoding,
    pub ttl: Duration,
    /// A larger document is not filed.
    pub max_bytes: usize,
    pub wait: WaitOptions,
}

impl Settings {
    pub fn new(profile: Profile) -> Self {
        Self {
            profile,
            on_miss: OnMiss::default(),
            on_write: OnWrite::default(),
            encoding: Encoding::default(),
            ttl: DEFAULT_TTL,
            max_bytes: DEFAULT_MAX_BYTES,
            wait: WaitOptions::default(),
        }
    }
}
