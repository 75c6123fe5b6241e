//! What the report is told.

use std::path::PathBuf;
use std::time::Duration;

use mirror_core::options::{ByteSize, FromText};

/// Longest name of a run.
const MAX_NAME: usize = 64;
/// The name of a run that has no other.
const USUAL_NAME: &str = "run";

mirror_core::options! {
    /// Where the report goes.
    #[derive(Clone, Debug)]
    pub struct ReportOptions("Report") {
        /// Name of the run; the socket's or the capture file's unless given
        #[option("name", "NAME")]
        pub name: Option<RunName>,
        /// Folder that keeps runs, each in a directory of its own; `none` keeps nothing. Unless given, /var/lib/mirror-agent/runs
        /// for root, else ~/.local/state/mirror-agent/runs
        #[option("runs", "DIR")]
        pub runs: Option<RunsPlace>,
        /// Most bytes of the answers that a run stores in full, for the examples of its differences; 0 stores none
        #[option("keep-answers", "SIZE", default = "64MiB")]
        pub answers: ByteSize,
        /// How long they are stored, after the run's end too: those of ended runs are removed when another run begins in the folder
        #[option("keep-answers-for", "TIME", default = "7d")]
        pub answers_for: Duration,
        /// Directory for report.json, report.html and noise.json
        #[option("report", "DIR")]
        pub directory: Option<PathBuf>,
    }
}

/// What a run is called, which is part of a file's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunName(String);

impl FromText for RunName {
    fn from_text(text: &str) -> Result<Self, String> {
        let remedy = || {
            format!(
                "use at most {MAX_NAME} letters, digits, dots, dashes and underscores, and begin with none of the last three"
            )
        };
        let is_name = text.len() <= MAX_NAME && text.chars().all(is_part_of_name);
        let begins = text
            .chars()
            .next()
            .is_some_and(|c| c.is_ascii_alphanumeric());
        (is_name && begins)
            .then(|| Self(text.into()))
            .ok_or_else(remedy)
    }
}

/// Where runs are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunsPlace {
    Nowhere,
    Folder(PathBuf),
}

impl FromText for RunsPlace {
    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("name a folder, or `none`".into()),
            "none" => Ok(Self::Nowhere),
            path => Ok(Self::Folder(path.into())),
        }
    }
}

impl ReportOptions {
    /// The name that was given, or what there is of another one.
    pub fn name_or(&self, other: &str) -> String {
        if let Some(RunName(name)) = &self.name {
            return name.clone();
        }
        let usable = other.chars().filter(|c| is_part_of_name(*c));
        let usable: String = usable.take(MAX_NAME).collect();
        let usable = usable.trim_start_matches(['.', '-', '_']);
        if usable.is_empty() {
            USUAL_NAME
        } else {
            usable
        }
        .to_owned()
    }
}

fn is_part_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_be_part_of_a_files_name() {
        for good in ["a", "shop-1.4_canary", "9"] {
            assert!(RunName::from_text(good).is_ok(), "{good}");
        }
        let long = "a".repeat(65);
        for bad in ["", ".", "..", "-a", "a/b", "a b", "ä", "a\n", &long] {
            assert!(RunName::from_text(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_run_without_a_name_takes_what_can_be_used_of_another_one() {
        let name = |given: Option<&str>, other: &str| {
            ReportOptions {
                name: given.map(|name| RunName::from_text(name).unwrap()),
                ..ReportOptions::default()
            }
            .name_or(other)
        };
        assert_eq!(name(Some("mine"), "socket"), "mine");
        assert_eq!(name(None, "socket"), "socket");
        assert_eq!(name(None, "../étage 2"), "tage2");
        assert_eq!(name(None, "-"), "run");
        assert_eq!(name(None, &"a".repeat(100)).len(), 64);
    }
}
