//! The directory that `--report` names: report.json, report.html and noise.json.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use super::answers::StoredAnswers;
use super::directory::{PrivateDir, read_regular};
use super::html;
use super::known_noise::KnownNoise;
use super::status::{FORMAT, ReportData};

/// Largest report that is read.
pub(super) const MAX_REPORT: u64 = 1 << 30;
pub(super) const REPORT_JSON: &str = "report.json";
const REPORT_HTML: &str = "report.html";

/// The directory for report.json, report.html and noise.json. It is held open, so that what is written lands in the one that was
/// checked.
#[derive(Debug)]
pub struct ReportDir(PrivateDir);

/// Where a report was written.
#[derive(Debug)]
pub struct Written {
    pub json: PathBuf,
    pub html: PathBuf,
}

impl ReportDir {
    /// Opens the directory, and makes it for its owner alone if it is not there. One that others may write in is refused, and one that
    /// nothing can be written in.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let open = || -> anyhow::Result<PrivateDir> {
            let directory = PrivateDir::open(path)?;
            let trial = ".trial";
            directory.create(trial).context("making a file there")?;
            directory.remove(trial)?;
            Ok(directory)
        };
        let directory = open().with_context(|| format!("--report {}", path.display()))?;
        Ok(Self(directory))
    }

    /// A directory that is known to be usable.
    pub(super) fn of(directory: PrivateDir) -> Self {
        Self(directory)
    }

    /// Writes report.json and report.html, which shows `answers` in full; a reader never sees half of one.
    pub fn write(&self, report: &ReportData, answers: &[StoredAnswers]) -> anyhow::Result<Written> {
        let json = serde_json::to_string_pretty(report).context("writing the report as JSON")?;
        Ok(Written {
            json: self.0.replace(REPORT_JSON, json.as_bytes())?,
            html: self
                .0
                .replace(REPORT_HTML, html::page(report, answers).as_bytes())?,
        })
    }

    /// Takes the answers in full out of the page. A page that cannot be made anew is removed.
    pub(super) fn forget_answers(&self) -> anyhow::Result<()> {
        let path = self.0.path();
        if !path.join(REPORT_HTML).exists() {
            return Ok(());
        }
        match read(path) {
            Ok(report) => {
                let page = html::page(&report, &[]);
                self.0.replace(REPORT_HTML, page.as_bytes())?;
            }
            Err(_) => self.0.remove(REPORT_HTML)?,
        }
        Ok(())
    }

    /// Writes noise.json: what the next run may start from.
    pub fn write_noise(&self, text: &str) -> anyhow::Result<PathBuf> {
        self.0.replace("noise.json", text.as_bytes())
    }
}

/// Reads what [`ReportDir::write`] wrote, by the directory or by report.json itself.
pub(super) fn read(run: &Path) -> anyhow::Result<ReportData> {
    let path = if run.is_file() {
        run.to_owned()
    } else {
        run.join(REPORT_JSON)
    };
    let text = read_regular(&path, MAX_REPORT).with_context(|| {
        format!(
            "reading {}: name a run, or a directory that was given to `run --report`",
            path.display()
        )
    })?;
    let unreadable = || format!("{} is not a report of this version", path.display());
    let report: ReportData = serde_json::from_slice(&text).with_context(unreadable)?;
    ensure!(report.format == FORMAT, unreadable());
    Ok(report)
}

