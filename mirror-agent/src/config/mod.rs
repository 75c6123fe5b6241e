//! Flags, environment and configuration file → the options of every stage. The flag wins, then the environment, then the
//! file, then the default.
//!
//! Each stage declares its options beside its code; nothing here knows one of them by name, but for the checks that
//! concern several stages.

mod environment;
mod file;
mod flags;
mod login;
mod sources;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Error, bail, ensure};
use mirror_core::{
    compare::CompareOptions,
    dissect::DissectLimits,
    identity::Identifier,
    noise::NoiseOptions,
    policy::Policy,
    rewrite::Rewrite,
    schedule::{Order, ScheduleOptions, Speed},
    session::CarryOptions,
    verdict::{BuildOptions, CacheOptions, VerdictPolicy},
};

use crate::capture::FileOptions;
use crate::capture::tc::{CaptureOptions, Hook};
use crate::control::ControlOptions;
use crate::gate::GateOptions;
use crate::otlp::OtlpOptions;
use crate::replay::{BuildUrls, CredentialOptions, ReplayOptions};
use crate::report::ReportOptions;
use crate::transport::file::RecordingOptions;
use crate::transport::{FleetOptions, FleetUrl, TransportOptions};

pub use flags::{Changes, Flags};
pub use login::keep_what_login_needs;
pub use sources::{Settings, Sources, read_key};

mirror_core::options! {
    /// The options of every stage.
    #[derive(Clone, Debug)]
    pub struct Config("") {
        pub capture: CaptureOptions,
        pub file: FileOptions,
        pub dissect: DissectLimits,
        pub identity: Identifier,
        pub policy: Policy,
        pub transport: TransportOptions,
        pub recording: RecordingOptions,
        pub fleet: FleetOptions,
        pub gate: GateOptions,
        pub schedule: ScheduleOptions,
        pub replay: ReplayOptions,
        pub rewrite: Rewrite,
        pub credentials: CredentialOptions,
        pub carry: CarryOptions,
        pub compare: CompareOptions,
        pub cache: CacheOptions,
        pub noise: NoiseOptions,
        pub verdict: VerdictPolicy,
        pub builds: BuildOptions,
        pub build_urls: BuildUrls,
        pub report: ReportOptions,
        pub control: ControlOptions,
        pub otlp: OtlpOptions,
    }
}

/// A side is not asked more often which build it runs.
const MIN_BUILD_INTERVAL: Duration = Duration::from_secs(1);

impl Config {
    /// What concerns several options, or more than the form of one.
    fn check(&self) -> anyhow::Result<()> {
        self.capture.filter.check()?;
        self.gate.check()?;
        self.policy.check().map_err(Error::msg)?;
        self.compare.check().map_err(Error::msg)?;
        self.verdict.check().map_err(Error::msg)?;
        self.fleet.check().map_err(Error::msg)?;
        for (name, url) in [("to", &self.fleet.to), ("from", &self.fleet.from)] {
            if let Some(url) = url {
                FleetUrl::parse(url.expose()).with_context(|| format!("invalid --{name}"))?;
            }
        }
        self.replay.check()?;
        self.credentials.check()?;
        self.control.check()?;
        self.otlp.check()?;
        self.recording.check()?;
        ensure!(
            self.replay.control.is_none() || self.replay.has_target(),
            "--control is the old version beside the mirror, and there is no mirror: add --target URL"
        );
        self.check_writes()?;
        ensure!(
            self.build_urls.interval >= MIN_BUILD_INTERVAL,
            "--build-interval {}: use 1s or more",
            humantime::format_duration(self.build_urls.interval)
        );
        ensure!(
            !self.carry.rules.is_on() || self.schedule.order != Order::None,
            "--carry learns from the answers to a client's earlier requests, and --order none does not wait for them: leave one of the two out"
        );
        let (body, room) = (self.dissect.max_body, self.transport.bytes);
        ensure!(
            body.as_u64().saturating_mul(2) <= room.as_u64(),
            "--max-body {body} needs a --queue-bytes of twice as much, for a request and its response: it is {room}"
        );
        Ok(())
    }

    /// Refuses rules for writes of which none could be replayed.
    fn check_writes(&self) -> anyhow::Result<()> {
        let has_snapshots = self.gate.store.is_some() || self.policy.allow_unsnapshotted_writes;
        if has_snapshots || !self.replay.has_target() {
            return Ok(());
        }
        let Some(rule) = self.policy.writes() else {
            return Ok(());
        };
        bail!(
            "--allow `{rule}` lets nothing through: a write is replayed only with the snapshot of the very request. Give --redis, or --allow-unsnapshotted-writes if it may change the mirror's own data, or --reads in the place of --allow if it only reads"
        );
    }

