//! Flags and configuration file → one valid [`Config`]. What is made here needs no second check.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use mirror_snapshot::IdRules;
use serde::Deserialize;

use crate::capture::attach::Hook;
use crate::capture::namespace::Namespace;
use crate::cli::Options;
use crate::gate::GateRules;
use crate::gate::TtlCare;
use crate::replay::Target;
use mirror_core::compare::CompareOptions;
use mirror_core::filter::FilterChange;
use mirror_core::filter::FilterSettings;
use mirror_core::policy::Policy;
use mirror_core::policy::Route;

pub const DEFAULT_SOCKET: &str = "/run/mirror-agent.sock";

/// The file's form: the names of the flags, and settings too rare for a flag.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct File {
    interface: Vec<String>,
    port: Vec<PortText>,
    allow_net: Vec<String>,
    deny_net: Vec<String>,
    sample: Option<String>,
    sample_seed: Option<u64>,
    hook: Option<Hook>,
    pid: Vec<u32>,
    netns: Vec<PathBuf>,
    ring_size: Option<String>,
    rings: Option<usize>,
    target: Option<String>,
    redis: Option<String>,
    report: Option<PathBuf>,
    allow: Vec<String>,
    rule: Vec<String>,
    #[serde(deserialize_with = "one_or_many")]
    on_missing: Vec<String>,
    no_snapshot: Vec<String>,
    mirror_redis: Option<String>,
    replica: Option<String>,
    ttl_care: Option<TtlCare>,
    compare_header: Vec<String>,
    ignore: Vec<String>,
    keep_header: Vec<String>,
    concurrency: Option<usize>,
    socket: Option<PathBuf>,
    metrics: Option<SocketAddr>,
    /// Seconds around the captured one in which production may have computed the id.
    skew_seconds: Option<u64>,
    snapshot_wait_ms: Option<u64>,
    snapshot_poll_ms: Option<u64>,
    snapshot_notify: bool,
    replay_timeout_ms: Option<u64>,
    drain_timeout_ms: Option<u64>,
    /// Exchanges that may wait for a snapshot or a replay; more are shed and counted.
    queue: Option<usize>,
    queue_bytes: Option<usize>,
    max_body: Option<usize>,
}

/// A text, or a list of texts.
fn one_or_many<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Texts {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Texts::deserialize(value)? {
        Texts::One(text) => vec![text],
        Texts::Many(texts) => texts,
    })
}

/// A port is a number to most, and a range cannot be one.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum PortText {
    Number(u16),
    Text(String),
}

impl From<PortText> for String {
    fn from(port: PortText) -> Self {
        match port {
            PortText::Number(number) => number.to_string(),
            PortText::Text(text) => text,
        }
    }
}

#[derive(Debug)]
pub struct Config {
    /// As typed, for reading the file again.
    pub flags: Options,
    pub interfaces: Vec<String>,
    pub filter: FilterSettings,
    pub hook: Hook,
    /// Where to capture, at least one.
    pub namespaces: Vec<Namespace>,
    /// Size of each ring.
    pub ring_bytes: u32,
    pub rings: usize,
    pub target: Option<Target>,
    pub concurrency: usize,
    pub replay_timeout: Duration,
    pub redis: Option<String>,
    pub rules: IdRules,
    pub skew_seconds: u64,
    pub snapshot_wait: Duration,
    pub snapshot_poll: Duration,
    pub snapshot_notify: bool,
    /// Where the mirror reads, if not in production's store.
    pub mirror_redis: Option<String>,
    /// A database replica to wait for.
    pub replica: Option<String>,
    pub gate: GateRules,
    pub ttl_care: TtlCare,
    pub policy: Policy,
    pub compare: CompareOptions,
    pub report: Option<PathBuf>,
    pub socket: PathBuf,
    /// Where metrics are answered, if anywhere.
    pub metrics: Option<SocketAddr>,
    pub queue: usize,
    pub queue_bytes: usize,
    /// Bytes of one body that are kept.
    pub max_body: usize,
    pub drain_timeout: Duration,
}

