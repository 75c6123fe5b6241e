//! verify and info: what can be said of recordings.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, UNIX_EPOCH};

use mirror_agent::cli::Recordings;
use mirror_agent::printable::printable;
use mirror_agent::report::table::{Align, number, table, terminal_width};
use mirror_agent::transport::file::{OpenRecording, RecordingKeys, open, recordings_in};
use mirror_core::recording::{
    BlockCoding, BlockHead, BlockKind, RecordingError, RecordingIndex, RecordingLedger,
    RecordingMetadata, Tail,
};
use mirror_core::time::Timestamp;
use serde::Serialize;

use crate::terminal;

const DAMAGED: u8 = 3;
/// Damages of one file that are told.
const MAX_DAMAGES: usize = 20;

/// What was found in one recording.
#[derive(Default, Serialize)]
struct Summary {
    file: PathBuf,
    bytes: u64,
    /// Nothing of it is damaged or torn.
    is_whole: bool,
    /// `ended`, `open` (its writer was killed, or still writes) or `torn`.
    ends: &'static str,
    /// Bytes of the torn block that are cut off.
    torn_bytes: u64,
    damaged: Vec<Damage>,
    /// `stored`, `missing`, `wrong`, or `not read` without the key.
    index: &'static str,
    encrypted: bool,
    exchanges: u64,
    /// Bytes of the exchanges before compression.
    plain_bytes: u64,
    /// When the first request began and the last.
    from: Option<String>,
    to: Option<String>,
    routes: BTreeMap<String, u64>,
    metadata: Option<RecordingMetadata>,
    ledger: Option<RecordingLedger>,
}

#[derive(Serialize)]
struct Damage {
    at: u64,
    what: String,
    exchanges: u32,
}

pub(super) fn verify(options: &Recordings) -> anyhow::Result<ExitCode> {
    let summaries = summaries(options)?;
    if options.json {
        terminal::print_json(&summaries)?;
    } else {
        let mut text = String::new();
        for summary in &summaries {
            verdict(&mut text, summary);
        }
        terminal::print_report(&text)?;
    }
    let all_whole = summaries.iter().all(|summary| summary.is_whole);
    Ok(match all_whole {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(DAMAGED),
    })
}

