//! Does this kernel take the programs, and does capture work on it? Prints one line of JSON. Run by
//! `cargo xtask kernels`, as the only program of a virtual machine or in a network namespace of its own.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use anyhow::{Context, ensure};
use aya::{Ebpf, EbpfLoader, programs::Program};
use mirror_agent::capture::ring::RingReader;
use mirror_agent::capture::tc::TcCapture;
use mirror_agent::capture::tc::{CaptureOptions, Hook, RingSize, Rings};
use mirror_core::dissect::{DissectLimits, Dissector};
use mirror_core::filter::{FilterChange, FilterSettings};
use mirror_core::options::FromText;
use serde_json::{Map, Value, json};

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../mirror-ebpf/mirror.bpf.o"
));

const PORT: u16 = 8080;
const BODY: usize = 100 << 10;
const LIMIT: Duration = Duration::from_secs(20);

fn main() {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut found = json!({ "release": release.trim() });
    match programs() {
        Ok(programs) => found["programs"] = programs,
        Err(error) => found["error"] = json!(format!("{error:#}")),
    }
    found["hooks"] = [Hook::Auto, Hook::Tcx, Hook::Tc, Hook::Cgroup]
        .into_iter()
        .map(|hook| (format!("{hook:?}").to_lowercase(), tried(hook)))
        .collect::<Map<String, Value>>()
        .into();
    println!("PROBE {found}");
}

/// Loads every program of the object: the instructions that the verifier went through for each,
/// where the kernel tells (5.16).
fn programs() -> anyhow::Result<Value> {
    let mut ebpf: Ebpf = EbpfLoader::new().load(OBJECT)?;
    let mut verified = Map::new();
    for (name, program) in ebpf.programs_mut() {
        let info = match program {
            Program::SchedClassifier(program) => {
                program.load().with_context(|| name.to_owned())?;
                program.info()?
            }
            Program::CgroupSkb(program) => {
                program.load().with_context(|| name.to_owned())?;
                program.info()?
            }
            other => anyhow::bail!("{name} is of the unexpected type {:?}", other.prog_type()),
        };
        verified.insert(name.to_owned(), json!(info.verified_instruction_count()));
    }
    Ok(verified.into())
}

/// How the hook attached, after captures in each shape of the configuration; or why not.
fn tried(hook: Hook) -> Value {
    let plain = FilterChange::default().with("port", [PORT.to_string()]);
    let full = FilterChange::default()
        .with("port", ["8000-8999"])
        .with("allow-net", ["127.0.0.0/8", "::/0"])
        .with("deny-net", ["10.0.0.0/8"])
        .with("sample", ["99.9999%"]);
    let mut how = String::new();
    for (change, rings) in [(&plain, 1), (&full, 2), (&full, 4)] {
        match captured(hook, change, rings) {
            Ok(hook) => how = hook,
            Err(error) => return json!({ "error": format!("{error:#}") }),
        }
    }
    json!({ "attached": how })
}

/// One exchange over the loopback interface must come out whole.
fn captured(hook: Hook, change: &FilterChange, rings: usize) -> anyhow::Result<String> {
    let filter = change.apply_to(FilterSettings::default())?;
    let limits = DissectLimits {
        ports: filter.ports.clone(),
        ..DissectLimits::default()
    };
    let interfaces = match hook {
        Hook::Cgroup => vec![],
        Hook::Auto | Hook::Tcx | Hook::Tc => vec!["lo".to_owned()],
    };
    let (mut capture, readers) = TcCapture::start(&CaptureOptions {
        interfaces,
        hook,
        filter,
        ring_size: RingSize::from_text("4MiB").map_err(anyhow::Error::msg)?,
        rings: Rings::Fixed(rings),
        ..CaptureOptions::default()
    })?;
    capture.filters.exclude("127.0.0.1:9".parse()?)?;
    let how = capture.hook();
    exchange()?;
    capture.detach();
    check(readers, limits)?;
    Ok(how)
}

fn exchange() -> anyhow::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", PORT))?;
    let server = std::thread::spawn(move || -> anyhow::Result<()> {
        let (mut stream, _) = listener.accept()?;
        let mut request = [0; 64];
        let mut len = 0;
        while !request[..len].ends_with(b"\r\n\r\n") {
            len += stream.read(&mut request[len..])?;
        }
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {BODY}\r\n\r\n")?;
        stream.write_all(&body())?;
        Ok(())
    });
    let mut stream = TcpStream::connect(("127.0.0.1", PORT))?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(b"GET /probe HTTP/1.1\r\nhost: probe\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    server.join().expect("the server does not panic")?;
    ensure!(answer.ends_with(&body()), "the answer itself is not whole");
    Ok(())
}

fn check(readers: Vec<RingReader>, limits: DissectLimits) -> anyhow::Result<()> {
    let mut dissector = Dissector::new(limits);
    for mut reader in readers {
        while reader.read(Duration::from_millis(50), |packet| {
            dissector.packet(&packet)
        })? > 0
        {}
    }
    dissector.finish();
    let exchange = dissector.poll().context("no exchange was captured")?;
    ensure!(exchange.request.target == "/probe", "another request");
    let response = exchange.response.context("no response was captured")?;
    ensure!(response.fault.is_none(), "{:?}", response.fault);
    let len = response.body.len();
    ensure!(
        response.body[..] == body()[..],
        "another body, of {len} bytes"
    );
    ensure!(dissector.poll().is_none(), "one exchange came out as two");
    Ok(())
}

fn body() -> Vec<u8> {
    (0..BODY).map(|n| (n * 7 % 251) as u8).collect()
}
