//! The two ends of a topic, frame by frame.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use mirror_agent::secret::SecretUrl;
use mirror_agent::transport::FleetOptions;
use mirror_agent::transport::engine::{
    Arriving, EngineError, Fetching, FramePlace, Shipping, StateChange, Store,
};
use mirror_agent::transport::kafka::{Address, Inbound, Outbound};
use mirror_agent::transport::parcel::ProcessId;
use mirror_tests::kafka::Kafka;
use mirror_tests::needs;

const GROUP: &str = "mirror";
const LIMIT: Duration = Duration::from_secs(40);

fn options() -> FleetOptions {
    FleetOptions {
        partitions: 2,
        takeover_after: Duration::from_secs(2),
        ..FleetOptions::default()
    }
}

/// Tells a story on one thread, as the agent's ends are used.
fn told(story: impl AsyncFnOnce() -> Result<()>) -> Result<()> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build()?.block_on(story())
}

fn address(kafka: &Kafka, topic: &str) -> Result<Address> {
    Address::parse(&SecretUrl::new(kafka.url(topic)))
}

async fn host(address: &Address) -> Result<Outbound> {
    Ok(address.outbound(ProcessId::random()?, &options()).await?)
}

/// A replayer, and what it has of each partition.
struct Reader {
    inbound: Inbound,
    seen: BTreeMap<u32, Vec<(FramePlace, Bytes)>>,
    wanted: Vec<u32>,
}

impl Reader {
    async fn start(address: &Address) -> Result<Self> {
        let process = ProcessId::random()?;
        let inbound = address.inbound(process, &options()).await?;
        Ok(Self {
            inbound,
            seen: BTreeMap::new(),
            wanted: Vec::new(),
        })
    }

    async fn read(&mut self) -> Result<()> {
        let arrived = match self.inbound.next(100).await {
            // Brokers may be away for a moment.
            Err(EngineError::Unanswered(_)) => Vec::new(),
            arrived => arrived?,
        };
        for one in arrived {
            match one {
                Arriving::Assigned(partition) => {
                    self.seen.insert(partition, Vec::new());
                }
                Arriving::Wanted(partition) => self.wanted.push(partition),
                Arriving::Frame {
                    partition,
                    place,
                    bytes,
                } => {
                    let seen = self.seen.get_mut(&partition);
                    seen.context("it was not assigned")?.push((place, bytes));
                }
            }
        }
        Ok(())
    }

    async fn read_until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) -> Result<()> {
        let until = Instant::now() + LIMIT;
        while !is_so(self) {
            ensure!(Instant::now() < until, "{what}: {:?}", self.texts());
            self.read().await?;
        }
        Ok(())
    }

    fn texts(&self) -> BTreeMap<u32, Vec<String>> {
        let text = |(_, bytes): &(FramePlace, Bytes)| String::from_utf8_lossy(bytes).into_owned();
        let all = self.seen.iter();
        all.map(|(partition, seen)| (*partition, seen.iter().map(text).collect()))
            .collect()
    }

    fn of(&self, partition: u32) -> Vec<String> {
        self.texts().remove(&partition).unwrap_or_default()
    }

    /// All of a partition is judged.
    async fn done(&mut self, partition: u32) -> Result<()> {
        let seen = self.seen.get(&partition).context("it is not held")?;
        let places: Vec<FramePlace> = seen.iter().map(|(place, _)| *place).collect();
        self.inbound
            .store(&kept("done", "all", &[partition]))
            .await?;
        Ok(self.inbound.acknowledge(partition, &places).await?)
    }
}

fn kept(name: &str, value: &str, holds: &[u32]) -> StateChange {
    StateChange {
        fields: vec![(name.to_owned(), Bytes::from(value.to_owned()))],
        holds: holds.to_vec(),
        ..StateChange::default()
    }
}

fn frames(from: u32, to: u32) -> Vec<Bytes> {
    (from..to).map(|n| Bytes::from(format!("{n}"))).collect()
}

fn numbers(from: u32, to: u32) -> Vec<String> {
    (from..to).map(|n| n.to_string()).collect()
}

#[needs(kafka)]
fn what_is_acknowledged_does_not_come_again_and_all_else_does() -> Result<()> {
    let kafka = Kafka::start(1)?;
    told(async || {
        let address = address(&kafka, "shop")?;
        let mut host = host(&address).await?;
        ensure!((host.partitions(), host.max_frame() > 900_000) == (2, true));
        host.ship(0, 5, &frames(0, 5)).await?;
        host.ship(1, 3, &frames(0, 3)).await?;
        host.store(&kept("role", "capture", &[])).await?;
        let mut first = Reader::start(&address).await?;
        first
            .read_until("all comes", |reader| {
                (reader.of(0), reader.of(1)) == (numbers(0, 5), numbers(0, 3))
            })
            .await?;
        // The first three, and the last one: it comes again, because a group has one place for each partition.
        let places: Vec<FramePlace> = first.seen[&0].iter().map(|(place, _)| *place).collect();
        let some = [places[0], places[1], places[2], places[4]];
        first.inbound.store(&kept("done", "some", &[0])).await?;
        first.inbound.acknowledge(0, &some).await?;
        let shipped = first.inbound.shipped(0).await?;
        assert_eq!(shipped.into_values().collect::<Vec<_>>(), [5]);
        first
            .read_until("the end is known", |reader| {
                reader.inbound.is_read_to_its_end(0)
            })
            .await?;
        drop(first);
        let mut second = Reader::start(&address).await?;
        second
            .read_until("the rest comes", |reader| {
                (reader.of(0), reader.of(1)) == (numbers(3, 5), numbers(0, 3))
            })
            .await?;
        let states = second.inbound.states(Some(GROUP)).await?;
        let value = |name: &str| {
            let mut fields = states.iter().flat_map(|state| &state.fields);
            let field = fields.find(|(known, _)| *known == name);
            field.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
        };
        assert_eq!(value("done").as_deref(), Some("some"));
        assert_eq!(value("role").as_deref(), Some("capture"));
        let of_host = states.iter().find(|state| !state.shipped.is_empty());
        let of_host = of_host.context("the host")?;
        assert_eq!(of_host.shipped, BTreeMap::from([(0, 5), (1, 3)]));
        let others = second.inbound.states(Some("others")).await?;
        assert_eq!(others.len(), 1, "the host only");
        Ok(())
    })
}

