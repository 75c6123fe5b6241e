//! Captures and parser inputs that others made. They are not part of the repository: `../shared/corpus` beside the
//! workspace, or where `MIRROR_CORPUS` points. Without them these tests are skipped.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bytes::Bytes;
use mirror_agent::capture::pcap::PcapFile;
use mirror_core::dissect::{DissectLimits, DissectStats, Dissector};
use mirror_core::exchange::Exchange;
use mirror_core::http::{Answered, HttpLimits, Kind, Message, Parsed, Parser};
use mirror_core::packet::{LinkType, Packet, Seq};
use mirror_core::tcp::{Arrival, CloseReason, StreamEvent};
use mirror_core::time::Timestamp;
use mirror_tests::{captures, needs, testing};

/// Captures of which we hold to other counts than tshark: path, requests, responses, and why, by packet numbers.
const DIFFERENT: &str = include_str!("data/captures.tsv");

fn different() -> HashMap<&'static str, (&'static str, &'static str)> {
    let row = |row: &'static str| {
        let (path, rest) = row.split_once('\t').unwrap();
        let (counts, why) = rest.rsplit_once('\t').unwrap();
        (path, (counts, why))
    };
    DIFFERENT.lines().skip(1).map(row).collect()
}

/// What the packet stage undoes.
const LINKS: &[&str] = &[
    "ether",
    "null",
    "rawip",
    "linux-sll",
    "linux-sll2",
    "per-packet",
];
const LAYERS: &[&str] = &[
    "null", "raw", "sll", "vlan", "pppoes", "ppp", "mpls", "ip", "ipv6", "gre", "erspan", "eth",
    "udp", "vxlan", "geneve",
];

fn main() -> ExitCode {
    testing::main()
}

fn corpus() -> PathBuf {
    captures::folder().expect("the harness has looked")
}

fn dissect(path: &Path) -> DissectStats {
    let (exchanges, stats) = exchanges(path);
    assert_eq!(
        exchanges.len() as u64,
        stats.http.requests,
        "{}",
        path.display()
    );
    stats
}

fn is_supported(link: &str, notes: &str) -> bool {
    let layers = notes
        .split("; ")
        .find_map(|note| note.strip_prefix("encap="));
    LINKS.contains(&link)
        && layers.is_none_or(|layers| {
            layers
                .split([':', '|'])
                .all(|layer| LAYERS.contains(&layer))
        })
}

