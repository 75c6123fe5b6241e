//! What the snapshot gate is told.

use std::time::Duration;

use anyhow::Context;
use mirror_core::options::FromText;
use mirror_snapshot::{WaitOptions, store::StoreOptions};

use super::{GateRules, TtlCare, replica};
use crate::secret::SecretUrl;

mirror_core::options! {
    /// Where production's data is, and how long it is waited for.
    #[derive(Clone, Debug)]
    pub struct GateOptions("Snapshots") {
        /// Store of the snapshots: redis://, rediss://, redis+sentinel://HOSTS/MASTER or redis+cluster://HOSTS, with
        /// ?prefix=; without it the snapshot gate is off
        #[option("redis", "URL")]
        pub store: Option<SecretUrl>,
        /// Store that the mirror reads, if not production's: snapshots are copied there
        #[option("mirror-redis", "URL", env = "MIRROR_TARGET_REDIS")]
        pub mirror_store: Option<SecretUrl>,
        /// PostgreSQL replica that the mirror reads: a request waits until it has replayed past production's position,
        /// which comes in the response header x-mirror-position, or in the snapshot
        #[option("replica", "URL")]
        pub replica: Option<SecretUrl>,
        /// Longest wait for a snapshot
        #[option("snapshot-wait", "TIME", default = "2s")]
        pub wait: Duration,
        /// Time between two looks for snapshots
        #[option("snapshot-poll", "TIME", default = "100ms")]
        pub poll: Poll,
        /// Wake up by the store's keyspace notifications too; it must have them switched on (K$)
        #[option("snapshot-notify", "")]
        pub notify: bool,
        /// What to do for a snapshot that would not live until its replay: copy it into a namespace of this run, extend
        /// the life of production's own key, or nothing
        #[option("ttl-care", "WHAT", default = "copy")]
        pub care: TtlCare,
        pub rules: GateRules,
    }
}

impl GateOptions {
    /// Whether the URLs can be used; reads the files that they name.
    pub fn check(&self) -> anyhow::Result<()> {
        let store = |url: &SecretUrl| StoreOptions::parse(url.expose()).map(|_| ());
        if let Some(url) = &self.store {
            store(url).context("--redis")?;
        }
        if let Some(url) = &self.mirror_store {
            store(url).context("--mirror-redis")?;
        }
        self.replica
            .as_ref()
            .map_or(Ok(()), replica::check)
            .context("--replica")
    }

    pub fn wait_options(&self) -> WaitOptions {
        WaitOptions {
            timeout: self.wait,
            poll: self.poll.0,
            notify: self.notify,
            ..WaitOptions::default()
        }
    }
}

/// A time between two looks: never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Poll(pub Duration);

impl FromText for Poll {
    fn from_text(text: &str) -> Result<Self, String> {
        match Duration::from_text(text)? {
            short if short < Duration::from_millis(1) => Err("use 1ms or more".into()),
            time => Ok(Self(time)),
        }
    }
}

impl FromText for TtlCare {
    fn from_text(text: &str) -> Result<Self, String> {
        crate::variants::variant(text)
    }

    fn values() -> Vec<String> {
        crate::variants::variants::<Self>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poll_takes_some_time() {
        for (text, poll) in [("1ms", Some(1)), ("2s", Some(2000)), ("999us", None)] {
            let read = Poll::from_text(text).ok();
            let expect = poll.map(|millis| Poll(Duration::from_millis(millis)));
            assert_eq!(read, expect, "{text}");
        }
        assert!(Poll::from_text("0ms").is_err_and(|remedy| remedy.contains("1ms")));
    }

    #[test]
    fn waits_are_as_the_options_say() {
        let options = GateOptions {
            wait: Duration::from_secs(7),
            poll: Poll(Duration::from_millis(3)),
            notify: true,
            ..GateOptions::default()
        };
        let wait = options.wait_options();
        assert_eq!(wait.timeout, Duration::from_secs(7));
        assert_eq!(wait.poll, Duration::from_millis(3));
        assert!(wait.notify);
    }

    #[test]
    fn a_url_that_cannot_be_used_is_named_by_its_option() {
        let check = |change: fn(&mut GateOptions), option: Option<&str>| {
            let mut options = GateOptions::default();
            change(&mut options);
            let wrong = options.check().err().map(|error| error.to_string());
            assert_eq!(wrong.as_deref(), option);
        };
        fn bad() -> Option<SecretUrl> {
            Some(SecretUrl::new("ftp://a"))
        }
        check(|_| {}, None);
        check(
            |options| options.store = Some(SecretUrl::new("redis://a")),
            None,
        );
        check(|options| options.store = bad(), Some("--redis"));
        check(
            |options| options.mirror_store = bad(),
            Some("--mirror-redis"),
        );
        check(|options| options.replica = bad(), Some("--replica"));
    }

    #[test]
    fn the_care_for_a_snapshot_is_one_of_three_words() {
        assert_eq!(TtlCare::values(), ["copy", "extend", "off"]);
        assert_eq!(TtlCare::from_text("extend"), Ok(TtlCare::Extend));
        let remedy = TtlCare::from_text("keep").unwrap_err();
        assert_eq!(remedy, "use one of copy, extend, off");
    }
}