#[needs(kafka)]
fn a_partition_moves_when_it_is_released_and_not_before() -> Result<()> {
    let kafka = Kafka::start(1)?;
    told(async || {
        let address = address(&kafka, "shop")?;
        let mut host = host(&address).await?;
        let mut first = Reader::start(&address).await?;
        first
            .read_until("both are assigned", |reader| reader.seen.len() == 2)
            .await?;
        host.ship(0, 2, &frames(0, 2)).await?;
        host.ship(1, 2, &frames(0, 2)).await?;
        first
            .read_until("all comes", |reader| {
                reader.of(0).len() + reader.of(1).len() == 4
            })
            .await?;
        let mut second = Reader::start(&address).await?;
        let until = Instant::now() + LIMIT;
        while first.wanted.is_empty() {
            ensure!(Instant::now() < until, "nothing is wanted");
            first.read().await?;
            second.read().await?;
        }
        let [moves] = first.wanted[..] else {
            bail!("{:?} are wanted", first.wanted)
        };
        let stays = 1 - moves;
        // Nothing more of it comes, and it does not move before it is released.
        host.ship(moves, 4, &frames(2, 4)).await?;
        host.ship(stays, 4, &frames(2, 4)).await?;
        for _ in 0..10 {
            first.read().await?;
            second.read().await?;
        }
        assert_eq!(first.of(moves), numbers(0, 2));
        assert!(second.seen.is_empty());
        first.done(moves).await?;
        first.inbound.release(moves).await?;
        let until = Instant::now() + LIMIT;
        while second.of(moves) != numbers(2, 4) {
            ensure!(
                Instant::now() < until,
                "it did not move: {:?}",
                second.texts()
            );
            first.read().await?;
            second.read().await?;
        }
        assert_eq!(first.of(moves), numbers(0, 2));
        Ok(())
    })
}

#[needs(kafka)]
fn who_gave_no_sign_of_life_keeps_nothing_of_what_others_took_over() -> Result<()> {
    let kafka = Kafka::start(1)?;
    told(async || {
        let address = address(&kafka, "shop")?;
        let mut host = host(&address).await?;
        host.ship(0, 3, &frames(0, 3)).await?;
        let mut silent = Reader::start(&address).await?;
        silent
            .read_until("all comes", |reader| reader.of(0) == numbers(0, 3))
            .await?;
        silent.inbound.store(&kept("before", "kept", &[0])).await?;
        let mut other = Reader::start(&address).await?;
        // All that time nobody calls the silent one.
        other
            .read_until("all comes again", |reader| reader.of(0) == numbers(0, 3))
            .await?;
        let late = silent.inbound.store(&kept("late", "lost", &[0])).await;
        assert!(matches!(late, Err(EngineError::Deposed(_))), "{late:?}");
        other.done(0).await?;
        let states = other.inbound.states(Some(GROUP)).await?;
        let names = states.iter().flat_map(|state| state.fields.keys());
        let mut names: Vec<&String> = names.collect();
        names.sort();
        assert_eq!(names, ["before", "done"]);
        Ok(())
    })
}

#[needs(kafka)]
fn a_broker_that_was_killed_has_all_that_was_acknowledged() -> Result<()> {
    let mut kafka = Kafka::start(1)?;
    let address = address(&kafka, "shop")?;
    told(async || {
        let mut host = host(&address).await?;
        let mut reader = Reader::start(&address).await?;
        host.ship(0, 3, &frames(0, 3)).await?;
        reader
            .read_until("all comes", |reader| reader.of(0) == numbers(0, 3))
            .await?;
        reader.done(0).await?;
        kafka.kill(0);
        let shipped = host.ship(0, 6, &frames(3, 6)).await;
        let Err(EngineError::Unanswered(words)) = shipped else {
            bail!("{shipped:?}")
        };
        assert!(words.contains("Connection refused"), "{words}");
        kafka.start_again(0)?;
        let until = Instant::now() + LIMIT;
        while host.ship(0, 6, &frames(3, 6)).await.is_err() {
            ensure!(Instant::now() < until, "it did not come back");
        }
        // This process was silent meanwhile, and may have lost its place.
        let mut reader = Reader::start(&address).await?;
        reader
            .read_until("the rest comes", |reader| {
                reader.of(0).ends_with(&numbers(3, 6))
            })
            .await?;
        assert_eq!(reader.of(0)[..1], numbers(3, 4), "{:?}", reader.texts());
        Ok(())
    })
}
