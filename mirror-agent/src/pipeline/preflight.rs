//! What must hold of a target before anything is sent to it: it can be reached, and it is not production.

use std::net::{IpAddr, SocketAddr};

use anyhow::Context;

use crate::capture::net::links;
use crate::config::Config;
use crate::replay::{self, BuildSources, Target};
use mirror_core::verdict::Side;

/// The addresses of all targets, and of the control: they can be reached, and they are not production.
pub(super) async fn check_targets(config: &Config) -> anyhow::Result<Vec<SocketAddr>> {
    let mut all = Vec::new();
    for (option, target) in config.replay.destinations() {
        let addresses = resolve(target).await?;
        check_own(config, &addresses)?;
        reach_target(option, target, config).await?;
        all.extend(addresses);
    }
    Ok(all)
}

/// The targets can be reached. That they are not production is for the user to know: nothing is captured.
pub(super) async fn reach_targets(config: &Config) -> anyhow::Result<()> {
    for (option, target) in config.replay.destinations() {
        resolve(target).await?;
        reach_target(option, target, config).await?;
    }
    Ok(())
}

/// What the sides say that they run, where there are URLs to ask.
pub(super) async fn ask_builds(config: &Config) -> anyhow::Result<Vec<(Side, String)>> {
    let sources = BuildSources::new(&config.build_urls, &config.replay, &config.dissect, None)?;
    let answers = sources.ask().await.into_iter();
    answers.map(|(side, build)| Ok((side, build?))).collect()
}

async fn resolve(target: &Target) -> anyhow::Result<Vec<SocketAddr>> {
    let resolved = target.resolve().await;
    resolved.with_context(|| format!("resolving the target {target}"))
}

async fn reach_target(option: &str, target: &Target, config: &Config) -> anyhow::Result<()> {
    replay::probe(target, &config.replay)
        .await
        .with_context(|| {
            format!(
                "the target {target} cannot be reached: start the mirror first, or correct {option}"
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