#[needs(captures)]
fn counts_agree_with_tshark_or_differ_for_a_reason() {
    let corpus = corpus();
    let table = std::fs::read_to_string(corpus.join("captures.tsv")).unwrap();
    let different = different();
    let (mut agree, mut differ, mut other) = (0, 0, 0);
    let mut wrong = Vec::new();
    for row in table.lines().skip(1) {
        let columns: Vec<_> = row.split('\t').collect();
        let (path, notes) = (columns[0], columns[13]);
        // What is not comparable must not panic either.
        let stats = dissect(&corpus.join("captures").join(path));
        if !is_supported(columns[7], notes) {
            other += 1;
            continue;
        }
        let told = format!("{}\t{}", columns[2], columns[3]);
        let expect = match different.get(path) {
            Some((counts, why)) => {
                assert_ne!(*counts, told, "{path}: needless in the table");
                println!("{path}: {counts} instead of {told}: {why}");
                differ += 1;
                (*counts).to_owned()
            }
            None => {
                agree += 1;
                told
            }
        };
        // tshark counts an interim response as one of its own.
        let responses = stats.http.responses + stats.http.interim_responses;
        let seen = format!("{}\t{responses}", stats.http.requests);
        if seen != expect {
            wrong.push(format!(
                "{path}: {seen} instead of {expect}; {notes}\n  {stats:?}"
            ));
        }
    }
    println!("{agree} captures agree, {differ} differ for a reason, {other} are not comparable");
    assert!(
        wrong.is_empty(),
        "{} are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Every request line and every status of a capture, as tshark has them, row by row.
#[needs(captures)]
fn messages_agree_with_tshark_one_by_one() {
    let corpus = corpus();
    let read = |name: &str| std::fs::read_to_string(corpus.join(name)).unwrap();
    let (captures, messages) = (read("captures.tsv"), read("messages.tsv"));
    let different = different();
    let mut expected: HashMap<&str, (Vec<String>, Vec<String>)> = HashMap::new();
    for row in messages.lines().skip(1) {
        let columns: Vec<_> = row.split('\t').collect();
        let (requests, responses) = expected.entry(columns[0]).or_default();
        if !columns[6].is_empty() {
            requests.push(format!("{} {} {}", columns[6], columns[7], columns[8]));
        }
        // An interim response is none of its own here.
        if columns[9].len() == 3 && (!columns[9].starts_with('1') || columns[9] == "101") {
            responses.push(columns[9].into());
        }
    }
    let (mut agree, mut wrong) = (0, Vec::new());
    for row in captures.lines().skip(1) {
        let columns: Vec<_> = row.split('\t').collect();
        let path = columns[0];
        if columns[11] != "yes"
            || different.contains_key(path)
            || !is_supported(columns[7], columns[13])
        {
            continue;
        }
        // A copy of another capture has no rows of its own.
        let Some((mut requests, mut responses)) = expected.remove(path) else {
            continue;
        };
        let (exchanges, stats) = exchanges(&corpus.join("captures").join(path));
        let host = |exchange: &Exchange| {
            let host = exchange.request.headers.first("host").unwrap_or_default();
            String::from_utf8_lossy(host).into_owned()
        };
        let mut our_requests: Vec<_> = exchanges
            .iter()
            .map(|e| format!("{} {} {}", e.request.method, e.request.target, host(e)))
            .collect();
        let our_responses: Vec<_> = exchanges
            .iter()
            .filter_map(|e| Some(e.response.as_ref()?.status.to_string()))
            .collect();
        requests.sort();
        our_requests.sort();
        let mut invented = 0;
        for status in &our_responses {
            match responses.iter().position(|other| other == status) {
                Some(place) => drop(responses.swap_remove(place)),
                None => invented += 1,
            }
        }
        if requests != our_requests {
            wrong.push(format!("{path}\n  {requests:?}\n  {our_requests:?}"));
        } else if invented > 0 || responses.len() as u64 != stats.http.orphan_responses {
            // Responses whose request was not captured are counted, and belong to no exchange.
            wrong.push(format!("{path}\n  {responses:?}\n  {our_responses:?}"));
        } else {
            agree += 1;
        }
    }
    println!("{agree} captures agree in every message");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn exchanges(path: &Path) -> (Vec<Exchange>, DissectStats) {
    let mut dissector = Dissector::new(DissectLimits {
        tunnels: true,
        ..DissectLimits::default()
    });
    // What is behind a damage nobody can count.
    for packet in PcapFile::open(path).into_iter().flatten().flatten() {
        dissector.packet(&packet);
    }
    dissector.finish();
    let exchanges = std::iter::from_fn(|| dissector.poll()).collect();
    (exchanges, dissector.stats())
}

fn cases(name: &str) -> Vec<serde_json::Value> {
    let path = corpus().join("parsers").join(name).join("cases.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn hex(text: &serde_json::Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

/// Messages of a stream that comes in pieces of `size`, and then ends; `None` for one that is not whole.
fn messages(kind: Kind, bytes: &[u8], size: usize) -> Vec<Option<Message>> {
    let limits = HttpLimits {
        max_head: 64 << 10,
        max_body: 1 << 20,
    };
    let mut parser = Parser::new(kind, limits);
    let mut seq = Seq(0);
    for piece in bytes.chunks(size) {
        let arrival = Arrival {
            seq,
            ..Arrival::default()
        };
        parser.push(StreamEvent::Data(Bytes::copy_from_slice(piece)), arrival);
        seq = seq + piece.len() as u32;
    }
    let reason = CloseReason::Fin;
    parser.push(StreamEvent::Close { reason }, Arrival::default());
    let mut out = Vec::new();
    while let Some(parsed) = parser.poll() {
        match parsed {
            Parsed::Head => parser.proceed(Answered::Other),
            Parsed::Message { message, .. } => {
                let fault = match &message {
                    Message::Request(request) => request.fault,
                    Message::Response(response) => response.fault,
                };
                out.push(fault.is_none().then_some(message));
            }
            _ => {}
        }
    }
    out
}

#[needs(captures)]
fn parser_cases_read_the_same_in_any_pieces() {
    for case in cases("llhttp").iter().chain(&cases("gunicorn")) {
        let bytes = hex(&case["input_hex"]);
        let kind = match case["meta"]["type"].as_str() {
            Some("response") => Kind::Response,
            _ => Kind::Request,
        };
        let whole = messages(kind, &bytes, 1 << 20);
        for size in [1, 2, 3, 7] {
            let split = messages(kind, &bytes, size);
            // Behind a message that could not be read it matters where packets begin.
            if !whole.contains(&None) && !split.contains(&None) {
                let agree = split.iter().zip(&whole).all(|(left, right)| left == right);
                assert!(
                    agree,
                    "{case}\nin pieces of {size}: {split:?}\nwhole: {whole:?}"
                );
            }
        }
    }
}

/// Deliberate differences: suite, case, how many whole messages we find, why.
const DIFFERENCES: &str = include_str!("data/parser-differences.tsv");

/// What a strict parser takes we take, what it refuses is refused or marked; all else is in the table, and nothing in the
/// table is without need.
#[needs(captures)]
fn strict_parsers_and_we_agree_or_differ_for_a_reason() {
    let mut differences: HashMap<_, _> = DIFFERENCES
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let [suite, case, whole, reason] = line.splitn(4, '\t').collect::<Vec<_>>()[..] else {
                panic!("four columns: {line:?}");
            };
            assert!(!reason.is_empty(), "{line}");
            (format!("{suite}\t{case}"), whole.parse::<u64>().unwrap())
        })
        .collect();
    let (mut wrong, mut agreed) = (Vec::new(), 0);
    for (name, case, strict) in llhttp().into_iter().chain(gunicorn()) {
        let kind = match case["meta"]["type"].as_str() {
            Some(kind) if kind.starts_with("response") => Kind::Response,
            _ => Kind::Request,
        };
        let mut bytes = hex(&case["input_hex"]);
        if name.starts_with("llhttp") {
            // Its cases have lost their last line end on the way into the corpus.
            bytes.extend(b"\r\n");
        }
        let messages = messages(kind, &bytes, 1 << 20);
        let whole = messages.iter().flatten().count() as u64;
        let expect = differences.remove(&name).unwrap_or(strict);
        if whole == expect {
            agreed += 1;
        } else {
            wrong.push(format!("{name}\t{whole}\t(expected {expect}) {case}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    if agreed > 0 {
        assert!(differences.is_empty(), "no such cases: {differences:?}");
    }
    println!("{agreed} cases agree or differ as listed");
}

type Case = (String, serde_json::Value, u64);

/// What llhttp finds in its strict mode. Its pauses are no errors: whoever drives it goes on.
fn llhttp() -> Vec<Case> {
    let strict = |case: &serde_json::Value| case["lenient"] == false;
    let named = |case: serde_json::Value| {
        let file = case["file"].as_str().unwrap();
        let name = format!("llhttp\t{file}:{}", case["line"]);
        let complete = case["messages_complete"].as_u64().unwrap();
        (name, case, complete)
    };
    cases("llhttp")
        .into_iter()
        .filter(strict)
        .map(named)
        .collect()
}

/// What gunicorn accepts with its defaults; of other settings only that is taken which makes it stricter.
fn gunicorn() -> Vec<Case> {
    let named = |case: serde_json::Value| {
        let name = format!("gunicorn\t{}", case["name"].as_str().unwrap());
        let requests = case["expect"].as_array().map_or(1, Vec::len) as u64;
        let complete = if case["kind"] == "valid" { requests } else { 0 };
        (name, case, complete)
    };
    cases("gunicorn").into_iter().map(named).collect()
}

#[needs(captures)]
fn two_way_conversations_are_accounted_for() {
    let mut exchanges = 0;
    for case in cases("libhtp") {
        let mut dissector = Dissector::new(DissectLimits::default());
        let mut seqs = [1_u32, 1];
        for (at, chunk) in case["chunks"].as_array().unwrap().iter().enumerate() {
            let from = usize::from(chunk["dir"] == "s2c");
            for piece in hex(&chunk["hex"]).chunks(1400) {
                dissector.packet(&packet(from, seqs, piece, at as u64));
                seqs[from] += piece.len() as u32;
            }
        }
        dissector.finish();
        let emitted = std::iter::from_fn(|| dissector.poll()).count() as u64;
        assert_eq!(emitted, dissector.stats().http.requests, "{}", case["name"]);
        exchanges += emitted;
    }
    println!("{exchanges} exchanges");
}

/// An IP packet between two hosts; `from` 0 is the client.
fn packet(from: usize, seqs: [u32; 2], payload: &[u8], at: u64) -> Packet {
    let ports = [4000_u16, 80];
    let mut bytes = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0];
    bytes.extend([10, 0, 0, from as u8, 10, 0, 0, 1 - from as u8]);
    bytes.extend(ports[from].to_be_bytes());
    bytes.extend(ports[1 - from].to_be_bytes());
    bytes.extend(seqs[from].to_be_bytes());
    bytes.extend(seqs[1 - from].to_be_bytes());
    bytes.extend([0x50, 0x18, 0, 0, 0, 0, 0, 0]);
    bytes.extend(payload);
    Packet {
        at: Timestamp(at),
        origin: 0,
        link: LinkType::RawIp,
        wire_len: bytes.len() as u32,
        skip: 0,
        bytes: bytes.into(),
    }
}