/// What [`ReportDir::write_noise`] wrote beside a report, if it is there.
pub fn known_noise_beside(run: &Path) -> anyhow::Result<Option<KnownNoise>> {
    let directory = match run.is_file() {
        true => run.parent().unwrap_or(Path::new("")),
        false => run,
    };
    let path = directory.join("noise.json");
    let is_there = path.try_exists().unwrap_or(true);
    is_there.then(|| KnownNoise::read(Some(&path))).transpose()
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use nix::unistd::geteuid;

    use super::super::{CaptureCounters, Recorder, RunInfo};
    use super::*;

    /// Another user than any that runs tests.
    const STRANGER: u32 = 54_321;

    pub(in crate::report) struct Scratch(PathBuf);

    impl Scratch {
        pub(in crate::report) fn new() -> Self {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let number = NEXT.fetch_add(1, Relaxed);
            let name = format!("mirror-report-{}-{number}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir(&path).unwrap();
            Self(path)
        }

        pub(in crate::report) fn join(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn report() -> ReportData {
        Recorder::new(RunInfo::default()).finish(CaptureCounters::default())
    }

    fn refused(path: &Path, why: &str) {
        let error = format!("{:#}", ReportDir::open(path).unwrap_err());
        assert!(error.contains(why), "{error}");
    }

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn a_report_is_its_owners_alone() {
        let scratch = Scratch::new();
        let directory = scratch.join("a/b");
        let written = ReportDir::open(&directory)
            .unwrap()
            .write(&report(), &[])
            .unwrap();
        assert_eq!((mode(&scratch.join("a")), mode(&directory)), (0o700, 0o700));
        assert_eq!((mode(&written.json), mode(&written.html)), (0o600, 0o600));
        assert_eq!(read(&directory).unwrap().format, FORMAT);
        // A second run replaces the first one's.
        ReportDir::open(&directory)
            .unwrap()
            .write(&report(), &[])
            .unwrap();
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 2);
    }

    #[test]
    fn a_directory_that_others_may_write_in_is_refused() {
        let scratch = Scratch::new();
        let open = scratch.join("open");
        fs::create_dir(&open).unwrap();
        for open_mode in [0o777, 0o1777, 0o770] {
            fs::set_permissions(&open, Permissions::from_mode(open_mode)).unwrap();
            refused(&open, "others may write in it");
        }
        fs::set_permissions(&open, Permissions::from_mode(0o755)).unwrap();
        assert!(ReportDir::open(&open).is_ok());
        let file = scratch.join("file");
        fs::write(&file, "").unwrap();
        refused(&file, "file");
    }

    #[test]
    fn a_link_where_the_report_goes_is_not_followed() {
        let scratch = Scratch::new();
        let (directory, victim) = (scratch.join("report"), scratch.join("victim"));
        fs::create_dir(&directory).unwrap();
        fs::write(&victim, "untouched").unwrap();
        for name in ["report.json", ".report.json.new", "report.html"] {
            symlink(&victim, directory.join(name)).unwrap();
        }
        ReportDir::open(&directory)
            .unwrap()
            .write(&report(), &[])
            .unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
        assert!(
            !fs::symlink_metadata(directory.join("report.json"))
                .unwrap()
                .is_symlink()
        );
    }

    #[test]
    fn our_own_links_to_directories_are_followed() {
        let scratch = Scratch::new();
        fs::create_dir(scratch.join("real")).unwrap();
        symlink("real", scratch.join("link")).unwrap();
        symlink(scratch.join("link"), scratch.join("absolute")).unwrap();
        let path = scratch.join("absolute/../absolute/report");
        ReportDir::open(&path)
            .unwrap()
            .write(&report(), &[])
            .unwrap();
        assert!(scratch.join("real/report/report.json").is_file());
        symlink("round", scratch.join("round")).unwrap();
        refused(&scratch.join("round"), "too many symbolic links");
    }

    #[test]
    fn only_a_report_of_this_format_is_read() {
        let scratch = Scratch::new();
        let directory = scratch.join("report");
        let written = ReportDir::open(&directory)
            .unwrap()
            .write(&report(), &[])
            .unwrap();
        let text = fs::read_to_string(&written.json).unwrap();
        fs::write(
            &written.json,
            text.replace(
                &format!("\"format\": {FORMAT}"),
                &format!("\"format\": {}", FORMAT + 1),
            ),
        )
        .unwrap();
        let error = format!("{:#}", read(&directory).unwrap_err());
        assert!(error.contains("not a report of this version"), "{error}");
        fs::remove_file(&written.json).unwrap();
        symlink("report.html", &written.json).unwrap();
        let error = format!("{:#}", read(&directory).unwrap_err());
        assert!(error.contains("reading"), "{error}");
    }

    /// Whether files can be given to another user here.
    fn is_root() -> bool {
        let is_root = geteuid().is_root();
        if !is_root {
            eprintln!("skipped: another user's directory: needs root");
        }
        is_root
    }

    #[test]
    fn another_users_directory_is_refused_and_their_link_not_followed() {
        if !is_root() {
            return;
        }
        let scratch = Scratch::new();
        let theirs = scratch.join("theirs");
        fs::create_dir(&theirs).unwrap();
        let victim = scratch.join("victim");
        fs::write(&victim, "untouched").unwrap();
        symlink(&victim, theirs.join(".report.json.new")).unwrap();
        chown(&theirs, Some(STRANGER), None).unwrap();
        refused(&theirs, "it belongs to user 54321");

        let link = scratch.join("link");
        symlink(scratch.join("real"), &link).unwrap();
        std::os::unix::fs::lchown(&link, Some(STRANGER), None).unwrap();
        refused(&link, "is a link that user 54321 made");
        refused(&link.join("report"), "is a link that user 54321 made");
        assert!(!scratch.join("real").exists());
        assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");

        // Below their directory one of our own is made, in which they cannot write.
        let ours = theirs.join("ours");
        ReportDir::open(&ours)
            .unwrap()
            .write(&report(), &[])
            .unwrap();
        assert_eq!(mode(&ours), 0o700);
        assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
    }
}
