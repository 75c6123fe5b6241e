//! The directory that the control socket and the log beside it lie in: it must be one where nobody else can put something
//! in their place.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::{
        fd::AsRawFd,
        unix::{
            fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt},
            net::SocketAddr,
        },
    },
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use nix::{
    fcntl::{Flock, FlockArg},
    unistd::geteuid,
};
use tokio::{net::UnixStream, time::sleep};

/// How long another agent that is just starting is waited for.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// A name in a directory. The directory is held open, so that what is done there is done in the one that was checked.
#[derive(Debug)]
pub(super) struct Place {
    directory: File,
    name: OsString,
    path: PathBuf,
}

impl Place {
    /// Opens and checks the directory of `path`; makes it, for its owner alone, where there is none.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        SocketAddr::from_pathname(path).with_context(|| format!("--socket {}", path.display()))?;
        let name = path.file_name();
        let name =
            name.with_context(|| format!("--socket {}: it names no file", path.display()))?;
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        match DirBuilder::new().mode(0o700).create(parent) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(error).with_context(|| {
                    format!("making the socket's directory {}", parent.display())
                });
            }
            _ => {}
        }
        let directory = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_DIRECTORY)
            .open(parent)
            .with_context(|| format!("opening the socket's directory {}", parent.display()))?;
        check_directory(&directory, parent)?;
        Ok(Self {
            directory,
            name: name.to_owned(),
            path: path.to_owned(),
        })
    }

    /// The name, by way of the open directory.
    pub(super) fn entry(&self) -> PathBuf {
        let directory = format!("/proc/self/fd/{}", self.directory.as_raw_fd());
        Path::new(&directory).join(&self.name)
    }

    /// Keeps two agents that start at the same time from removing each other's socket.
    ///
    /// Any user who can open the directory could hold the lock, so it is not waited for for long.
    pub(super) async fn lock(&self) -> Option<Flock<File>> {
        let mut directory = self.directory.try_clone().ok()?;
        for _ in 0..LOCK_TRIES {
            match Flock::lock(directory, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => return Some(lock),
                Err((back, _)) => directory = back,
            }
            sleep(LOCK_PAUSE).await;
        }
        None
    }

    /// Removes a socket of ours that nobody listens on. Everything else that is there stays, and is an error.
    pub(super) async fn clear(&self) -> anyhow::Result<()> {
        let path = self.path.display();
        let there = match fs::symlink_metadata(self.entry()) {
            Ok(there) => there,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error).with_context(|| format!("looking for {path}")),
        };
        ensure!(
            there.file_type().is_socket(),
            "{path} is there and is not a socket: remove it, or choose another --socket"
        );
        let own = geteuid().as_raw();
        ensure!(
            there.uid() == own,
            "{path} belongs to user {}, not to user {own}: choose another --socket",
            there.uid()
        );
        match UnixStream::connect(self.entry()).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                fs::remove_file(self.entry())
                    .with_context(|| format!("removing the stale socket {path}"))
            }
            // Also where its queue of connections is full.
            _ => bail!(
                "an agent is already running on {path}: end it with `mirror-agent stop`, or give this one another --socket"
            ),
        }
    }
}

fn check_directory(directory: &File, path: &Path) -> anyhow::Result<()> {
    const OTHERS_WRITE: u32 = 0o022;
    const STICKY: u32 = 0o1000;
    let remedy = "choose another with --socket, as in /run/mirror-agent/agent.sock";
    let found = directory
        .metadata()
        .with_context(|| format!("looking at {}", path.display()))?;
    ensure!(
        found.uid() == 0 || found.uid() == geteuid().as_raw(),
        "the socket's directory {} belongs to user {}: {remedy}",
        path.display(),
        found.uid()
    );
    ensure!(
        found.mode() & OTHERS_WRITE == 0 || found.mode() & STICKY != 0,
        "others may replace files in the socket's directory {} (mode {:04o}): {remedy}",
        path.display(),
        found.mode() & 0o7777
    );
    Ok(())
}

/// Creates the log of an agent in the background, beside its socket: empty, and for its owner alone.
pub fn create_log(socket: &Path) -> anyhow::Result<(PathBuf, File)> {
    let log = socket.with_extension("log");
    let place = Place::open(&log)?;
    let file = OpenOptions::new()
        .create(true)
        .write(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(place.entry())
        .with_context(|| format!("creating the log {}", log.display()))?;
    let made = file.metadata()?;
    ensure!(
        made.is_file() && made.uid() == geteuid().as_raw() && made.nlink() == 1,
        "{} is there and is not a log of this user's: remove it, or choose another --socket",
        log.display()
    );
    // Only now: what is another's is left as it is.
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    file.set_len(0)?;
    Ok((log, file))
}
