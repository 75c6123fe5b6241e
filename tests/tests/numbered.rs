//! Identical requests under rules with ` #n`, through the whole agent: production's answers differ each time, so that a
//! document of another request would be seen as a difference.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use mirror_contract::{
    DEFAULT_TTL, Document, Encoding, Fields, HEADER_REQUEST_ID, IdRules, ListEntry, Read,
    RequestId, RequestTarget, SnapshotNumber, Stamp,
};
use mirror_snapshot::RedisStore;
use mirror_tests::agent::{Agent, Finished};
use mirror_tests::net::Host;
use mirror_tests::redis::Redis;
use mirror_tests::stage::{MIRROR_PORT, PRODUCTION_PORT, Stage};
use mirror_tests::workspace::Profile;
use mirror_tests::{needs, testing};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

const BY_PATH: &str = r#"md5("{method} {path}") #n"#;
const BY_SECOND: &str = r#"md5("{path}:{time:s}") #n"#;

fn main() -> ExitCode {
    testing::main()
}

/// What production and its client do.
#[derive(Clone, Copy)]
struct Story {
    rule: &'static str,
    connections: usize,
    requests: usize,
    /// Between two requests of a connection.
    pause: Duration,
    /// Sends each second request before the first is answered.
    pipelines: bool,
    service: Service,
}

/// How production answers and files.
#[derive(Clone, Copy)]
struct Service {
    takes: Duration,
    /// From the answer to the filing.
    delay: Duration,
    /// Its clock is ahead by so many microseconds.
    ahead: i64,
    has_peer: bool,
    /// Every so-manieth document is never filed.
    loses: Option<u64>,
}

const STORY: Story = Story {
    rule: BY_PATH,
    connections: 1,
    requests: 2,
    pause: Duration::from_millis(500),
    pipelines: false,
    service: Service {
        takes: Duration::from_millis(2),
        delay: Duration::from_millis(300),
        ahead: 0,
        has_peer: true,
        loses: None,
    },
};

struct Message {
    target: RequestTarget,
}

impl Fields for Message {
    fn method(&self) -> &str {
        "GET"
    }
    fn target(&self) -> Option<&RequestTarget> {
        Some(&self.target)
    }
    fn header(&self, _: &str, _: usize) -> Option<&[u8]> {
        None
    }
    fn body(&self) -> Option<&[u8]> {
        None
    }
}

/// Production: each answer is the next number, and a document that holds it is filed a while later. Each connection is
/// served by a process of its own, as far as the store can see.
async fn production(listener: TcpListener, rule: &str, service: Service) -> Result<()> {
    let rules = Arc::new(IdRules::parse(&[rule])?);
    let counter = Arc::new(AtomicU64::new(0));
    loop {
        let (stream, peer) = listener.accept().await?;
        let (rules, counter) = (Arc::clone(&rules), Arc::clone(&counter));
        let store = RedisStore::connect(&Redis::url())?;
        tokio::spawn(async move {
            // Ends with the connection.
            let _ = serve(stream, peer, store, &rules, &counter, service).await;
        });
    }
}

async fn serve(
    mut stream: TcpStream,
    peer: SocketAddr,
    store: RedisStore,
    rules: &IdRules,
    counter: &AtomicU64,
    service: Service,
) -> Result<()> {
    let mut unread = Vec::new();
    while let Some(head) = next_head(&mut stream, &mut unread).await? {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let at = Duration::from_micros(
            u64::try_from(now.as_micros())?.saturating_add_signed(service.ahead),
        );
        let target = head.split(' ').nth(1).context("a target")?.to_owned();
        let message = Message {
            target: RequestTarget::parse("GET", target),
        };
        let value = counter.fetch_add(1, Ordering::Relaxed);
        sleep(service.takes).await;
        stream.write_all(answer(value).as_bytes()).await?;
        if service.loses.is_some_and(|nth| value % nth == nth - 1) {
            continue;
        }
        let (derived, is_numbered) = rules
            .derive(&message, None, at.as_secs())
            .context("an id")?;
        let stamp = Stamp::new(&message, at, None, service.has_peer.then_some(peer));
        let store = store.clone();
        tokio::spawn(async move {
            sleep(service.delay).await;
            file(&store, derived, is_numbered, stamp, value).await
        });
    }
    Ok(())
}

async fn file(
    store: &RedisStore,
    derived: RequestId,
    is_numbered: bool,
    stamp: Stamp,
    value: u64,
) -> Result<()> {
    let reads = vec![Read {
        name: "number".into(),
        key: String::new(),
        result: Ok(Encoding::Json.encode(&value)?),
        written: None,
        is_inside: false,
    }];
    let document = Document {
        stamp,
        encoding: Encoding::Json,
        reads,
        unfinished: Vec::new(),
        dropped: 0,
    };
    let bytes = document.to_bytes()?;
    if is_numbered {
        // No two of one run are the same, which is all that is asked of a number.
        let entry = ListEntry::new(SnapshotNumber(value), &document.stamp);
        store
            .put_listed(&derived, &entry, &bytes, DEFAULT_TTL)
            .await?;
    } else {
        store.put(&derived, &bytes, DEFAULT_TTL).await?;
    }
    Ok(())
}

