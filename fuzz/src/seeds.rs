//! Good inputs for each target, to begin with.

use std::path::Path;

use mirror_core::recording::{RecordingMetadata, RecordingWriter, WriterOptions};

use crate::compare::MEDIA_TYPES;
use crate::frames::Shape;
use crate::http::CODINGS;
use crate::input::piece;

const MESSAGES: [&[u8]; 8] = [
    b"GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcde",
    b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;a=\"b\"\r\nabcde\r\n0\r\nT: u\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.0 200 OK\r\nA: b\r\n c\r\n\r\nto the end",
    b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n\x00\x01",
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"a\":[{\"b\": 1}]}",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
];

const RULES: [&str; 6] = [
    "header:x-request-id",
    "traceparent #n",
    "md5(\"{json:userId}:{?json:/items/0/id}:{time:s}\")",
    "POST /a/{x}/** => sha256(\"{path:2}{query:q}{host}{body}\") #n",
    "response-header:x-id",
    "none(\"{form:a}~{client}{{}}{time:24h}\")\nheader:x-a",
];

const COMPARE_RULES: [&str; 8] = [
    "* /** => ignore /a/*/c",
    "tolerance 50% /**/b",
    "tolerance 2s header:x-a",
    "pattern [0-9]+ /a/*/b",
    "normalise s/[12]/n/g /**",
    "unordered by b /a",
    "map /a/*",
    "rename /a/*/b -> /a/*/c/d",
];

const DOCUMENTS: [&[u8]; 7] = [
    br#"{"mirror":1,"at":1700000000000,"request":"00ff","peer":"10.0.0.1:4000","reads":[{"name":"price","key":"1","value":{"a":1}},{"name":"user","key":"2","error":"gone"}]}"#,
    br#"{"mirror":1,"collided":true}"#,
    br#"{"mirror":1,"at":1,"request":"","body":"00","position":"0/16B3748","reads":[]}"#,
    br#"{"mirror":1,"at":1,"request":"","reads":[{"name":"a","key":"b","inside":true}],"unfinished":[{"name":"write:c","key":"d","at":1,"written":{"digest":"0","value":1}},{"name":"e","key":"f"}],"dropped":2}"#,
    b"\x84\xa6mirror\x01\xa2at\x01\xa7request\xa0\xa5reads\x91\x83\xa4name\xa1a\xa3key\xa1b\xa5value\xc4\x01\x01",
    br#"{"mirror":1,"effects":[{"read":"price","key":"1"},{"write":"book","key":"7","written":{"digest":"00ff","value":{"a":1.50}}}],"dropped":1}"#,
    b"\x82\xa6mirror\x01\xa7effects\x91\x83\xa5write\xa1b\xa3key\xa17\xa7written\x82\xa6digest\xa10\xa5value\xa15",
];

/// Where the seeds are to be written.
const FOLDER: &str = "MIRROR_FUZZ_SEEDS";

/// Writes the seeds of a target to the folder that is asked for, before libFuzzer reads it.
pub fn write(target: &str) {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder).expect("the folder for seeds can be made");
    for (number, seed) in of(target).iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{number}")), seed).expect("a seed can be written");
    }
}

/// The seeds of a target.
pub fn of(target: &str) -> Vec<Vec<u8>> {
    match target {
        "packet" => packets(),
        "tcp" => streams(),
        "head" => MESSAGES.map(<[u8]>::to_vec).to_vec(),
        "body" => MESSAGES.map(|message| [&[3], message].concat()).to_vec(),
        "coding" => codings(),
        "dissect" => vec![conversation()],
        "compare" => pairs(),
        "content" => contents(),
        "pcap" => vec![capture_file()],
        "rules" => RULES.map(rule).to_vec(),
        "policy" => policies(),
        "journal" => journals(),
        "recording" => recordings(),
        "document" => DOCUMENTS.map(<[u8]>::to_vec).to_vec(),
        _ => Vec::new(),
    }
}

/// A cut, a byte to change, the size of blocks, and exchanges: target, body, time, tag and part. And a recording itself.
fn recordings() -> Vec<Vec<u8>> {
    let exchange = |target: &str, body: &str| {
        [
            &piece(target.as_bytes())[..],
            &piece(body.as_bytes()),
            &[7, 0, 72],
            &piece(b"part"),
        ]
        .concat()
    };
    let two = [exchange("/orders/1?q", ""), exchange("/", "{\"a\":1}")].concat();
    let file = |head: [u8; 6]| [&head[..], &two].concat();
    let metadata = RecordingMetadata::default();
    let recording = RecordingWriter::new(Vec::new(), WriterOptions::default(), &metadata)
        .ok()
        .and_then(|writer| writer.end().ok());
    let mut seeds = vec![file([90, 1, 120, 0, 0, 0]), file([9, 0, 250, 0, 0, 16])];
    seeds.extend(recording);
    seeds
}

