//! Programs of others that a test runs beside ours. They are not of the distribution.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A program, the names that it is looked for by, and how to get it.
#[derive(Debug)]
pub struct Peer {
    names: &'static [&'static str],
    /// Names it with its path, where it is not in the PATH.
    variable: &'static str,
    install: &'static str,
}

pub const GOREPLAY: Peer = Peer {
    names: &["goreplay", "gor"],
    variable: "MIRROR_GOREPLAY",
    install: "go install github.com/buger/goreplay@latest",
};

pub const K6: Peer = Peer {
    names: &["k6"],
    variable: "MIRROR_K6",
    install: "go install go.k6.io/k6@latest",
};

/// Runs collections as Postman does.
pub const NEWMAN: Peer = Peer {
    names: &["newman"],
    variable: "MIRROR_NEWMAN",
    install: "npm install --global newman",
};

/// Where [`playwright`] looks.
pub const PLAYWRIGHT_PLACE: &str = "node, chromium, and the folder node_modules that $MIRROR_PLAYWRIGHT names: npm install playwright-core";

/// The folder that Node finds the driver of browsers in.
pub fn playwright() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("MIRROR_PLAYWRIGHT")?);
    let is_there =
        folder.join("playwright-core").is_dir() && Path::new("/usr/bin/chromium").exists();
    is_there.then_some(folder)
}

impl Peer {
    pub fn path(&self) -> Option<PathBuf> {
        if let Some(path) = std::env::var_os(self.variable) {
            return Some(path.into());
        }
        let path = std::env::var_os("PATH")?;
        let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
        let candidates = self.names.iter().flat_map(|name| {
            let folders = folders.iter();
            folders.map(move |folder| folder.join(name))
        });
        candidates.into_iter().find(|candidate| candidate.is_file())
    }

    pub fn command(&self) -> Command {
        Command::new(self.path().unwrap_or_else(|| self.names[0].into()))
    }

    /// Where it is looked for.
    pub fn place(&self) -> String {
        format!(
            "the program {}, in the PATH or named by {}: {}",
            self.names[0], self.variable, self.install
        )
    }
}
