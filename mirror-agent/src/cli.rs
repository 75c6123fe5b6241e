//! The command line as typed. `config` turns it, with the configuration file, into what is valid.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Mirrors production's HTTP traffic to a new version and tells whether it answers alike.
#[derive(Debug, Parser)]
#[command(name = "mirror-agent", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Capture, replay and compare in the foreground until SIGINT or SIGTERM
    #[command(after_help = "\
Example:
  mirror-agent run --interface eth0 --port 8080 --target http://mirror:8080 --report /var/tmp/mirror

Exit codes: 0 no difference found, 1 differences found, 2 nothing was started.")]
    Run(Options),
    /// Start `run` in the background; returns once capture is attached
    #[command(after_help = "\
Example:
  mirror-agent start --interface eth0 --port 8080 --target http://mirror:8080 --redis redis://10.0.0.5

Then `mirror-agent status` and `mirror-agent stop`. Its log is beside its socket, ending in .log.")]
    Start(Options),
    /// Show the ledger of the running agent
    #[command(after_help = "Example:\n  mirror-agent status --json | jq .ledger")]
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        socket: Socket,
    },
    /// Drain what is in flight, write the report, print the final ledger, end the agent
    #[command(after_help = "\
Example:
  mirror-agent stop

Exit codes: 0 no difference found, 1 differences found, 2 no agent is running.")]
    Stop {
        /// Print the final report as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        socket: Socket,
    },
    /// List the HTTP exchanges in a capture file
    #[command(after_help = "\
Example:
  mirror-agent inspect traffic.pcap --format json | jq .request.target

Exit codes: 0 the whole file was read, 2 it cannot be read, 3 it is damaged: what stands before the damage was shown.")]
    Inspect(Inspect),
    /// Print a finished report again
    #[command(after_help = "Example:\n  mirror-agent report /var/tmp/mirror")]
    Report {
        /// The directory given to `run --report`
        directory: PathBuf,
        /// Print report.json
        #[arg(long)]
        json: bool,
    },
    /// Check kernel, capabilities, interfaces, Redis and target, and say what to do
    #[command(after_help = "\
Example:
  mirror-agent doctor --interface eth0 --redis redis://10.0.0.5 --target http://mirror:8080")]
    Doctor {
        #[command(flatten)]
        options: Options,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args, Clone, Debug)]
pub struct Socket {
    /// Where the agent listens for status and stop
    #[arg(long, value_name = "PATH", default_value = crate::config::DEFAULT_SOCKET)]
    pub socket: PathBuf,
}

/// Every option can stand in the configuration file too, under the same name; the flag wins.
#[derive(Args, Clone, Debug, Default)]
pub struct Options {
    /// Interface to capture on (repeatable)
    #[arg(long, value_name = "NAME")]
    pub interface: Vec<String>,
    /// Port that production serves HTTP on (repeatable)
    #[arg(long, value_name = "PORT")]
    pub port: Vec<u16>,
    /// Where to replay to; without it the agent only observes
    #[arg(long, value_name = "URL")]
    pub target: Option<String>,
    /// Store of the snapshots; without it the snapshot gate is off
    #[arg(long, value_name = "URL")]
    pub redis: Option<String>,
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Directory for report.json and report.html
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Route with an unsafe method that may be replayed, as in 'POST /orders' (repeatable)
    #[arg(long, value_name = "ROUTE")]
    pub allow: Vec<String>,
    /// Rule for the request id, tried in order (repeatable), as in 'header:x-request-id'
    #[arg(long, value_name = "RULE")]
    pub rule: Vec<String>,
    /// What to do with a request whose snapshot never came
    #[arg(long, value_name = "WHAT")]
    pub on_missing: Option<OnMissing>,
    /// Response header to compare (repeatable; content-type unless given)
    #[arg(long, value_name = "NAME")]
    pub compare_header: Vec<String>,
    /// JSON pointer to leave out of the comparison, `*` for any step (repeatable)
    #[arg(long, value_name = "POINTER")]
    pub ignore: Vec<String>,
    /// Secret header that may go to the mirror, as in 'authorization' (repeatable)
    #[arg(long, value_name = "NAME")]
    pub keep_header: Vec<String>,
    /// Most replays at once (64)
    #[arg(long, value_name = "N")]
    pub concurrency: Option<usize>,
    /// Where to listen for status and stop
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum OnMissing {
    /// End it as `snapshot: missing`
    #[default]
    Skip,
    /// Replay it all the same; the report tells how many had no snapshot
    Replay,
}

#[derive(Args, Clone, Debug)]
pub struct Inspect {
    /// Capture file (pcap or pcapng)
    pub file: PathBuf,
    /// How to print the exchanges; json prints one object a line
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Port that is a server's (repeatable; any port unless given)
    #[arg(long, value_name = "PORT")]
    pub port: Vec<u16>,
    /// Rule for the request id (repeatable)
    #[arg(long, value_name = "RULE")]
    pub rule: Vec<String>,
    /// Route with an unsafe method that may be replayed (repeatable)
    #[arg(long, value_name = "ROUTE")]
    pub allow: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    #[default]
    Table,
    Json,
}
