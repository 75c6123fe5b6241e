//! What was read and written, and what was left out by why.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use mirror_agent::printable::printable;
use mirror_agent::traffic::TrafficFile;
use mirror_core::policy::Refusal;
use mirror_core::recording::RecordingLedger;
use mirror_core::time::Timestamp;
use serde::Serialize;

use crate::terminal;

#[derive(Debug, Default, Serialize)]
pub(crate) struct Tally {
    pub(crate) read: u64,
    pub(crate) written: u64,
    /// By why; together with `written` it is `read`.
    left_out: BTreeMap<String, u64>,
    /// What is in no exchange.
    not_read: BTreeMap<&'static str, u64>,
    /// The rules that are pinned to each exchange, if anything is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pinned_rules: Option<Vec<String>>,
    /// What can be done about `left_out`.
    #[serde(skip)]
    meanings: BTreeMap<String, &'static str>,
}

impl Tally {
    pub(crate) fn refused(&mut self, refusal: &Refusal) {
        let name = refusal.outcome.name();
        let why = match &refusal.reason {
            Some(reason) => format!("{name}: {reason}"),
            None => {
                self.meanings.insert(name.into(), refusal.outcome.meaning());
                name.into()
            }
        };
        *self.left_out.entry(why).or_default() += 1;
    }

    pub(crate) fn left_out(&mut self, why: &str) {
        *self.left_out.entry(why.to_owned()).or_default() += 1;
    }

    /// Adds what the file holds beside exchanges.
    pub(crate) fn not_read(&mut self, file: &TrafficFile) {
        for (name, count) in file.left_out() {
            *self.not_read.entry(name).or_default() += count;
        }
    }

    /// As a recording's ledger.
    pub(crate) fn ledger(&self) -> RecordingLedger {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default();
        let mut outcomes = self.left_out.clone();
        outcomes.insert("recorded".into(), self.written);
        RecordingLedger {
            at: Timestamp(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)),
            seen: self.read,
            outcomes,
        }
    }

    /// Where the exchanges are on standard output, it is for standard error.
    pub(crate) fn print(&self, output: &Path, json: bool) -> anyhow::Result<()> {
        if json {
            return terminal::print_json(self);
        }
        let text = self.text(output);
        match output == Path::new("-") {
            true => terminal::note(text.trim_end()),
            false => terminal::print(&text)?,
        }
        Ok(())
    }

    fn text(&self, output: &Path) -> String {
        let Self { read, written, .. } = self;
        let mut text = format!(
            "exchanges read: {read}, written to {}: {written}\n",
            output.display()
        );
        for (why, count) in &self.left_out {
            let _ = write!(text, "{count:>8} left out: {}", printable(why));
            if let Some(meaning) = self.meanings.get(why) {
                let _ = write!(text, " ({meaning})");
            }
            text.push('\n');
        }
        for rule in self.pinned_rules.iter().flatten() {
            let _ = writeln!(text, "  pinned: {}", printable(rule));
        }
        for (name, count) in &self.not_read {
            let _ = writeln!(text, "{count:>8} not read: {}", name.replace('_', " "));
        }
        text
    }
}
