//! The Java implementation of the contract names every request as this one does, whatever is in it.
//!
//! `mvn -f sdk/java/pom.xml -pl mirror-snapshot test-compile` builds the other side. MIRROR_SEED makes other requests.

mod body;
mod head;
mod json;
mod random;
mod request;

use std::{
    io::{BufRead, BufReader, BufWriter},
    process::{Child, Command, ExitCode, Stdio},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use mirror_snapshot::IdRules;
use mirror_tests::{java, needs, testing};
use random::Random;
use request::Request;
use serde_json::Value;

const REQUESTS: usize = 100_000;
const SEED: u64 = 0x5eed_2026;
/// For a start of the JVM and between two answers.
const LIMIT: Duration = Duration::from_secs(60);

/// The body that most requests have with a list of rules.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wants {
    Any,
    Json,
    Form,
}

const LISTS: [(Wants, &[&str]); 14] = [
    (Wants::Any, &["header:X-Request-ID"]),
    (Wants::Any, &["traceparent #n"]),
    (
        Wants::Json,
        &[r#"md5("{json:userId}:{json:productId}:{time:s}")"#],
    ),
    (
        Wants::Json,
        &[r#"sha256("{?json:/items/0}|{json:user.name}|{?json:/items/1/b}|{?json:a/b}") #n"#],
    ),
    (
        Wants::Json,
        &[r#"xxh3("{json:items}|{?json:userId}|{?json:/user}|{time:7s}")"#],
    ),
    (
        Wants::Json,
        &[
            r#"none("{json:userId}-{method}")"#,
            r#"none("{json:/user/name}")"#,
            r#"none("{query:q}.{time:1m}") #n"#,
        ],
    ),
    (
        Wants::Json,
        &[r#"md5("{json:deep}|{?json:/deep/0/0}|{?json:/a~1b}|{?json:/}")"#],
    ),
    (
        Wants::Form,
        &[r#"md5("{form:a}|{?form:b}|{?form:ä}|{?query:q}|{time:90s}")"#],
    ),
    (
        Wants::Form,
        &[r#"xxh3("{form:q}|{?json:userId}")"#, r#"none("{form:b}")"#],
    ),
    (
        Wants::Any,
        &[
            r#"xxh3("{query:q}|{?query:ä b}|{?cookie:sid}|{host}")"#,
            r#"md5("{query:a}|{host}") #n"#,
        ],
    ),
    (
        Wants::Any,
        &[r#"sha256("{?header:x-a}|{?header:X-Request-Id}|{?cookie:b}|{method}|{path}")"#],
    ),
    (
        Wants::Any,
        &[
            r#"GET /u/{user}/** => md5("{path:user}|{client}|{time:2h}")"#,
            r#"* /orders/{id}/{name} => sha256("{path:id}/{path:name}/{?query:x}") #n"#,
            r#"POST /a/* => xxh3("{path:2}")"#,
            "PUT /** => response-header:X-Id",
            "* /u/*/** => header:x-a #n",
            r#"POST /** => md5("{path}{time:s}")"#,
        ],
    ),
    (
        Wants::Any,
        &[r#"none("{path:1}~{?path:3}{{}}{time:s}{time:24h}")"#],
    ),
    (
        Wants::Any,
        &[
            r#"none("{client}")"#,
            r#"none("{host}:{header:x-a}")"#,
            "POST /a/{x}/** => response-json:id",
        ],
    ),
];

fn main() -> ExitCode {
    testing::main()
}

#[needs(java)]
fn java_derives_the_same_ids_and_keys() -> Result<()> {
    let command = java::derive_ids().context(java::DERIVE_IDS_NEEDS)?;
    let seed = seed()?;
    println!("seed {seed:#x}");
    let mut program = Program(spawn(command)?);
    let mut stdin = BufWriter::new(program.0.stdin.take().context("a pipe")?);
    let stdout = BufReader::new(program.0.stdout.take().context("a pipe")?);
    let (made, expected) = sync_channel(1024);
    let writer = thread::spawn(move || write_requests(seed, &mut stdin, &made));
    let answers = lines(stdout);

    let mut named = [0; LISTS.len()];
    let mut unnamed = [0; LISTS.len()];
    for n in 0..REQUESTS {
        let answer = answers
            .recv_timeout(LIMIT)
            .with_context(|| format!("the answer to request {n} of seed {seed:#x}"))?;
        let (list, request, ours): (usize, Value, Value) = expected.recv()?;
        let theirs: Value = serde_json::from_str(&answer)?;
        assert_eq!(
            theirs, ours,
            "Java's answer and ours to request {n} of seed {seed:#x}: {request}"
        );
        let count = if ours["id"].is_null() {
            &mut unnamed
        } else {
            &mut named
        };
        count[list] += 1;
    }
    writer.join().expect("no panic")?;
    println!("named {named:?}, unnamed {unnamed:?}");
    assert!(named.iter().all(|n| *n > 2_000), "named {named:?}");
    assert!(unnamed.iter().sum::<usize>() > 10_000, "{unnamed:?}");
    Ok(())
}

fn seed() -> Result<u64> {
    let Ok(text) = std::env::var("MIRROR_SEED") else {
        return Ok(SEED);
    };
    let seed = match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    };
    // Xorshift stays at 0.
    Ok(seed
        .context("MIRROR_SEED is a number, as 7 or 0x5eed")?
        .max(1))
}

/// Ended with the test, however that ends.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        // Fails only when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn spawn(mut command: Command) -> Result<Child> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("starting java")
}

fn lines(stdout: impl BufRead + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = sync_channel(1024);
    thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn write_requests(
    seed: u64,
    stdin: &mut impl std::io::Write,
    made: &SyncSender<(usize, Value, Value)>,
) -> Result<()> {
    let rules: Vec<_> = LISTS
        .iter()
        .map(|(_, texts)| IdRules::parse(texts).expect("rules"))
        .collect();
    let mut random = Random(seed);
    for _ in 0..REQUESTS {
        let list = random.below(LISTS.len());
        let request = Request::random(&mut random, LISTS[list].0);
        let given = request.given(LISTS[list].1);
        writeln!(stdin, "{given}")?;
        // The test is over where it does not listen any more.
        if made
            .send((list, given, request.answer(&rules[list])))
            .is_err()
        {
            break;
        }
    }
    Ok(stdin.flush()?)
}
