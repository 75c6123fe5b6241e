//! One HTTP request from a host, by curl: the harness is on none of the hosts itself.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::net::{Host, Network};
use crate::wait_until;

/// The status of a GET, and its body.
pub fn get(network: &Network, from: Host, url: &str) -> Result<(u16, String)> {
    ask(network, from, &[], url)
}

/// The same with options of curl, which make it another request.
pub fn ask(network: &Network, from: Host, options: &[&str], url: &str) -> Result<(u16, String)> {
    let output = network
        .command(from, "curl")
        .args([
            "--silent",
            "--show-error",
            "--max-time",
            "5",
            "--write-out",
            "\n%{http_code}",
        ])
        .args(options)
        .arg(url)
        .output()
        .context("running curl")?;
    if !output.status.success() {
        bail!(
            "asking {url}: {}",
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
    wait_until(&format!("listening on {address}"), limit, || {
        is_listening(network, host, address)
    })
}

pub fn is_listening(network: &Network, host: Host, address: SocketAddr) -> bool {
    let wanted = address.to_string();
    network
        .command(host, "ss")
        .args(["--listening", "--tcp", "--numeric", "--no-header"])
        .output()
        .is_ok_and(|output| {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.split_whitespace().any(|word| is_it(word, &wanted))
        })
}

/// A JVM's sockets are of IPv6, and show IPv4 as mapped into it.
fn is_it(word: &str, wanted: &str) -> bool {
    let plain = word
        .strip_prefix("[::ffff:")
        .and_then(|rest| rest.split_once("]:"));
    plain.map_or(word == wanted, |(ip, port)| {
        format!("{ip}:{port}") == wanted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_address_is_the_plain_one() {
        let check = |word: &str, expect| assert_eq!(is_it(word, "10.77.0.2:80"), expect, "{word}");
        check("10.77.0.2:80", true);
        check("[::ffff:10.77.0.2]:80", true);
        check("[::ffff:10.77.0.2]:8080", false);
        check("0.0.0.0:80", false);
    }
}
