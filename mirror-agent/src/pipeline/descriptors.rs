//! Open files. Each part of the agent gets its share before the first packet is captured, so that no part can take another's.

use std::fs;

use anyhow::{Context, ensure};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::control::{http, socket};

/// A replay's connection, and one more that is idle or still connecting.
const PER_REPLAY: usize = 2;
/// Fewest that must be free beside what capture holds.
const MIN_FREE: usize = 8;

/// What each part may open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shares {
    /// Replays at once.
    pub(super) replays: usize,
    /// Connections to the control socket.
    pub(super) control: usize,
    /// Connections to the admin side.
    pub(super) http: usize,
}

impl Shares {
    /// Half of what is free for replays, an eighth for the control socket, an eighth for the admin side; nobody gets more than
    /// it can use. The rest stays for stores, files, and interfaces that appear.
    fn of(free: usize, concurrency: usize) -> Self {
        Self {
            replays: concurrency.min(free / 2 / PER_REPLAY),
            control: socket::MAX_CONNECTIONS.min(free / 8).max(1),
            http: http::MAX_CONNECTIONS.min(free / 8).max(1),
        }
    }
}

/// Raises this process' limit of open files to the highest that it was allowed, and returns that.
pub(super) fn raise_limit() -> anyhow::Result<usize> {
    let context = "raising the limit of open files";
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).context(context)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).context(context)?;
    }
    Ok(usize::try_from(hard).unwrap_or(usize::MAX))
}

/// Shares out what is left of `limit`, once everything that stays open for the whole run is open.
pub(super) fn share(limit: usize, concurrency: usize) -> anyhow::Result<Shares> {
    let open = fs::read_dir("/proc/self/fd")
        .context("counting open files")?
        .count();
    let free = limit.saturating_sub(open);
    ensure!(
        free >= MIN_FREE,
        "only {limit} files may be open, and capture alone takes {open}: raise the limit to 1024 or more, with `ulimit -n` or LimitNOFILE="
    );
    Ok(Shares::of(free, concurrency))
}

/// What the user should know of a limit that is too low.
pub(super) fn advice(limit: usize, wanted: usize, shares: Shares) -> Option<String> {
    (shares.replays < wanted).then(|| {
        format!(
            "only {limit} files may be open, so that {} replays run at once instead of {wanted}: raise the limit, with `ulimit -n` or LimitNOFILE=",
            shares.replays
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_leave_a_quarter_and_are_never_nothing() {
        for free in MIN_FREE..4000 {
            let Shares {
                replays,
                control,
                http,
            } = Shares::of(free, 64);
            assert!(replays >= 1 && control >= 1 && http >= 1, "{free}");
            let used = replays * PER_REPLAY + control + http;
            assert!(used <= free - free / 4, "{free}: {used}");
        }
    }

    #[test]
    fn with_enough_descriptors_everybody_has_all_and_no_advice_is_given() {
        let shares = Shares::of(1000, 64);
        let all = Shares {
            replays: 64,
            control: socket::MAX_CONNECTIONS,
            http: http::MAX_CONNECTIONS,
        };
        assert_eq!(shares, all);
        assert_eq!(advice(1024, 64, shares), None);
        let few = advice(40, 64, Shares::of(16, 64)).unwrap();
        assert!(
            few.contains("40 files") && few.contains("4 replays"),
            "{few}"
        );
    }

    #[test]
    fn a_limit_that_capture_alone_fills_is_an_error() {
        let error = share(3, 64).unwrap_err().to_string();
        assert!(error.contains("ulimit -n"), "{error}");
    }
}
