//! A recording of what a run has kept: of the last minutes, perhaps of some routes only.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{bail, ensure};
use mirror_core::policy::Rule;
use mirror_core::recording::{RecordedExchange, RecordingLedger};
use mirror_core::time::Timestamp;
use serde::Serialize;

use super::metadata::metadata;
use crate::clock::wall_clock;
use crate::config::Settings;
use crate::transport::file::{
    MREC, MergedRecordings, RecordingFiles, RecordingPlace, kept_folder, recordings_in,
};

/// What was taken.
#[derive(Clone, Debug, Serialize)]
pub struct Taken {
    /// Where the run kept it.
    pub from: PathBuf,
    /// Exchanges of the time that was asked for.
    pub looked_at: u64,
    pub exchanges: u64,
    pub bytes: u64,
    /// Places that could not be read.
    pub damaged: u64,
}

/// Takes what began in the last `since`, and fits one of the `routes` if there are some.
pub fn look_back(
    settings: &Settings,
    path: &Path,
    since: Duration,
    routes: &[Rule],
) -> anyhow::Result<Taken> {
    let options = &settings.config.recording;
    let folder = kept_folder(options.keep_in.clone(), &settings.config.control.name())?;
    ensure!(
        folder.is_dir(),
        "{} is not there: nothing is kept unless a run has --keep, as in `mirror-agent run --keep 10m`; --keep-in names another folder",
        folder.display()
    );
    let place = RecordingPlace::of(path)?;
    let RecordingPlace::File(_) = place else {
        bail!(
            "{} is not a file's name: let it end in {MREC}",
            path.display()
        );
    };
    let keys = options.keys()?;
    let kept = recordings_in(std::slice::from_ref(&folder))?;
    let mut kept = MergedRecordings::open(&kept, keys.clone())?;
    let metadata = metadata(settings, kept.host());
    let mut files = RecordingFiles::begin(place, options.limits(), keys, metadata)?;
    let nanos = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
    let from = Timestamp(wall_clock().0.saturating_sub(nanos));
    let (mut looked_at, mut taken) = (0, 0_u64);
    for exchange in kept.by_ref() {
        if exchange.at() < from {
            continue;
        }
        looked_at += 1;
        if fits(routes, &exchange) {
            files.push(&exchange.envelope, ());
            taken += 1;
        }
    }
    let counts = files.end(&RecordingLedger {
        at: wall_clock(),
        seen: looked_at,
        outcomes: [("recorded".to_owned(), taken)].into(),
    });
    ensure!(
        counts.lost == 0,
        "{} exchanges could not be written to {}: {}",
        counts.lost,
        path.display(),
        counts.trouble.unwrap_or_default()
    );
    if let Some(damage) = kept.damage() {
        tracing::warn!("not all that was kept can be read: {damage:#}");
    }
    Ok(Taken {
        from: folder,
        looked_at,
        exchanges: counts.exchanges,
        bytes: counts.bytes,
        damaged: kept.damages(),
    })
}

fn fits(routes: &[Rule], exchange: &RecordedExchange) -> bool {
    let exchange = exchange.envelope.exchange();
    routes.is_empty() || routes.iter().any(|rule| rule.lets_in(exchange))
}
