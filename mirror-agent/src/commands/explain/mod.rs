//! What `run` would do with the exchanges of a file: which rule decides, what is hidden, and what would be sent. Nothing is
//! sent, and nothing is shown that a report would not show.

mod edits;
mod shown;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Error};
use mirror_agent::cli::{Explain, ExplainOptions};
use mirror_agent::config::{keep_what_login_needs, read_key};
use mirror_agent::traffic::{Traffic, TrafficFile};
use mirror_agent::transport::file::RecordingKeys;
use mirror_core::dissect::DissectLimits;
use mirror_core::exchange::Exchange;
use mirror_core::identity::Identifier;
use mirror_core::options::Options;
use mirror_core::policy::Policy;

use crate::terminal;
use edits::Editor;

const DAMAGED: u8 = 3;

pub(crate) fn explain(options: &Explain) -> anyhow::Result<ExitCode> {
    let mut reading = ExplainOptions::read(&options.reading.given)?;
    read_key(&mut reading.policy)?;
    keep_what_login_needs(&mut reading.policy, &reading.credentials, &reading.carry)?;
    reading.policy.check().map_err(Error::msg)?;
    let mut explainer = Explainer {
        identifier: &reading.identity,
        policy: &reading.policy,
        editor: Editor::new(&reading),
        json: options.json,
        summary: options.summary.then(BTreeMap::new),
    };
    let limits = DissectLimits {
        ports: reading.ports.clone(),
        ..reading.limits.clone()
    };
    let keys = RecordingKeys::new(&[], reading.key_file.as_deref())?;
    let mut file = TrafficFile::open_with(&options.file, limits, keys.unseal())?;
    for traffic in file.by_ref() {
        explainer.traffic(&traffic)?;
    }
    explainer.end()?;
    let Some(error) = file.damage() else {
        return Ok(ExitCode::SUCCESS);
    };
    terminal::note(&format!(
        "warning: {}: {error:#}; what stands before is shown",
        options.file.display()
    ));
    Ok(ExitCode::from(DAMAGED))
}

struct Explainer<'o> {
    identifier: &'o Identifier,
    policy: &'o Policy,
    editor: Editor<'o>,
    json: bool,
    /// How many exchanges each rule decided, if only that is asked for.
    summary: Option<BTreeMap<String, u64>>,
}

impl Explainer<'_> {
    fn traffic(&mut self, traffic: &Traffic) -> anyhow::Result<()> {
        let redactor = self.policy.redactor();
        let heading = shown::Heading::new(redactor, traffic.exchange());
        let identify = |exchange: &Exchange| match traffic {
            Traffic::Captured(_) => self.identifier.identify(exchange),
            Traffic::Recorded(recorded) => recorded.envelope.identity().clone(),
        };
        let exchange = traffic.exchange().clone();
        let explanation = self.policy.explain(exchange, identify);
        let edited = explanation.sent.as_ref();
        let edited = edited.map(|envelope| self.editor.edited(envelope));
        let needs_snapshot = !self.policy.allow_unsnapshotted_writes;
        let decision = shown::decision(&explanation, needs_snapshot);
        if let Some(summary) = &mut self.summary {
            *summary.entry(decision).or_default() += 1;
            return Ok(());
        }
        print(&match self.json {
            true => shown::json(redactor, &heading, &explanation, edited.as_ref()),
            false => shown::text(redactor, &heading, &explanation, &decision, edited.as_ref()),
        })
    }

    fn end(&self) -> anyhow::Result<()> {
        let Some(summary) = &self.summary else {
            return Ok(());
        };
        if self.json {
            return terminal::print_json(summary);
        }
        let mut lines: Vec<_> = summary.iter().collect();
        lines.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let line = |(decision, count): (&String, &u64)| format!("{count:>8}  {decision}\n");
        terminal::print(&lines.into_iter().map(line).collect::<String>())
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).context("printing")
}
