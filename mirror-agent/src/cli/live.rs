//! The options of a run, and how one that goes on is reached.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use mirror_core::options::FromText;

use crate::config::{Config, Flags, Sources};
use crate::control::ControlOptions;
use crate::web::WebUrl;

fn default_socket() -> std::ffi::OsString {
    ControlOptions::default().socket.into()
}

#[derive(Args, Clone, Debug)]
pub struct Socket {
    /// Where the agent listens
    #[arg(long, value_name = "PATH", env = "MIRROR_SOCKET", hide_env = true, default_value = default_socket())]
    pub socket: PathBuf,
}

/// The options of a run: declared by the stages, read by `config`.
#[derive(Args, Clone, Debug)]
pub struct RunOptions {
    /// Configuration file (TOML), with the names of these options as keys [default: not set]
    #[arg(long, value_name = "FILE", env = "MIRROR_CONFIG", hide_env = true)]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub flags: Flags<Config>,
}

impl RunOptions {
    pub fn sources(self) -> Sources {
        Sources::new(self.flags.given, self.config)
    }
}

#[derive(Args, Clone, Debug)]
pub struct Wait {
    /// What to wait for
    #[arg(long = "for", value_enum, default_value_t, value_name = "WHAT")]
    pub what: Awaited,
    /// Longest wait, as in 30m or 90s
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
    /// Admin side of an agent, perhaps on another host, to be asked in the place of the socket, as in https://host:9464
    #[arg(long, value_name = "URL", value_parser = web_url)]
    pub admin: Option<WebUrl>,
    /// File with the token that it asks for
    #[arg(long, value_name = "FILE", requires = "admin")]
    pub admin_token_file: Option<PathBuf>,
    /// File (PEM) with certificates that may have signed its own, beside the system's
    #[arg(long, value_name = "FILE", requires = "admin")]
    pub admin_ca: Option<PathBuf>,
    /// Print the decision as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub socket: Socket,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Awaited {
    /// A decision that is not HOLD
    #[default]
    Verdict,
    /// Until the agent captures
    Ready,
}

fn web_url(text: &str) -> Result<WebUrl, String> {
    WebUrl::from_text(text)
}
