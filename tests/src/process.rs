//! A program in the background with its output in a file, ended by its process id.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{
    Pid, kill_process, kill_process_group, test_kill_process, test_kill_process_group,
};

pub use rustix::process::Signal;

use crate::wait_until;

/// Sends a signal to a process, or to all of the group that it leads.
pub fn signal_to(id: u32, leads_group: bool, signal: Signal) {
    // Fails only when it has ended already.
    let _ = match (pid(id), leads_group) {
        (Some(pid), true) => kill_process_group(pid, signal),
        (Some(pid), false) => kill_process(pid, signal),
        (None, _) => return,
    };
}

/// Whether a process is there, or one of the group that it leads.
pub fn exists(id: u32, leads_group: bool) -> bool {
    match (pid(id), leads_group) {
        (Some(pid), true) => test_kill_process_group(pid).is_ok(),
        (Some(pid), false) => test_kill_process(pid).is_ok(),
        (None, _) => false,
    }
}

fn pid(id: u32) -> Option<Pid> {
    i32::try_from(id).ok().and_then(Pid::from_raw)
}

#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with stdout and stderr in `dir/name.log`.
    pub fn spawn(name: &str, mut command: Command, dir: &Path) -> Result<Self> {
        use std::os::unix::process::CommandExt;
        let log = dir.join(format!("{name}.log"));
        let out = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("creating {}", log.display()))?;
        let err = out.try_clone().context("sharing a log file")?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            // A terminal's Ctrl-C is for the story teller, who ends the others in order.
            .process_group(0)
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log,
        })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> String {
        std::fs::read(&self.log).map_or_else(
            |_| String::new(),
            |bytes| String::from_utf8_lossy(&bytes).into_owned(),
        )
    }

    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = pid(self.id()).context("a process id")?;
        kill_process(pid, signal).with_context(|| format!("sending {signal:?} to {}", self.name))
    }

    /// Waits for the end, killing and failing when it takes longer than `limit`.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let mut status = None;
        let waited = wait_until("its end", limit, || {
            status = self.child.try_wait().ok().flatten();
            status.is_some()
        });
        match status {
            Some(status) => Ok(status),
            None => {
                self.kill();
                bail!("{}: {:#}\n{}", self.name, waited.unwrap_err(), self.log())
            }
        }
    }

    /// Waits until `ready`, failing with the log when the program ends before that.
    pub fn wait_ready(
        &mut self,
        what: &str,
        limit: Duration,
        mut ready: impl FnMut(&Self) -> bool,
    ) -> Result<()> {
        let mut ended = None;
        let waited = wait_until(what, limit, || {
            ended = self.child.try_wait().ok().flatten();
            ended.is_some() || ready(self)
        });
        if let Some(status) = ended {
            bail!("{} ended early ({status}):\n{}", self.name, self.log());
        }
        waited.with_context(|| format!("{}:\n{}", self.name, self.log()))
    }

    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGKILL, also for the processes that it has started, and the end of it.
    pub fn kill(&mut self) {
        if self.is_running()
            && let Some(pid) = pid(self.id())
        {
            // Fails only when it has ended meanwhile.
            let _ = kill_process_group(pid, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
