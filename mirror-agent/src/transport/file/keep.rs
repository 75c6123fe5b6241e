//! What a run keeps on disk to look back: for a time, or up to a size.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use mirror_core::options::{ByteSize, FromText};
use nix::unistd::geteuid;

use super::FileLimits;

const ROOTS: &str = "/var/lib/mirror-agent/kept";
/// Most bytes that are kept where only a time is given.
const USUAL_TOTAL: u64 = 2 << 30;
/// Files among which what is kept is spread, so that little more than was asked for is there.
const FILES: u32 = 8;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    For(Duration),
    UpTo(ByteSize),
}

impl FromText for Keep {
    fn from_text(text: &str) -> Result<Self, String> {
        let time = Duration::from_text(text).map(Self::For);
        let keep = time.or_else(|_| ByteSize::from_text(text).map(Self::UpTo));
        let is_some = |keep: &Self| match keep {
            Self::For(time) => *time >= Duration::from_secs(1),
            Self::UpTo(size) => size.as_u64() >= 1 << 20,
        };
        keep.ok().filter(is_some).ok_or_else(|| {
            "use a time of 1s or more, as in 10m, or a size of 1MiB or more, as in 2G".into()
        })
    }
}

impl Keep {
    pub fn limits(self) -> FileLimits {
        match self {
            Self::For(time) => FileLimits {
                size: USUAL_TOTAL / u64::from(FILES),
                every: Some((time / FILES).max(Duration::from_secs(1))),
                total: Some(USUAL_TOTAL),
                age: Some(time),
            },
            Self::UpTo(size) => FileLimits {
                size: (size.as_u64() / u64::from(FILES)).max(1),
                every: None,
                total: Some(size.as_u64()),
                age: None,
            },
        }
    }
}

/// Where runs of this name keep what they captured: in the folder that was given, or in the usual one.
pub fn kept_folder(given: Option<PathBuf>, name: &str) -> anyhow::Result<PathBuf> {
    let folder = match given {
        Some(folder) => return Ok(folder),
        None if geteuid().is_root() => PathBuf::from(ROOTS),
        None => {
            let variable = |name: &str| {
                let path = std::env::var_os(name).map(PathBuf::from);
                path.filter(|path| path.is_absolute())
            };
            let home = || variable("HOME").map(|home| home.join(".local/state"));
            let state = variable("XDG_STATE_HOME").or_else(home);
            let state = state.context("neither XDG_STATE_HOME nor HOME names a directory")?;
            state.join("mirror-agent/kept")
        }
    };
    Ok(folder.join(if name.is_empty() { "agent" } else { name }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_a_time_or_a_size() {
        for (text, keep) in [
            ("10m", Some(Keep::For(Duration::from_secs(600)))),
            ("2GiB", Some(Keep::UpTo(ByteSize::gib(2)))),
            ("2G", Some(Keep::UpTo(ByteSize::gb(2)))),
            ("10", None),
            ("0s", None),
            ("1KiB", None),
            ("long", None),
        ] {
            assert_eq!(Keep::from_text(text).ok(), keep, "{text}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded_in_any_case() {
        let by_time = Keep::For(Duration::from_secs(600)).limits();
        assert_eq!(by_time.every, Some(Duration::from_secs(75)));
        assert_eq!(by_time.total, Some(USUAL_TOTAL));
        let by_size = Keep::UpTo(ByteSize::mib(80)).limits();
        assert_eq!((by_size.size, by_size.total), (10 << 20, Some(80 << 20)));
    }
}
