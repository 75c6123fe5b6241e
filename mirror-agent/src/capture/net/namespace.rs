//! Network namespaces: where capture happens when that is not the agent's own. A namespace is
//! entered by a thread, so each use has a thread of its own.

use std::{
    fmt,
    fs::File,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow};
use nix::sched::{CloneFlags, setns};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Namespace {
    Own,
    /// That of a process.
    Process(u32),
    /// By its path, or by its name below /run/netns.
    Named(PathBuf),
}

impl Namespace {
    fn path(&self) -> PathBuf {
        match self {
            Self::Own => "/proc/thread-self/ns/net".into(),
            Self::Process(pid) => format!("/proc/{pid}/ns/net").into(),
            Self::Named(name) => Path::new("/run/netns").join(name),
        }
    }

    /// Runs `work` inside, on a thread of its own.
    pub fn run<T: Send>(
        &self,
        work: impl FnOnce() -> anyhow::Result<T> + Send,
    ) -> anyhow::Result<T> {
        std::thread::scope(|scope| {
            let inside = scope.spawn(|| {
                self.enter()?;
                work()
            });
            inside
                .join()
                .map_err(|_| anyhow!("a thread in {self} panicked"))?
        })
    }

    /// Moves the calling thread inside; what tells whether it still exists later.
    pub(in crate::capture) fn enter(&self) -> anyhow::Result<Presence> {
        let path = self.path();
        let file = File::open(&path).with_context(|| match self {
            Self::Process(pid) => format!(
                "opening the network namespace of process {pid}: does it run, and is this root on its host?"
            ),
            Self::Own | Self::Named(_) => format!(
                "opening the network namespace {}: `ip netns` lists those with a name",
                path.display()
            ),
        })?;
        let inode = file
            .metadata()
            .context("reading the namespace's number")?
            .ino();
        if *self != Self::Own {
            setns(&file, CloneFlags::CLONE_NEWNET)
                .with_context(|| format!("entering {self}: this needs CAP_SYS_ADMIN"))?;
        }
        Ok(Presence { path, inode })
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.write_str("this network namespace"),
            Self::Process(pid) => write!(f, "the network namespace of process {pid}"),
            Self::Named(name) => write!(f, "the network namespace {}", name.display()),
        }
    }
}

/// Who stays in a namespace keeps it alive: this tells when to leave.
pub(in crate::capture) struct Presence {
    path: PathBuf,
    inode: u64,
}

impl Presence {
    pub(in crate::capture) fn is_over(&self) -> bool {
        std::fs::metadata(&self.path).map_or(true, |now| now.ino() != self.inode)
    }
}
