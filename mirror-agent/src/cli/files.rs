//! The commands that make files of traffic of files of traffic.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use mirror_core::compare::CompareRule;
use mirror_core::dissect::DissectLimits;
use mirror_core::filter::PortSet;
use mirror_core::identity::Identifier;
use mirror_core::options::FromText;
use mirror_core::policy::{Policy, ReplayShare, Rule};
use mirror_core::schedule::{LaneKey, Order, Speed};
use mirror_core::time::Timestamp;

use super::RunsIn;
use crate::config::Flags;
use crate::replay::Target;
use crate::transport::file::Recipient;

#[derive(Args, Clone, Debug)]
pub struct Convert {
    /// Recording, capture (pcap or pcapng), HTTP Archive or file of GoReplay, plain, gzip or zstd; - for standard input
    #[arg(value_name = "IN")]
    pub input: PathBuf,
    /// File that is written, and must not be there yet; compressed if it ends in .gz; - for standard output
    #[arg(value_name = "OUT")]
    pub output: PathBuf,
    /// What is written [default: what the ending of OUT says]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub to: Option<ConvertTo>,
    /// Where the requests of a script go, unless it is told when it runs
    #[arg(long, value_name = "URL", value_parser = target)]
    pub target: Option<String>,
    /// How fast the time of IN goes by in a script for k6, unless it is told when it runs
    #[arg(long, value_name = "TIMES", default_value = "1", value_parser = Speed::from_text)]
    pub speed: Speed,
    /// Print what was read, written and left out as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub reading: Flags<ConvertOptions>,
}

mirror_core::options! {
    /// What of a file is read, and what of it may be written.
    #[derive(Clone, Debug)]
    pub struct ConvertOptions("What is read") {
        /// Port that is a server's, or a range; any port unless given (repeatable)
        #[option("port", "PORT")]
        pub ports: PortSet,
        pub policy: Policy,
        /// Whose requests keep their order: those of a `connection`, those of a session over all its connections, as in
        /// session:cookie:sid or session:header:x-user, or `none`. A recording says so already
        #[option("order", "WHAT", default = "connection")]
        pub order: Order,
        /// Encrypt the recording that is written to an age recipient, as in age1… (repeatable)
        #[option("encrypt-to", "RECIPIENT")]
        pub recipients: Vec<Recipient>,
        /// File with age keys, as age-keygen writes them: recordings are read with them, and encrypted to them
        #[option("recording-key-file", "FILE")]
        pub key_file: Option<PathBuf>,
        pub identity: Identifier,
        pub limits: DissectLimits,
    }
}

/// What a file of traffic is converted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ConvertTo {
    /// A recording: .mrec
    Mrec,
    /// HTTP Archive 1.2, which browsers open: .har
    Har,
    /// As GoReplay writes it, with production's answers: .gor
    Gor,
    /// A shell script with a command of curl for each request: .sh
    Curl,
    /// A script for k6, with times and checks of statuses: .js
    K6,
    /// A collection for Postman, version 2.1: .json
    Postman,
}

impl ConvertTo {
    /// By a file's name, whatever it is compressed by.
    pub fn of_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        let ending = name.rsplit_once('.')?.1;
        Some(match ending {
            "mrec" => Self::Mrec,
            "har" => Self::Har,
            "gor" => Self::Gor,
            "sh" => Self::Curl,
            "js" => Self::K6,
            "json" => Self::Postman,
            _ => return None,
        })
    }
}

#[derive(Args, Clone, Debug)]
pub struct Cut {
    /// Recording, or what becomes one: a capture, an HTTP Archive or a file of GoReplay; - for standard input
    #[arg(value_name = "IN")]
    pub input: PathBuf,
    /// Recording that is written, and must not be there yet; - for standard output
    #[arg(value_name = "OUT")]
    pub output: PathBuf,
    /// Print what was read, written and left out as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub selection: SelectionOptions,
    #[command(flatten)]
    pub pinning: PinOptions,
    #[command(flatten)]
    pub runs: RunsIn,
    #[command(flatten)]
    pub reading: Flags<ConvertOptions>,
}

/// What is expected of the answers.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "What is pinned")]
pub struct PinOptions {
    /// Expect production's answers from now on: `replay OUT` gives a verdict for each request
    #[arg(long)]
    pub pin: bool,
    /// What may differ all the same, as --compare-rule has it, as in 'GET /orders/* => ignore /at' (repeatable)
    #[arg(long, value_name = "RULE", requires = "pin", value_parser = CompareRule::from_text)]
    pub pin_rule: Vec<CompareRule>,
    /// Run whose noise says what varies: what `rules suggest` has for it is pinned too, but for intended changes
    #[arg(long, value_name = "RUN", requires = "pin")]
    pub pin_noise: Option<String>,
    /// What requests are called in the verdict, as in 'POST /orders => an order is taken'; the first that fits counts (repeatable)
    #[arg(long, value_name = "RULE => NAME", requires = "pin", value_parser = PinName::from_text)]
    pub pin_name: Vec<PinName>,
}

