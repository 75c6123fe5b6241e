//! What the replay is told.

use std::{fmt, num::NonZeroUsize, path::PathBuf, time::Duration};

use anyhow::ensure;
use mirror_core::options::FromText;

use super::{Target, WeightedTarget};

mirror_core::options! {
    /// Where and how requests are sent again.
    #[derive(Clone, Debug)]
    pub struct ReplayOptions("Replay") {
        /// Where to replay to, as in http://mirror:8080 or https://mirror; without it the agent only observes. Several
        /// share the requests, as in 'http://a:8080 weight=3'; those of a connection go to one of them (repeatable)
        #[option("target", "URL")]
        pub targets: Vec<WeightedTarget>,
        /// The old version beside the mirror: it gets each request too, at the same time, but for writes without a snapshot.
        /// Where both differ from production in the same places, the reason is not the new version
        #[option("control", "URL")]
        pub control: Option<Target>,
        /// Most replays at once, and most idle connections that are kept
        #[option("concurrency", "N", default = "64")]
        pub concurrency: NonZeroUsize,
        /// Longest time for the mirror's whole answer, or three times what production took if that is more
        #[option("replay-timeout", "TIME", default = "5s")]
        pub timeout: Duration,
        /// Longest time for a connection to the mirror; the default has room for one lost packet
        #[option("connect-timeout", "TIME", default = "3s")]
        pub connect_timeout: Duration,
        /// Longest wait for the first byte of an answer, or three times production's time if that is more; unless given,
        /// only --replay-timeout limits it
        #[option("head-timeout", "TIME")]
        pub head_timeout: Option<Duration>,
        /// Longest time between two bytes of an answer, or three times production's time if that is more; unless given,
        /// only --replay-timeout limits it
        #[option("body-timeout", "TIME")]
        pub body_timeout: Option<Duration>,
        /// Time after which an unused connection is not used again. Many servers close theirs after 5 seconds: the default
        /// is below that. A shorter time in the mirror's Keep-Alive counts
        #[option("target-idle-timeout", "TIME", default = "4s")]
        pub idle_timeout: Duration,
        /// File (PEM) with certificates that may have signed the mirror's, beside the system's
        #[option("target-ca", "FILE")]
        pub target_ca: Option<PathBuf>,
        /// Server name for TLS, which the mirror's certificate must have; unless given, the host of --target
        #[option("target-name", "NAME")]
        pub target_name: Option<String>,
        /// Accept any certificate of the mirror
        #[option("target-insecure", "")]
        pub target_insecure: bool,
        /// Speak HTTP/2 to the mirror: negotiated by TLS with https://, from the first byte with http://
        #[option("http2", "")]
        pub http2: bool,
        /// Mark (SO_MARK) of the sockets to the mirror, for firewall and routing rules; 0 for none
        #[option("socket-mark", "MARK", default = "0x6d")]
        pub socket_mark: SocketMark,
    }
}

impl ReplayOptions {
    pub fn has_target(&self) -> bool {
        !self.targets.is_empty()
    }

    /// What concerns several options.
    pub fn check(&self) -> anyhow::Result<()> {
        let has_tls_options =
            self.target_ca.is_some() || self.target_name.is_some() || self.target_insecure;
        let has_tls = self.destinations().any(|(_, target)| target.is_tls());
        ensure!(
            !has_tls_options || has_tls || !self.has_target(),
            "--target-ca, --target-name and --target-insecure are for TLS, and no --target or --control begins with https://: write https://, or leave them out"
        );
        Ok(())
    }

    /// All places that requests are sent to, each with the option that names it.
    pub fn destinations(&self) -> impl Iterator<Item = (&'static str, &Target)> {
        let targets = self.targets.iter().map(|one| ("--target", &one.target));
        targets.chain(self.control.iter().map(|control| ("--control", control)))
    }

    /// Of the targets in their order, and of the control.
    pub fn names(&self) -> Vec<String> {
        let all = self.destinations();
        all.map(|(_, target)| target.to_string()).collect()
    }

    /// The targets as a sentence names them.
    pub fn shown_targets(&self) -> Option<String> {
        let names: Vec<_> = self.targets.iter().map(ToString::to_string).collect();
        let mut text = self.has_target().then(|| names.join(", "))?;
        if let Some(control) = &self.control {
            text += &format!(", with {control} as control");
        }
        Some(text)
    }
}

/// The mark of a socket, as `ip rule` and `iptables` write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketMark(pub u32);

impl FromText for SocketMark {
    fn from_text(text: &str) -> Result<Self, String> {
        let number = match text.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => text.parse(),
        };
        number
            .map(Self)
            .map_err(|_| "use a number of 32 bits as in 109 or 0x6d".into())
    }
}

impl fmt::Display for SocketMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("no mark"),
            mark => write!(f, "mark {mark:#x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use mirror_core::options::FromText;

    use super::*;

    #[test]
    fn a_mark_is_written_as_routing_rules_write_it() {
        let check = |text: &str, expect: Option<u32>| {
            let mark = SocketMark::from_text(text).ok();
            assert_eq!(mark, expect.map(SocketMark), "{text}");
        };
        check("109", Some(0x6d));
        check("0x6d", Some(109));
        check("0xffffffff", Some(u32::MAX));
        check("0x1ffffffff", None);
        check("mark", None);
        check("", None);
    }
}