pub(super) fn info(options: &Recordings) -> anyhow::Result<ExitCode> {
    let summaries = summaries(options)?;
    if options.json {
        terminal::print_json(&summaries)?;
    } else {
        let mut text = String::new();
        for summary in &summaries {
            shown(&mut text, summary);
        }
        terminal::print_report(&text)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn summaries(options: &Recordings) -> anyhow::Result<Vec<Summary>> {
    let keys = RecordingKeys::new(&[], options.recording_key_file.as_deref())?;
    let files = recordings_in(&options.files)?;
    let summaries = files.iter().map(|file| summary(file, &keys));
    summaries.collect()
}

/// Reads the whole recording, block by block.
fn summary(file: &Path, keys: &RecordingKeys) -> anyhow::Result<Summary> {
    let mut reader = match open(file, keys) {
        Err(error) if is_begun_only(&error) => return begun_only(file),
        opened => opened?,
    };
    let metadata = reader.metadata()?.cloned();
    let mut seen = Seen::default();
    while let Some(block) = reader.next_block() {
        match block {
            Ok(block) => seen.block(&block.head),
            Err(RecordingError::Encrypted { head, .. }) => {
                seen.is_locked = true;
                seen.block(&head);
            }
            Err(error) if error.is_final() => return Err(error.into()),
            Err(error) => seen.damage(&error),
        }
    }
    let (ends, torn_bytes) = match reader.tail() {
        Some(Tail::Ended) => ("ended", 0),
        Some(Tail::Torn { bytes, .. }) => ("torn", bytes),
        Some(Tail::Open) | None => ("open", 0),
    };
    let ledger = reader.ledger().cloned();
    let (index, routes) = match seen.is_locked {
        true => ("not read", BTreeMap::new()),
        false => indexed(&mut reader, !seen.damaged.is_empty())?,
    };
    Ok(Summary {
        file: file.to_owned(),
        bytes: reader.length()?,
        is_whole: seen.damaged.is_empty() && torn_bytes == 0 && index != "wrong",
        ends,
        torn_bytes,
        damaged: seen.damaged,
        index,
        encrypted: seen.is_sealed,
        exchanges: seen.exchanges,
        plain_bytes: seen.plain_bytes,
        from: seen.from.map(time),
        to: seen.to.map(time),
        routes,
        metadata,
        ledger,
    })
}

/// Its writer was killed when it had begun the file.
fn is_begun_only(error: &anyhow::Error) -> bool {
    let why = error.downcast_ref::<RecordingError>();
    matches!(why, Some(RecordingError::TornHead))
}

fn begun_only(file: &Path) -> anyhow::Result<Summary> {
    let bytes = std::fs::metadata(file)?.len();
    Ok(Summary {
        file: file.to_owned(),
        bytes,
        ends: "torn",
        torn_bytes: bytes,
        index: "missing",
        ..Summary::default()
    })
}

#[derive(Default)]
struct Seen {
    exchanges: u64,
    plain_bytes: u64,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    is_sealed: bool,
    /// Something is encrypted to another key.
    is_locked: bool,
    damaged: Vec<Damage>,
}

impl Seen {
    fn block(&mut self, head: &BlockHead) {
        self.is_sealed |= head.coding == BlockCoding::Sealed;
        if head.kind != BlockKind::Exchanges {
            return;
        }
        self.exchanges += u64::from(head.exchanges);
        self.plain_bytes += u64::from(head.plain);
        self.from = Some(self.from.map_or(head.from, |from| from.min(head.from)));
        self.to = self.to.max(Some(head.to));
    }

    fn damage(&mut self, error: &RecordingError) {
        let at = match error {
            RecordingError::Damaged { at, .. }
            | RecordingError::TooLarge { at, .. }
            | RecordingError::Unsealing { at, .. } => *at,
            _ => 0,
        };
        if self.damaged.len() < MAX_DAMAGES {
            self.damaged.push(Damage {
                at,
                what: error.to_string(),
                exchanges: error.lost_exchanges(),
            });
        }
    }
}

/// Whether the index that was written says what the exchanges say, and the routes.
fn indexed(
    reader: &mut OpenRecording,
    is_damaged: bool,
) -> Result<(&'static str, BTreeMap<String, u64>), RecordingError> {
    let stored = RecordingIndex::stored(reader)?;
    let rebuilt = RecordingIndex::rebuilt(reader)?;
    let state = match &stored {
        None => "missing",
        // It names what is lost, too.
        Some(stored) if is_damaged || *stored == rebuilt => "stored",
        Some(_) => "wrong",
    };
    let mut routes = BTreeMap::new();
    for (route, count) in rebuilt.blocks.into_iter().flat_map(|block| block.routes) {
        *routes.entry(route).or_default() += u64::from(count);
    }
    Ok((state, routes))
}

fn time(at: Timestamp) -> String {
    let at = UNIX_EPOCH + Duration::from_nanos(at.0);
    humantime::format_rfc3339_millis(at).to_string()
}

/// One line for a whole recording, and one more for each damage.
fn verdict(text: &mut String, summary: &Summary) {
    let word = match summary.is_whole {
        true => "whole",
        false => "damaged",
    };
    let ends = match summary.ends {
        "ended" => String::new(),
        "torn" => format!(", the last {} bytes are torn", summary.torn_bytes),
        _ => ", not ended by its writer".into(),
    };
    let index = match summary.index {
        "wrong" => ", its index does not say what is in it",
        _ => "",
    };
    // A text grows.
    let _ = writeln!(
        text,
        "{}: {word}, {} exchanges{ends}{index}",
        printable(&summary.file.to_string_lossy()),
        summary.exchanges
    );
    for damage in &summary.damaged {
        let lost = match damage.exchanges {
            0 => String::new(),
            lost => format!(": {lost} exchanges are lost"),
        };
        let _ = writeln!(text, "  {}{lost}", damage.what);
    }
}

fn end(summary: &Summary) -> &'static str {
    match summary.ends {
        "ended" => "as its writer left it",
        "torn" => "torn",
        _ => "not written: its writer was killed, or still writes",
    }
}

fn shown(text: &mut String, summary: &Summary) {
    let metadata = summary.metadata.clone().unwrap_or_default();
    let times = match (&summary.from, &summary.to) {
        (Some(from), Some(to)) => format!("{from} to {to}"),
        _ => "none".into(),
    };
    let share = summary.bytes * 100 / summary.plain_bytes.max(1);
    let encrypted = match summary.encrypted {
        true => "yes",
        false => "no",
    };
    let redaction = match metadata.redaction.is_empty() {
        true => "credentials in headers".into(),
        false => metadata.redaction.join(", "),
    };
    let build = match metadata.build.as_str() {
        "" => String::new(),
        build => format!(", built from {build}"),
    };
    let mut rows = vec![
        ("exchanges", summary.exchanges.to_string()),
        ("times", times),
        (
            "bytes",
            format!("{} ({share} % of {})", summary.bytes, summary.plain_bytes),
        ),
        ("host", metadata.host),
        ("agent", format!("{}{build}", metadata.agent)),
        ("digest of the options", metadata.config_digest),
        ("hidden", redaction),
        (
            "snapshots",
            if metadata.with_snapshots {
                "recorded"
            } else {
                "not recorded"
            }
            .into(),
        ),
        ("encrypted", encrypted.into()),
        ("its end", end(summary).into()),
    ];
    // What nobody has said, as of a file that was converted.
    rows.retain(|(_, value)| !value.is_empty());
    if let Some(ledger) = &summary.ledger {
        let outcomes = ledger.outcomes.iter();
        let outcomes: Vec<_> = outcomes
            .map(|(name, count)| format!("{count} {name}"))
            .collect();
        rows.push((
            "ledger",
            format!("{} seen: {}", ledger.seen, outcomes.join(", ")),
        ));
    }
    let _ = writeln!(text, "{}", printable(&summary.file.to_string_lossy()));
    let rows = rows
        .into_iter()
        .map(|(name, value)| [name.to_owned(), value]);
    let columns = [("", Align::Left), ("", Align::Left)];
    text.push_str(&table(terminal_width(), columns, rows));
    let routes = summary.routes.iter();
    let routes = routes.map(|(route, count)| [number(count), route.clone()]);
    let columns = [("", Align::Right), ("", Align::Left)];
    text.push_str(&table(terminal_width(), columns, routes));
    text.push('\n');
}
