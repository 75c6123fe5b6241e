//! The gate on a real Redis: whose a snapshot is, how a wait ends, and that a snapshot lives until its replay.

mod effects;
mod keeping;
mod named;
mod numbered;

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use mirror_agent::gate::replica::Replica;
use mirror_agent::gate::{FoundSnapshot, Gate, GateOptions, Poll, SnapshotOutcome, TtlCare};
use mirror_agent::secret::SecretUrl;
use mirror_core::attribution::Doubt;
use mirror_core::exchange::{Exchange, Request, Response, Timing};
use mirror_core::identity::{Identifier, Identity};
use mirror_core::policy::{Envelope, Policy};
use mirror_core::time::Timestamp;
use mirror_snapshot::{
    COLLIDED, Candidates, DEFAULT_TTL, HEADER_POSITION, ListEntry, RedisStore, RequestId,
    RequestTarget, SnapshotNumber, Stamp, peer_text, request_hash,
};
use mirror_tests::local_redis::LocalRedis;
use mirror_tests::{needs, testing};
use tokio::time::Instant;

const TTL: Duration = Duration::from_secs(20);
const RUN: &str = "run-1";
const SECOND: u64 = 1_000_000_000;

/// No story takes longer, unless something is wrong.
const LIMIT: Duration = Duration::from_secs(20);

fn with_redis(story: impl AsyncFnOnce(&LocalRedis, RedisStore) -> Result<()>) -> Result<()> {
    let redis = LocalRedis::start()?;
    let story = async {
        let store = RedisStore::connect(&redis.url())?;
        tokio::time::timeout(LIMIT, story(&redis, store)).await?
    };
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(story)
}

fn id(text: &str) -> RequestId {
    RequestId::new(text).expect("an id")
}

fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp(since.as_nanos() as u64)
}

/// `GET /a`, which took two milliseconds from `at` on, with these ids.
struct Asked {
    at: Timestamp,
    ids: Vec<RequestId>,
    /// The ids are the first parts of numbered ones.
    counted: bool,
    bucket_seconds: u64,
    is_answered: bool,
    /// The log position that production told.
    position: Option<&'static str>,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            at: now(),
            ids: vec![id("one")],
            counted: false,
            bucket_seconds: 0,
            is_answered: true,
            position: None,
        }
    }
}

impl Asked {
    fn envelope(&self) -> Result<Envelope> {
        let server = "10.0.0.1:80".parse()?;
        let client = "10.0.0.2:40000".parse()?;
        let ended = Some(Timestamp(self.at.0 + SECOND / 500));
        let mut response = Response::new(200);
        let position = self.position.map(|text| (HEADER_POSITION, text));
        response.headers = position
            .map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()))
            .into_iter()
            .collect();
        let exchange = Exchange {
            timing: Timing {
                request_first: self.at,
                request_last: self.at,
                response_first: ended.filter(|_| self.is_answered),
                response_last: ended.filter(|_| self.is_answered),
            },
            response: Some(Box::new(response)),
            ..Exchange::new(client, server, Request::new("GET", "/a"))
        };
        let candidates = Candidates {
            ids: self.ids.clone(),
            counted: self.counted,
            bucket_seconds: self.bucket_seconds,
        };
        let identify = |exchange: &Exchange| Identity {
            candidates,
            ..Identifier::default().identify(exchange)
        };
        let envelope = Policy::default().admit(&"host".into(), exchange, identify);
        envelope.ok().context("policy lets a GET out")
    }

    /// What production files for it: it received the request in the middle of these two milliseconds.
    fn stamp(&self) -> Stamp {
        let at = self.at.0 + SECOND / 1000;
        Stamp {
            at: at / 1_000_000,
            us: u16::try_from(at / 1000 % 1000).ok(),
            request: request_hash("GET", Some(&RequestTarget::parse("GET", "/a"))),
            peer: "10.0.0.2:40000".parse().ok().map(peer_text),
            ..Stamp::default()
        }
    }
}

fn document(stamp: &Stamp) -> Vec<u8> {
    let stamp = serde_json::to_value(stamp).expect("a stamp is texts and numbers");
    let mut document = serde_json::json!({ "mirror": 1, "reads": [] });
    for (name, value) in stamp.as_object().into_iter().flatten() {
        document[name] = value.clone();
    }
    document.to_string().into_bytes()
}

/// Looks every millisecond, and not for long.
fn hasty() -> GateOptions {
    GateOptions {
        wait: Duration::from_millis(60),
        poll: Poll(Duration::from_millis(1)),
        ..GateOptions::default()
    }
}

fn gate(store: &RedisStore, options: &GateOptions) -> Gate {
    Gate::new(store.clone(), None, RUN, options, 1)
}

async fn pass(gate: &Gate, envelope: &Envelope) -> SnapshotOutcome {
    let entered = gate.enter(envelope);
    gate.wait(envelope, entered).await
}

fn found(outcome: SnapshotOutcome) -> Result<FoundSnapshot> {
    match outcome {
        SnapshotOutcome::Found(found) => Ok(found),
        other => bail!("{other:?}"),
    }
}

fn main() -> ExitCode {
    testing::main()
}

/// The store as a user sees it who has these rights.
fn user(redis: &LocalRedis, name: &str, rights: &[&str]) -> Result<RedisStore> {
    let known = ["acl", "setuser", name, "on", ">pw", "~snapshot:*", "+ping"];
    redis.command(&[&known[..], rights].concat())?;
    let url = redis.url().replace("//", &format!("//{name}:pw@"));
    Ok(RedisStore::connect(&url)?)
}