/// A cut, a byte to change, and frames: of two records, of none, and of bytes that are no records.
fn journals() -> Vec<Vec<u8>> {
    let records = [
        &[1, 0, 2][..],
        &piece(b"run"),
        &piece(b"{}"),
        &piece(b"counts GET /"),
        &piece(b"{\"a\":1}"),
        &[1, 0, 9, 0],
    ]
    .concat();
    let none = [0, 0, 0, 2, 0, 10, 0];
    let foreign = [&[2, 1][..], &piece(b"not compressed"), &[3, 0, 11, 0]].concat();
    let file = |place: [u8; 4]| [&place[..], &records, &none, &foreign].concat();
    vec![file([60, 0, 70, 0]), file([255, 255, 5, 0])]
}

/// A mode, a media type, a rule, a target, and the rest of a body.
fn policies() -> Vec<Vec<u8>> {
    let seed = |mode: u8, rule: &str, target: &str, rest: &str| {
        let head = [
            &[mode, mode][..],
            &piece(rule.as_bytes()),
            &piece(target.as_bytes()),
        ]
        .concat();
        [&head[..], rest.as_bytes()].concat()
    };
    vec![
        seed(
            0,
            "GET /**/a where host = *.b and not query:c",
            "a=4111111111111111#d@e.example",
            "[1,{\"y\":\"AKIAIOSFODNN7EXAMPLE\"}]}",
        ),
        seed(
            1,
            "GET /logout => 5% by cookie:sid",
            "m=a%40b.example",
            "\"a\\u0040b.example\"}\n{\"pin\":[true,null,-1.5e3]}",
        ),
        seed(
            2,
            "json:/a/*/b => token",
            "t=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
            "1,\"query\":\"query A { a } mutation B { b }\",\"operationName\":\"A\"}",
        ),
        seed(
            1,
            "where body > 1KiB and client in 10.0.0.0/8,fd00::/8 and path ~ '^/[a-z]+$'",
            "x",
            "a&b=-----BEGIN PRIVATE KEY-----",
        ),
    ]
}

const REQUEST: Shape = Shape {
    from_server: false,
    connection: 0,
    seq: 1,
    ack: 1,
    flags: 0x18,
};

fn packets() -> Vec<Vec<u8>> {
    const TUNNELS: [(u8, &[u8]); 6] = [
        (47, &[0x20, 0, 0x65, 0x58, 0, 0, 0, 1]),
        (
            47,
            &[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, 0, 0, 0, 0, 0, 0],
        ),
        (137, &[0, 0, 1, 64, 0, 0, 0, 0]),
        (17, &[0, 9, 0x12, 0xb5, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 1, 0]),
        (
            17,
            &[0, 9, 0x17, 0xc1, 0, 0, 0, 0, 0, 0, 0x65, 0x58, 0, 0, 0, 0],
        ),
        (60, &[47, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x65, 0x58]),
    ];
    let frame = REQUEST.frame(MESSAGES[0]);
    let plain = [&[0, 0][..], &piece(&frame)].concat();
    let mut seeds = vec![plain];
    for (protocol, header) in TUNNELS {
        let inner = [header, &frame].concat();
        let whole = ip(protocol, 0, &inner);
        let (first, second) = inner.split_at(24);
        let fragments = [ip(protocol, 0x2000, first), ip(protocol, 3, second)];
        // Link type 1 begins with the IP header.
        seeds.push([&[1, 1][..], &piece(&whole)].concat());
        let pieces = fragments.map(|bytes| [&[1][..], &piece(&bytes)].concat());
        seeds.push([&[1][..], &pieces.concat()].concat());
    }
    seeds
}

fn ip(protocol: u8, fragment: u16, inner: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x45, 0];
    bytes.extend((20 + inner.len() as u16).to_be_bytes());
    bytes.extend([0, 7]);
    bytes.extend(fragment.to_be_bytes());
    bytes.extend([64, protocol, 0, 0, 10, 9, 0, 1, 10, 9, 0, 2]);
    bytes.extend(inner);
    bytes
}

fn streams() -> Vec<Vec<u8>> {
    let insert =
        |offset: u16, bytes: &[u8]| [&[0], &offset.to_le_bytes()[..], &piece(bytes)].concat();
    let (skip_hole, skip_to) = (vec![2], vec![3, 9, 0]);
    vec![
        [vec![5, 0], insert(0, b"abc"), insert(3, b"def")].concat(),
        [
            vec![5, 0],
            insert(4, b"efg"),
            insert(2, b"cdXX"),
            insert(0, b"ab"),
        ]
        .concat(),
        [
            vec![1, 0],
            insert(4, b"ef"),
            skip_hole,
            insert(0, b"abcd"),
            skip_to,
            insert(9, b"j"),
        ]
        .concat(),
    ]
}

