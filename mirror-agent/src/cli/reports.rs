//! The commands about runs that were kept.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Args, Clone, Debug)]
pub struct RunsIn {
    /// Folder that keeps runs [default: /var/lib/mirror-agent/runs for root, else ~/.local/state/mirror-agent/runs]
    #[arg(long, value_name = "DIR", env = "MIRROR_RUNS", hide_env = true)]
    pub runs: Option<PathBuf>,
}

/// What has a schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Document {
    /// report.json
    #[default]
    Report,
    /// What `status --json` prints
    Status,
}

/// How a finished report is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    #[default]
    Text,
    Json,
    /// GitHub-flavoured, short enough for a comment
    Markdown,
    /// XML, as build servers show tests
    Junit,
    /// The page, as report.html
    Html,
}

#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// Remove runs that have ended
    #[command(after_help = "\
Examples:
  mirror-agent runs rm 20261127T051821Z-shop
  mirror-agent runs rm --keep 20

A run is named as for `report`. With --keep, runs that go on are left alone.

Exit codes: 0 they are removed, 2 one of them is not.")]
    Rm {
        /// The runs
        #[arg(
            value_name = "RUN",
            required_unless_present = "keep",
            conflicts_with = "keep"
        )]
        names: Vec<String>,
        /// Keep only the COUNT newest runs
        #[arg(long, value_name = "COUNT")]
        keep: Option<usize>,
        /// Print the names of the removed ones as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        runs: RunsIn,
    },
}

#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// Suggest rules for what varies, is noted or is undecided in a run, each with its evidence
    #[command(after_help = "\
Examples:
  mirror-agent rules suggest /var/tmp/mirror
  mirror-agent rules suggest /var/tmp/mirror/report.json --json | jq -r '.[].rule'

Each rule stands after a line with its evidence. Choose, and give it to the next run as
--compare-rule, or in the list `compare-rule` of the file of --config:

  # 412 of 8,000 requests of GET /orders/{id}; varies in 31 of 64 repeats
  GET /orders/{id} => pattern [0-9]+ /sequence

A place that varies by nature is held to its form (`pattern`), taken in any order (`unordered`),
or left out (`ignore`). What only the new version shows becomes an intended change (`expect`),
whose absence then fails the run. Nothing is suggested for what failed it.

Exit codes: 0 the rules are printed, 2 the run cannot be read.")]
    Suggest {
        /// The run, as `report` takes it, or its report.json
        run: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        runs: RunsIn,
    },
}
