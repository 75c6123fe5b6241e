//! A directory that is its owner's alone. It is held open and everything is done relative to it, so that nobody can put a link in the
//! way of what a privileged agent writes.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, bail, ensure};
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, readlinkat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, fsync, geteuid, unlinkat};

/// Symbolic links on the way to a directory, as the kernel has it.
const MAX_LINKS: usize = 40;

/// Only its owner may write there.
#[derive(Debug)]
pub struct PrivateDir {
    directory: OwnedFd,
    path: PathBuf,
}

impl PrivateDir {
    /// Opens the directory, and makes it for its owner alone if it is not there. One that others may write in is refused.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        Self::checked(open_directory(path, true)?, path)
    }

    /// The same for one that is there.
    pub(crate) fn open_known(path: &Path) -> anyhow::Result<Self> {
        Self::checked(open_directory(path, false)?, path)
    }

    fn checked(directory: OwnedFd, path: &Path) -> anyhow::Result<Self> {
        check_owner(&fstat(&directory)?)?;
        Ok(Self {
            directory,
            path: path.to_owned(),
        })
    }

    pub(crate) fn try_clone(&self) -> std::io::Result<Self> {
        Ok(Self {
            directory: self.directory.try_clone()?,
            path: self.path.clone(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a directory in it, which is not there yet.
    pub(crate) fn make(&self, name: &str) -> nix::Result<Self> {
        mkdirat(&self.directory, name, Mode::S_IRWXU)?;
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(Self {
            directory: openat(&self.directory, name, flags, Mode::empty())?,
            path: self.path.join(name),
        })
    }

    /// A directory in it.
    pub(crate) fn child(&self, name: &str) -> anyhow::Result<Self> {
        let directory = enter(&self.directory, OsStr::new(name))?;
        Self::checked(directory, &self.path.join(name))
    }

    /// The names in it, but for those of no text.
    pub(crate) fn names(&self) -> anyhow::Result<Vec<String>> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut directory = Dir::openat(&self.directory, ".", flags, Mode::empty())?;
        let mut names = Vec::new();
        for entry in directory.iter() {
            let name = entry?.file_name().to_str().map(str::to_owned);
            names.extend(name.ok().filter(|name| name != "." && name != ".."));
        }
        names.sort();
        Ok(names)
    }

    /// Makes a file for its owner alone. One of this name, or a link, is taken away before.
    pub(crate) fn create(&self, name: &str) -> nix::Result<File> {
        self.remove(name)?;
        let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        Ok(File::from(openat(&self.directory, name, flags, mode)?))
    }

    /// Takes a file away, if it is there.
    pub(crate) fn remove(&self, name: &str) -> nix::Result<()> {
        match unlinkat(&self.directory, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Takes away a directory in it, with the files in that one.
    pub(crate) fn remove_child(&self, name: &str) -> anyhow::Result<()> {
        let child = self.child(name)?;
        for file in child.names()? {
            child.remove(&file)?;
        }
        unlinkat(&self.directory, name, UnlinkatFlags::RemoveDir)?;
        Ok(())
    }

    pub(crate) fn rename(&self, from: &str, to: &str) -> nix::Result<()> {
        renameat(&self.directory, from, &self.directory, to)
    }

    /// What was made, renamed or taken away in it outlasts a crash of the host.
    pub(crate) fn sync(&self) -> nix::Result<()> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        fsync(openat(&self.directory, ".", flags, Mode::empty())?)
    }

    /// Reads a file of at most so many bytes, or nothing where there is none. A link, a pipe or a device in its place is not read.
    pub(crate) fn read(&self, name: &str, most: u64) -> anyhow::Result<Option<Vec<u8>>> {
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        match openat(&self.directory, name, flags, Mode::empty()) {
            Ok(file) => read_open(File::from(file), most).map(Some),
            Err(Errno::ENOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a file; a reader never sees half of one.
    pub(crate) fn replace(&self, name: &str, content: &[u8]) -> anyhow::Result<PathBuf> {
        let path = self.path.join(name);
        let unfinished = format!(".{name}.new");
        let write = || -> anyhow::Result<()> {
            self.create(&unfinished)?.write_all(content)?;
            Ok(self.rename(&unfinished, name)?)
        };
        let written = write().with_context(|| format!("writing {}", path.display()));
        if written.is_err() {
            // What room it took is others'.
            let _ = self.remove(&unfinished);
        }
        written.map(|()| path)
    }
}

/// Refuses a directory in which another user could change what we write.
fn check_owner(there: &FileStat) -> anyhow::Result<()> {
    let own = geteuid().as_raw();
    ensure!(
        there.st_uid == own,
        "it belongs to user {}, who could replace what user {own} writes there: name a directory of your own, or one that is not there yet",
        there.st_uid
    );
    let mode = Mode::from_bits_truncate(there.st_mode);
    ensure!(
        !mode.intersects(Mode::S_IWGRP | Mode::S_IWOTH),
        "others may write in it (mode {:o}): `chmod go-w` it, or name one that is not there yet",
        mode.bits() & 0o7777
    );
    Ok(())
}

/// Opens a directory step by step, and perhaps makes what is missing. Links on the way are followed only if they are root's or
/// our own.
fn open_directory(path: &Path, makes: bool) -> anyhow::Result<OwnedFd> {
    let absolute = std::path::absolute(path).context("finding the working directory")?;
    let mut steps: VecDeque<OsString> = steps(&absolute).collect();
    let mut at = root()?;
    let mut links = 0;
    while let Some(step) = steps.pop_front() {
        match fstatat(&at, step.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(there) if file_type(&there) == SFlag::S_IFLNK => {
                links += 1;
                ensure!(links <= MAX_LINKS, "too many symbolic links");
                let target = follow(&at, &step, &there)?;
                if target.is_absolute() {
                    at = root()?;
                }
                for step in self::steps(&target).collect::<Vec<_>>().into_iter().rev() {
                    steps.push_front(step);
                }
            }
            Ok(_) => at = enter(&at, &step)?,
            Err(Errno::ENOENT) if makes => {
                mkdirat(&at, step.as_os_str(), Mode::S_IRWXU)
                    .with_context(|| format!("making {}", step.display()))?;
                at = enter(&at, &step)?;
            }
            Err(error) => {
                return Err(error).with_context(|| format!("looking for {}", step.display()));
            }
        }
    }
    Ok(at)
}

fn steps(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

fn root() -> anyhow::Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    nix::fcntl::open("/", flags, Mode::empty()).context("opening /")
}

fn enter(at: &OwnedFd, step: &OsStr) -> anyhow::Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(at, step, flags, Mode::empty()).with_context(|| format!("opening {}", step.display()))
}

fn follow(at: &OwnedFd, step: &OsStr, link: &FileStat) -> anyhow::Result<PathBuf> {
    let own = geteuid().as_raw();
    if link.st_uid != 0 && link.st_uid != own {
        bail!(
            "{} is a link that user {} made, and could point anywhere: name the directory itself",
            step.display(),
            link.st_uid
        );
    }
    let target = readlinkat(at, step).with_context(|| format!("reading {}", step.display()))?;
    Ok(target.into())
}

fn file_type(there: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(there.st_mode & SFlag::S_IFMT.bits())
}

/// Reads a file of at most so many bytes. A link, a pipe or a device in its place is not read.
pub(super) fn read_regular(path: &Path, most: u64) -> anyhow::Result<Vec<u8>> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = File::options()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)?;
    read_open(file, most)
}

fn read_open(file: File, most: u64) -> anyhow::Result<Vec<u8>> {
    ensure!(file.metadata()?.is_file(), "it is not a regular file");
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}
