//! Where a fleet's requests and its state are: the URL of an engine.

use std::fmt;

use mirror_core::options::FromText;

#[cfg(feature = "kafka")]
use super::kafka;
use super::redis;
use crate::secret::SecretUrl;

/// An engine and a stream in it. One more engine is one more arm.
#[derive(Clone, Debug)]
pub enum EngineAddress {
    Redis(Box<redis::Address>),
    #[cfg(feature = "kafka")]
    Kafka(kafka::Address),
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
            let address = EngineAddress::Redis(redis::Address::parse(&url)?.into());
            return Ok(Self { url, address });
        }
        if let Some(address) = kafka_address(&url)? {
            return Ok(Self { url, address });
        }
        anyhow::bail!(
            "{url} is of no engine that is known: write redis://HOST/STREAM or kafka://BROKER/TOPIC"
        )
    }
}

#[cfg(feature = "kafka")]
fn kafka_address(url: &SecretUrl) -> anyhow::Result<Option<EngineAddress>> {
    if !kafka::Address::is_ours(url) {
        return Ok(None);
    }
    Ok(Some(EngineAddress::Kafka(kafka::Address::parse(url)?)))
}

#[cfg(not(feature = "kafka"))]
fn kafka_address(url: &SecretUrl) -> anyhow::Result<Option<EngineAddress>> {
    anyhow::ensure!(
        !url.expose().starts_with("kafka"),
        "{url}: this agent was built without Kafka: use the image, or build it with `cargo build --release -p mirror-agent --features kafka`, which needs g++, make, pkg-config and libssl-dev"
    );
    Ok(None)
}

impl fmt::Display for FleetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}