impl Config {
    /// Reads the file, lets the flags win, and checks all that can be checked without I/O.
    pub fn new(flags: Options) -> anyhow::Result<Self> {
        let typed = flags.clone();
        let file = flags
            .config
            .as_deref()
            .map(read)
            .transpose()?
            .unwrap_or_default();
        let ports: Vec<String> = file.port.into_iter().map(String::from).collect();
        let filter = FilterChange {
            port: either(flags.filter.port, ports),
            allow_net: either(flags.filter.allow_net, file.allow_net),
            deny_net: either(flags.filter.deny_net, file.deny_net),
            sample: flags.filter.sample.or(file.sample),
            sample_seed: flags.filter.sample_seed.or(file.sample_seed),
        };
        let rings = flags.rings.or(file.rings).unwrap_or_else(default_rings);
        ensure!(
            [1, 2, 4].contains(&rings),
            "--rings must be 1, 2 or 4: one ring is enough for some 100,000 requests a second"
        );
        let ring_size = flags.ring_size.or(file.ring_size);
        let millis = |value: Option<u64>, default| value.map_or(default, Duration::from_millis);
        let target = flags.target.or(file.target);
        let concurrency = flags.concurrency.or(file.concurrency).unwrap_or(64);
        ensure!(concurrency > 0, "--concurrency must be at least 1");
        let queue = file.queue.unwrap_or(20_000);
        ensure!(queue > 0, "queue must be at least 1");
        let snapshot_poll = millis(file.snapshot_poll_ms, mirror_snapshot::DEFAULT_POLL);
        ensure!(
            !snapshot_poll.is_zero(),
            "snapshot-poll-ms must be at least 1"
        );
        let mut compare = CompareOptions::default();
        let headers = either(flags.compare_header, file.compare_header);
        if !headers.is_empty() {
            compare.headers = headers;
        }
        compare.ignore = either(flags.ignore, file.ignore);
        Ok(Self {
            flags: typed,
            interfaces: either(flags.interface, file.interface),
            filter: filter.apply_to(FilterSettings::default())?,
            hook: flags.hook.or(file.hook).unwrap_or_default(),
            namespaces: namespaces(either(flags.pid, file.pid), either(flags.netns, file.netns)),
            ring_bytes: ring_size.map_or(Ok(64 << 20), |text| ring_bytes(&text))?,
            rings,
            target: target
                .as_deref()
                .map(Target::parse)
                .transpose()
                .context("--target")?,
            concurrency,
            replay_timeout: millis(file.replay_timeout_ms, Duration::from_secs(5)),
            redis: flags.redis.or(file.redis),
            rules: rules(&either(flags.rule, file.rule))?,
            skew_seconds: file.skew_seconds.unwrap_or(1),
            snapshot_wait: millis(file.snapshot_wait_ms, mirror_snapshot::DEFAULT_WAIT),
            snapshot_poll,
            snapshot_notify: flags.snapshot_notify || file.snapshot_notify,
            mirror_redis: flags.mirror_redis.or(file.mirror_redis),
            replica: flags.replica.or(file.replica),
            gate: GateRules::parse(
                &either(flags.on_missing, file.on_missing),
                &either(flags.no_snapshot, file.no_snapshot),
            )?,
            ttl_care: flags.ttl_care.or(file.ttl_care).unwrap_or_default(),
            policy: Policy {
                allow: routes(&either(flags.allow, file.allow))?,
                keep_headers: either(flags.keep_header, file.keep_header),
            },
            compare,
            report: flags.report.or(file.report),
            metrics: flags.metrics.or(file.metrics),
            socket: flags
                .socket
                .or(file.socket)
                .unwrap_or_else(|| DEFAULT_SOCKET.into()),
            queue,
            queue_bytes: file.queue_bytes.unwrap_or(256 << 20),
            max_body: file.max_body.unwrap_or(1 << 20),
            drain_timeout: millis(file.drain_timeout_ms, Duration::from_secs(10)),
        })
    }

    /// What a capture needs and `doctor` does not.
    pub fn require_capture(&self) -> anyhow::Result<()> {
        ensure!(
            !self.interfaces.is_empty() || self.hook == Hook::Cgroup,
            "no interface to capture on: add --interface NAME (`ip link` lists them), or --hook cgroup for all sockets of this host"
        );
        ensure!(
            self.interfaces.is_empty() || self.hook != Hook::Cgroup,
            "--hook cgroup sees all sockets of this host and knows no interfaces: leave out --interface"
        );
        ensure!(
            !self.filter.ports.is_empty(),
            "no port to capture: add --port N, the one that production serves HTTP on"
        );
        Ok(())
    }

    /// Refuses a target that is the service being captured: each replay would be load on production.
    pub fn refuse_own_target(&self, target: &[SocketAddr], own: &[IpAddr]) -> anyhow::Result<()> {
        for address in target {
            let here = address.ip().is_loopback() || own.contains(&address.ip());
            if here && self.filter.ports.contains(address.port()) {
                bail!(
                    "the target {address} is the captured service itself: replaying to it would double production's load. Give --target the mirror's address"
                );
            }
        }
        Ok(())
    }
}

fn read(path: &Path) -> anyhow::Result<File> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("reading the configuration file {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("in the configuration file {}", path.display()))
}

fn namespaces(pids: Vec<u32>, names: Vec<PathBuf>) -> Vec<Namespace> {
    let pids = pids.into_iter().map(Namespace::Process);
    let names = names.into_iter().map(Namespace::Named);
    let named: Vec<_> = pids.chain(names).collect();
    if named.is_empty() {
        vec![Namespace::Own]
    } else {
        named
    }
}