/// The mirror: answers with what production's document holds.
async fn mirror(listener: TcpListener) -> Result<()> {
    loop {
        let (mut stream, _) = listener.accept().await?;
        let store = RedisStore::connect(&Redis::url())?;
        tokio::spawn(async move {
            let mut unread = Vec::new();
            while let Some(head) = next_head(&mut stream, &mut unread).await? {
                let id = head
                    .lines()
                    .filter_map(|line| line.split_once(": "))
                    .find(|(name, _)| name.eq_ignore_ascii_case(HEADER_REQUEST_ID))
                    .and_then(|(_, id)| RequestId::new(id))
                    .context("an id")?;
                let value = store.look(&[id]).await?.remove(0).context("a document")?;
                let document = Document::from_bytes(&value)?;
                let Ok(number) = &document.reads[0].result else {
                    bail!("a number was read");
                };
                let number: u64 = document.encoding.decode(number)?;
                stream.write_all(answer(number).as_bytes()).await?;
            }
            anyhow::Ok(())
        });
    }
}

fn answer(value: u64) -> String {
    let body = format!("{{\"number\":{value}}}");
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The next message without a body; `None` at the end of the connection.
async fn next_head(stream: &mut TcpStream, unread: &mut Vec<u8>) -> Result<Option<String>> {
    loop {
        if let Some(end) = unread.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = unread.drain(..end + 4).collect();
            return Ok(Some(String::from_utf8(head)?));
        }
        if stream.read_buf(unread).await? == 0 {
            return Ok(None);
        }
    }
}

