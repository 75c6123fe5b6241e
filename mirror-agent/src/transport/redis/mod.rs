//! Redis Streams as a transport: a stream for each partition, and the fleet's state beside them. One node, Sentinel or Cluster, of
//! version 7 or later, or Valkey.
//!
//! | key | what it is |
//! |---|---|
//! | `{NAME:3}` | the stream of partition 3: an entry is a frame |
//! | `{NAME:3}:shipped` | for each process that ships there, the number after its last parcel |
//! | `{NAME}:partitions` | how many there are, fixed when the first process opened the stream |
//! | `{NAME}:capture`, `{NAME}:replay:GROUP` | the processes of a role |
//! | `{NAME}:capture:PROCESS`, `{NAME}:replay:GROUP:PROCESS` | a process's state |
//! | `{NAME}:members:GROUP` | replayers, with their last sign of life |
//! | `{NAME}:lease:GROUP:3` | who reads partition 3, until it expires |
//! | `{NAME}:readers:GROUP` | for each partition, who took it last: after an expired lease too, nobody counts what another one took |
//!
//! What stands in braces chooses the node of a cluster. So the streams are spread, and all state is on one node, where a script
//! can look at who reads what and write counts in one step. Streams and state need no step in common: a parcel is acknowledged after it is
//! counted, and whoever reads a partition anew asks what is counted first.

mod inbound;
mod keys;
mod leases;
mod outbound;
mod state;

use std::sync::Arc;

use anyhow::{Context, ensure};
use mirror_snapshot::StoreOptions;
use mirror_snapshot::store::{Link, LinkError};

pub use inbound::Inbound;
pub use outbound::Outbound;
pub use state::Reader;

use super::engine::EngineError;
use super::fleet::FleetOptions;
use super::parcel::ProcessId;
use crate::secret::SecretUrl;
use keys::Keys;

const FORM: &str = "redis://HOST/STREAM, rediss:// for TLS, redis+sentinel://HOST,HOST/MASTER/STREAM or redis+cluster://HOST,HOST/STREAM";

/// A stream by its URL: that of a store, and the stream's name as the last step of its path.
#[derive(Clone, Debug)]
pub struct Address {
    store: StoreOptions,
    keys: Keys,
}

impl Address {
    /// Whether a URL is of this engine.
    pub fn is_ours(url: &SecretUrl) -> bool {
        let scheme = url.expose().split("://").next().unwrap_or_default();
        ["redis", "valkey"]
            .iter()
            .any(|name| scheme.starts_with(name))
    }

    pub fn parse(url: &SecretUrl) -> anyhow::Result<Self> {
        let (before, query) = match url.expose().split_once('?') {
            Some((before, query)) => (before, format!("?{query}")),
            None => (url.expose(), String::new()),
        };
        let places = before.split_once("://").map_or("", |(_, rest)| rest);
        let named = places.contains('/').then(|| before.rsplit_once('/'));
        let (store, name) = named
            .flatten()
            .with_context(|| format!("{url} names no stream: write {FORM}"))?;
        let is_usual = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        ensure!(
            name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(is_usual),
            "`{name}` is not the name of a stream: begin it with a letter, and use letters, digits, `-`, `_` and `.`; write {FORM}"
        );
        let store = StoreOptions::parse(&format!("{store}{query}"))?;
        let keys = Keys::new(store.prefix(), name);
        Ok(Self { store, keys })
    }

    pub async fn outbound(
        &self,
        process: ProcessId,
        options: &FleetOptions,
    ) -> Result<Outbound, EngineError> {
        let link = self.link();
        let partitions = state::partitions(&link, &self.keys, Some(options.partitions)).await?;
        Ok(Outbound::new(
            link,
            self.keys.clone(),
            process,
            partitions,
            options,
        ))
    }

    pub async fn inbound(
        &self,
        process: ProcessId,
        options: &FleetOptions,
    ) -> Result<Inbound, EngineError> {
        let link = self.link();
        let partitions = state::partitions(&link, &self.keys, Some(options.partitions)).await?;
        Ok(Inbound::new(
            link,
            self.keys.clone(),
            process,
            partitions,
            options,
        ))
    }

    /// For those who only look.
    pub async fn reader(&self) -> Result<Reader, EngineError> {
        let link = self.link();
        let partitions = state::partitions(&link, &self.keys, None).await?;
        Ok(Reader::new(link, self.keys.clone(), partitions))
    }

    fn link(&self) -> Arc<Link> {
        Arc::new(Link::new(self.store.clone()))
    }
}

/// What an error of the connection means to a transport.
fn engine_error(error: LinkError) -> EngineError {
    let error = match error {
        LinkError::Unreached(error) => return EngineError::Unreached(error.to_string()),
        LinkError::Failed(error) => error,
    };
    let text = error.to_string();
    let text = text.strip_prefix("redis: ").unwrap_or(&text);
    let text = format!("redis: {text}");
    use redis::ServerErrorKind::{BusyLoading, ClusterDown, MasterDown, Moved, ReadOnly, TryAgain};
    let passes = matches!(
        error.kind(),
        redis::ErrorKind::Server(
            BusyLoading | ClusterDown | MasterDown | Moved | ReadOnly | TryAgain
        )
    );
    let is_answer = matches!(
        error.kind(),
        redis::ErrorKind::Server(_)
            | redis::ErrorKind::Extension
            | redis::ErrorKind::AuthenticationFailed
    );
    match is_answer && !passes {
        true => EngineError::Refused(text),
        // A master that is being replaced answers so for a moment.
        false => EngineError::Unanswered(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_named_after_the_store() {
        let check = |url: &str, store: &str, stream: &str| {
            let address = Address::parse(&SecretUrl::new(url)).unwrap();
            assert_eq!(address.store.to_string(), store);
            assert_eq!(address.keys.stream(0), stream);
        };
        check("redis://h/shop", "redis://h:6379/0", "{shop:0}");
        check("rediss://u:p@h:1/2/shop", "rediss://h:1/2", "{shop:0}");
        check(
            "redis+sentinel://a,b/main/shop?prefix=team:",
            "redis+sentinel://a:26379,b:26379/main",
            "team:{shop:0}",
        );
        check(
            "redis+cluster://a,b/shop",
            "redis+cluster://a:6379,b:6379",
            "{shop:0}",
        );
    }

    #[test]
    fn a_url_without_a_stream_is_refused_with_the_remedy_and_without_the_password() {
        for url in [
            "redis://u:secret@h",
            "redis://u:secret@h/",
            "redis://u:secret@h/0",
            "redis://u:secret@h/a b",
            "redis+sentinel://u:secret@h/main/",
        ] {
            let error = Address::parse(&SecretUrl::new(url)).unwrap_err();
            let error = format!("{error:#}");
            assert!(error.contains("redis://HOST/STREAM"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
