//! Random requests from a client to production, and through live capture to the mirror: what the mirror reads is what production read,
//! byte for byte, but for what is documented; what policy refuses never comes; nothing comes twice.

mod requests;
mod server;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use mirror_tests::net::Host;
use mirror_tests::stage::{Actor, Stage};
use mirror_tests::{needs, testing};
use requests::{Random, Sample};
use server::{Recording, Server};

const LIMIT: Duration = Duration::from_secs(60);
const REQUESTS: u64 = 2000;
/// Requests on one connection, as long as none of them ends it.
const PER_CONNECTION: usize = 25;

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

fn main() -> ExitCode {
    testing::main()
}

#[needs(root)]
fn the_mirror_reads_what_production_read() -> Result<()> {
    let seed = match std::env::var("MIRROR_SEED") {
        Ok(seed) => seed.parse().context("MIRROR_SEED")?,
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as u64,
    };
    println!("seed {seed}");
    let mut random = Random(seed);
    let samples: Vec<Sample> = (0..REQUESTS).map(|n| Sample::new(n, &mut random)).collect();

    let stage = Stage::new()?.production(Recording)?.mirror(Recording)?;
    let allowed = [
        "POST /w/**",
        "PUT /w/**",
        "PATCH /w/**",
        "DELETE /w/**",
        "PURGE /w/**",
    ];
    let allow: Vec<&str> = allowed
        .iter()
        .flat_map(|route| ["--allow", route])
        .collect();
    let args = [&allow[..], &["--allow-unsnapshotted-writes"]].concat();
    let agent = stage.agent(&args)?;
    stage
        .network
        .on(Host::Client, || {
            send_all(stage.production.address(), &samples)
        })
        .with_context(|| format!("seed {seed}"))?;
    agent.wait_settled(REQUESTS, LIMIT)?;
    let report = agent.stop()?.report;

    let (production, mirror) = (by_number(&stage.production), by_number(&stage.mirror));
    for (number, sample) in samples.iter().enumerate() {
        let context = || format!("seed {seed}, request {number}");
        let [sent] = production
            .get(&(number as u64))
            .map_or(&[][..], Vec::as_slice)
        else {
            bail!("{}: production did not read it once", context());
        };
        ensure!(*sent == sample.sent, "{}: the test is wrong", context());
        let replayed = mirror.get(&(number as u64)).map_or(&[][..], Vec::as_slice);
        sample.check(replayed).with_context(context)?;
    }
    let replayed = samples.iter().filter(|sample| sample.replayed.is_some());
    let replayed = replayed.count() as u64;
    assert_eq!(
        report.outcome("matched"),
        replayed,
        "{seed}: {:#}",
        report.json
    );
    assert!(report.is_balanced(), "{seed}: {:#}", report.json);
    assert!(
        replayed > REQUESTS / 2,
        "{seed}: only {replayed} were to be replayed"
    );
    Ok(())
}

/// What came, by the number in its target.
fn by_number(server: &Server) -> BTreeMap<u64, Vec<Vec<u8>>> {
    let mut all = BTreeMap::<u64, Vec<Vec<u8>>>::new();
    for request in server.received() {
        all.entry(requests::number(&request))
            .or_default()
            .push(request);
    }
    all
}

/// One after the other, each after the answer to the former.
fn send_all(to: SocketAddr, samples: &[Sample]) -> Result<()> {
    let mut open: Option<(TcpStream, usize)> = None;
    for sample in samples {
        let (mut stream, used) = match open.take() {
            Some(open) if !sample.is_alone => open,
            _ => {
                let stream = TcpStream::connect_timeout(&to, LIMIT)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(LIMIT))?;
                (stream, 0)
            }
        };
        stream.write_all(&sample.sent)?;
        read_answer(&mut stream, sample.is_head).context("waiting for an answer")?;
        if !sample.is_alone && !sample.closes && used < PER_CONNECTION {
            open = Some((stream, used + 1));
        }
    }
    Ok(())
}

fn read_answer(stream: &mut TcpStream, is_head: bool) -> Result<()> {
    let mut answer = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&answer);
        let text = text.strip_prefix(CONTINUE).unwrap_or(&text);
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body.len());
        match body {
            Some(2..) => return Ok(()),
            Some(0) if is_head => return Ok(()),
            _ => {}
        }
        let mut part = [0; 512];
        let read = stream.read(&mut part)?;
        ensure!(
            read > 0,
            "closed after {:?}",
            String::from_utf8_lossy(&answer)
        );
        answer.extend_from_slice(&part[..read]);
    }
}
