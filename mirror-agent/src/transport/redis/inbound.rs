//! What a replayer reads: the streams of the partitions that it has a lease for, through a consumer group.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use mirror_snapshot::store::{Link, LinkError};
use redis::{Value, cmd};
use tokio::time::sleep;

use super::super::engine::{
    Arriving, EngineError, Fetching, FramePlace, ProcessState, StateChange, Store,
};
use super::super::fleet::FleetOptions;
use super::super::parcel::ProcessId;
use super::engine_error;
use super::keys::Keys;
use super::leases::Leases;
use super::outbound::FRAME;
use super::state::{self, Own, Reader};

/// Between two looks when nothing was there.
const IDLE_PAUSE: Duration = Duration::from_millis(20);
/// Frames that are asked for at once.
const MAX_COUNT: usize = 512;
/// Made by a script, because a full engine takes no new group otherwise.
const MAKE_GROUP: &str = "#!lua flags=allow-oom
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
if made.err and not string.find(made.err, 'BUSYGROUP') then return made end
return redis.status_reply('OK')";
/// The end of what others held, as XAUTOCLAIM says it.
const END: &str = "0-0";

pub struct Inbound {
    link: Arc<Link>,
    keys: Keys,
    own: Own,
    group: String,
    partitions: u32,
    leases: Leases,
    reading: BTreeMap<u32, Reading>,
}

/// How far a partition is read.
#[derive(Default)]
struct Reading {
    /// What others had fetched and not acknowledged comes first: from there on.
    claims_from: Option<String>,
    /// The last entry that `next` gave: those up to it have come.
    given_to: Option<FramePlace>,
    /// The last one of them that others had fetched.
    claimed_to: Option<FramePlace>,
    is_at_end: bool,
}

impl Reading {
    /// Everything that was not given comes again: an answer may have been lost on its way, and the entries in it count as fetched.
    fn begin_again(&mut self) {
        let after = self.given_to.map(FramePlace::next);
        let after = after.map_or_else(
            || END.into(),
            |FramePlace(ms, number)| format!("{ms}-{number}"),
        );
        (self.claims_from, self.is_at_end) = (Some(after), false);
    }

    /// What is new of it.
    fn take(&mut self, partition: u32, fetched: Fetched) -> Vec<Arriving> {
        self.claims_from = fetched.claims_from;
        self.is_at_end = fetched.is_at_end;
        let mut frames = Vec::new();
        for (place, bytes) in fetched.entries {
            if self.given_to.is_some_and(|given| place <= given) {
                continue;
            }
            self.given_to = Some(place);
            if fetched.is_claimed {
                self.claimed_to = Some(place);
            }
            frames.push(Arriving::Frame {
                partition,
                place,
                bytes,
            });
        }
        frames
    }
}

impl Inbound {
    pub(super) fn new(
        link: Arc<Link>,
        keys: Keys,
        process: ProcessId,
        partitions: u32,
        options: &FleetOptions,
    ) -> Self {
        let group = options.group.clone();
        let own = Own::new(
            Arc::clone(&link),
            keys.clone(),
            Some(group.clone()),
            process,
            partitions,
        );
        let leases = Leases::new(
            Arc::clone(&link),
            keys.clone(),
            &group,
            process,
            partitions,
            options.takeover_after,
        );
        Self {
            link,
            keys,
            own,
            group,
            partitions,
            leases,
            reading: BTreeMap::new(),
        }
    }

    /// What has come of one partition, and where claims go on.
    async fn fetch(&self, partition: u32, count: usize) -> Result<Fetched, EngineError> {
        let stream = self.keys.stream(partition);
        let from = self.reading.get(&partition);
        let from = from.and_then(|reading| reading.claims_from.clone());
        let consumer = self.own.process.to_string();
        let command = match &from {
            Some(from) => {
                let mut claim = cmd("XAUTOCLAIM");
                claim.arg(&stream).arg(&self.group).arg(&consumer);
                claim.arg(0).arg(from).arg("COUNT").arg(count).take()
            }
            None => {
                let mut read = cmd("XREADGROUP");
                read.arg("GROUP").arg(&self.group).arg(&consumer);
                read.arg("COUNT").arg(count);
                read.arg("STREAMS").arg(&stream).arg(">").take()
            }
        };
        let answer: Value = match self.link.query(&command).await {
            Ok(answer) => answer,
            Err(error) if is_without_group(&error) => {
                self.make_group(&stream).await?;
                return Ok(Fetched {
                    claims_from: from,
                    ..Fetched::default()
                });
            }
            Err(error) => return Err(engine_error(error)),
        };
        let is_of_stream = from.is_none();
        let fetched = match from {
            Some(_) => claimed(answer),
            None => read(answer),
        };
        let mut fetched = fetched.ok_or_else(|| unreadable(&stream))?;
        fetched.is_at_end = is_of_stream && fetched.entries.len() < count;
        Ok(fetched)
    }

