//! The stories once more, on Kafka: one broker, and three of which the first may be killed. The brokers serve one story after the other,
//! each with a topic of its own.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use mirror_tests::kafka::{Kafka, Listener};
use mirror_tests::needs;
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::engine::TestEngine;

/// Brokers that no story is told with now, by how many they are.
static IDLE: Mutex<Option<HashMap<usize, Kafka>>> = Mutex::new(None);

thread_local! {
    /// Brokers that the story is to be told with.
    static CHOSEN: Cell<usize> = const { Cell::new(0) };
}

pub(crate) struct Topic {
    kafka: Kafka,
    name: String,
    is_down: bool,
}

/// None where the story is for other engines.
pub(crate) fn chosen() -> Option<usize> {
    Some(CHOSEN.get()).filter(|brokers| *brokers > 0)
}

fn tell(brokers: usize, story: fn() -> Result<()>) -> Result<()> {
    CHOSEN.set(brokers);
    let told = story();
    CHOSEN.set(0);
    told
}

pub(crate) fn with(brokers: usize, story: impl Fn(&mut TestEngine) -> Result<()>) -> Result<()> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let idle = idle(|idle| idle.remove(&brokers));
    let kafka = idle.map_or_else(|| Kafka::start(brokers), Ok)?;
    let name = format!("shop-{}", NEXT.fetch_add(1, Relaxed));
    let mut engine = TestEngine::Kafka(Topic {
        kafka,
        name,
        is_down: false,
    });
    story(&mut engine)?;
    // After a failure nobody knows how they are, so others are started.
    if let TestEngine::Kafka(mut topic) = engine {
        if topic.is_down {
            topic.start_again()?;
        }
        idle_again(brokers, topic.kafka);
    }
    Ok(())
}

fn idle<R>(look: impl FnOnce(&mut HashMap<usize, Kafka>) -> R) -> R {
    let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
    look(idle.get_or_insert_default())
}

fn idle_again(brokers: usize, kafka: Kafka) {
    // Others are ended, because memory is short.
    idle(|idle| {
        idle.clear();
        idle.insert(brokers, kafka);
    });
}

/// Ends all brokers: what is static is not dropped.
pub(crate) fn end() {
    idle(HashMap::clear);
}

impl Topic {
    pub(crate) fn url(&self) -> String {
        self.kafka.url(&self.name)
    }

    pub(crate) fn kill(&mut self) {
        self.kafka.kill(0);
        self.is_down = true;
    }

    pub(crate) fn start_again(&mut self) -> Result<()> {
        self.is_down = false;
        self.kafka.start_again(0)
    }

    pub(crate) fn freeze(&self) -> Result<()> {
        self.kafka.freeze(0)
    }

    pub(crate) fn thaw(&self) -> Result<()> {
        self.kafka.thaw(0)
    }

    pub(crate) fn write(&self, partition: u32, frame: &[u8]) -> Result<()> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.kafka.addresses(Listener::Plain));
        let producer: BaseProducer = config.create()?;
        let record = BaseRecord::<(), [u8]>::to(&self.name).partition(i32::try_from(partition)?);
        let sent = producer.send(record.payload(frame));
        sent.map_err(|(error, _)| error)?;
        Ok(producer.flush(Duration::from_secs(10))?)
    }

    pub(crate) fn trim(&self, partition: u32, left: u32) -> Result<()> {
        let tool = |name: &str, arguments: &[&str]| {
            let class = format!("org.apache.kafka.tools.{name}");
            self.kafka.by(Listener::Plain, &class, arguments)
        };
        let place = format!("{}:{partition}", self.name);
        let ends = tool("GetOffsetShell", &["--topic-partitions", &place])?;
        let end = ends.trim().rsplit(':').next().unwrap_or_default();
        let end: u32 = end.parse().with_context(|| ends.clone())?;
        let file = self.kafka.scratch().join("trim.json");
        let text = format!(
            "{{\"version\": 1, \"partitions\": [{{\"topic\": \"{}\", \"partition\": {partition}, \"offset\": {}}}]}}",
            self.name,
            end.saturating_sub(left)
        );
        std::fs::write(&file, text)?;
        let file = file.display().to_string();
        tool("DeleteRecordsCommand", &["--offset-json-file", &file]).map(drop)
    }
}

macro_rules! stories {
    ($brokers:literal: $($module:ident::$story:ident),* $(,)?) => {
        $(
            #[needs(kafka)]
            fn $story() -> Result<()> {
                super::tell($brokers, crate::$module::$story)
            }
        )*
    };
}

// Killing the only broker is not among them: once in a while the fleet's state could not be read for minutes afterwards, as docs/fleet.md
// says.
mod one_broker {
    use super::{Result, needs};

    stories! { 1:
        frames::what_is_damaged_or_of_another_version_ends_as_that_and_holds_nothing_up,
        frames::what_the_engine_trims_is_lost_with_a_number,
        killed::whoever_is_killed_when_nothing_handed_over_is_lost_or_counted_twice,
        order::a_large_request_is_cut_and_put_together,
        order::replayers_that_come_and_go_share_the_work_without_losing_or_doubling_any,
        order::requests_of_a_lane_come_in_their_order_and_each_once,
        trouble::a_host_that_ends_while_the_engine_is_away_says_what_it_could_not_hand_over,
        trouble::a_slow_replayer_takes_what_it_has_room_for_and_sheds_nothing,
        trouble::an_engine_that_stands_still_never_holds_capture_up_and_what_has_no_room_is_shed,
    }
}

mod three_brokers {
    use super::{Result, needs};

    stories! { 3:
        killed::whoever_is_killed_when_nothing_handed_over_is_lost_or_counted_twice,
        order::replayers_that_come_and_go_share_the_work_without_losing_or_doubling_any,
        order::requests_of_a_lane_come_in_their_order_and_each_once,
        trouble::an_engine_that_is_killed_and_comes_back_loses_nothing,
    }
}
