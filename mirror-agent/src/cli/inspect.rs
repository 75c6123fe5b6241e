//! The commands that look into files of traffic.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mirror_core::dissect::DissectLimits;
use mirror_core::filter::PortSet;
use mirror_core::identity::Identifier;
use mirror_core::policy::{Policy, Rule};
use mirror_core::rewrite::Rewrite;
use mirror_core::session::CarryOptions;
use mirror_snapshot::IdRules;

use crate::config::Flags;
use crate::replay::CredentialOptions;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    #[default]
    Table,
    Json,
    /// HTTP Archive 1.2, which browsers' developer tools open
    Har,
}

#[derive(Args, Clone, Debug)]
pub struct Recordings {
    /// Recordings (*.mrec), or directories with recordings
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// File with age keys, for those that are encrypted
    #[arg(long, value_name = "FILE")]
    pub recording_key_file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Clone, Debug)]
pub struct Inspect {
    /// Recording, capture (pcap or pcapng), HTTP Archive or file of GoReplay, plain, gzip or zstd; - for standard input
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
    #[command(flatten)]
    pub reading: Flags<InspectOptions>,
}

mirror_core::options! {
    /// What of a file is read, and what `run` would make of it.
    #[derive(Clone, Debug)]
    pub struct InspectOptions("What is read") {
        /// Port that is a server's, or a range; any port unless given (repeatable)
        #[option("port", "PORT")]
        pub ports: PortSet,
        /// Rule for the request id, tried in order (repeatable)
        #[option("rule", "RULE", default = "header:x-request-id")]
        pub rules: IdRules,
        /// Requests with an unsafe method that may be replayed (repeatable)
        #[option("allow", "RULE")]
        pub allow: Vec<Rule>,
        /// File with age keys, as age-keygen writes them, for a recording that is encrypted
        #[option("recording-key-file", "FILE")]
        pub key_file: Option<PathBuf>,
        pub limits: DissectLimits,
    }
}

#[derive(Args, Clone, Debug)]
pub struct Explain {
    /// Recording, capture (pcap or pcapng), HTTP Archive or file of GoReplay, plain, gzip or zstd; - for standard input
    pub file: PathBuf,
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
    /// Only count the exchanges that each rule decides
    #[arg(long)]
    pub summary: bool,
    #[command(flatten)]
    pub reading: Flags<ExplainOptions>,
}

mirror_core::options! {
    /// What of a file is read, and the rules that it is held against.
    #[derive(Clone, Debug)]
    pub struct ExplainOptions("What is read") {
        /// Port that is a server's, or a range; any port unless given (repeatable)
        #[option("port", "PORT")]
        pub ports: PortSet,
        /// File with age keys, as age-keygen writes them, for a recording that is encrypted
        #[option("recording-key-file", "FILE")]
        pub key_file: Option<PathBuf>,
        pub policy: Policy,
        pub rewrite: Rewrite,
        pub credentials: CredentialOptions,
        pub carry: CarryOptions,
        pub identity: Identifier,
        pub limits: DissectLimits,
    }
}
