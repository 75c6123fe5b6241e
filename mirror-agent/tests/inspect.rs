//! `mirror-agent inspect` as a user runs it, over captures made here.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use flate2::{Compression, write::GzEncoder};
use serde_json::Value;

fn inspect(args: &[&str], input: Option<&[u8]>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mirror-agent"));
    command.arg("inspect").args(args).env("COLUMNS", "100");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It may have what it wants before it has read all.
    let _ = stdin.write_all(input.unwrap_or_default());
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn stdout(args: &[&str], input: Option<&[u8]>, code: i32) -> String {
    let output = inspect(args, input);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {errors}");
    assert_eq!(errors.is_empty(), code == 0, "{args:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn json(args: &[&str], input: &[u8]) -> Vec<Value> {
    let text = stdout(&[&["-", "--format", "json"], args].concat(), Some(input), 0);
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

const CLIENT: [u8; 6] = [10, 0, 0, 1, 0x9c, 0x40];
const SERVER: [u8; 6] = [10, 0, 0, 2, 0, 80];

/// An Ethernet frame of IPv4 and TCP.
fn frame(from: [u8; 6], to: [u8; 6], seq: u32, ack: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; 12];
    frame.extend([8, 0, 0x45, 0]);
    frame.extend((40 + payload.len() as u16).to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, 6, 0, 0]);
    frame.extend(&from[..4]);
    frame.extend(&to[..4]);
    frame.extend(&from[4..]);
    frame.extend(&to[4..]);
    frame.extend(seq.to_be_bytes());
    frame.extend(ack.to_be_bytes());
    frame.extend([0x50, 0x18, 1, 0, 0, 0, 0, 0]);
    frame.extend(payload);
    frame
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Two connections; each packet a millisecond after the one before.
fn packets() -> Vec<Vec<u8>> {
    let body = gzip(br#"{"stock":7}"#);
    let answer = [
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nSet-Cookie: s=1; Path=/; HttpOnly\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes(),
        body,
    ]
    .concat();
    let image =
        b"HTTP/1.1 404 Not Found\r\nContent-Type: image/png\r\nContent-Length: 4\r\n\r\n\x89PNG";
    let asks: [&[u8]; 2] = [
        b"GET /products/17?a=1&b=x%20y HTTP/1.1\r\nHost: shop.example:8080\r\nCookie: u=5; v=6\r\n\r\n",
        b"POST /orders HTTP/1.1\r\nHost: shop.example:8080\r\nContent-Length: 3\r\n\r\na=\x01",
    ];
    let other = [10, 0, 0, 3, 0x9c, 0x41];
    let last = b"DELETE /products/17 HTTP/1.1\r\nHost: admin.example\r\n\r\n";
    let mut packets = Vec::new();
    let (mut seq, mut ack) = (1, 1);
    for (ask, answer) in asks.iter().zip([&answer[..], &image[..]]) {
        packets.push(frame(CLIENT, SERVER, seq, ack, ask));
        seq += ask.len() as u32;
        packets.push(frame(SERVER, CLIENT, ack, seq, answer));
        ack += answer.len() as u32;
    }
    packets.push(frame(other, SERVER, 1, 1, last));
    packets
}

fn pcap(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1] {
        file.extend(word.to_le_bytes());
    }
    for (n, packet) in packets.iter().enumerate() {
        let size = packet.len() as u32;
        for word in [1_700_000_000, 1000 * n as u32, size, size] {
            file.extend(word.to_le_bytes());
        }
        file.extend(packet);
    }
    file
}

/// The same with nanoseconds, in two sections, with blocks between that hold no packet.
fn pcapng(packets: &[Vec<u8>], little: bool) -> Vec<u8> {
    let word = |value: u32| {
        if little {
            value.to_le_bytes()
        } else {
            value.to_be_bytes()
        }
    };
    let half = |value: u16| {
        if little {
            value.to_le_bytes()
        } else {
            value.to_be_bytes()
        }
    };
    let block = |kind: u32, body: &[u8]| {
        let padding = vec![0; body.len().next_multiple_of(4) - body.len()];
        let size = word((12 + body.len() + padding.len()) as u32);
        [&word(kind)[..], &size, body, &padding, &size].concat()
    };
    let section = [&word(0x1a2b_3c4d)[..], &half(1), &half(0), &[0xff; 8]].concat();
    // if_tsresol 9: nanoseconds.
    let options = [&half(9)[..], &half(1), &[9, 0, 0, 0], &half(0), &half(0)].concat();
    let interface = |link: u16| [&half(link)[..], &half(0), &word(0), &options].concat();
    let mut file = Vec::new();
    for (n, packet) in packets.iter().enumerate() {
        if n == 0 || n == 2 {
            file.extend(block(0x0a0d_0d0a, &section));
            // A link type that nobody reads comes first.
            file.extend(block(1, &interface(147)));
            file.extend(block(1, &interface(1)));
            file.extend(block(0x0bad, b"another's"));
        }
        let nanos = 1_700_000_000_000_000_000 + n as u64 * 1_000_000;
        let size = word(packet.len() as u32);
        let time = [word((nanos >> 32) as u32), word(nanos as u32)].concat();
        let body = |interface: u32| [&word(interface)[..], &time, &size, &size, packet].concat();
        file.extend(block(6, &body(0)));
        file.extend(block(6, &body(1)));
    }
    file
}

struct TempFile(PathBuf);

impl TempFile {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let path =
            std::env::temp_dir().join(format!("mirror-inspect-{}-{name}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn every_kind_of_file_says_the_same() {
    let plain = pcap(&packets());
    let expect = stdout(&["-", "--format", "json"], Some(&plain), 0);
    assert_eq!(expect.lines().count(), 3);
    let zstd = zstd::encode_all(&plain[..], 3).unwrap();
    let in_parts = [gzip(&plain[..100]), gzip(&plain[100..])].concat();
    for (name, bytes) in [
        ("pcap", plain.clone()),
        ("gz", gzip(&plain)),
        ("gz-parts", in_parts),
        ("zst", zstd),
        ("pcapng-little", pcapng(&packets(), true)),
        ("pcapng-big", pcapng(&packets(), false)),
    ] {
        let file = TempFile::new(name, &bytes);
        assert_eq!(
            stdout(&[file.path(), "--format", "json"], None, 0),
            expect,
            "{name}"
        );
        assert_eq!(
            stdout(&["-", "--format", "json"], Some(&bytes), 0),
            expect,
            "{name}"
        );
    }
}

/// Our own archive, and a file as GoReplay writes it.
#[test]
fn files_of_other_programs_are_known_by_what_they_begin_with() {
    let capture = pcap(&packets());
    let archive = stdout(&["-", "--format", "har"], Some(&capture), 0);
    let (there, back) = (json(&[], &capture), json(&[], archive.as_bytes()));
    for (name, there, back) in [0, 1, 2].map(|n| (n, &there[n], &back[n])) {
        let same = [
            "connection",
            "index",
            "client",
            "peer",
            "server",
            "captured_at",
            "timing",
            "outcome",
        ];
        for member in same {
            assert_eq!(there[member], back[member], "{name} {member}");
        }
        let same = [
            "/request/method",
            "/request/target",
            "/request/body_bytes",
            "/response/status",
        ];
        for member in same {
            assert_eq!(
                there.pointer(member),
                back.pointer(member),
                "{name} {member}"
            );
        }
    }
    let gor = "1 8e091765ae902fef8a2b7d9d 1700000000000000000 1000\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n\n🐵🙈🙉\n\
               2 8e091765ae902fef8a2b7d9d 1700000000001000000 1000\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\n🐵🙈🙉\n";
    for bytes in [gor.as_bytes().to_vec(), gzip(gor.as_bytes())] {
        let [exchange] = &json(&[], &bytes)[..] else {
            panic!("there is one")
        };
        assert_eq!(exchange["request"]["target"], "/a");
        assert_eq!(exchange["response"]["status"], 200);
        assert_eq!(exchange["outcome"], "replayable");
        assert_eq!(
            exchange["timing"]["response_first_us"],
            1_700_000_000_001_000_u64
        );
    }
    let text = stdout(&["-", "--summary"], Some(gor.as_bytes()), 0);
    assert!(text.starts_with("\n1 exchange: 1 × 200\n"), "{text}");
}

#[test]
fn a_damaged_file_shows_what_stands_before() {
    let plain = pcap(&packets());
    let whole = stdout(&["-", "--format", "json"], Some(&plain), 0);
    let first = whole.lines().next().unwrap();
    let cut = &plain[..plain.len() - 1];
    for bytes in [cut.to_vec(), gzip(cut), zstd::encode_all(cut, 3).unwrap()] {
        let text = stdout(&["-", "--format", "json"], Some(&bytes), 3);
        assert_eq!(text.lines().next(), Some(first));
        assert_eq!(text.lines().count(), 2);
    }
    let compressed = gzip(&plain);
    let output = inspect(&["-"], Some(&compressed[..compressed.len() - 20]));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{errors}");
    assert!(
        errors.contains("packet") && errors.contains("byte"),
        "{errors}"
    );
    for bad in [
        &b"not a capture file, but some text that is long enough"[..],
        b"",
        &plain[..10],
    ] {
        let output = inspect(&["-"], Some(bad));
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn timing_is_told_in_microseconds() {
    let exchanges = json(&[], &pcap(&packets()));
    let timing = &exchanges[0]["timing"];
    assert_eq!(timing["request_first_us"], 1_700_000_000_000_000_u64);
    assert_eq!(timing["response_last_us"], 1_700_000_000_001_000_u64);
    assert_eq!(exchanges[1]["index"], 1);
    assert_eq!(exchanges[2]["response"], Value::Null);
}

#[test]
fn filters_narrow_what_is_shown() {
    let file = pcap(&packets());
    let check = |args: &[&str], expect: &[&str]| {
        let shown = json(args, &file);
        let methods: Vec<_> = shown
            .iter()
            .map(|e| e["request"]["method"].as_str().unwrap())
            .collect();
        assert_eq!(methods, expect, "{args:?}");
    };
    check(&["--method", "get"], &["GET"]);
    check(&["--method", "get", "--method", "post"], &["GET", "POST"]);
    check(&["--path", "/products/*"], &["GET", "DELETE"]);
    check(&["--path", "/products/*", "--status", "2xx"], &["GET"]);
    check(&["--status", "none"], &["DELETE"]);
    check(&["--status", "400-499"], &["POST"]);
    check(&["--host", "SHOP.example"], &["GET", "POST"]);
    check(&["--host", "*.example"], &["GET", "POST", "DELETE"]);
    for bad in [["--status", "ok"], ["--path", "[a"]] {
        let text = String::from_utf8(inspect(&[&["-"], &bad[..]].concat(), Some(&file)).stderr);
        assert!(text.unwrap().contains(bad[1]), "{bad:?}");
    }
}

#[test]
fn the_table_fits_and_ends_with_a_summary() {
    let text = stdout(&["-"], Some(&pcap(&packets())), 0);
    assert!(
        text.lines().all(|line| line.chars().count() <= 100),
        "{text}"
    );
    for part in [
        "/products/17?a=1",
        "5 packets, 2 connections, 3 exchanges",
        "GET /products/{id}",
        "1 × 404",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let args = ["-", "--summary", "--format", "json"];
    let summary: Value = serde_json::from_str(&stdout(&args, Some(&pcap(&packets())), 0)).unwrap();
    assert_eq!(summary["statuses"]["none"], 1);
    assert_eq!(summary["routes"].as_array().unwrap().len(), 3);
    assert_eq!(summary["latency_ms"]["count"], 2);
}

#[test]
fn a_connection_is_shown_whole() {
    let text = stdout(&["-", "--follow", "0"], Some(&pcap(&packets())), 0);
    for part in [
        "Cookie: u=5; v=6",
        "{\"stock\":7}",
        "404 Not Found",
        "(4 bytes that are no text)",
        "a=\u{fffd}",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(!text.contains("DELETE"), "{text}");
    let none = stdout(&["-", "--follow", "9"], Some(&pcap(&packets())), 0);
    assert!(none.contains("connection 9 has no exchange"), "{none}");
}

/// ESC, BEL, the C1 controls and what turns the direction of a text, in every part of an exchange.
#[test]
fn nothing_in_traffic_speaks_to_the_terminal() {
    const TRICK: &str = "\x1b[2J\u{9b}2J\x1b]0;t\x07\u{202e}\u{7f}";
    let ask =
        format!("GET /a{TRICK}?b={TRICK} HTTP/1.1\r\nHost: shop{TRICK}\r\nX-A: {TRICK}\r\n\r\n");
    let answer = format!(
        "HTTP/1.1 200 OK{TRICK}\r\nContent-Type: text/plain{TRICK}\r\nContent-Length: {}\r\n\r\n{TRICK}",
        TRICK.len()
    );
    let other = "GET /b HTTP/1.1\r\nHost: shop\r\nX-A: \u{9b}2J\u{202e}\r\n\r\n";
    let mut packets = vec![
        frame(CLIENT, SERVER, 1, 1, ask.as_bytes()),
        frame(SERVER, CLIENT, 1, 1 + ask.len() as u32, answer.as_bytes()),
    ];
    let client = [10, 0, 0, 3, 0x9c, 0x41];
    packets.push(frame(client, SERVER, 1, 1, other.as_bytes()));
    packets.push(frame(
        SERVER,
        client,
        1,
        1 + other.len() as u32,
        answer.as_bytes(),
    ));
    let file = pcap(&packets);
    for args in [
        &["-"][..],
        &["-", "--format", "json"],
        &["-", "--format", "har"],
        &["-", "--summary"],
        &["-", "--summary", "--format", "json"],
        &["-", "--follow", "0"],
        &["-", "--follow", "1"],
    ] {
        let text = stdout(args, Some(&file), 0);
        let obeyed = |c: &char| c.is_control() && *c != '\n' || *c == '\u{202e}';
        let found: Vec<_> = text.chars().filter(obeyed).collect();
        assert!(found.is_empty(), "{args:?}: {found:?}\n{text}");
    }
}

#[test]
fn an_archive_has_what_its_format_demands() {
    let archive = har(&stdout(
        &["-", "--format", "har"],
        Some(&pcap(&packets())),
        0,
    ));
    let [get, post, delete] = &archive[..] else {
        panic!("{archive:?}")
    };
    assert_eq!(get["startedDateTime"], "2023-11-14T22:13:20.000000Z");
    assert_eq!(get["time"], 1.0);
    assert_eq!(
        get["request"]["url"],
        "http://shop.example:8080/products/17?a=1&b=x%20y"
    );
    assert_eq!(get["request"]["queryString"][1]["value"], "x y");
    assert_eq!(get["request"]["cookies"][1]["name"], "v");
    assert_eq!(get["response"]["content"]["text"], "{\"stock\":7}");
    assert_eq!(get["response"]["cookies"][0]["httpOnly"], true);
    assert_eq!(post["request"]["postData"]["text"], "a=\u{1}");
    assert_eq!(post["response"]["content"]["encoding"], "base64");
    assert_eq!(post["response"]["content"]["text"], "iVBORw==");
    assert_eq!(delete["response"]["status"], 0);
}

/// The entries of an archive, after a look for each field that the format demands.
fn har(text: &str) -> Vec<Value> {
    const ENTRY: &[&str] = &[
        "/startedDateTime",
        "/time",
        "/cache",
        "/timings/send",
        "/timings/wait",
        "/timings/receive",
        "/request/method",
        "/request/url",
        "/request/httpVersion",
        "/request/cookies",
        "/request/headers",
        "/request/queryString",
        "/request/headersSize",
        "/request/bodySize",
        "/response/status",
        "/response/statusText",
        "/response/httpVersion",
        "/response/cookies",
        "/response/headers",
        "/response/content/size",
        "/response/content/mimeType",
        "/response/redirectURL",
        "/response/headersSize",
        "/response/bodySize",
    ];
    let archive: Value = serde_json::from_str(text).unwrap();
    assert_eq!(archive["log"]["version"], "1.2");
    assert!(archive["log"]["creator"]["name"].is_string());
    let entries = archive["log"]["entries"].as_array().unwrap().clone();
    for entry in &entries {
        for field in ENTRY {
            assert!(entry.pointer(field).is_some(), "{field} of {entry}");
        }
        let part = |name: &str| entry["timings"][name].as_f64().unwrap();
        let sum = part("send") + part("wait") + part("receive");
        assert!(
            (sum - entry["time"].as_f64().unwrap()).abs() < 1e-6,
            "{entry}"
        );
    }
    entries
}

/// A capture of our own making.
fn golden(case: &str) -> String {
    format!(
        "{}/../tests/data/{case}/input.pcap",
        env!("CARGO_MANIFEST_DIR")
    )
}

#[test]
fn trailers_are_shown_in_every_format() {
    let file = golden("trailers");
    let followed = stdout(&[&file, "--follow", "0"], None, 0);
    assert!(
        followed.contains("(after the body)\nDigest: x\nexpires: 0\n"),
        "{followed}"
    );
    let lines = stdout(&[&file, "--format", "json"], None, 0);
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(first["request"]["trailers"][0][1], "x");
    assert_eq!(first["response"]["trailers"][0][0], "Server-Timing");
    let archive = har(&stdout(&[&file, "--format", "har"], None, 0));
    assert_eq!(archive[0]["request"]["_trailers"][1]["name"], "expires");
    assert_eq!(archive[0]["response"]["_trailers"][0]["value"], "db;dur=3");
    assert!(archive[2]["request"].get("_trailers").is_none());
}

#[test]
fn a_fault_is_shown_with_its_reason() {
    let file = golden("raw-targets");
    let lines = stdout(&[&file, "--format", "json"], None, 0);
    let faults: Vec<_> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["request"]["reason"].clone())
        .filter(|reason| !reason.is_null())
        .collect();
    assert_eq!(faults.len(), 5);
    assert_eq!(faults[0], "spaces or control characters in the target");
    let table = stdout(&[&file], None, 0);
    for part in [
        "3 requests are ambiguous: spaces or control characters in the target",
        "2 requests are ambiguous: the target has no valid form",
    ] {
        assert!(table.contains(part), "{part}\n{table}");
    }
    let followed = stdout(&[&golden("large-heads"), "--follow", "2"], None, 0);
    assert!(
        followed.contains("(this is not whole: head too large"),
        "{followed}"
    );
}

#[test]
fn the_peer_of_a_connection_through_a_proxy_is_shown() {
    let file = golden("proxy-protocol");
    let lines = stdout(&[&file, "--format", "json"], None, 0);
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(first["client"], "192.0.2.1:1111");
    assert_eq!(first["peer"], "10.0.0.2:40001");
    let followed = stdout(&[&file, "--follow", "0"], None, 0);
    assert!(
        followed.contains("through a proxy at 10.0.0.2:40001"),
        "{followed}"
    );
}

#[test]
fn a_tunnel_that_was_not_looked_into_is_named() {
    let file = golden("tunnels");
    let table = stdout(&[&file], None, 0);
    assert!(
        table.contains("10 packets are VXLAN: use --tunnels"),
        "{table}"
    );
    let table = stdout(&[&file, "--tunnels"], None, 0);
    assert!(
        !table.contains("--tunnels") && table.contains("GET /b"),
        "{table}"
    );
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let many: Vec<Vec<u8>> = (0..20_000_u32)
        .map(|n| {
            let [_, _, high, low] = n.to_be_bytes();
            let from = [10, 1, high, low, 0x9c, 0x40];
            frame(from, SERVER, 1, 1, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        })
        .collect();
    let file = TempFile::new("many", &pcap(&many));
    let mut child = Command::new(env!("CARGO_BIN_EXE_mirror-agent"))
        .args(["inspect", file.path()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(output.stderr.is_empty());
}
