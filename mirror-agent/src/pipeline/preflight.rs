//! What must hold of a target before anything is sent to it: it can be reached, and it is not production.

use std::net::{IpAddr, SocketAddr};

use anyhow::Context;

use crate::capture::net::links;
use crate::config::Config;
use crate::replay;

/// The addresses of the target, if there is one: it can be reached, and it is not production.
pub(super) async fn check_targets(config: &Config) -> anyhow::Result<Vec<SocketAddr>> {
    let addresses = resolve(config).await?;
    check_own(config, &addresses)?;
    reach(config).await?;
    Ok(addresses)
}

/// The target can be reached. That it is not production is for the user to know: nothing is captured.
pub(super) async fn reach_targets(config: &Config) -> anyhow::Result<()> {
    resolve(config).await?;
    reach(config).await
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

async fn reach(config: &Config) -> anyhow::Result<()> {
    let Some(target) = &config.replay.target else {
        return Ok(());
    };
    replay::probe(target, &config.replay)
        .await
        .with_context(|| {
            format!(
                "the target {target} cannot be reached: start the mirror first, or correct --target"
            )
        })
}

/// Refuses addresses that are this host's own on a captured port.
pub fn check_own(config: &Config, addresses: &[SocketAddr]) -> anyhow::Result<()> {
    config.refuse_own_target(addresses, &own_addresses(config)?)
}

/// Of all namespaces that are captured in, and our own.
pub(super) fn own_addresses(config: &Config) -> anyhow::Result<Vec<IpAddr>> {
    let mut own = links::addresses()?;
    for namespace in &config.capture.namespaces.list() {
        own.extend(namespace.run(links::addresses)?);
    }
    Ok(own)
}
