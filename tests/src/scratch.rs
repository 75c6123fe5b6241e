//! A directory for one run's logs, databases and reports, removed at the end and kept when a test
//! fails, because then its logs are what one wants.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

use crate::note;

const PREFIX: &str = "mirror-";

#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    pub fn new() -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        remove_stale();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).with_context(|| format!("creating {}", path.display()))?;
        Ok(Self { path })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }
}

/// Removes every directory this process made: for a handler of Ctrl-C.
pub fn remove_mine() {
    remove_where(|maker| maker == std::process::id());
}

/// Removes what processes left that were killed before they could.
pub fn remove_stale() {
    remove_where(|maker| !Path::new(&format!("/proc/{maker}")).exists());
}

fn remove_where(matches: impl Fn(u32) -> bool) {
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else {
        return;
    };
    for entry in entries.flatten() {
        if maker(&entry.file_name().to_string_lossy()).is_some_and(&matches) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// The process that made a directory; None when it is not one of ours, or is kept.
fn maker(name: &str) -> Option<u32> {
    let (pid, number) = name.strip_prefix(PREFIX)?.split_once('-')?;
    number.parse::<u32>().ok()?;
    pid.parse().ok()
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let kept = self.path.with_extension("kept");
            // Under its own name the next run would take it for something that was left.
            let moved = std::fs::rename(&self.path, &kept);
            let shown = if moved.is_ok() { &kept } else { &self.path };
            note!("logs are kept in {}", shown.display());
        } else {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_directories_of_ours_have_a_maker() {
        let check = |name: &str, pid: Option<u32>| assert_eq!(maker(name), pid, "{name}");
        check("mirror-17-0", Some(17));
        check("mirror-17-0.kept", None);
        check("mirror-redis123", None);
        check("other-17-0", None);
    }
}
