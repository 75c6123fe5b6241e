//! The commands that make files of traffic of files of traffic.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mirror_core::dissect::DissectLimits;
use mirror_core::filter::PortSet;
use mirror_core::identity::Identifier;
use mirror_core::options::FromText;
use mirror_core::policy::Policy;
use mirror_core::schedule::Speed;

use crate::config::Flags;
use crate::replay::Target;

#[derive(Args, Clone, Debug)]
pub struct Convert {
    /// Capture (pcap or pcapng), HTTP Archive or file of GoReplay, plain, gzip or zstd; - for standard input
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
        pub identity: Identifier,
        pub limits: DissectLimits,
    }
}

/// What a file of traffic is converted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ConvertTo {
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
            "har" => Self::Har,
            "gor" => Self::Gor,
            "sh" => Self::Curl,
            "js" => Self::K6,
            "json" => Self::Postman,
            _ => return None,
        })
    }
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
        check("a.har", Some(ConvertTo::Har));
        check("a.b.GOR.gz", Some(ConvertTo::Gor));
        check("shop.postman_collection.json", Some(ConvertTo::Postman));
        check("-", None);
        check("har", None);
        check("a.gz", None);
    }
}
