//! Where a fleet's requests and its state are: the URL of an engine.

use std::fmt;

use mirror_core::options::FromText;

use super::redis;
use crate::secret::SecretUrl;

/// An engine and a stream in it. One more engine is one more arm.
#[derive(Clone, Debug)]
pub enum EngineAddress {
    Redis(redis::Address),
}

/// A URL that was given, and what it names. It shows no password.
#[derive(Clone, Debug)]
pub struct FleetUrl {
    url: SecretUrl,
    pub address: EngineAddress,
}

impl FleetUrl {
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let url = SecretUrl::from_text(text).map_err(anyhow::Error::msg)?;
        if redis::Address::is_ours(&url) {
            let address = EngineAddress::Redis(redis::Address::parse(&url)?);
            return Ok(Self { url, address });
        }
        anyhow::bail!("{url} is of no engine that is known: write redis://HOST/STREAM")
    }
}

impl fmt::Display for FleetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}
