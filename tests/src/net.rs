//! Three hosts on one switch, each a network namespace, with nothing of the machine's own network:
//!
//! ```text
//! client 10.77.0.1, fd77::1 ──┐
//! production .2, ::2 ─────────┤ br0 in a namespace of its own
//! mirror .3, ::3 ─────────────┘
//! ```
//!
//! Every namespace is named after the process that made it, so that those of a process that was
//! killed can be told from those in use, and are removed by the next run.

use std::fs::File;
use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// The name of every host's only interface.
pub const INTERFACE: &str = "eth0";

const PREFIX: &str = "mirror";

/// Held while a network is made, and for good by [`remove_mine`].
static MAKING: Mutex<()> = Mutex::new(());

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    Client,
    Production,
    Mirror,
}

impl Host {
    pub const ALL: [Self; 3] = [Self::Client, Self::Production, Self::Mirror];

    pub fn address(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, 0, self as u8 + 1)
    }

    pub fn address_v6(self) -> Ipv6Addr {
        Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, self as u16 + 1)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Production => "prod",
            Self::Mirror => "mirror",
        }
    }
}

#[derive(Debug)]
pub struct Network {
    number: u32,
}

impl Network {
    pub fn new() -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        remove_stale();
        let making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
        // Built before it is filled, so that a failure half-way is cleaned up by Drop.
        let network = Self {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
        };
        let hub = network.named("hub");
        ip(&["netns", "add", &hub])?;
        ip(&["-n", &hub, "link", "add", "br0", "type", "bridge"])?;
        ip(&["-n", &hub, "link", "set", "br0", "up"])?;
        for host in Host::ALL {
            network.plug_in(host, &hub)?;
        }
        drop(making);
        Ok(network)
    }

    pub fn namespace(&self, host: Host) -> String {
        self.named(host.name())
    }

    /// A command that runs `program` on `host` and dies with the thread that started it.
    pub fn command(&self, host: Host, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.namespace(host)])
            .args(["setpriv", "--pdeathsig", "KILL"])
            .arg(program.as_ref());
        command
    }

    /// Runs `work` on `host`, on a thread of its own because a namespace is entered by a thread.
    pub fn on<T: Send>(&self, host: Host, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        inside(&self.namespace(host), work)
    }

    /// The same on the switch, whose end of each host's wire is [`Network::port_of`] it.
    pub fn on_switch<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        inside(&self.named("hub"), work)
    }

    pub fn port_of(host: Host) -> String {
        format!("v-{}", host.name())
    }

    fn plug_in(&self, host: Host, hub: &str) -> Result<()> {
        let namespace = self.namespace(host);
        let port = Self::port_of(host);
        let address = format!("{}/24", host.address());
        let address_v6 = format!("{}/64", host.address_v6());
        ip(&["netns", "add", &namespace])?;
        ip(&["-n", &namespace, "link", "set", "lo", "up"])?;
        ip(&[
            "-n", hub, "link", "add", &port, "type", "veth", "peer", "name", INTERFACE, "netns",
            &namespace,
        ])?;
        ip(&["-n", hub, "link", "set", &port, "master", "br0", "up"])?;
        ip(&[
            "-n", &namespace, "address", "add", &address, "dev", INTERFACE,
        ])?;
        // Usable at once: no other host can have it, so nothing waits for that to be found out.
        ip(&[
            "-n",
            &namespace,
            "address",
            "add",
            &address_v6,
            "dev",
            INTERFACE,
            "nodad",
        ])?;
        ip(&["-n", &namespace, "link", "set", INTERFACE, "up"])
    }

    /// One more wire between client and production, with its own addresses; production's.
    pub fn add_wire(&self, name: &str) -> Result<Ipv4Addr> {
        let (client, production) = (
            self.namespace(Host::Client),
            self.namespace(Host::Production),
        );
        ip(&[
            "-n",
            &client,
            "link",
            "add",
            name,
            "type",
            "veth",
            "peer",
            "name",
            name,
            "netns",
            &production,
        ])?;
        for (namespace, address) in [(&client, "10.78.0.1/24"), (&production, "10.78.0.2/24")] {
            ip(&["-n", namespace, "address", "add", address, "dev", name])?;
            ip(&["-n", namespace, "link", "set", name, "up"])?;
        }
        Ok(Ipv4Addr::new(10, 78, 0, 2))
    }

    /// Lets hosts hand packets of IPv6 of up to so many bytes to their interfaces (BIG TCP).
    pub fn let_packets_grow_to(&self, bytes: u32) -> Result<()> {
        let size = bytes.to_string();
        let grow = |namespace: &str, interface: &str| {
            let sizes = ["gso_max_size", &size, "gro_max_size", &size];
            let link = ["-n", namespace, "link", "set", interface];
            ip(&[&link[..], &sizes[..]].concat())
        };
        for host in Host::ALL {
            grow(&self.namespace(host), INTERFACE)?;
            grow(&self.named("hub"), &Self::port_of(host))?;
        }
        Ok(())
    }

    pub fn remove_wire(&self, name: &str) -> Result<()> {
        ip(&["-n", &self.namespace(Host::Client), "link", "delete", name])
    }

    /// Wires on production's host that lead nowhere, all at once: `prefix0`, `prefix1`, …
    pub fn add_loose_wires(&self, prefix: &str, count: usize) -> Result<()> {
        let add = |n| format!("link add {prefix}{n} up type veth peer name loose{n}\n");
        self.batch(&(0..count).map(add).collect::<String>())
    }

    pub fn remove_loose_wires(&self, prefix: &str, count: usize) -> Result<()> {
        let delete = |n| format!("link delete {prefix}{n}\n");
        self.batch(&(0..count).map(delete).collect::<String>())
    }

    fn batch(&self, lines: &str) -> Result<()> {
        let mut child = Command::new("ip")
            .args(["-n", &self.namespace(Host::Production), "-batch", "-"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("running ip (package iproute2)")?;
        let mut input = child.stdin.take().context("a pipe to ip")?;
        input.write_all(lines.as_bytes()).context("writing to ip")?;
        drop(input);
        let output = child.wait_with_output().context("waiting for ip")?;
        if !output.status.success() {
            bail!("ip: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }

    fn named(&self, name: &str) -> String {
        format!("{PREFIX}-{}-{}-{name}", std::process::id(), self.number)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let mine = format!("{PREFIX}-{}-{}-", std::process::id(), self.number);
        remove_where(|name| name.starts_with(&mine));
    }
}

fn inside<T: Send>(namespace: &str, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let path = format!("/run/netns/{namespace}");
    let entered = || {
        let namespace = File::open(&path).with_context(|| format!("opening {path}"))?;
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
            .with_context(|| format!("entering {path}"))?;
        work()
    };
    std::thread::scope(|scope| scope.spawn(entered).join())
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Removes everything this process made, and ends what runs in it: for a handler of Ctrl-C, which
/// has no owner of the networks at hand. No network can be made after that.
pub fn remove_mine() {
    std::mem::forget(MAKING.lock());
    let mine = format!("{PREFIX}-{}-", std::process::id());
    remove_where(|name| name.starts_with(&mine));
}

/// Removes what processes left that were killed before they could.
pub fn remove_stale() {
    remove_where(|name| {
        maker(name).is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists())
    });
}

/// The process that made a namespace; None when it is none of ours.
fn maker(namespace: &str) -> Option<u32> {
    let mut parts = namespace
        .strip_prefix(PREFIX)?
        .strip_prefix('-')?
        .split('-');
    let pid = parts.next()?.parse().ok()?;
    parts.next()?.parse::<u32>().ok()?;
    Some(pid)
}

fn remove_where(matches: impl Fn(&str) -> bool) {
    let Ok(entries) = std::fs::read_dir("/run/netns") else {
        return;
    };
    let names = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    for name in names.filter(|name| matches(name)) {
        end_processes_in(&name);
        // It may be gone already: another thread of this process cleans up the same way.
        let _ = Command::new("ip").args(["netns", "delete", &name]).output();
    }
}

fn end_processes_in(namespace: &str) {
    let Ok(output) = Command::new("ip")
        .args(["netns", "pids", namespace])
        .output()
    else {
        return;
    };
    for pid in String::from_utf8_lossy(&output.stdout).split_whitespace() {
        if let Some(pid) = pid.parse().ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

fn ip(args: &[&str]) -> Result<()> {
    let output = Command::new("ip")
        .args(args)
        .output()
        .context("running ip (package iproute2)")?;
    if !output.status.success() {
        bail!(
            "ip {}: {}",
            args.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_namespaces_of_ours_have_a_maker() {
        let check = |name: &str, pid: Option<u32>| assert_eq!(maker(name), pid, "{name}");
        check("mirror-17-0-client", Some(17));
        check("mirror-cluster", None);
        check("mirror-17-client", None);
        check("other-17-0-client", None);
    }

    #[test]
    fn hosts_have_addresses_in_order() {
        assert_eq!(Host::Client.address(), Ipv4Addr::new(10, 77, 0, 1));
        assert_eq!(Host::Mirror.address(), Ipv4Addr::new(10, 77, 0, 3));
    }
}
