//! The broker of the tests, on which tests of other things rely, and the agent's engine on it.

mod engine;
mod security;

use std::process::ExitCode;

use anyhow::{Result, ensure};
use mirror_tests::kafka::{self, Kafka, Listener};
use mirror_tests::needs;

fn main() -> ExitCode {
    mirror_tests::testing::main()
}

#[needs(kafka)]
fn three_brokers_keep_a_topic_while_one_is_killed_and_comes_back() -> Result<()> {
    let mut kafka = Kafka::start(3)?;
    kafka.create_topic("kept", 3, &[])?;
    kafka.kill(0);
    let described = kafka.topics(&["--describe", "--topic", "kept"])?;
    ensure!(described.contains("ReplicationFactor: 3"), "{described}");
    kafka.start_again(0)?;
    kafka.wait_whole("kept")
}

#[needs(kafka)]
fn doors_with_a_password_let_in_who_has_it_and_a_guest_may_do_nothing() -> Result<()> {
    let kafka = Kafka::start(1)?;
    kafka.create_topic("secured", 1, &[])?;
    let list = |user: &str| {
        let file = kafka.scratch().join(format!("{user}.properties"));
        std::fs::write(&file, kafka::client_settings(&kafka, user))?;
        let file = file.display().to_string();
        kafka.by(
            Listener::Sasl,
            TOPICS,
            &["--list", "--command-config", &file],
        )
    };
    let seen = list(kafka::USER)?;
    ensure!(seen.contains("secured"), "{seen}");
    let seen = list(kafka::GUEST)?;
    ensure!(!seen.contains("secured"), "{seen}");
    Ok(())
}

const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";