async fn client(story: Story) -> Result<()> {
    let address = SocketAddr::from((Host::Production.address(), PRODUCTION_PORT));
    let mut clients = tokio::task::JoinSet::new();
    for connection in 0..story.connections {
        // Not in step with the others.
        let pause = story.pause + story.pause * u32::try_from(connection)? / 40;
        clients.spawn(async move {
            let mut stream = TcpStream::connect(address).await?;
            let request = "GET /number HTTP/1.1\r\nhost: production\r\n\r\n";
            let at_once = if story.pipelines { 2 } else { 1 };
            for _ in 0..story.requests / at_once {
                stream.write_all(request.repeat(at_once).as_bytes()).await?;
                let mut answered = Vec::new();
                while answered.windows(8).filter(|w| w == b"HTTP/1.1").count() < at_once
                    || !answered.ends_with(b"}")
                {
                    if stream.read_buf(&mut answered).await? == 0 {
                        bail!("production closed the connection");
                    }
                }
                sleep(pause).await;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = clients.join_next().await {
        done??;
    }
    Ok(())
}

/// Runs `work` on a host until it is done, or until the test is.
fn on(
    stage: &Stage,
    host: Host,
    over: &tokio::sync::Notify,
    work: impl Future<Output = Result<()>> + Send,
) -> Result<()> {
    stage.network.on(host, || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            tokio::select! {
                done = work => done,
                () = over.notified() => Ok(()),
            }
        })
    })
}

async fn listening(host: Host, port: u16) -> Result<TcpListener> {
    Ok(TcpListener::bind((host.address(), port)).await?)
}

fn run(story: Story) -> Result<Finished> {
    let stage = Stage::new()?.redis()?;
    let over = [tokio::sync::Notify::new(), tokio::sync::Notify::new()];
    std::thread::scope(|scope| {
        let (stage, over) = (&stage, &over);
        let services = [
            scope.spawn(move || {
                on(stage, Host::Production, &over[0], async {
                    let listener = listening(Host::Production, PRODUCTION_PORT).await?;
                    production(listener, story.rule, story.service).await
                })
            }),
            scope.spawn(move || {
                on(stage, Host::Mirror, &over[1], async {
                    mirror(listening(Host::Mirror, MIRROR_PORT).await?).await
                })
            }),
        ];
        let finished = watched(stage, story);
        over.iter().for_each(tokio::sync::Notify::notify_one);
        for service in services {
            let ended = service.join();
            ended.map_err(|_| anyhow::anyhow!("a service panicked"))??;
        }
        finished
    })
}

fn watched(stage: &Stage, story: Story) -> Result<Finished> {
    for (host, port) in [
        (Host::Production, PRODUCTION_PORT),
        (Host::Mirror, MIRROR_PORT),
    ] {
        let address = SocketAddr::from((host.address(), port));
        mirror_tests::http::wait_listening(&stage.network, host, address, WAIT)?;
    }
    let target = format!("http://{}:{MIRROR_PORT}", Host::Mirror.address());
    let redis = Redis::url();
    let agent = Agent::start(
        &stage.network,
        PRODUCTION_PORT,
        &target,
        &["--redis", &redis, "--rule", story.rule],
        Profile::Debug,
        &stage.scratch,
    )?;
    on(
        stage,
        Host::Client,
        &tokio::sync::Notify::new(),
        client(story),
    )?;
    let all = (story.connections * story.requests) as u64;
    agent.wait_settled(all, Duration::from_secs(20))?;
    let finished = agent.stop()?;
    let report = &finished.report;
    assert_eq!(report.seen, all, "{:#}", report.json);
    assert!(report.is_balanced(), "{:#}", report.json);
    assert_eq!(report.outcome("differed"), 0, "{:#}", report.json);
    Ok(finished)
}

const WAIT: Duration = Duration::from_secs(10);

/// Runs a story of which each request must end in one of the outcomes; how many ended in each.
fn outcomes<const N: usize>(story: Story, names: [&str; N]) -> Result<[u64; N]> {
    let finished = run(story)?;
    let report = &finished.report;
    let counts = names.map(|name| report.outcome(name));
    let all = (story.connections * story.requests) as u64;
    assert_eq!(counts.iter().sum::<u64>(), all, "{:#}", report.json);
    Ok(counts)
}

#[needs(root)]
fn late_filing_of_two_requests_is_no_trouble() -> Result<()> {
    assert_eq!(outcomes(STORY, ["matched"])?, [2]);
    let more = Story {
        requests: 8,
        ..STORY
    };
    assert_eq!(outcomes(more, ["matched"])?, [8]);
    Ok(())
}

/// 120 requests over two seconds, so that the edge is passed twice in one run.
#[needs(root)]
fn the_edge_of_a_second_is_no_trouble() -> Result<()> {
    let edge = Story {
        rule: BY_SECOND,
        requests: 120,
        pause: Duration::from_millis(12),
        ..STORY
    };
    assert_eq!(outcomes(edge, ["matched"])?, [120]);
    Ok(())
}

/// Ten requests some 0.97 s apart: two of them may share a second and with it their id, the others have ids of their own.
#[needs(root)]
fn the_edge_of_a_second_is_no_trouble_without_numbers_either() -> Result<()> {
    let unnumbered = Story {
        rule: r#"md5("{path}:{time:s}")"#,
        requests: 10,
        pause: Duration::from_millis(970),
        ..STORY
    };
    let [matched, collided] = outcomes(unnumbered, ["matched", "snapshot: collided"])?;
    assert!(matched >= 8, "{matched} {collided}");
    Ok(())
}

#[needs(root)]
fn several_processes_of_a_service_need_not_agree() -> Result<()> {
    let several = Story {
        rule: BY_SECOND,
        connections: 6,
        requests: 20,
        pause: Duration::from_millis(30),
        ..STORY
    };
    assert_eq!(outcomes(several, ["matched"])?, [120]);
    Ok(())
}

#[needs(root)]
fn a_lost_document_is_missing_and_no_other_takes_its_place() -> Result<()> {
    let lossy = Story {
        requests: 60,
        pause: Duration::from_millis(10),
        service: Service {
            loses: Some(3),
            ..STORY.service
        },
        ..STORY
    };
    assert_eq!(outcomes(lossy, ["matched", "snapshot: missing"])?, [40, 20]);
    Ok(())
}

#[needs(root)]
fn pipelined_requests_are_unproven() -> Result<()> {
    let pipelined = Story {
        requests: 20,
        pipelines: true,
        pause: Duration::from_millis(50),
        ..STORY
    };
    assert_eq!(outcomes(pipelined, ["snapshot: unproven"])?, [20]);
    Ok(())
}

/// What was sent before the offset was learnt waits for it, so that nothing is lost.
#[needs(root)]
fn an_offset_between_the_clocks_is_learnt() -> Result<()> {
    for ahead in [-800_000, 800_000] {
        let apart = Story {
            connections: 20,
            requests: 2,
            pause: Duration::from_millis(1500),
            service: Service {
                ahead,
                ..STORY.service
            },
            ..STORY
        };
        let names = ["matched", "snapshot: unproven", "snapshot: missing"];
        let [matched, ..] = outcomes(apart, names)?;
        assert!(matched >= 36, "{matched} with {ahead} us");
    }
    Ok(())
}

#[needs(root)]
fn requests_at_once_without_a_peer_are_unproven() -> Result<()> {
    let proxied = Story {
        connections: 4,
        requests: 10,
        pause: Duration::from_millis(20),
        service: Service {
            takes: Duration::from_millis(30),
            has_peer: false,
            ..STORY.service
        },
        ..STORY
    };
    let [matched, unproven] = outcomes(proxied, ["matched", "snapshot: unproven"])?;
    assert!(unproven >= 20, "{matched} {unproven}");
    let alone = Story {
        connections: 1,
        ..proxied
    };
    assert_eq!(outcomes(alone, ["matched"])?, [10]);
    Ok(())
}
