//! What must hold of a target before anything is sent to it: it can be reached, and it is not production.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use anyhow::{Context, anyhow};
use tokio::{net::TcpStream, time::timeout};

use crate::capture::net::links;
use crate::config::Config;

const REACH_TIMEOUT: Duration = Duration::from_secs(3);

/// The addresses of the target, if there is one: it can be reached, and it is not production.
pub(super) async fn check_targets(config: &Config) -> anyhow::Result<Vec<SocketAddr>> {
    let addresses = resolve(config).await?;
    check_own(config, &addresses)?;
    reach_all(config, &addresses).await?;
    Ok(addresses)
}

/// The target can be reached. That it is not production is for the user to know: nothing is captured.
pub(super) async fn reach_targets(config: &Config) -> anyhow::Result<()> {
    reach_all(config, &resolve(config).await?).await
}

async fn resolve(config: &Config) -> anyhow::Result<Vec<SocketAddr>> {
    let Some(target) = &config.replay.target else {
        return Ok(Vec::new());
    };
    target
        .resolve()
        .await
        .with_context(|| format!("resolving the target {target}"))
}

async fn reach_all(config: &Config, addresses: &[SocketAddr]) -> anyhow::Result<()> {
    let Some(target) = &config.replay.target else {
        return Ok(());
    };
    reach(addresses).await.with_context(|| {
        format!(
            "the target {target} cannot be reached: start the mirror first, or correct --target"
        )
    })
}

/// Refuses addresses that are this host's own on a captured port.
pub fn check_own(config: &Config, addresses: &[SocketAddr]) -> anyhow::Result<()> {
    config.refuse_own_target(addresses, &own_addresses(config)?)
}

/// Connects to the first address that answers.
pub async fn reach(addresses: &[SocketAddr]) -> anyhow::Result<()> {
    let mut last = anyhow!("it has no address");
    for address in addresses {
        match timeout(REACH_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => last = anyhow!("{address}: {error}"),
            Err(_) => last = anyhow!("{address}: no answer within {REACH_TIMEOUT:?}"),
        }
    }
    Err(last)
}

/// Of all namespaces that are captured in, and our own.
pub(super) fn own_addresses(config: &Config) -> anyhow::Result<Vec<IpAddr>> {
    let mut own = links::addresses()?;
    for namespace in &config.capture.namespaces.list() {
        own.extend(namespace.run(links::addresses)?);
    }
    Ok(own)
}
