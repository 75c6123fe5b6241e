//! What earlier runs have learnt of what varies by nature, as `--noise` names it: noise.json of their report.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, ensure};
use mirror_core::noise::{self, Noise, NoiseOrigin};

/// Largest file that is read: some ten times what a full [`Noise`] takes.
const MAX_FILE: u64 = 1 << 30;

/// What is known before a run.
#[derive(Debug, Default)]
pub struct KnownNoise {
    pub noise: Noise,
    /// The runs that it came from.
    pub origins: Vec<NoiseOrigin>,
}

impl KnownNoise {
    /// Nothing without a file.
    pub fn read(file: Option<&Path>) -> anyhow::Result<Self> {
        file.map_or_else(|| Ok(Self::default()), Self::of_file)
    }

    fn of_file(path: &Path) -> anyhow::Result<Self> {
        let read = || -> anyhow::Result<Self> {
            let file = File::open(path).context("name noise.json of an earlier run's report")?;
            let mut text = String::new();
            let length = file.take(MAX_FILE + 1).read_to_string(&mut text)?;
            ensure!(length as u64 <= MAX_FILE, "it is larger than 1 GiB");
            let (noise, origins) = noise::load(&text)?;
            Ok(Self { noise, origins })
        };
        read().with_context(|| format!("--noise {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use mirror_core::compare::{CompareOptions, Comparison, compare};
    use mirror_core::exchange::Response;
    use mirror_core::noise::Source;
    use mirror_core::time::Timestamp;
    use mirror_core::verdict::{Basis, BuildOptions};

    use super::super::files::tests::Scratch;
    use super::super::pair::tests::pair;
    use super::super::request::tests::label;
    use super::super::{CaptureCounters, End, JudgedRepeat, Recorder, ReportDir, RunInfo};
    use super::*;

    fn answer(number: u32) -> Response {
        let body = format!(r#"{{"id":"550e8400-e29b-41d4-a716-4466554{number:05}"}}"#);
        Response {
            body: bytes::Bytes::from(body).into(),
            ..Response::new(200)
        }
    }

    fn compared(production: u32, mirror: u32) -> Comparison {
        let (production, mirror) = (answer(production), answer(mirror));
        compare(&CompareOptions::default(), &production, &mirror)
    }

    fn judged(recorder: &Recorder, repeat: Option<JudgedRepeat>) {
        let pair = pair(Basis::Snapshot, compared(1, 2)).beside(None, repeat);
        recorder.saw();
        recorder.ended(&label("GET", "/a"), None, &End::judged(pair));
    }

    fn outcomes(recorder: &Recorder) -> Vec<(String, u64)> {
        let ledger = recorder.results(CaptureCounters::default()).ledger;
        ledger.outcomes.into_iter().collect()
    }

    #[test]
    fn a_run_that_starts_from_a_file_knows_what_varied_in_the_run_before() {
        let scratch = Scratch::new();
        let directory = ReportDir::open(&scratch.join("report")).unwrap();
        let first = Recorder::new(RunInfo::default());
        let repeat = JudgedRepeat {
            at: Timestamp(1_000_000_000),
            source: Source::Repeat,
            to_mirror: compared(2, 3),
            to_production: compared(1, 3),
        };
        judged(&first, Some(repeat));
        assert_eq!(outcomes(&first), [("differed".to_owned(), 1)]);
        let path = directory.write_noise(&first.noise_text().unwrap()).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);

        let known = KnownNoise::read(Some(&path)).unwrap();
        assert_eq!(known.origins.len(), 1);
        assert_eq!(known.origins[0].build, "unknown");
        assert!(known.origins[0].at > Timestamp(0));
        let second = Recorder::new(RunInfo::default());
        second.start_from(known);
        judged(&second, None);
        assert_eq!(outcomes(&second), [("matched".to_owned(), 1)]);
        let without = Recorder::new(RunInfo::default());
        judged(&without, None);
        assert_eq!(outcomes(&without), [("differed".to_owned(), 1)]);

        second.name_builds(&BuildOptions {
            production: Some("v1.4".into()),
            ..BuildOptions::default()
        });
        let path = directory
            .write_noise(&second.noise_text().unwrap())
            .unwrap();
        let origins = KnownNoise::read(Some(&path)).unwrap().origins;
        let builds: Vec<_> = origins.iter().map(|origin| origin.build.as_str()).collect();
        assert_eq!(builds, ["unknown", "v1.4"]);
    }

    #[test]
    fn a_file_that_is_missing_or_another_ones_is_refused_by_its_name() {
        let scratch = Scratch::new();
        let path = scratch.join("noise.json");
        let refused = |why: &str| {
            let error = format!("{:#}", KnownNoise::read(Some(&path)).unwrap_err());
            assert!(error.starts_with("--noise /"), "{error}");
            assert!(error.contains(why), "{error}");
        };
        refused("No such file");
        for foreign in ["", "{}", r#"{"format":3}"#, "[1]"] {
            fs::write(&path, foreign).unwrap();
            refused("this is not a noise file");
        }
        fs::write(&path, r#"{"noise_format":99}"#).unwrap();
        refused("format 99");
        assert!(KnownNoise::read(None).unwrap().origins.is_empty());
    }
}
