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
        Ok(Self((part(high)? << 32) + part(low)?))
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

impl Replayed {
    /// The replica answered; whether that is news.
    fn answer(&mut self, position: Position) -> bool {
        let before = (self.position, self.failures);
        (self.position, self.failures) = (position, 0);
        before != (position, 0)
    }
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
                replayed.send_if_modified(|seen| seen.answer(position));
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

    /// A replica of which is known what is said to `news`.
    fn followed(timeout: Duration) -> (Replica, watch::Sender<Replayed>) {
        let (news, replayed) = watch::channel(Replayed::default());
        (Replica { replayed, timeout }, news)
    }

    fn at(position: u64) -> Replayed {
        Replayed {
            position: Position(position),
            ..Replayed::default()
        }
    }

    fn failed(failures: u32) -> Replayed {
        Replayed {
            failures,
            error: "no route".into(),
            ..at(9)
        }
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_wait_ends_when_the_replica_has_reached_the_position() {
        let (replica, news) = followed(LONG);
        news.send_replace(at(5));
        for position in [4, 5] {
            let caught = replica.wait(Position(position)).await;
            assert!(matches!(caught, Caught::Up { at_once: true, .. }));
        }
        let told = async {
            for replayed in [at(5), failed(1), at(6)] {
                tokio::task::yield_now().await;
                news.send_replace(replayed);
            }
        };
        let (caught, ()) = tokio::join!(replica.wait(Position(6)), told);
        assert!(
            matches!(caught, Caught::Up { at_once: false, .. }),
            "{caught:?}"
        );
    }

    #[tokio::test]
    async fn a_replica_that_fails_so_many_times_is_unavailable() {
        let (replica, news) = followed(LONG);
        news.send_replace(failed(1));
        let fails = async {
            for failures in 2..=TRIES {
                tokio::task::yield_now().await;
                news.send_replace(failed(failures));
            }
        };
        let (caught, ()) = tokio::join!(replica.wait(Position(1)), fails);
        assert!(
            matches!(&caught, Caught::Unavailable { error } if error == "no route"),
            "{caught:?}"
        );
        drop(news);
        let (replica, news) = followed(LONG);
        drop(news);
        let caught = replica.wait(Position(1)).await;
        assert!(matches!(caught, Caught::Unavailable { .. }), "{caught:?}");
    }

    #[tokio::test]
    async fn a_replica_that_does_not_get_there_is_behind() {
        let timeout = Duration::from_millis(20);
        let (replica, news) = followed(timeout);
        // A failure or two is not the end.
        for replayed in [at(5), failed(TRIES - 1)] {
            news.send_replace(replayed);
            let caught = replica.wait(Position(6)).await;
            assert!(
                matches!(&caught, Caught::Behind { waited } if *waited >= timeout),
                "{caught:?}"
            );
        }
    }

    #[test]
    fn an_answer_is_news_if_it_differs_or_comes_after_a_failure() {
        let mut replayed = at(5);
        assert!(!replayed.answer(Position(5)));
        assert!(replayed.answer(Position(6)));
        replayed.failures = 2;
        assert!(replayed.answer(Position(6)));
        assert!(!replayed.answer(Position(6)));
    }

    #[tokio::test]
    async fn a_replica_that_cannot_be_reached_is_asked_again_until_it_counts_as_unavailable() {
        // Nobody listens there any more.
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = gone.local_addr().unwrap();
        drop(gone);
        let url = SecretUrl::new(format!("postgres://{address}/a"));
        let replica = Replica::follow(&url, LONG).unwrap();
        let caught = replica.wait(Position(1)).await;
        let Caught::Unavailable { error } = &caught else {
            panic!("{caught:?}")
        };
        assert!(
            error.starts_with("the replica: error connecting"),
            "{error}"
        );
        assert!(replica.replayed.borrow().failures >= TRIES);
        assert!(probe(&url).await.is_err());
    }

    #[test]
    fn a_url_that_cannot_be_used_says_so_without_its_password() {
        assert!(check(&SecretUrl::new("postgres://user:pw@host/a")).is_ok());
        let error = check(&SecretUrl::new("mysql://user:pw@host/a")).unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("postgres://HOST") && !error.contains("pw"),
            "{error}"
        );
    }

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