/// A reader keeps up with what several CPUs serve.
fn default_rings() -> usize {
    match std::thread::available_parallelism().map_or(1, usize::from) {
        0..4 => 1,
        4..16 => 2,
        _ => 4,
    }
}

/// Bytes as in `67108864`, `64M` or `64MiB`: a power of two, as the kernel wants it.
fn ring_bytes(text: &str) -> anyhow::Result<u32> {
    const SMALLEST: u32 = 256 << 10;
    const LARGEST: u32 = 1 << 30;
    let upper = text.trim().to_ascii_uppercase();
    let number = upper.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match upper[number.len()..]
        .trim_end_matches("IB")
        .trim_end_matches('B')
    {
        "" => Some(1),
        "K" => Some(1 << 10),
        "M" => Some(1 << 20),
        "G" => Some(1 << 30),
        _ => None,
    };
    let bytes = unit.zip(number.trim().parse::<u32>().ok());
    let bytes = bytes.and_then(|(unit, number)| number.checked_mul(unit));
    let bytes = bytes.with_context(|| {
        format!("`{text}` is no size of a ring: write a power of two as in 64M, at most 1G")
    })?;
    ensure!(
        (SMALLEST..=LARGEST).contains(&bytes),
        "a ring of {text} cannot be: it takes 256K to 1G"
    );
    ensure!(
        bytes.is_power_of_two(),
        "a ring's size is a power of two: take {} or {}",
        (bytes.next_power_of_two()) / 2,
        bytes.next_power_of_two()
    );
    Ok(bytes)
}

fn either<T>(flags: Vec<T>, file: Vec<T>) -> Vec<T> {
    if flags.is_empty() { file } else { flags }
}

/// The id rules; a request header first where none is given, as most services have one.
pub fn rules(texts: &[String]) -> anyhow::Result<IdRules> {
    if texts.is_empty() {
        return Ok(IdRules::parse(&["header:x-request-id"])?);
    }
    IdRules::parse(texts).context("in the rules for the request id")
}

/// Routes as typed.
pub fn routes(texts: &[String]) -> anyhow::Result<Vec<Route>> {
    texts
        .iter()
        .map(|t| t.parse().context("in --allow"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::FilterOptions;

    fn flags() -> Options {
        Options {
            interface: vec!["eth0".into()],
            filter: FilterOptions {
                port: vec!["8080".into()],
                ..FilterOptions::default()
            },
            target: Some("http://127.0.0.1:8080".into()),
            ..Options::default()
        }
    }

    fn refused(options: Options) -> String {
        format!("{:#}", Config::new(options).unwrap_err())
    }

    #[test]
    fn what_is_wrong_is_named_with_its_remedy() {
        let cases = [
            (
                Options {
                    filter: FilterOptions {
                        port: vec!["0".into()],
                        ..FilterOptions::default()
                    },
                    ..flags()
                },
                "from 1 to 65535",
            ),
            (
                Options {
                    rule: vec!["cookies".into()],
                    ..flags()
                },
                "cookies",
            ),
            (
                Options {
                    allow: vec!["orders".into()],
                    ..flags()
                },
                "for example",
            ),
            (
                Options {
                    target: Some("mirror".into()),
                    ..flags()
                },
                "http://",
            ),
            (
                Options {
                    ring_size: Some("48M".into()),
                    ..flags()
                },
                "33554432 or 67108864",
            ),
        ];
        for (options, expect) in cases {
            let message = refused(options);
            assert!(message.contains(expect), "{message}");
        }
    }

    #[test]
    fn a_target_on_this_host_and_a_captured_port_is_production() {
        let config = Config::new(flags()).unwrap();
        let own: IpAddr = "10.0.0.7".parse().unwrap();
        let check = |target: &str| config.refuse_own_target(&[target.parse().unwrap()], &[own]);
        assert!(check("127.0.0.1:8080").is_err());
        assert!(check("10.0.0.7:8080").is_err());
        assert!(check("10.0.0.7:9090").is_ok());
        assert!(check("10.0.0.8:8080").is_ok());
    }

    #[test]
    fn the_file_is_read_strictly_and_the_flags_win() {
        let parsed: File = toml::from_str("port = [1, \"2-3\"]\nskew-seconds = 2").unwrap();
        assert_eq!(parsed.skew_seconds, Some(2));
        assert!(toml::from_str::<File>("prot = [1]").is_err());
        let ports: Vec<String> = parsed.port.into_iter().map(String::from).collect();
        assert_eq!(ports, ["1", "2-3"]);
        assert_eq!(either(vec!["8080".into()], ports), ["8080"]);
    }
}
