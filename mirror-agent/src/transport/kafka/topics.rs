//! The two topics, which the first agent makes if nobody has.

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::super::engine::EngineError;
use super::MAX_STATE;
use super::address::Address;
use super::client::{ANSWER, Connections, engine_error, error_of};

const WORDS: Duration = Duration::from_millis(100);

type Client = BaseConsumer<Connections>;

/// How many partitions the frames' topic has; `wanted` of them, if it is not there yet.
pub(super) fn ensure_frames(
    address: &Address,
    client: &Client,
    wanted: u32,
) -> Result<u32, EngineError> {
    let topic = &address.topic;
    if let Some(partitions) = known_partitions(client, topic)? {
        return Ok(partitions);
    }
    let wanted = i32::try_from(wanted).unwrap_or(i32::MAX);
    let new = NewTopic::new(topic, wanted, TopicReplication::Fixed(-1));
    make(address, client, &new)
}

/// None of a topic that is not there.
fn known_partitions(client: &Client, topic: &str) -> Result<Option<u32>, EngineError> {
    let doing = format!("asking for the topic {topic}");
    let metadata = client.fetch_metadata(Some(topic), ANSWER);
    let metadata = metadata.map_err(|error| {
        // What the client has to say of its connections, it says when it is polled. Nothing is assigned to it yet.
        let _ = client.poll(WORDS);
        engine_error(&error, client.context(), &doing)
    })?;
    let Some(topic) = metadata.topics().iter().find(|known| known.name() == topic) else {
        return Ok(None);
    };
    match topic.error().map(RDKafkaErrorCode::from) {
        None => Ok(u32::try_from(topic.partitions().len()).ok()),
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
            Ok(None)
        }
        Some(code) => Err(error_of(code, client.context(), &doing)),
    }
}

/// For those who only look.
pub(super) fn expect_state(address: &Address, client: &Client) -> Result<(), EngineError> {
    let topic = address.state_topic();
    match known_partitions(client, &topic)? {
        Some(_) => Ok(()),
        None => Err(EngineError::Refused(format!(
            "kafka: there is no topic {topic}: no agent has opened {} yet",
            address.topic
        ))),
    }
}

/// Makes the topic of the state, if nobody has.
pub(super) fn ensure_state(address: &Address, client: &Client) -> Result<(), EngineError> {
    let topic = address.state_topic();
    if known_partitions(client, &topic)?.is_some() {
        return Ok(());
    }
    let most = MAX_STATE.to_string();
    let new = NewTopic::new(&topic, 1, TopicReplication::Fixed(-1))
        .set("cleanup.policy", "compact")
        // The time of a record is the brokers', whatever the host's clock says.
        .set("message.timestamp.type", "LogAppendTime")
        .set("max.message.bytes", &most)
        // What is not compacted yet is read by whoever begins.
        .set("segment.bytes", &most)
        .set("min.cleanable.dirty.ratio", "0.2");
    make(address, client, &new).map(drop)
}

/// Makes a topic, if nobody has meanwhile, and says how many partitions it has.
fn make(address: &Address, client: &Client, new: &NewTopic<'_>) -> Result<u32, EngineError> {
    let (admin, connections) = admin(address)?;
    let doing = format!(
        "there is no topic {}, and the agent cannot make it",
        new.name
    );
    let made = wait(admin.create_topics([new], &options()))
        .map_err(|error| engine_error(&error, &connections, &doing))?;
    for result in made {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((_, code)) => return Err(error_of(code, &connections, &doing)),
        }
    }
    let until = Instant::now() + ANSWER;
    loop {
        match known_partitions(client, new.name)? {
            Some(partitions) if partitions > 0 => return Ok(partitions),
            _ if Instant::now() > until => {
                let words = format!("kafka: the topic {} is not there yet", new.name);
                return Err(EngineError::Unanswered(words));
            }
            _ => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// Largest batch that the frames' topic takes. Kafka's own default where the agent may not ask for it.
pub(super) fn max_bytes(address: &Address) -> Result<usize, EngineError> {
    const DEFAULT: usize = 1_048_588;
    /// Larger messages make brokers and clients slow; parcels are cut.
    const MOST: usize = 8 << 20;
    let (admin, _) = admin(address)?;
    let topic = ResourceSpecifier::Topic(&address.topic);
    let described = wait(admin.describe_configs([&topic], &options()));
    let value = described.ok().and_then(|all| {
        let topic = all.into_iter().next()?.ok()?;
        topic.get("max.message.bytes")?.value.clone()
    });
    let value = value.and_then(|text| text.parse().ok());
    Ok(value.map_or(DEFAULT, |limit: usize| limit.min(MOST)))
}

fn admin(address: &Address) -> Result<(AdminClient<Connections>, Connections), EngineError> {
    let connections = Connections::default();
    let admin = address.client().create_with_context(connections.clone());
    let admin = admin.map_err(|error| engine_error(&error, &connections, "starting a client"))?;
    Ok((admin, connections))
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(ANSWER))
        .operation_timeout(Some(ANSWER))
}

/// This thread is there for waiting.
fn wait<R>(answer: impl Future<Output = Result<R, KafkaError>>) -> Result<R, KafkaError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    match runtime {
        Ok(runtime) => runtime.block_on(answer),
        Err(_) => Err(KafkaError::Canceled),
    }
}
