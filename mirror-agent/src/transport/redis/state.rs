//! The state of processes: a hash for each, written by a script that looks at the leases first.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mirror_snapshot::store::Link;
use redis::cmd;

use super::super::engine::{EngineError, ProcessState, StateChange, Store};
use super::super::parcel::ProcessId;
use super::engine_error;
use super::keys::Keys;

/// State is kept so long after a process's last sign of life.
const KEPT_SECONDS: u64 = 7 * 24 * 3600;
/// A field of our own: milliseconds of the server's clock.
const AT: &str = "@at";
const ENDED: &str = "@ended";

/// KEYS: the state, the set of processes, who took each partition last, the number of partitions. ARGV: the process, the number of
/// this change, whether it is whole, whether the process ends, seconds to keep it, how many partitions there are, how many of them must be ours, these, then
/// names and values.
///
/// Nothing is written where another one took a partition, where a later change was written before (this one was under way for long), or where the
/// state is gone and this is only a part of it. Fields are removed last, because the first write says whether there is memory.
const STORE: &str = "#!lua flags=allow-oom
local holds = tonumber(ARGV[7])
for i = 8, 7 + holds do
  local reader = redis.call('HGET', KEYS[3], ARGV[i])
  if reader and reader ~= ARGV[1] then return 'deposed' end
end
local before = redis.call('HGET', KEYS[1], '@number')
if before and tonumber(before) >= tonumber(ARGV[2]) then return 'late' end
if not before and ARGV[3] == '0' then return 'gone' end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], '@number', ARGV[2], '@at', now, '@ended', ARGV[4])
local known = {['@number'] = true, ['@at'] = true, ['@ended'] = true}
for i = 8 + holds, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  known[ARGV[i]] = true
end
if ARGV[3] == '1' then
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    if not known[field] then redis.call('HDEL', KEYS[1], field) end
  end
end
redis.call('SADD', KEYS[2], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[5])
redis.call('EXPIRE', KEYS[2], ARGV[5])
redis.call('SET', KEYS[4], ARGV[6], 'NX')
return 'kept'";

/// How many partitions there are; `wanted` of them, if nobody has opened the stream before.
pub(super) async fn partitions(
    link: &Link,
    keys: &Keys,
    wanted: Option<u32>,
) -> Result<u32, EngineError> {
    let key = keys.partitions();
    let get = cmd("GET").arg(&key).take();
    let mut known: Option<u32> = link.query(&get).await.map_err(engine_error)?;
    if let (None, Some(wanted)) = (known, wanted) {
        let set = cmd("SET").arg(&key).arg(wanted.max(1)).arg("NX").take();
        let _: Option<String> = link.query(&set).await.map_err(engine_error)?;
        known = link.query(&get).await.map_err(engine_error)?;
    }
    known.filter(|known| *known > 0).ok_or_else(|| {
        let stream = keys.stream(0);
        EngineError::Refused(format!(
            "redis: there is no stream {stream}: no agent has opened it yet"
        ))
    })
}

/// Writes one process's state.
pub(super) struct Own {
    pub(super) link: Arc<Link>,
    pub(super) keys: Keys,
    pub(super) group: Option<String>,
    pub(super) process: ProcessId,
    partitions: u32,
    number: u64,
}

impl Own {
    pub(super) fn new(
        link: Arc<Link>,
        keys: Keys,
        group: Option<String>,
        process: ProcessId,
        partitions: u32,
    ) -> Self {
        Self {
            link,
            keys,
            group,
            process,
            partitions,
            number: 0,
        }
    }

    pub(super) async fn store(&mut self, change: &StateChange) -> Result<(), EngineError> {
        self.number += 1;
        let group = self.group.as_deref();
        let mut command = cmd("EVAL");
        command.arg(STORE).arg(4);
        command.arg(self.keys.process(group, self.process));
        command.arg(self.keys.processes(group));
        command.arg(self.keys.readers(group.unwrap_or_default()));
        command.arg(self.keys.partitions());
        command.arg(self.process.to_string()).arg(self.number);
        command
            .arg(u8::from(change.is_whole))
            .arg(u8::from(change.ends));
        command.arg(KEPT_SECONDS).arg(self.partitions);
        command.arg(change.holds.len()).arg(&change.holds);
        for (name, value) in &change.fields {
            command.arg(name).arg(&**value);
        }
        let answer: String = self.link.query(&command).await.map_err(engine_error)?;
        match answer.as_str() {
            "kept" => Ok(()),
            "deposed" => Err(EngineError::Deposed(
                "others took over what this process held, because it gave no sign of life".into(),
            )),
            "gone" => Err(EngineError::Refused(
                "redis: the state of this process is gone".into(),
            )),
            // A later one was written before, as it seems: the next one has everything.
            _ => Err(EngineError::Unanswered("redis: a change came late".into())),
        }
    }
}

