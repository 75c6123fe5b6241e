//! One HTTP request from a host, by curl: the harness is on none of the hosts itself.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::net::{Host, Network};
use crate::wait_until;

/// The status of a GET, and its body.
pub fn get(network: &Network, from: Host, url: &str) -> Result<(u16, String)> {
    let output = network
        .command(from, "curl")
        .args([
            "--silent",
            "--show-error",
            "--max-time",
            "5",
            "--write-out",
            "\n%{http_code}",
            url,
        ])
        .output()
        .context("running curl")?;
    if !output.status.success() {
        bail!(
            "GET {url}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let (body, status) = text
        .rsplit_once('\n')
        .context("curl writes the status last")?;
    Ok((
        status.parse().with_context(|| format!("status {status}"))?,
        body.to_owned(),
    ))
}

/// Waits until something on `host` listens at `address`, without sending anything that a count
/// of requests would include.
pub fn wait_listening(
    network: &Network,
    host: Host,
    address: SocketAddr,
    limit: Duration,
) -> Result<()> {
    let wanted = address.to_string();
    wait_until(&format!("listening on {address}"), limit, || {
        network
            .command(host, "ss")
            .args(["--listening", "--tcp", "--numeric", "--no-header"])
            .output()
            .is_ok_and(|output| {
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                text.split_whitespace().any(|word| word == wanted)
            })
    })
}
