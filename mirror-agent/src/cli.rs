//! The command line as typed. `config` turns it, with the configuration file, into what is valid.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{capture::attach::Hook, gate::TtlCare};

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

Exit codes: 0 no difference found, 1 differences found, 2 nothing was started, 3 the run failed.")]
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

Exit codes: 0 no difference found, 1 differences found, 2 no agent is running, 3 the run failed.")]
    Stop {
        /// Print the final report as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        socket: Socket,
    },
    /// Show what the running agent captures, or change it without a gap
    #[command(after_help = "\
Examples:
  mirror-agent filter
  mirror-agent filter --port 8080 --port 9000-9009 --sample 5%
  mirror-agent filter --deny-net 10.9.0.0/16 --allow-net none

What is not named stays as it is; `none` empties a list of networks.")]
    Filter {
        #[command(flatten)]
        filter: FilterOptions,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        socket: Socket,
    },
    /// Have the running agent read its configuration file again: filter and interfaces
    #[command(after_help = "\
Example:
  mirror-agent reload

When anything in the file is wrong, the agent says so and goes on as before.")]
    Reload {
        #[command(flatten)]
        socket: Socket,
    },
    /// List the HTTP exchanges in a capture file
    #[command(after_help = "\
Examples:
  mirror-agent inspect traffic.pcapng.zst
  mirror-agent inspect traffic.pcap --path '/cart/*' --status 5xx --follow 12
  mirror-agent inspect traffic.pcap --summary --format json | jq .routes
  mirror-agent inspect traffic.pcap --format har > traffic.har
  tcpdump -i eth0 -w - tcp port 8080 | mirror-agent inspect - --format json | jq .request.target

Filters of one kind widen, filters of several kinds narrow.

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
  mirror-agent doctor --interface eth0 --redis redis://10.0.0.5 --target http://mirror:8080
  mirror-agent doctor --fix")]
    Doctor {
        /// Remove the clsact filters that a killed agent left (Linux below 6.6)
        #[arg(long)]
        fix: bool,
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

/// What is captured.
#[derive(Args, Clone, Debug, Default)]
pub struct FilterOptions {
    /// Port that production serves HTTP on, or a range as in 8000-8099 (repeatable)
    #[arg(long, value_name = "PORT")]
    pub port: Vec<String>,
    /// Network that one end of a connection must be in, as in 10.0.0.0/8 (repeatable)
    #[arg(long, value_name = "NETWORK")]
    pub allow_net: Vec<String>,
    /// Network that no end of a connection may be in (repeatable)
    #[arg(long, value_name = "NETWORK")]
    pub deny_net: Vec<String>,
    /// Share of the connections to take, as in 5%: whole ones, and the same on every host
    #[arg(long, value_name = "SHARE")]
    pub sample: Option<String>,
    /// Number that chooses which connections the share is (0)
    #[arg(long, value_name = "N")]
    pub sample_seed: Option<u64>,
}

/// Every option can stand in the configuration file too, under the same name; the flag wins.
#[derive(Args, Clone, Debug, Default)]
pub struct Options {
    /// Interface to capture on, or a glob as in 'veth*' (repeatable)
    #[arg(long, value_name = "NAME")]
    pub interface: Vec<String>,
    #[command(flatten)]
    pub filter: FilterOptions,
    /// How to attach
    #[arg(long, value_enum)]
    pub hook: Option<Hook>,
    /// Process in whose network namespace to capture, as in a container's (repeatable)
    #[arg(long, value_name = "PID")]
    pub pid: Vec<u32>,
    /// Network namespace to capture in, by name or path (repeatable)
    #[arg(long, value_name = "NAME")]
    pub netns: Vec<PathBuf>,
    /// Size of each ring between kernel and agent, a power of two as in 64M (64M)
    #[arg(long, value_name = "BYTES")]
    pub ring_size: Option<String>,
    /// Rings, each with a thread that reads it: 1, 2 or 4 (by the number of CPUs)
    #[arg(long, value_name = "N")]
    pub rings: Option<usize>,
    /// Where to replay to; without it the agent only observes
    #[arg(long, value_name = "URL")]
    pub target: Option<String>,
    /// Store of the snapshots: redis://, rediss://, redis+sentinel://HOSTS/MASTER or redis+cluster://HOSTS, with
    /// ?prefix=; without it the snapshot gate is off
    #[arg(long, value_name = "URL", env = "MIRROR_REDIS", hide_env_values = true)]
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
    /// What to do with a request whose snapshot never came: skip, replay or fail, for a route as in
    /// 'POST /orders => fail' (repeatable; skip)
    #[arg(long, value_name = "WHAT")]
    pub on_missing: Vec<String>,
    /// Route whose answers need no snapshot, as in 'GET /static/**' (repeatable)
    #[arg(long, value_name = "ROUTE")]
    pub no_snapshot: Vec<String>,
    /// Store that the mirror reads, if not production's: snapshots are copied there
    #[arg(
        long,
        value_name = "URL",
        env = "MIRROR_TARGET_REDIS",
        hide_env_values = true
    )]
    pub mirror_redis: Option<String>,
    /// Be woken by the store's keyspace notifications too; it must have them switched on (K$)
    #[arg(long)]
    pub snapshot_notify: bool,
    /// PostgreSQL replica that the mirror reads: a request waits until it has replayed past production's position, which
    /// comes in the response header x-mirror-position, or in the snapshot
    #[arg(
        long,
        value_name = "URL",
        env = "MIRROR_REPLICA",
        hide_env_values = true
    )]
    pub replica: Option<String>,
    /// What to do for a snapshot that would not live until its replay (copy)
    #[arg(long, value_enum)]
    pub ttl_care: Option<TtlCare>,
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
    /// Address to answer GET /metrics on, for Prometheus, as in 127.0.0.1:9464
    #[arg(long, value_name = "ADDRESS")]
    pub metrics: Option<SocketAddr>,
}

#[derive(Args, Clone, Debug)]
pub struct Inspect {
    /// Capture file: pcap or pcapng, plain, gzip or zstd; - for standard input
    pub file: PathBuf,
    /// How to print the exchanges; json prints one object a line
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Only requests with this method (repeatable)
    #[arg(long, value_name = "METHOD")]
    pub method: Vec<String>,
    /// Only requests with this path, * for anything (repeatable)
    #[arg(long, value_name = "PATH")]
    pub path: Vec<String>,
    /// Only answers with this status, as in 404, 5xx or 200-299; none for no answer (repeatable)
    #[arg(long, value_name = "STATUS")]
    pub status: Vec<String>,
    /// Only requests to this host, * for anything (repeatable)
    #[arg(long, value_name = "HOST")]
    pub host: Vec<String>,
    /// Show the exchanges of one connection whole, by its number in the table
    #[arg(long, value_name = "CONN", conflicts_with_all = ["format", "summary"])]
    pub follow: Option<u64>,
    /// Show the summary only: routes, statuses, latencies, and what could not be read
    #[arg(long)]
    pub summary: bool,
    /// Look into VXLAN, Geneve, GRE, IP-in-IP and MPLS
    #[arg(long)]
    pub tunnels: bool,
    /// Port that is a server's, or a range (repeatable; any port unless given)
    #[arg(long, value_name = "PORT")]
    pub port: Vec<String>,
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
    /// HTTP Archive 1.2, which browsers' developer tools open
    Har,
}