/// Reads the state of all processes.
pub struct Reader {
    link: Arc<Link>,
    keys: Keys,
    partitions: u32,
}

impl Reader {
    pub(super) fn new(link: Arc<Link>, keys: Keys, partitions: u32) -> Self {
        Self {
            link,
            keys,
            partitions,
        }
    }

    /// Of the group, if there is one, and of those that capture.
    pub(super) async fn read(&self, group: Option<&str>) -> Result<Vec<ProcessState>, EngineError> {
        let mut states = self.of_role(None).await?;
        let shipped = self.all_shipped().await?;
        for state in &mut states {
            state.shipped = shipped.get(&state.process).cloned().unwrap_or_default();
        }
        if let Some(group) = group {
            states.extend(self.of_role(Some(group)).await?);
        }
        Ok(states)
    }

    /// Groups that somebody replays in, or has replayed in.
    async fn of_role(&self, group: Option<&str>) -> Result<Vec<ProcessState>, EngineError> {
        let processes: Vec<String> = self
            .link
            .query(cmd("SMEMBERS").arg(self.keys.processes(group)))
            .await
            .map_err(engine_error)?;
        let (seconds, micros): (u64, u64) = self.time().await?;
        let now = seconds * 1000 + micros / 1000;
        let mut states = Vec::new();
        for process in processes {
            let Ok(process) = process.parse() else {
                continue;
            };
            let key = self.keys.process(group, process);
            let fields: BTreeMap<String, Bytes> = self
                .link
                .query(cmd("HGETALL").arg(key))
                .await
                .map_err(engine_error)?;
            states.extend(state(process, fields, now));
        }
        Ok(states)
    }

    /// By the node that has the state.
    async fn time(&self) -> Result<(u64, u64), EngineError> {
        let script = "#!lua flags=no-writes
return redis.call('TIME')";
        let mut command = cmd("EVAL");
        command.arg(script).arg(1).arg(self.keys.partitions());
        let (seconds, micros): (String, String) =
            self.link.query(&command).await.map_err(engine_error)?;
        let number = |text: String| text.parse().unwrap_or(0);
        Ok((number(seconds), number(micros)))
    }

    async fn all_shipped(&self) -> Result<BTreeMap<ProcessId, BTreeMap<u32, u64>>, EngineError> {
        let mut all: BTreeMap<ProcessId, BTreeMap<u32, u64>> = BTreeMap::new();
        for partition in 0..self.partitions {
            for (process, next) in shipped(&self.link, &self.keys, partition).await? {
                all.entry(process).or_default().insert(partition, next);
            }
        }
        Ok(all)
    }
}

impl Store for Reader {
    async fn store(&mut self, _: &StateChange) -> Result<(), EngineError> {
        Err(EngineError::Refused("a reader has no state".into()))
    }

    async fn states(&mut self, group: Option<&str>) -> Result<Vec<ProcessState>, EngineError> {
        self.read(group).await
    }
}

/// For each process, the number after its last parcel in a partition.
pub(super) async fn shipped(
    link: &Link,
    keys: &Keys,
    partition: u32,
) -> Result<BTreeMap<ProcessId, u64>, EngineError> {
    let all: BTreeMap<String, u64> = link
        .query(cmd("HGETALL").arg(keys.shipped(partition)))
        .await
        .map_err(engine_error)?;
    let all = all.into_iter();
    Ok(all
        .filter_map(|(process, next)| Some((process.parse().ok()?, next)))
        .collect())
}

/// None of a process of which the state has expired.
fn state(
    process: ProcessId,
    mut fields: BTreeMap<String, Bytes>,
    now: u64,
) -> Option<ProcessState> {
    let number = |value: Bytes| std::str::from_utf8(&value).ok()?.parse::<u64>().ok();
    let at = fields.remove(AT).and_then(number)?;
    let has_ended = fields.remove(ENDED).is_some_and(|ended| &*ended == b"1");
    fields.retain(|name, _| !name.starts_with('@'));
    Some(ProcessState {
        process,
        fields,
        silent_for: Duration::from_millis(now.saturating_sub(at)),
        has_ended,
        shipped: BTreeMap::new(),
    })
}