    /// What a capture needs and `doctor` does not.
    pub fn require_capture(&self) -> anyhow::Result<()> {
        let capture = &self.capture;
        ensure!(
            !capture.interfaces.is_empty() || capture.hook == Hook::Cgroup,
            "no interface to capture on: add --interface NAME (`ip link` lists them), or --hook cgroup for all sockets of this host"
        );
        ensure!(
            capture.interfaces.is_empty() || capture.hook != Hook::Cgroup,
            "--hook cgroup sees all sockets of this host and knows no interfaces: leave out --interface"
        );
        ensure!(
            !capture.filter.ports.is_empty(),
            "no port to capture: add --port N, the one that production serves HTTP on"
        );
        ensure!(
            self.file.speed == Speed::Times(1.0),
            "--speed is for `replay FILE`: what is captured live is sent as it comes. Leave it out"
        );
        Ok(())
    }

    /// What a host that hands over what it captures does not do.
    pub fn require_no_replay(&self) -> anyhow::Result<()> {
        ensure!(
            !self.replay.has_target(),
            "--target is for those who replay: leave it out here, and give it to `mirror-agent replay --from`"
        );
        Ok(())
    }

    /// What the replay of a file needs.
    pub fn require_target(&self) -> anyhow::Result<()> {
        ensure!(
            self.replay.has_target(),
            "no target to replay to: add --target URL, or look into the file with `mirror-agent inspect`"
        );
        Ok(())
    }