    /// From the beginning of the stream.
    async fn make_group(&self, stream: &str) -> Result<(), EngineError> {
        let mut make = cmd("EVAL");
        make.arg(MAKE_GROUP).arg(1).arg(stream).arg(&self.group);
        self.link.query(&make).await.map_err(engine_error)
    }

    /// Removes what all groups have acknowledged: a full engine takes nothing, and so removes nothing by itself.
    async fn trim(&self, stream: &str) -> Result<(), EngineError> {
        let groups = cmd("XINFO").arg("GROUPS").arg(stream).take();
        let groups: Vec<BTreeMap<String, Value>> =
            self.link.query(&groups).await.map_err(engine_error)?;
        let mut keep_from: Option<FramePlace> = None;
        for group in groups {
            let text = |name: &str| group.get(name).and_then(text_of);
            let (Some(name), Some(last)) = (text("name"), text("last-delivered-id")) else {
                return Ok(());
            };
            let pending = cmd("XPENDING").arg(stream).arg(&name).take();
            let pending: (u64, Option<String>, Value, Value) =
                self.link.query(&pending).await.map_err(engine_error)?;
            let last = place(&last).map(FramePlace::next);
            let needed = match pending.1 {
                Some(first) => place(&first),
                None => last,
            };
            let Some(needed) = needed else { return Ok(()) };
            keep_from = Some(keep_from.map_or(needed, |known| known.min(needed)));
        }
        if let Some(FramePlace(ms, number)) = keep_from {
            let mut trim = cmd("XTRIM");
            trim.arg(stream).arg("MINID").arg("~");
            trim.arg(format!("{ms}-{number}"));
            let _: u64 = self.link.query(&trim).await.map_err(engine_error)?;
        }
        Ok(())
    }
}

impl Fetching for Inbound {
    fn partitions(&self) -> u32 {
        self.partitions
    }

    async fn next(&mut self, most: usize) -> Result<Vec<Arriving>, EngineError> {
        let changes = self.leases.attend().await?;
        for reading in self.reading.values_mut() {
            reading.is_at_end = false;
        }
        let mut arriving = Vec::new();
        for partition in changes.taken {
            let mut reading = Reading::default();
            reading.begin_again();
            self.reading.insert(partition, reading);
            arriving.push(Arriving::Assigned(partition));
        }
        for partition in changes.wanted {
            self.reading.remove(&partition);
            arriving.push(Arriving::Wanted(partition));
        }
        let read_here: Vec<u32> = self.leases.read_here().collect();
        // Whoever is told of a new one looks first what is done of it.
        let is_new = !arriving.is_empty();
        let count = (most / read_here.len().max(1)).min(MAX_COUNT);
        if is_new || count == 0 || read_here.is_empty() {
            if !is_new {
                sleep(IDLE_PAUSE).await;
            }
            return Ok(arriving);
        }
        let fetched = read_here
            .iter()
            .map(|partition| self.fetch(*partition, count));
        let fetched = join_all(fetched).await;
        let mut trouble = None;
        for (partition, fetched) in read_here.into_iter().zip(fetched) {
            let Some(reading) = self.reading.get_mut(&partition) else {
                continue;
            };
            match fetched {
                Ok(fetched) => arriving.extend(reading.take(partition, fetched)),
                Err(error) => {
                    reading.begin_again();
                    trouble = Some(error);
                }
            }
        }
        if let Some(error) = trouble.filter(|_| arriving.is_empty()) {
            return Err(error);
        }
        if arriving.is_empty() {
            sleep(IDLE_PAUSE).await;
        }
        Ok(arriving)
    }