/// A name for the requests that a rule fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinName {
    pub rule: Rule,
    pub name: String,
}

impl FromText for PinName {
    fn from_text(text: &str) -> Result<Self, String> {
        let parts = text.rsplit_once("=>");
        let parts = parts.map(|(rule, name)| (rule.trim(), name.trim()));
        let named = parts.filter(|(_, name)| !name.is_empty());
        let (rule, name) =
            named.ok_or("use a rule and a name, as in 'POST /orders => an order is taken'")?;
        Ok(Self {
            rule: Rule::from_text(rule)?,
            name: name.into(),
        })
    }
}

/// Which exchanges are wanted.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "What is taken")]
pub struct SelectionOptions {
    /// Only requests from then on, as in 2026-11-27T14:00:00Z or +10m, ten minutes after the first one
    #[arg(long, value_name = "TIME", value_parser = Moment::from_text)]
    pub from: Option<Moment>,
    /// Only requests before
    #[arg(long, value_name = "TIME", value_parser = Moment::from_text)]
    pub until: Option<Moment>,
    /// Only requests that a rule fits, as in 'GET /orders/**' (repeatable)
    #[arg(long, value_name = "RULE", value_parser = Rule::from_text)]
    pub route: Vec<Rule>,
    /// Only requests that no such rule fits (repeatable)
    #[arg(long, value_name = "RULE", value_parser = Rule::from_text)]
    pub without: Vec<Rule>,
    /// Only the request with this id (repeatable)
    #[arg(long, value_name = "ID")]
    pub id: Vec<String>,
    /// Only the session or connection with this number: `lane` of `inspect --format json` (repeatable)
    #[arg(long, value_name = "LANE", value_parser = lane)]
    pub session: Vec<Session>,
    /// Only a share, the same in each recording, as in 5% or '5% by cookie:sid' (repeatable)
    #[arg(long, value_name = "SHARE", value_parser = ReplayShare::from_text)]
    pub share: Vec<ReplayShare>,
    /// Only the first N requests of each route
    #[arg(long, value_name = "N")]
    pub first: Option<u64>,
    /// Only the first request of each shape: route, names of the query, status, and the members of JSON in both bodies
    #[arg(long)]
    pub distinct: bool,
}

/// A session's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session(pub LaneKey);

/// A time, or a time after the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    At(Timestamp),
    After(Duration),
}

impl Moment {
    /// In a file that begins at `first`.
    pub fn after(self, first: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::After(time) => first.after(time),
        }
    }
}

impl FromText for Moment {
    fn from_text(text: &str) -> Result<Self, String> {
        let moment = match text.strip_prefix('+') {
            Some(time) => Duration::from_text(time).ok().map(Self::After),
            None => {
                let at = text.parse::<jiff::Timestamp>().ok();
                let nanos = at.and_then(|at| u64::try_from(at.as_nanosecond()).ok());
                nanos.map(Timestamp).map(Self::At)
            }
        };
        moment.ok_or_else(|| {
            "use a time as in 2026-11-27T14:00:00Z, or +10m for ten minutes after the first request"
                .into()
        })
    }
}

fn lane(text: &str) -> Result<Session, String> {
    let number = u64::from_str_radix(text, 16);
    let number = number.map_err(
        |_| "use the number that `inspect --format json` shows as lane, of 16 hexadecimal digits",
    );
    Ok(Session(LaneKey(number?)))
}

#[derive(Args, Clone, Debug)]
pub struct Merge {
    /// Recordings, or what becomes recordings: captures, HTTP Archives and files of GoReplay
    #[arg(value_name = "IN", required = true, num_args = 1..)]
    pub inputs: Vec<PathBuf>,
    /// Recording that is written, and must not be there yet; - for standard output
    #[arg(value_name = "OUT")]
    pub output: PathBuf,
    /// Print what was read, written and left out as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub reading: Flags<ConvertOptions>,
}

fn target(url: &str) -> Result<String, String> {
    Target::from_text(url)?;
    Ok(url.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_is_written() {
        let check = |name: &str, expect| assert_eq!(ConvertTo::of_name(name), expect, "{name}");
        check("a.mrec", Some(ConvertTo::Mrec));
        check("a.har", Some(ConvertTo::Har));
        check("a.b.GOR.gz", Some(ConvertTo::Gor));
        check("shop.postman_collection.json", Some(ConvertTo::Postman));
        check("-", None);
        check("har", None);
        check("a.gz", None);
    }

    #[test]
    fn a_moment_is_a_time_or_after_the_first() {
        let first = Timestamp(1_000_000_000);
        let check = |text: &str, expect: u64| {
            let moment = Moment::from_text(text).unwrap();
            assert_eq!(moment.after(first), Timestamp(expect), "{text}");
        };
        check("+1m", 61_000_000_000);
        check("1970-01-01T01:00:05.5+01:00", 5_500_000_000);
        for bad in ["", "10m", "+", "yesterday", "2026-11-27"] {
            assert!(
                Moment::from_text(bad).unwrap_err().contains("+10m"),
                "{bad}"
            );
        }
    }
}
