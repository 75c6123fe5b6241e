//! Hosts and replayers as processes of their own, which can be killed: this test's program, told to play a role.

use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result};
use mirror_agent::transport::TransportOptions;
use mirror_tests::process::Process;
use mirror_tests::scratch::Scratch;

use super::ends::{Host, Replayer, options};

const ROLE: &str = "MIRROR_TEST_ROLE";
const URL: &str = "MIRROR_TEST_URL";
/// Lanes of a host.
pub(crate) const LANES: u64 = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Host,
    Replayer,
}

/// What this process is to play, if it is not the test.
pub(crate) fn role() -> Option<Role> {
    match std::env::var(ROLE).ok()?.as_str() {
        "host" => Some(Role::Host),
        "replayer" => Some(Role::Replayer),
        _ => None,
    }
}

impl Role {
    pub(crate) fn play(self) -> ExitCode {
        let url = std::env::var(URL).unwrap_or_default();
        let played = match self {
            Self::Host => capture(&url),
            Self::Replayer => replay(&url),
        };
        match played {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error:?}");
                ExitCode::FAILURE
            }
        }
    }

    pub(crate) fn start(self, url: &str, scratch: &Scratch) -> Result<Process> {
        let program = std::env::current_exe().context("finding this program")?;
        let (name, role) = match self {
            Self::Host => ("host", "host"),
            Self::Replayer => ("replayer", "replayer"),
        };
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program);
        command.env(ROLE, role).env(URL, url);
        Process::spawn(name, command, scratch.path())
    }
}

/// Until it is killed.
fn capture(url: &str) -> Result<()> {
    let host = Host::start(url, "web", options())?;
    for number in 0.. {
        host.capture(number % LANES, number);
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

fn replay(url: &str) -> Result<()> {
    let takes = Duration::from_micros(200);
    let _replayer = Replayer::start_slow(url, options(), takes, TransportOptions::default())?;
    loop {
        std::thread::sleep(Duration::from_secs(60));
    }
}