    /// Refuses a target that is the service being captured: each replay would be load on production.
    pub fn refuse_own_target(&self, target: &[SocketAddr], own: &[IpAddr]) -> anyhow::Result<()> {
        for address in target {
            let ip = address.ip().to_canonical();
            // A connection to no address in particular comes to this host.
            let here = ip.is_loopback() || ip.is_unspecified() || own.contains(&ip);
            if here && self.capture.filter.ports.contains(address.port()) {
                bail!(
                    "the target {address} is the captured service itself: replaying to it would double production's load. Give --target the mirror's address"
                );
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use mirror_core::options::{Given, Options, Origin};

    use super::*;

    fn config(values: &[(&str, &str)]) -> Result<Config, String> {
        let mut given = Given::default();
        for (key, text) in values {
            given.set(key, vec![(*text).into()], Origin::Flag);
        }
        let config = Config::read(&given).map_err(|error| error.to_string())?;
        config.check().map_err(|error| format!("{error:#}"))?;
        Ok(config)
    }

    #[test]
    fn what_is_wrong_is_named_with_its_remedy() {
        let cases = [
            ("port", "0", "from 1 to 65535"),
            ("rule", "cookies", "cookies"),
            ("allow", "orders", "as in 'POST /orders'"),
            ("target", "mirror", "http://"),
            ("ring-size", "48MiB", "32MiB or 64MiB"),
            ("ring-size", "64M", "64MiB"),
            ("rings", "3", "1, 2 or 4"),
            ("on-missing", "later", "skip, replay or fail"),
            ("rewrite", "GET /a => host", "host target"),
            ("carry", "cookies", "POST /cart json:/id"),
            ("credential", "a: secret", "@FILE"),
            (
                "credential",
                "content-length: $N",
                "follows from the request",
            ),
            ("jwt-in", "sid", "cookie:NAME"),
            ("jwt-in", "header:host", "host"),
            ("jwt-in", "cookie:sid", "--jwt-key"),
            ("jwt-kid", "k1", "--jwt-key"),
            ("jwt-issuer", "shop", "--jwt-key"),
            ("hook", "xdp", "auto, tcx, tc, cgroup"),
            ("queue", "0", "1 or more"),
            ("to", "redis://h", "redis://HOST/STREAM"),
            ("from", "nats://h/a", "redis://HOST/STREAM"),
            ("partitions", "0", "1 to 1024"),
            ("group", "a b", "letters"),
            ("takeover-after", "1ms", "500ms or more"),
            ("snapshot-poll", "0ms", "1ms"),
            ("max-body", "200MiB", "--queue-bytes"),
            ("build-interval", "0s", "1s or more"),
            ("admin", "0.0.0.0:9464", "--admin-token-file"),
            ("admin", "[::]:9464", "--admin-token-file"),
            ("admin", "9464", "admin"),
            ("admin-token-file", "/a", "--admin ADDRESS"),
            ("admin-tls-cert", "/a", "--admin-tls-key"),
            ("admin-open-metrics", "true", "--admin ADDRESS"),
            ("otlp", "collector:4318", "https://host"),
            ("otlp-header", "authorization: $TOKEN", "--otlp URL"),
            ("otlp-header", "authorization: secret", "@FILE"),
            ("otlp-ca", "/a", "--otlp URL"),
            ("otlp-interval", "0s", "1s or more"),
            (
                "candidate-build-url",
                "h/version",
                "http://shop:8080/version",
            ),
        ];
        for (key, text, expect) in cases {
            let message = config(&[(key, text)]).unwrap_err();
            assert!(
                message.contains(expect) && message.contains(key),
                "{message}"
            );
        }
    }

    #[test]
    fn an_admin_side_on_this_host_alone_needs_no_token() {
        for address in ["127.0.0.1:9464", "[::1]:9464", "[::ffff:127.0.0.1]:9464"] {
            assert!(config(&[("admin", address)]).is_ok(), "{address}");
        }
        let token = ("admin-token-file", "/run/token");
        let everywhere = ("admin", "0.0.0.0:9464");
        assert!(config(&[everywhere, token]).is_ok());
        let exposes = |given: &[(&str, &str)]| config(given).unwrap().control.exposes_token();
        assert!(exposes(&[everywhere, token]));
        assert!(!exposes(&[("admin", "127.0.0.1:1"), token]));
        let tls = [("admin-tls-cert", "/a"), ("admin-tls-key", "/b")];
        assert!(!exposes(&[&[everywhere, token][..], &tls].concat()));
    }

    #[test]
    fn options_of_tls_want_a_target_with_tls() {
        let insecure = ("target-insecure", "true");
        let error = config(&[insecure, ("target", "http://a")]).unwrap_err();
        assert!(error.contains("https://"), "{error}");
        for target in [
            &[("target", "https://a")][..],
            &[("target", "http://a"), ("control", "https://b")],
        ] {
            let given = [target, &[insecure]].concat();
            assert!(config(&given).is_ok(), "{given:?}");
        }
    }

    #[test]
    fn writes_without_a_store_are_refused_with_the_remedies() {
        let write = ("allow", "POST /orders");
        let target = ("target", "http://mirror:8080");
        let error = config(&[write, target]).unwrap_err();
        for word in [
            "POST /orders",
            "--redis",
            "--allow-unsnapshotted-writes",
            "--reads",
        ] {
            assert!(error.contains(word), "{error}");
        }
        for fine in [
            &[write][..],
            &[write, target, ("redis", "redis://h")],
            &[write, target, ("allow-unsnapshotted-writes", "true")],
            &[("allow", "GET /a"), target],
            &[("reads", "POST /_search"), target],
        ] {
            assert!(config(fine).is_ok(), "{fine:?}");
        }
    }

    #[test]
    fn rules_are_checked_with_the_remedy() {
        let check = |values: &[(&str, &str)], word: &str| {
            let error = config(values).unwrap_err();
            assert!(error.contains(word), "{error}");
        };
        check(&[("deny", "GET")], "as in 'POST /orders'");
        check(&[("deny", "GET /a where colour = red")], "SUBJECT = VALUE");
        check(&[("redact", "json:a => token")], "--redact-key-file");
        check(&[("redact", "a => mask")], "header:NAME");
        check(&[("replay-share", "a lot")], "5%");
        check(&[("reads", "GET /a")], "changes nothing");
    }

    #[test]
    fn the_defaults_are_values() {
        let config = config(&[]).unwrap();
        assert_eq!(config.gate.wait, mirror_snapshot::DEFAULT_WAIT);
        assert_eq!(config.gate.poll.0, mirror_snapshot::DEFAULT_POLL);
    }

    #[test]
    fn a_target_on_this_host_and_a_captured_port_is_production() {
        let config = config(&[("port", "8080")]).unwrap();
        let own: IpAddr = "10.0.0.7".parse().unwrap();
        let check = |target: &str| config.refuse_own_target(&[target.parse().unwrap()], &[own]);
        for address in [
            "127.0.0.1",
            "127.0.0.2",
            "[::1]",
            "0.0.0.0",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:10.0.0.7]",
        ] {
            assert!(check(&format!("{address}:8080")).is_err(), "{address}");
            assert!(check(&format!("{address}:9090")).is_ok(), "{address}");
        }
        assert!(check("10.0.0.7:8080").is_err());
        assert!(check("10.0.0.7:9090").is_ok());
        assert!(check("10.0.0.8:8080").is_ok());
    }
}
