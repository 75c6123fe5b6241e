//! What must hold of a target before anything is sent to it: it can be reached, and it is not production.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use anyhow::{Context, anyhow};
use tokio::{net::TcpStream, time::timeout};

use crate::capture::net::links;
use crate::config::Config;
use crate::replay::Target;

const REACH_TIMEOUT: Duration = Duration::from_secs(3);

/// The addresses of all targets, and of the control: they can be reached, and they are not production.
pub(super) async fn check_targets(config: &Config) -> anyhow::Result<Vec<SocketAddr>> {
    let mut all = Vec::new();
    for (option, target) in config.replay.destinations() {
        let addresses = resolve(target).await?;
        check_own(config, &addresses)?;
        reach_target(option, target, &addresses).await?;
        all.extend(addresses);
    }
    Ok(all)
}

/// The targets can be reached. That they are not production is for the user to know: nothing is captured.
pub(super) async fn reach_targets(config: &Config) -> anyhow::Result<()> {
    for (option, target) in config.replay.destinations() {
        reach_target(option, target, &resolve(target).await?).await?;
    }
    Ok(())
}

async fn resolve(target: &Target) -> anyhow::Result<Vec<SocketAddr>> {
    let resolved = target.resolve().await;
    resolved.with_context(|| format!("resolving the target {target}"))
}

async fn reach_target(
    option: &str,
    target: &Target,
    addresses: &[SocketAddr],
) -> anyhow::Result<()> {
    reach(addresses).await.with_context(|| {
        format!(
            "the target {target} cannot be reached: start the mirror first, or correct {option}"
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