    async fn shipped(&mut self, partition: u32) -> Result<BTreeMap<ProcessId, u64>, EngineError> {
        state::shipped(&self.link, &self.keys, partition).await
    }

    fn is_read_to_its_end(&self, partition: u32) -> bool {
        let reading = self.reading.get(&partition);
        reading.is_some_and(|reading| reading.is_at_end)
    }

    fn was_given_before(&self, partition: u32, place: FramePlace) -> Option<bool> {
        let claimed_to = self.reading.get(&partition)?.claimed_to;
        Some(claimed_to.is_some_and(|to| place <= to))
    }

    async fn acknowledge(
        &mut self,
        partition: u32,
        places: &[FramePlace],
    ) -> Result<(), EngineError> {
        let stream = self.keys.stream(partition);
        for places in places.chunks(MAX_COUNT) {
            let mut command = cmd("XACK");
            command.arg(&stream).arg(&self.group);
            for FramePlace(ms, number) in places {
                command.arg(format!("{ms}-{number}"));
            }
            let _: u64 = self.link.query(&command).await.map_err(engine_error)?;
        }
        self.trim(&stream).await
    }

    async fn release(&mut self, partition: u32) -> Result<(), EngineError> {
        self.reading.remove(&partition);
        self.leases.release(partition).await
    }
}

impl Store for Inbound {
    async fn store(&mut self, change: &StateChange) -> Result<(), EngineError> {
        self.own.store(change).await
    }

    async fn states(&mut self, group: Option<&str>) -> Result<Vec<ProcessState>, EngineError> {
        let reader = Reader::new(Arc::clone(&self.link), self.keys.clone(), self.partitions);
        reader.read(group).await
    }
}

#[derive(Default)]
struct Fetched {
    entries: Vec<(FramePlace, Bytes)>,
    claims_from: Option<String>,
    is_claimed: bool,
    is_at_end: bool,
}

/// Of XREADGROUP: nothing, or one stream with its entries.
fn read(answer: Value) -> Option<Fetched> {
    let entries = match answer {
        Value::Nil => Vec::new(),
        Value::Map(streams) => list(streams.into_iter().next()?.1)?,
        other => {
            let stream = list(other)?.into_iter().next()?;
            list(list(stream)?.into_iter().nth(1)?)?
        }
    };
    Some(Fetched {
        entries: entries.into_iter().filter_map(entry).collect(),
        ..Fetched::default()
    })
}

/// Of XAUTOCLAIM: where to go on, the entries, and those that are gone.
fn claimed(answer: Value) -> Option<Fetched> {
    let mut parts = list(answer)?.into_iter();
    let from = text_of(&parts.next()?)?;
    let entries = list(parts.next()?)?;
    Some(Fetched {
        entries: entries.into_iter().filter_map(entry).collect(),
        claims_from: (from != END).then_some(from),
        is_claimed: true,
        is_at_end: false,
    })
}

/// An entry that somebody else wrote there, without our field, is an empty frame: it is unreadable, and is acknowledged.
fn entry(value: Value) -> Option<(FramePlace, Bytes)> {
    let mut parts = list(value)?.into_iter();
    let place = place(&text_of(&parts.next()?)?)?;
    let mut fields = list(parts.next()?)?.into_iter();
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        if let (Some(FRAME), Value::BulkString(bytes)) = (text_of(&name).as_deref(), value) {
            return Some((place, bytes.into()));
        }
    }
    Some((place, Bytes::new()))
}

fn list(value: Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(values) => Some(values),
        _ => None,
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::SimpleString(text) => Some(text.clone()),
        _ => None,
    }
}

fn place(id: &str) -> Option<FramePlace> {
    let (ms, number) = id.split_once('-')?;
    Some(FramePlace(ms.parse().ok()?, number.parse().ok()?))
}

fn is_without_group(error: &LinkError) -> bool {
    matches!(error, LinkError::Failed(error) if error.code() == Some("NOGROUP"))
}

fn unreadable(stream: &str) -> EngineError {
    EngineError::Refused(format!(
        "redis: what {stream} holds is not a stream of an agent"
    ))
}
