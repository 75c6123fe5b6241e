//! What a recording says of itself.

use std::time::{Duration, UNIX_EPOCH};

use mirror_core::recording::RecordingMetadata;

use crate::clock::wall_clock;
use crate::config::Settings;

/// What a recording says of where and how it was made.
pub(super) fn metadata(settings: &Settings, host: &str) -> RecordingMetadata {
    let at = wall_clock();
    let time = UNIX_EPOCH + Duration::from_secs(at.as_secs());
    let time = humantime::format_rfc3339_seconds(time);
    let usable = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let named: String = host.chars().filter(|c| usable(*c)).take(64).collect();
    let series = format!("{}-{named}", time.to_string().replace(['-', ':'], ""));
    RecordingMetadata {
        host: host.into(),
        agent: env!("CARGO_PKG_VERSION").into(),
        build: option_env!("MIRROR_BUILD").unwrap_or_default().into(),
        config_digest: settings.digest(),
        redaction: settings.texts_of("redact"),
        series,
        part: 0,
        started_at: at,
        with_snapshots: settings.config.recording.with_snapshots,
    }
}
