//! What a client of librdkafka tells, and what its errors mean to a transport.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::super::engine::EngineError;

/// Longest wait for one answer of a broker.
pub(super) const ANSWER: Duration = Duration::from_secs(5);
pub(super) const DEPOSED: &str =
    "others took over what this process held, because it gave no sign of life";
/// The one partition of the state's topic.
pub(super) const PARTITION: i32 = 0;
const MOMENT: Duration = Duration::from_millis(200);
/// What a client says of its connections lasts for one sentence.
const MAX_WORDS: usize = 300;

/// The last thing that went wrong on a connection: errors themselves only say that there is none.
#[derive(Clone, Default)]
pub(super) struct Connections(Arc<Mutex<String>>);

impl Connections {
    fn note(&self, words: &str) {
        // `[thrd:…]: 127.0.0.1:1/bootstrap: Connect to … failed: Connection refused (after 0ms in state CONNECT)`
        let words = words.rsplit_once("]: ").map_or(words, |(_, words)| words);
        let words = words.split(" (after ").next().unwrap_or(words);
        let words: String = words.chars().take(MAX_WORDS).collect();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = words;
    }

    /// The client may tell it a moment after the error.
    fn last(&self) -> String {
        let until = Instant::now() + MOMENT;
        loop {
            let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if !last.is_empty() || Instant::now() > until {
                return last.clone();
            }
            drop(last);
            std::thread::sleep(MOMENT / 10);
        }
    }
}

impl ClientContext for Connections {
    fn log(&self, level: RDKafkaLogLevel, subject: &str, words: &str) {
        if matches!(level, RDKafkaLogLevel::Error) && subject == "FAIL" {
            self.note(words);
        }
        tracing::debug!("librdkafka: {subject}: {words}");
    }

    fn error(&self, error: KafkaError, words: &str) {
        let code = error.rdkafka_error_code();
        if code != Some(RDKafkaErrorCode::AllBrokersDown) {
            self.note(words);
        }
        tracing::debug!("librdkafka: {error}: {words}");
    }
}

/// What an error means, of a client that was `doing` something.
pub(super) fn engine_error(
    error: &KafkaError,
    connections: &Connections,
    doing: &str,
) -> EngineError {
    let code = match error {
        KafkaError::AdminOp(code) => Some(*code),
        error => error.rdkafka_error_code(),
    };
    match code {
        Some(code) => error_of(code, connections, doing),
        None => EngineError::Refused(format!("kafka: {doing}: {error}")),
    }
}

pub(super) fn error_of(
    code: RDKafkaErrorCode,
    connections: &Connections,
    doing: &str,
) -> EngineError {
    use RDKafkaErrorCode::{
        AllBrokersDown, Authentication, BrokerTransportFailure, ClusterAuthorizationFailed,
        FencedInstanceId, GroupAuthorizationFailed, InvalidConfig, InvalidTopic,
        MessageSizeTooLarge, MessageTimedOut, OperationTimedOut, PolicyViolation, Resolve, SSL,
        SaslAuthenticationFailed, TopicAuthorizationFailed, TransactionalIdAuthorizationFailed,
        UnknownMemberId, UnknownPartition, UnknownTopic, UnknownTopicOrPartition,
        UnsupportedVersion,
    };
    let told = match code {
        AllBrokersDown
        | BrokerTransportFailure
        | MessageTimedOut
        | OperationTimedOut
        | Resolve
        | SSL
        | Authentication => connections.last(),
        _ => String::new(),
    };
    let words = if told.is_empty() { words(code) } else { told };
    let text = format!("kafka: {doing}: {words}");
    match code {
        UnknownMemberId | FencedInstanceId => EngineError::Deposed(DEPOSED.into()),
        Authentication
        | SaslAuthenticationFailed
        | ClusterAuthorizationFailed
        | GroupAuthorizationFailed
        | TopicAuthorizationFailed
        | TransactionalIdAuthorizationFailed
        | InvalidConfig
        | InvalidTopic
        | MessageSizeTooLarge
        | PolicyViolation
        | UnknownPartition
        | UnknownTopic
        | UnknownTopicOrPartition
        | UnsupportedVersion => EngineError::Refused(text),
        _ => EngineError::Unanswered(text),
    }
}

/// `Broker: Topic authorization failed`, without the name of a constant before it.
fn words(code: RDKafkaErrorCode) -> String {
    let text = code.to_string();
    match text.split_once(" (") {
        Some((_, words)) => words.trim_end_matches(')').to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_its_connection_said() {
        let connections = Connections::default();
        let down = || error_of(RDKafkaErrorCode::AllBrokersDown, &connections, "reading");
        assert!(
            matches!(down(), EngineError::Unanswered(text) if text.contains("connections are down"))
        );
        connections.note("[thrd:127.0.0.1:1/bootstrap]: 127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)");
        let text = "kafka: reading: 127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused";
        assert_eq!(down(), EngineError::Unanswered(text.into()));
    }

    #[test]
    fn what_a_broker_refuses_is_not_tried_again() {
        let code = RDKafkaErrorCode::TopicAuthorizationFailed;
        let text = "kafka: writing: Broker: Topic authorization failed";
        assert_eq!(
            error_of(code, &Connections::default(), "writing"),
            EngineError::Refused(text.into())
        );
    }
}