fn codings() -> Vec<Vec<u8>> {
    const BODIES: [&[u8]; CODINGS.len()] = [
        b"\x1f\x8b\x08\0\0\0\0\0\0\x03KLJN\x01\0\xc2A$5\x03\0\0\0",
        b"\x78\x9cKLJ\x06\0\x02M\x01\x27",
        b"\x0b\x01\x80abc\x03",
        b"\x28\xb5\x2f\xfd\x20\x03\x19\0\0abc",
        b"\x0b\x01\x80abc\x03",
    ];
    let seed = |(index, body): (usize, &&[u8])| [&[index as u8], *body].concat();
    BODIES.iter().enumerate().map(seed).collect()
}

/// A request and its answer, then another request before the answer to it.
fn conversation() -> Vec<u8> {
    let segment = |from_server: bool, seq: u16, ack: u16, payload: &[u8]| {
        let mut bytes = vec![u8::from(from_server), 0];
        bytes.extend(seq.to_le_bytes());
        bytes.extend(ack.to_le_bytes());
        // PSH and ACK, a moment later.
        bytes.extend([1, 0]);
        bytes.extend(piece(payload));
        bytes
    };
    let (request, answer) = (MESSAGES[1], MESSAGES[3]);
    let (asked, answered) = (1 + request.len() as u16, 1 + answer.len() as u16);
    [
        segment(false, 1, 1, request),
        segment(true, 1, asked, answer),
        segment(false, asked, answered, request),
        segment(true, answered, 2 * asked - 1, answer),
    ]
    .concat()
}

fn pairs() -> Vec<Vec<u8>> {
    let json = MESSAGES[6];
    let other = String::from_utf8_lossy(json)
        .replace('1', "2")
        .replace("HTTP/2", "HTTP/1");
    let pair =
        |a: &[u8], b: &[u8], rule: &str| [piece(a), piece(b), piece(rule.as_bytes())].concat();
    let mut pairs = vec![
        pair(json, json, ""),
        pair(json, MESSAGES[3], "ignore body"),
        pair(MESSAGES[4], MESSAGES[3], "expect bytes body"),
    ];
    let rules = COMPARE_RULES.iter();
    pairs.extend(rules.map(|rule| pair(json, other.as_bytes(), rule)));
    pairs
}

/// A media type and two bodies of it.
fn contents() -> Vec<Vec<u8>> {
    const BODIES: [[&[u8]; 2]; MEDIA_TYPES.len()] = [
        [b"<!doctype html><p>a", b"<?xml version='1.0'?><a b='c'/>"],
        [b"{\"a\":[NaN]}{}", b")]}'\n[1]"],
        [b"{\"a\":1}\n\x1e[2]\nx", b"{}"],
        [
            b"id: 1\nevent: a\ndata: {\"b\":1}\n\n:\rdata\r\n\r\n",
            b"data: a\nretry: 1",
        ],
        [b"a=1&b=%c3%a9+c&a=2", b"b=&a"],
        [
            b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--x--",
            b"--x\nContent-Type: multipart/mixed\n\n--y\n\na\n--y--\n--x--",
        ],
        [
            b"<a xmlns='u' xmlns:p='v' p:b='&lt;'><p:c/>d<c/>&#65;<![CDATA[e]]></a>",
            b"<!DOCTYPE a [<!ENTITY b 'c'>]><a><b> </b><!-- c --><d/>&b;</a>",
        ],
        [
            b"<ul><li>a<li>b</ul><p>c <b>d</b><div class=e>&amp;<br></div><svg><g/></svg>",
            b"<table><tr><td>a<td><script>b</script></table></p><pre> c",
        ],
        [b"a,b\r\n\xe9,1\n", b"a"],
        [
            b"\x08\x96\x01\x12\x07testing\x1a\x03\x08\x96\x01\x08\x02",
            b"\x0a\x02\xff\x01\x0d\0\0\x20\x40",
        ],
        [b"\0\0\0\0\x02\x08\x01\x80\0\0\0\x01a", b"\x01\0\0\0\x01a"],
        [b"\x89PNG", b"GIF8"],
        [b"[\0\x31\0]\0", b"\xfe\xff\0[\0]"],
        [b"\0<\0p\0>", b"\xd8\x3d\0"],
    ];
    let seed = |(index, [first, second]): (usize, &[&[u8]; 2])| {
        [&[index as u8], &piece(first)[..], second].concat()
    };
    BODIES.iter().enumerate().map(seed).collect()
}

fn capture_file() -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 0x4_0000, 1] {
        bytes.extend(word.to_le_bytes());
    }
    for message in [MESSAGES[0], MESSAGES[1]] {
        let frame = REQUEST.frame(message);
        let length = frame.len() as u32;
        bytes.extend([0, 0, length, length].map(u32::to_le_bytes).concat());
        bytes.extend(frame);
    }
    bytes
}

fn rule(text: &str) -> Vec<u8> {
    let parts = [text.as_bytes(), b"/a/b?q=1", b"id-1"];
    let body = br#"{"userId":1,"items":[{"id":2}]}"#;
    [parts.map(piece).concat(), body.to_vec()].concat()
}
