//! What the processes of a fleet share a stream by.

use std::time::Duration;

use crate::secret::SecretUrl;

mirror_core::options! {
    /// How requests travel from hosts that capture to hosts that replay.
    #[derive(Clone, Debug)]
    pub struct FleetOptions("Between hosts") {
        /// Stream that `capture` hands requests over to, as in redis://HOST/STREAM or kafka://BROKER/TOPIC
        #[option("to", "URL")]
        pub to: Option<SecretUrl>,
        /// Stream that `replay` takes requests from
        #[option("from", "URL")]
        pub from: Option<SecretUrl>,
        /// Replayers of one group share the requests; each group gets all of them
        #[option("group", "NAME", default = "mirror")]
        pub group: String,
        /// Partitions of the stream: as many replayers can share the work. Fixed by the first agent that opens the stream
        #[option("partitions", "N", default = "16")]
        pub partitions: u32,
        /// Most requests that the engine keeps for the replayers; of more, the oldest end as `lost: trimmed`
        #[option("stream-length", "N", default = "1000000")]
        pub length: u64,
        /// A replayer without a sign of life for so long is taken for dead, and others judge what it held
        #[option("takeover-after", "TIME", default = "10s")]
        pub takeover_after: Duration,
    }
}

impl FleetOptions {
    pub(crate) fn check(&self) -> Result<(), String> {
        let is_usual = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if self.group.is_empty() || !self.group.chars().all(is_usual) {
            return Err(format!(
                "--group `{}`: use letters, digits, `-`, `_` and `.`",
                self.group
            ));
        }
        if !(1..=1024).contains(&self.partitions) {
            return Err(format!("--partitions {}: use 1 to 1024", self.partitions));
        }
        if self.length == 0 {
            return Err("--stream-length 0: use 1 or more".into());
        }
        if self.takeover_after < Duration::from_millis(500) {
            let given = humantime::format_duration(self.takeover_after);
            return Err(format!("--takeover-after {given}: use 500ms or more"));
        }
        Ok(())
    }
}
