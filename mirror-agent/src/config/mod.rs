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

use anyhow::{Error, bail, ensure};
use mirror_core::{
    compare::CompareOptions, dissect::DissectLimits, identity::Identifier, policy::Policy,
    rewrite::Rewrite, schedule::ScheduleOptions, session::CarryOptions,
};

use crate::capture::tc::{CaptureOptions, Hook};
use crate::control::ControlOptions;
use crate::gate::GateOptions;
use crate::replay::{CredentialOptions, ReplayOptions};
use crate::report::ReportOptions;
use crate::transport::TransportOptions;

pub use flags::{Changes, Flags};
pub use sources::{Settings, Sources, read_key};

mirror_core::options! {
    /// The options of every stage.
    #[derive(Clone, Debug)]
    pub struct Config("") {
        pub capture: CaptureOptions,
        pub dissect: DissectLimits,
        pub identity: Identifier,
        pub policy: Policy,
        pub transport: TransportOptions,
        pub gate: GateOptions,
        pub schedule: ScheduleOptions,
        pub replay: ReplayOptions,
        pub rewrite: Rewrite,
        pub credentials: CredentialOptions,
        pub carry: CarryOptions,
        pub compare: CompareOptions,
        pub report: ReportOptions,
        pub control: ControlOptions,
    }
}

impl Config {
    /// What concerns several options, or more than the form of one.
    fn check(&self) -> anyhow::Result<()> {
        self.capture.filter.check()?;
        self.gate.check()?;
        self.policy.check().map_err(Error::msg)?;
        let (body, room) = (self.dissect.max_body, self.transport.bytes);
        ensure!(
            body.as_u64().saturating_mul(2) <= room.as_u64(),
            "--max-body {body} needs a --queue-bytes of twice as much, for a request and its response: it is {room}"
        );
        Ok(())
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
        Ok(())
    }

    /// Refuses a target that is the service being captured: each replay would be load on production.
    pub fn refuse_own_target(&self, target: &[SocketAddr], own: &[IpAddr]) -> anyhow::Result<()> {
        for address in target {
            let here = address.ip().is_loopback() || own.contains(&address.ip());
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
            ("allow", "orders", "for example"),
            ("target", "mirror", "http://"),
            ("ring-size", "48MiB", "32MiB or 64MiB"),
            ("ring-size", "64M", "64MiB"),
            ("rings", "3", "1, 2 or 4"),
            ("on-missing", "later", "skip, replay or fail"),
            ("hook", "xdp", "auto, tcx, tc, cgroup"),
            ("queue", "0", "1 or more"),
            ("snapshot-poll", "0ms", "1ms"),
            ("max-body", "200MiB", "--queue-bytes"),
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
    fn the_defaults_are_values() {
        let config = config(&[]).unwrap();
        assert_eq!(config.gate.wait, mirror_snapshot::DEFAULT_WAIT);
        assert_eq!(config.gate.poll, mirror_snapshot::DEFAULT_POLL);
    }

    #[test]
    fn a_target_on_this_host_and_a_captured_port_is_production() {
        let config = config(&[("port", "8080")]).unwrap();
        let own: IpAddr = "10.0.0.7".parse().unwrap();
        let check = |target: &str| config.refuse_own_target(&[target.parse().unwrap()], &[own]);
        assert!(check("127.0.0.1:8080").is_err());
        assert!(check("10.0.0.7:8080").is_err());
        assert!(check("10.0.0.7:9090").is_ok());
        assert!(check("10.0.0.8:8080").is_ok());
    }
}
