//! The exchanges of a file of traffic: a file for each way of showing them.

mod follow;
mod har;
mod json;
mod output;
mod selection;
mod summary;
mod table;

use std::process::ExitCode;

use anyhow::ensure;
use mirror_agent::cli::Format;
use mirror_agent::cli::{Inspect, InspectOptions};
use mirror_agent::printable::printable_json;
use mirror_agent::traffic::{Step, Traffic, TrafficFile};
use mirror_agent::transport::file::RecordingKeys;
use mirror_core::dissect::DissectLimits;
use mirror_core::exchange::Exchange;
use mirror_core::identity::Identifier;
use mirror_core::options::Options;
use mirror_core::policy::Policy;
use mirror_core::schedule::LaneKey;
use mirror_snapshot::RequestId;

use follow::Follow;
use har::Har;
use json::Json;
use output::Output;
use selection::Selection;
use summary::Summary;
use table::Table;

use crate::terminal;

const DAMAGED: u8 = 3;

/// A way of showing exchanges, as text that is appended to what is printed next.
trait Show {
    fn begin(&mut self, _out: &mut String) {}
    fn exchange(&mut self, exchange: &Exchange, known: &Known, out: &mut String);
    fn end(&mut self, _out: &mut String) {}
}

/// What rules and policy say of an exchange.
struct Known {
    id: Option<String>,
    /// Whose order it keeps, where a recording says so.
    lane: Option<LaneKey>,
    /// What `run` would do with it.
    outcome: &'static str,
}

struct Judge {
    identifier: Identifier,
    policy: Policy,
}

impl Judge {
    /// What was recorded keeps the ids that it had before it was redacted.
    fn judge(&self, traffic: &Traffic) -> Known {
        let exchange = traffic.exchange();
        let candidates = match traffic {
            Traffic::Captured(_) => self.identifier.identify(exchange).candidates,
            Traffic::Recorded(recorded) => recorded.envelope.identity().candidates.clone(),
        };
        Known {
            lane: match traffic {
                Traffic::Captured(_) => None,
                Traffic::Recorded(recorded) => recorded.envelope.lane(),
            },
            id: candidates.ids.first().map(RequestId::to_string),
            outcome: match self.policy.judge(exchange) {
                Ok(_) => "replayable",
                Err(refusal) => refusal.outcome.name(),
            },
        }
    }
}

pub(crate) fn inspect(options: &Inspect) -> anyhow::Result<ExitCode> {
    let reading = InspectOptions::read(&options.reading.given)?;
    let judge = Judge {
        identifier: Identifier {
            rules: reading.rules,
            ..Identifier::default()
        },
        policy: Policy::allowing(reading.allow),
    };
    let selection = Selection::new(options)?;
    ensure!(
        !options.summary || !matches!(options.format, Format::Har),
        "--summary has no HAR: leave one of the two out"
    );
    let limits = DissectLimits {
        ports: reading.ports,
        tunnels: options.tunnels,
        ..reading.limits
    };
    let keys = RecordingKeys::new(&[], reading.key_file.as_deref())?;
    let mut file = TrafficFile::open_with(&options.file, limits, keys.unseal())?;
    let mut output = Output::new(file.progress());
    let mut show = shown(options);
    let mut summary = Summary::default();

    show.begin(&mut output.text);
    loop {
        match file.step() {
            Step::Traffic(traffic) if selection.takes(traffic.exchange()) => {
                let (exchange, known) = (traffic.exchange(), judge.judge(&traffic));
                summary.add(exchange, &known);
                show.exchange(exchange, &known, &mut output.text);
            }
            Step::Traffic(_) | Step::More => {}
            Step::End => break,
        }
        output.flush_some()?;
    }
    show.end(&mut output.text);
    let counts = summary.counts(&file);
    match options.format {
        Format::Json if options.summary => {
            output.text += &printable_json(&serde_json::to_string_pretty(&counts)?);
            output.text.push('\n');
        }
        Format::Table if options.follow.is_none() => {
            summary::text(&counts, output::width(), &mut output.text)
        }
        _ => {}
    }
    output.finish()?;
    match file.damage() {
        None => Ok(ExitCode::SUCCESS),
        Some(error) => {
            terminal::note(&format!(
                "warning: {}: {error:#}; what stands before is shown",
                options.file.display()
            ));
            Ok(ExitCode::from(DAMAGED))
        }
    }
}

fn shown(options: &Inspect) -> Box<dyn Show> {
    match options.format {
        _ if options.summary => Box::new(Nothing),
        Format::Table => match options.follow {
            Some(connection) => Box::new(Follow::new(connection)),
            None => Box::new(Table::new(output::width())),
        },
        Format::Json => Box::new(Json),
        Format::Har => Box::new(Har::default()),
    }
}

struct Nothing;

impl Show for Nothing {
    fn exchange(&mut self, _: &Exchange, _: &Known, _: &mut String) {}
}
