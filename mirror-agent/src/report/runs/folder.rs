//! The folder that holds the directories of runs.

use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
use nix::errno::Errno;
use nix::unistd::geteuid;

use super::super::directory::PrivateDir;
use super::super::files::{REPORT_JSON, ReportDir};
use super::head::{RunHead, is_running};
use super::names::{ANSWERS, RUN_JSON};
use super::time::compact;

/// The newest run, where a run is named.
const LAST: &str = "last";
const ROOTS: &str = "/var/lib/mirror-agent/runs";
/// Runs of one name that begin in the same second.
const MAX_TWINS: u32 = 100;

/// Where runs are kept.
#[derive(Clone, Debug)]
pub struct RunsFolder(PathBuf);

/// A run: its directory, or that of a report, or a report.json.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunPath(pub(super) PathBuf);

impl RunsFolder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// The one that is named, or the usual one of this user.
    pub fn named(path: Option<&Path>) -> anyhow::Result<Self> {
        path.map_or_else(Self::usual, |path| Ok(Self(path.to_owned())))
    }

    pub(super) fn usual() -> anyhow::Result<Self> {
        if geteuid().is_root() {
            return Ok(Self(ROOTS.into()));
        }
        let variable = |name: &str| {
            let path = std::env::var_os(name).map(PathBuf::from);
            path.filter(|path| path.is_absolute())
        };
        let home = || variable("HOME").map(|home| home.join(".local/state"));
        let state = variable("XDG_STATE_HOME").or_else(home);
        let state = state.context("neither XDG_STATE_HOME nor HOME names a directory")?;
        Ok(Self(state.join("mirror-agent/runs")))
    }

    pub(super) fn into_path(self) -> PathBuf {
        self.0
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Makes the directory of a run, and returns its name too.
    pub(super) fn make(&self, head: &RunHead) -> anyhow::Result<(PrivateDir, String)> {
        let folder = PrivateDir::open(&self.0)?;
        let name = format!("{}-{}", compact(head.started_at), head.name);
        for twin in 1..=MAX_TWINS {
            let name = match twin {
                1 => name.clone(),
                twin => format!("{name}.{twin}"),
            };
            match folder.make(&name) {
                Ok(directory) => {
                    // A file system without it keeps the name all the same, as long as the host does not crash.
                    let _ = folder.sync();
                    return Ok((directory, name));
                }
                Err(Errno::EEXIST) => {}
                Err(error) => return Err(error).with_context(|| format!("making {name}")),
            }
        }
        bail!("there are {MAX_TWINS} runs that are called {name}")
    }

    /// Makes the directory of a run that somebody has taken away.
    pub(super) fn make_again(&self, name: &str) -> anyhow::Result<PrivateDir> {
        let folder = PrivateDir::open(&self.0)?;
        match folder.make(name) {
            Ok(directory) => Ok(directory),
            Err(Errno::EEXIST) => folder.child(name),
            Err(error) => Err(error).with_context(|| format!("making {name} again")),
        }
    }

    /// The names of all runs, the oldest first. None without a folder.
    pub fn runs(&self) -> anyhow::Result<Vec<String>> {
        ensure!(
            self.0 != Path::new("none"),
            "--runs none keeps no runs, so there are none to look for: name their folder"
        );
        let context = || format!("the folder of runs, {}", self.0.display());
        if !self.0.try_exists().with_context(context)? {
            return Ok(Vec::new());
        }
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.0).with_context(context)? {
            let entry = entry.with_context(context)?;
            let is_run = entry.path().join(RUN_JSON).is_file();
            names.extend(entry.file_name().into_string().ok().filter(|_| is_run));
        }
        // Of those that began in the same second the shorter name is the earlier one: the twins' numbers are counted up.
        names.sort_by_cached_key(|name| (self.started_at(name), name.len(), name.clone()));
        Ok(names)
    }

    /// Seconds since the epoch: as the run says itself, else the age of what it should say it with.
    fn started_at(&self, name: &str) -> u64 {
        let run = self.0.join(name);
        let written = || {
            let at = std::fs::metadata(run.join(RUN_JSON))
                .ok()?
                .modified()
                .ok()?;
            at.duration_since(UNIX_EPOCH).ok()
        };
        match RunHead::read(&run) {
            Ok(head) => head.started_at,
            Err(_) => written().unwrap_or_default().as_secs(),
        }
    }

    /// The run that `wanted` names: a directory, a report.json, or a run of this folder by its name, by a beginning of it that is only its own, or
    /// by what it was called, of which the newest counts. Without a name, the newest of all.
    pub fn find(&self, wanted: Option<&str>) -> anyhow::Result<RunPath> {
        let names = self.runs();
        let Some(wanted) = wanted.filter(|wanted| *wanted != LAST) else {
            let names = names?;
            let newest = names.last().with_context(|| {
                format!(
                    "there is no run in {}: name a run, or its folder with --runs DIR",
                    self.0.display()
                )
            })?;
            return Ok(RunPath(self.0.join(newest)));
        };
        let path = Path::new(wanted);
        // Of a directory that has no report, that is said when it is read.
        let is_directory = path.is_dir() && path.components().count() > 1;
        let is_there = |file: &str| path.join(file).exists();
        if path.is_file() || is_directory || is_there(RUN_JSON) || is_there(REPORT_JSON) {
            return Ok(RunPath(path.to_owned()));
        }
        let names = names?;
        let found = self.meant(&names, wanted)?;
        let found = found.with_context(|| {
            format!(
                "there is no run {wanted} in {}, and no directory of this name with a report: `mirror-agent runs` lists them",
                self.0.display()
            )
        })?;
        Ok(RunPath(self.0.join(found)))
    }

    /// Takes the directory of a run away.
    pub(super) fn remove(&self, name: &str) -> anyhow::Result<()> {
        PrivateDir::open_known(&self.0)?.remove_child(name)
    }

    /// Takes the stored answers of runs that ended longer ago away, out of their pages too. What cannot be changed is tried again by the
    /// next run.
    pub(super) fn forget_answers(&self, age: Duration) {
        let Ok(folder) = PrivateDir::open_known(&self.0) else {
            return;
        };
        for name in self.runs().unwrap_or_default() {
            let stored = std::fs::symlink_metadata(self.0.join(&name).join(ANSWERS));
            let stored = stored.and_then(|file| file.modified());
            let is_old = stored.is_ok_and(|at| at.elapsed().is_ok_and(|passed| passed > age));
            if is_old
                && !self.goes_on(&name)
                && let Ok(run) = folder.child(&name)
                && let Ok(page) = folder.child(&name).map(ReportDir::of)
                && page.forget_answers().is_ok()
            {
                let _ = run.remove(ANSWERS);
            }
        }
    }

    /// The runs that are named.
    pub fn chosen(&self, wanted: &[String]) -> anyhow::Result<Vec<String>> {
        let names = self.runs()?;
        let find = |wanted: &String| {
            self.meant(&names, wanted)?.cloned().with_context(|| {
                format!(
                    "there is no run {wanted} in {}: `mirror-agent runs` lists them",
                    self.0.display()
                )
            })
        };
        wanted.iter().map(find).collect()
    }

    /// All but so many of the newest, the oldest first.
    pub fn older_than(&self, newest: usize) -> anyhow::Result<Vec<String>> {
        let mut names = self.runs()?;
        names.truncate(names.len().saturating_sub(newest));
        Ok(names)
    }

    pub fn goes_on(&self, name: &str) -> bool {
        is_running(&self.0.join(name))
    }

    /// Takes a run away, unless it goes on.
    pub fn remove_run(&self, name: &str) -> anyhow::Result<()> {
        let path = self.0.join(name);
        ensure!(
            !self.goes_on(name),
            "{name} goes on: end it first, with `mirror-agent stop`"
        );
        let context = || format!("removing {}", path.display());
        self.remove(name).with_context(context)
    }

    /// The one of its runs that is meant.
    fn meant<'n>(&self, names: &'n [String], wanted: &str) -> anyhow::Result<Option<&'n String>> {
        if let Some(exact) = names.iter().find(|name| *name == wanted) {
            return Ok(Some(exact));
        }
        // Asked of the run: in its directory's name, a twin's number could be a part of what it is called.
        let called = |name: &&String| {
            let head = RunHead::read(&self.0.join(name));
            head.is_ok_and(|head| head.name == wanted)
        };
        if let Some(newest) = names.iter().rev().find(called) {
            return Ok(Some(newest));
        }
        let mut beginning = names.iter().filter(|name| name.starts_with(wanted));
        let first = beginning.next();
        if let Some(other) = beginning.next() {
            let first = first.map_or("", |first| first);
            bail!("{wanted} is the beginning of {first} and of {other}: give more of the name");
        }
        Ok(first)
    }
}

impl RunPath {
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Its name in its folder.
    pub fn name(&self) -> String {
        let name = self.0.file_name().unwrap_or(self.0.as_os_str());
        name.to_string_lossy().into_owned()
    }
}
