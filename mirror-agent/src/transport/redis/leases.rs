//! Who reads which partition: a lease in Redis for each, held by signs of life and shared out evenly.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mirror_snapshot::store::Link;
use redis::cmd;

use super::super::engine::EngineError;
use super::super::parcel::ProcessId;
use super::engine_error;
use super::keys::Keys;

/// Signs of life in the time that a lease lasts.
const SIGNS: u32 = 5;

/// KEYS: members, who took each partition last, then a lease for each partition. ARGV: the process, milliseconds that a lease lasts, then for each partition whether it is
/// held here. Gives who has each lease, and the members.
const ATTEND: &str = "#!lua flags=allow-oom
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
local owners = {}
for i = 3, #KEYS do
  local owner = redis.call('GET', KEYS[i])
  if ARGV[i] == '1' then
    local reader = redis.call('HGET', KEYS[2], i - 3)
    if reader and reader ~= ARGV[1] then
      owner = reader
    elseif not owner or owner == ARGV[1] then
      redis.call('SET', KEYS[i], ARGV[1], 'PX', ARGV[2])
      redis.call('HSET', KEYS[2], i - 3, ARGV[1])
      owner = ARGV[1]
    end
  end
  owners[i - 2] = owner or ''
end
return {owners, redis.call('ZRANGE', KEYS[1], 0, -1)}";

/// KEYS: a lease, who took each partition last. ARGV: the process, milliseconds that it lasts, the partition. A full engine takes new values from scripts only.
const TAKE: &str = "#!lua flags=allow-oom
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 0 end
redis.call('HSET', KEYS[2], ARGV[3], ARGV[1])
return 1";

/// KEYS: a lease, and members. ARGV: the process, whether it leaves.
const RELEASE: &str = "#!lua flags=allow-oom
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
if ARGV[2] == '1' then redis.call('ZREM', KEYS[2], ARGV[1]) end
return 1";

pub(super) struct Leases {
    link: Arc<Link>,
    keys: Keys,
    group: String,
    process: ProcessId,
    partitions: u32,
    lasts: Duration,
    held: BTreeSet<u32>,
    /// Those of them that another one is to read.
    wanted: BTreeSet<u32>,
    attend_at: Instant,
    /// Nothing is taken before this time: those who held it before may be about to say so.
    take_at: Instant,
}

/// What has changed.
#[derive(Default)]
pub(super) struct Changes {
    pub(super) taken: Vec<u32>,
    pub(super) wanted: Vec<u32>,
}

impl Leases {
    pub(super) fn new(
        link: Arc<Link>,
        keys: Keys,
        group: &str,
        process: ProcessId,
        partitions: u32,
        lasts: Duration,
    ) -> Self {
        Self {
            link,
            keys,
            group: group.into(),
            process,
            partitions,
            lasts,
            held: BTreeSet::new(),
            wanted: BTreeSet::new(),
            attend_at: Instant::now(),
            take_at: Instant::now(),
        }
    }

    /// Those that are read here.
    pub(super) fn read_here(&self) -> impl Iterator<Item = u32> {
        self.held.difference(&self.wanted).copied()
    }

    /// Gives a sign of life if it is time for one, and takes or offers partitions.
    pub(super) async fn attend(&mut self) -> Result<Changes, EngineError> {
        let now = Instant::now();
        if now < self.attend_at {
            return Ok(Changes::default());
        }
        self.attend_at = now + self.lasts / SIGNS;
        let attended = self.say().await;
        if attended.is_err() {
            self.take_at = Instant::now() + self.lasts / 2;
        }
        let (owners, members) = attended?;
        let own = self.process.to_string();
        for partition in &self.held {
            if owners.get(*partition as usize) != Some(&own) {
                return Err(EngineError::Deposed(format!(
                    "another replayer took over partition {partition}, because this one gave no sign of life for {}",
                    humantime::format_duration(self.lasts)
                )));
            }
        }
        self.share_out(&own, &owners, members).await
    }

    async fn say(&self) -> Result<(Vec<String>, Vec<String>), EngineError> {
        let mut command = cmd("EVAL");
        command.arg(ATTEND).arg(2 + self.partitions);
        command.arg(self.keys.members(&self.group));
        command.arg(self.keys.readers(&self.group));
        for partition in 0..self.partitions {
            command.arg(self.keys.lease(&self.group, partition));
        }
        command.arg(self.process.to_string()).arg(self.millis());
        for partition in 0..self.partitions {
            command.arg(u8::from(self.held.contains(&partition)));
        }
        self.link.query(&command).await.map_err(engine_error)
    }

    async fn share_out(
        &mut self,
        own: &str,
        owners: &[String],
        mut members: Vec<String>,
    ) -> Result<Changes, EngineError> {
        members.sort();
        let share = share(self.partitions, &members, own);
        let mut changes = Changes::default();
        // What is given up is given up: it is judged to its end first.
        while self.held.len() - self.wanted.len() > share {
            let Some(partition) = self.read_here().last() else {
                break;
            };
            self.wanted.insert(partition);
            changes.wanted.push(partition);
        }
        let free = owners.iter().zip(0..).filter(|(owner, _)| owner.is_empty());
        for (_, partition) in free {
            if self.held.len() >= share || Instant::now() < self.take_at {
                break;
            }
            if self.take(partition).await? {
                self.held.insert(partition);
                changes.taken.push(partition);
            }
        }
        Ok(changes)
    }

    async fn take(&self, partition: u32) -> Result<bool, EngineError> {
        let mut command = cmd("EVAL");
        command.arg(TAKE).arg(2);
        command.arg(self.keys.lease(&self.group, partition));
        command.arg(self.keys.readers(&self.group));
        command.arg(self.process.to_string()).arg(self.millis());
        command.arg(partition);
        self.link.query(&command).await.map_err(engine_error)
    }

    pub(super) async fn release(&mut self, partition: u32) -> Result<(), EngineError> {
        let leaves = self.held.len() == 1 && !self.wanted.contains(&partition);
        let mut command = cmd("EVAL");
        command.arg(RELEASE).arg(2);
        command.arg(self.keys.lease(&self.group, partition));
        command.arg(self.keys.members(&self.group));
        command.arg(self.process.to_string()).arg(u8::from(leaves));
        let _: i64 = self.link.query(&command).await.map_err(engine_error)?;
        self.held.remove(&partition);
        self.wanted.remove(&partition);
        Ok(())
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.lasts.as_millis()).unwrap_or(u64::MAX)
    }
}

/// How many partitions this member reads.
fn share(partitions: u32, members: &[String], own: &str) -> usize {
    let place = members.iter().position(|member| member == own);
    let (partitions, members) = (partitions as usize, members.len().max(1));
    let one_more = place.is_some_and(|place| place < partitions % members);
    partitions / members + usize::from(one_more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_shared_out_evenly_and_whole() {
        for members in 1..12 {
            let names: Vec<String> = (0..members).map(|n| format!("{n:02}")).collect();
            let shares: Vec<usize> = names.iter().map(|own| share(8, &names, own)).collect();
            assert_eq!(shares.iter().sum::<usize>(), 8, "{shares:?}");
            let (least, most) = (shares.iter().min().unwrap(), shares.iter().max().unwrap());
            assert!(most - least <= 1, "{shares:?}");
        }
    }
}
