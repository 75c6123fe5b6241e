//! The other source of truth: a database replica that the mirror reads. A request waits until the replica has
//! replayed production's log past the position that production had when it answered.
//!
//! Positions are PostgreSQL's log sequence numbers. A replica may be further on than production was: this rules out
//! data that is too old, not data that is too new.

use std::{str::FromStr, time::Duration};

use anyhow::{Context, anyhow};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_postgres::{Client, NoTls};

use crate::secret::SecretUrl;

/// The replica is asked this often, whoever waits.
const POLL: Duration = Duration::from_millis(100);
const ASK_TIMEOUT: Duration = Duration::from_millis(500);
/// Questions in a row without an answer, after which it counts as unavailable.
const TRIES: u32 = 3;

/// A place in PostgreSQL's log, as in `16/B374D848`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(u64);

impl FromStr for Position {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (high, low) = text.trim().split_once('/').ok_or(())?;
        let part = |hex: &str| {
            let fits = (1..=8).contains(&hex.len()) && hex.bytes().all(|b| b.is_ascii_hexdigit());
            fits.then(|| u64::from_str_radix(hex, 16).ok())
                .flatten()
                .ok_or(())
        };
        Ok(Self(part(high)? << 32 | part(low)?))
    }
}

/// How a wait for the replica ended.
#[derive(Debug)]
pub enum Caught {
    Up {
        waited: Duration,
        at_once: bool,
    },
    /// It is still behind.
    Behind {
        waited: Duration,
    },
    Unavailable {
        error: String,
    },
}

/// Follows a replica's position; any number may wait for it at once.
pub struct Replica {
    replayed: watch::Receiver<Replayed>,
    timeout: Duration,
}

#[derive(Clone, Default)]
struct Replayed {
    position: Position,
    failures: u32,
    error: String,
}

/// Asks a replica once.
pub async fn probe(url: &SecretUrl) -> anyhow::Result<()> {
    let config = parse(url)?;
    timeout(ASK_TIMEOUT, ask(&config, &mut None))
        .await
        .map_err(|_| anyhow!("no answer within {ASK_TIMEOUT:?}"))??;
    Ok(())
}

/// Whether a replica's URL can be used.
pub fn check(url: &SecretUrl) -> anyhow::Result<()> {
    parse(url).map(|_| ())
}

fn parse(url: &SecretUrl) -> anyhow::Result<tokio_postgres::Config> {
    // The driver's own error may repeat a part of the URL.
    let parsed = url.expose().parse().ok();
    parsed.with_context(|| {
        format!("invalid URL `{url}`: use one as in postgres://HOST:5432/DATABASE, with user and password before the host")
    })
}

impl Replica {
    /// Must be called inside a tokio runtime.
    pub fn follow(url: &SecretUrl, timeout: Duration) -> anyhow::Result<Self> {
        let config = parse(url)?;
        let (sender, replayed) = watch::channel(Replayed::default());
        tokio::spawn(follow(config, sender));
        Ok(Self { replayed, timeout })
    }

    /// Waits until the replica has replayed past `position`.
    pub async fn wait(&self, position: Position) -> Caught {
        let began = Instant::now();
        let mut replayed = self.replayed.clone();
        let reached = |seen: &Replayed| seen.failures == 0 && seen.position >= position;
        let at_once = reached(&replayed.borrow());
        let over = replayed.wait_for(|seen| reached(seen) || seen.failures >= TRIES);
        let waited = |began: Instant| began.elapsed();
        match timeout(self.timeout, over).await {
            Ok(Ok(seen)) if reached(&seen) => Caught::Up {
                waited: waited(began),
                at_once,
            },
            Ok(Ok(seen)) => Caught::Unavailable {
                error: seen.error.clone(),
            },
            Ok(Err(_)) => Caught::Unavailable {
                error: "nobody follows the replica any more".into(),
            },
            Err(_) => Caught::Behind {
                waited: waited(began),
            },
        }
    }
}

/// Asks until nobody listens.
async fn follow(config: tokio_postgres::Config, replayed: watch::Sender<Replayed>) {
    let mut client = None;
    while !replayed.is_closed() {
        match timeout(ASK_TIMEOUT, ask(&config, &mut client)).await {
            Ok(Ok(position)) => {
                let moved = |seen: &mut Replayed| {
                    let news = seen.position != position || seen.failures > 0;
                    seen.position = position;
                    seen.failures = 0;
                    news
                };
                replayed.send_if_modified(moved);
            }
            failed => {
                client = None;
                let error = match failed {
                    Ok(Err(error)) => format!("{error:#}"),
                    _ => format!("no answer within {ASK_TIMEOUT:?}"),
                };
                replayed.send_modify(|seen| {
                    seen.failures += 1;
                    seen.error = format!("the replica: {error}");
                });
            }
        }
        sleep(POLL).await;
    }
}

async fn ask(
    config: &tokio_postgres::Config,
    client: &mut Option<Client>,
) -> anyhow::Result<Position> {
    if client.is_none() {
        let (fresh, connection) = config.connect(NoTls).await?;
        // Ends with the client.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection to the replica");
            }
        });
        *client = Some(fresh);
    }
    let client = client.as_ref().context("just connected")?;
    // A server that is no replica has replayed nothing: then its own position counts.
    let row = client
        .query_one(
            "SELECT COALESCE(pg_last_wal_replay_lsn(), pg_current_wal_lsn())::text",
            &[],
        )
        .await?;
    let text: &str = row.try_get(0)?;
    text.parse()
        .ok()
        .with_context(|| format!("`{text}` is no position"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_ordered_as_in_the_log() {
        let position = |text: &str| text.parse::<Position>();
        assert_eq!(position("16/B374D848"), Ok(Position(0x16_b374_d848)));
        assert!(position("1/0") > position("0/FFFFFFFF"));
        for bad in ["", "16", "16/", "/1", "1/123456789", "g/1", "1/+1"] {
            assert_eq!(position(bad), Err(()), "{bad}");
        }
    }
}
