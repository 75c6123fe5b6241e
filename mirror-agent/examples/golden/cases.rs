//! The captures: what each is for, and how it is made.

use super::capture::{ACK, Capture, PSH, RST, SYN, URG, ip};

pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// What it is for, for its README.
    pub(crate) purpose: &'static str,
    pub(crate) make: fn(&mut Capture),
}

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "first-response-head-lost",
        purpose: "The packet with the first response's head was lost, and 1, 8, 20 or 100 packets of its body follow. The response is missing, the next ones are read.",
        make: first_response_head_lost,
    },
    Case {
        name: "long-request-line-midway",
        purpose: "Captured from the middle on, without a handshake: the first request line is longer than its packet. That request is counted with its fault, because where it begins was not seen; the next ones are whole.",
        make: long_request_line_midway,
    },
    Case {
        name: "proxy-protocol",
        purpose: "A PROXY header of version 1 or 2 before the first request, in the same packet or in one of its own, and in two packets. All requests are read, the client is the one that the header names, the peer is the proxy.",
        make: proxy_protocol,
    },
    Case {
        name: "expect-continue",
        purpose: "A request asks whether to send its body. Where a final answer comes instead of 100, the body may be left out: the next request is a request, not the body. Where 100 comes, or the client sends it all the same, it is the body.",
        make: expect_continue,
    },
    Case {
        name: "large-heads",
        purpose: "Heads of 105, 1,000 and 5,000 fields and of 200 KB and 300 KB, and a target of 300 KB. Each is a request; those over the limits have the fault that says so, and the request after them is read.",
        make: large_heads,
    },
    Case {
        name: "ambiguous-heads",
        purpose: "Heads that servers read differently: after a handshake, captured from the middle on, and one after the other. Each is a request, with the reason why it is not replayed.",
        make: ambiguous_heads,
    },
    Case {
        name: "pipelined-after-ambiguous",
        purpose: "A request in the packet of an ambiguous one may be a part of that one. It is a request, and not replayed, where it was answered, and none where it was not.",
        make: pipelined_after_ambiguous,
    },
    Case {
        name: "malformed-heads",
        purpose: "What is no request line of HTTP/1, and was answered all the same, is a request. What was not answered is none.",
        make: malformed_heads,
    },
    Case {
        name: "http2-midway",
        purpose: "HTTP/2 without its preface: the first frame that is captured is SETTINGS with ACK, DATA, HEADERS, WINDOW_UPDATE, PING, or the rest of one. All connections are counted as HTTP/2; the last one is a protocol with lengths before its messages, which is not.",
        make: http2_midway,
    },
    Case {
        name: "urgent-data",
        purpose: "Segments with urgent data inside a head, inside a body, and between requests. What the server read of them is not known.",
        make: urgent_data,
    },
    Case {
        name: "raw-targets",
        purpose: "Targets with raw UTF-8, Latin-1 and characters that URLs must escape go through unchanged. A space, a control character and a target without a slash have their reason.",
        make: raw_targets,
    },
    Case {
        name: "one-side-only",
        purpose: "A segment with a request that belongs to no connection: nothing answers, or a reset does. It is not replayed. A request whose acknowledgement was seen is.",
        make: one_side_only,
    },
    Case {
        name: "pppoe-compressed",
        purpose: "PPPoE whose protocol field is one byte long (RFC 1661 §6.5).",
        make: pppoe_compressed,
    },
    Case {
        name: "tunnels",
        purpose: "TCP inside of VXLAN and GRE, read without --tunnels: counted by name, with advice.",
        make: tunnels,
    },
    Case {
        name: "switched",
        purpose: "WebSocket and CONNECT: what follows the switch looks like HTTP and is none. A refused CONNECT switches nothing.",
        make: switched,
    },
    Case {
        name: "trailers",
        purpose: "Fields after chunked bodies are kept; a framing field among them makes the request ambiguous.",
        make: trailers,
    },
    Case {
        name: "unread",
        purpose: "Connections of which nothing can be read: other protocols by name, and one that was captured from the middle on and shows no message. Each is counted, some are named.",
        make: unread,
    },
];

fn first_response_head_lost(capture: &mut Capture) {
    for (port, packets) in [(40001, 1), (40002, 8), (40003, 20), (40004, 100)] {
        let mut connection = capture.connection(port);
        connection
            .handshake()
            .client("GET /big HTTP/1.1\r\nHost: shop\r\n\r\n");
        connection.lost(1, 1448);
        for _ in 0..packets {
            connection.server([b'x'; 700]);
        }
        connection
            .get("/after/0")
            .get("/after/1")
            .get("/after/2")
            .close();
    }
}

fn long_request_line_midway(capture: &mut Capture) {
    let query = "q".repeat(3000);
    let mut connection = capture.connection(40001);
    connection.get(&format!("/long?{query}"));
    connection.get("/after/0").get("/after/1").close();
}

fn proxy_protocol(capture: &mut Capture) {
    let v1 = &b"PROXY TCP4 192.0.2.1 192.0.2.2 1111 80\r\n"[..];
    let v1_six = &b"PROXY TCP6 2001:db8::1 2001:db8::2 1111 80\r\n"[..];
    let v1_unknown = &b"PROXY UNKNOWN\r\n"[..];
    let signature = b"\r\n\r\n\0\r\nQUIT\n";
    let addresses = [192, 0, 2, 1, 192, 0, 2, 2, 0x04, 0x57, 0, 80];
    let v2 = [&signature[..], &[0x21, 0x11, 0, 12], &addresses].concat();
    let with_more = [
        &signature[..],
        &[0x21, 0x11, 0, 16],
        &addresses,
        &[4, 0, 1, 0],
    ]
    .concat();
    let local = [&signature[..], &[0x20, 0, 0, 0]].concat();
    let request = b"GET /first HTTP/1.1\r\nHost: shop\r\n\r\n";
    let headers = [v1, v1_six, v1_unknown, &v2, &with_more, &local];
    for (port, header) in (40001..).zip(headers) {
        let whole = [header, request].concat();
        let mut connection = capture.connection(port);
        connection
            .handshake()
            .client(whole)
            .ok("1")
            .get("/second")
            .close();
    }
    let mut connection = capture.connection(40011);
    connection
        .handshake()
        .client(v1)
        .client(request)
        .ok("1")
        .get("/second")
        .close();
    let (begin, end) = v2.split_at(7);
    let mut connection = capture.connection(40012);
    connection
        .handshake()
        .client(begin)
        .client([end, request].concat());
    connection.ok("1").get("/second").close();
    // Without its handshake.
    let mut connection = capture.connection(40013);
    connection
        .client([v1, request].concat())
        .ok("1")
        .get("/second")
        .close();
}

fn expect_continue(capture: &mut Capture) {
    let ask = "POST /e HTTP/1.1\r\nHost: shop\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    let chunked = "POST /e HTTP/1.1\r\nHost: shop\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (port, status) in [(40001, 417), (40002, 413), (40003, 401), (40004, 200)] {
        let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\nno");
        let ask = if status == 401 { chunked } else { ask };
        let mut connection = capture.connection(port);
        connection.handshake().client(ask).server(answer);
        connection.get("/next/0").get("/next/1").close();
    }
    let go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    let mut connection = capture.connection(40011);
    connection
        .handshake()
        .client(ask)
        .server(go_on)
        .client("GET /");
    connection.ok("1").get("/next/0").close();
    let mut connection = capture.connection(40012);
    connection.handshake().client(ask);
    connection
        .server("HTTP/1.1 417 X\r\nContent-Length: 0\r\n\r\n")
        .client("hello");
    connection.get("/next/0").close();
}

fn large_heads(capture: &mut Capture) {
    for (port, fields) in [(40001, 105), (40002, 1000), (40003, 5000)] {
        let fields: String = (0..fields).map(|n| format!("X-{n}: v\r\n")).collect();
        let head = format!("GET /fields HTTP/1.1\r\nHost: shop\r\n{fields}\r\n");
        let mut connection = capture.connection(port);
        connection
            .handshake()
            .client(head)
            .ok("1")
            .get("/next")
            .close();
    }
    for (port, kilobytes) in [(40011, 200), (40012, 300)] {
        let value = "v".repeat(1000);
        let fields: String = (0..kilobytes)
            .map(|n| format!("X-{n}: {value}\r\n"))
            .collect();
        let head = format!("GET /bytes HTTP/1.1\r\nHost: shop\r\n{fields}\r\n");
        let mut connection = capture.connection(port);
        connection.handshake().client(head);
        connection.server("HTTP/1.1 431 Too Large\r\nContent-Length: 0\r\n\r\n");
        connection.get("/next").close();
    }
    let mut connection = capture.connection(40021);
    connection
        .handshake()
        .client(format!("GET /{} HTTP/1.1\r\n\r\n", "q".repeat(300_000)));
    connection.server("HTTP/1.1 414 Too Long\r\nContent-Length: 0\r\n\r\n");
    connection.get("/next").close();
}

fn ambiguous_heads(capture: &mut Capture) {
    let heads = [
        "GET /space HTTP/1.1\r\nHost : shop\r\n\r\n",
        "GET /folded HTTP/1.1\r\nHost: shop\r\nA: b\r\n c\r\n\r\n",
        "GET /hosts HTTP/1.1\r\nHost: shop\r\nHost: other\r\n\r\n",
        "GET /ends HTTP/1.1\r\nHost: shop\nA: b\r\n\r\n",
        "GET /cr HTTP/1.1\r\nHost: shop\r\nA: b\rc\r\n\r\n",
        "GET /lookalike HTTP/1.1\r\nHost: shop\r\nContent_Length: 5\r\n\r\n",
        "POST /lengths HTTP/1.1\r\nHost: shop\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n",
        "POST /both HTTP/1.1\r\nHost: shop\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /coding HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST /chunk HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n",
    ];
    let mut connection = capture.connection(40001);
    connection.handshake();
    for head in heads {
        connection.client(head).ok("1");
    }
    connection.get("/after").close();
    for (port, head) in (40011..).zip(heads) {
        capture
            .connection(port)
            .client(head)
            .ok("1")
            .get("/after")
            .close();
    }
}

fn pipelined_after_ambiguous(capture: &mut Capture) {
    let both = "GET /odd HTTP/1.1\r\nHost : shop\r\n\r\nGET /next HTTP/1.1\r\nHost: shop\r\n\r\n";
    let mut connection = capture.connection(40001);
    connection
        .handshake()
        .client(both)
        .ok("1")
        .ok("2")
        .get("/after")
        .close();
    // One server takes the second for a body, and answers once.
    let both = "POST /odd HTTP/1.1\r\nHost: shop\r\nContent-Length: 0\r\nContent-Length: 36\r\n\r\nGET /inside HTTP/1.1\r\nHost: shop\r\n\r\n";
    let mut connection = capture.connection(40002);
    connection
        .handshake()
        .client(both)
        .ok("1")
        .get("/after")
        .close();
}

fn malformed_heads(capture: &mut Capture) {
    let lines = [
        "GET /version HTTP/9.9\r\nHost: shop\r\n\r\n",
        "GET /trailing HTTP/1.1 \r\nHost: shop\r\n\r\n",
        "get it\r\n\r\n",
        "\u{1}\u{2}\u{3}\r\n\r\n",
        "GET!/ HTTP/1.1\r\n\r\n",
    ];
    let refused = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    for (port, line) in (40001..).zip(lines) {
        let mut connection = capture.connection(port);
        connection.handshake().client(line).server(refused).close();
        let mut connection = capture.connection(port + 100);
        connection
            .handshake()
            .get("/before")
            .client(line)
            .server(refused)
            .close();
        let mut connection = capture.connection(port + 200);
        connection.handshake().get("/before").client(line).close();
    }
    // Without a handshake only what begins with a method is told from the rest of a body.
    capture
        .connection(40301)
        .client(lines[0])
        .server(refused)
        .close();
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
}

fn http2_midway(capture: &mut Capture) {
    let ack = frame(4, 1, 0, b"");
    let headers = frame(1, 4, 1, &[0x82, 0x86, 0x84]);
    let data = frame(0, 1, 1, b"\0\0\0\0\x05hello");
    let window = frame(8, 0, 0, &[0, 1, 0, 0]);
    let ping = frame(6, 0, 0, b"12345678");
    for (port, first) in (40001..).zip([&ack, &data, &headers, &window, &ping]) {
        let mut connection = capture.connection(port);
        connection
            .client(first)
            .server([&headers[..], &data].concat());
        connection.client(&headers).client(&data).close();
    }
    // The rest of a frame comes first, and the handshake was seen.
    let mut connection = capture.connection(40011);
    connection.handshake().lost(0, 100);
    connection.client("the rest of some data").client(&ack);
    connection
        .server([&ack[..], &headers, &data].concat())
        .client(&window)
        .close();
    let mut connection = capture.connection(40021);
    let numbers = [0, 0, 0, 4, 1, 0, 0, 0].repeat(10);
    connection
        .client(&numbers)
        .server(&numbers)
        .client(&numbers)
        .close();
}

fn urgent_data(capture: &mut Capture) {
    let head = b"GET /head HTTP/1.1\r\nHost: shop\r\n\r\n";
    let mut connection = capture.connection(40001);
    connection
        .handshake()
        .send(0, PSH | ACK | URG, head)
        .ok("1")
        .get("/after")
        .close();
    let (begin, end) = head.split_at(12);
    let mut connection = capture.connection(40002);
    connection
        .handshake()
        .client(begin)
        .send(0, PSH | ACK | URG, b"!");
    connection.client(end).ok("1").get("/after").close();
    let mut connection = capture.connection(40003);
    connection.handshake();
    connection.client("POST /body HTTP/1.1\r\nHost: shop\r\nContent-Length: 3\r\n\r\na");
    connection
        .send(0, PSH | ACK | URG, b"b")
        .client("c")
        .ok("1")
        .get("/after")
        .close();
    // Announced by a segment without bytes.
    let mut connection = capture.connection(40004);
    connection
        .handshake()
        .get("/before")
        .send(0, ACK | URG, b"")
        .client(head)
        .ok("1");
    connection.get("/after").close();
}

fn raw_targets(capture: &mut Capture) {
    let targets: [&[u8]; 13] = [
        "/search?q=\u{4e2d}\u{6587}".as_bytes(),
        b"/a?b=\"<>|{}",
        b"/a\\b^c`d[e]",
        b"/caf\xe9",
        b"/\xff\xfe?\xc3(",
        b"http://shop/caf\xe9?q=\"",
        b"/a#b",
        b"//shop/a",
        b"/a b",
        b"/a\tb",
        b"/a\x01b",
        b"search?q=a",
        b"*",
    ];
    let mut connection = capture.connection(40001);
    connection.handshake();
    for target in targets {
        let request = [b"GET ", target, b" HTTP/1.1\r\nHost: shop\r\n\r\n"].concat();
        connection.client(request).ok("1");
    }
    connection.get("/after").close();
}

fn one_side_only(capture: &mut Capture) {
    let request = b"GET /forged HTTP/1.1\r\nHost: shop\r\n\r\n";
    capture.connection(40001).client(request);
    capture
        .connection(40002)
        .client(request)
        .send(1, RST | ACK, b"");
    let mut connection = capture.connection(40003);
    connection.send(0, SYN, b"").client(request);
    capture.connection(40011).client(request).send(1, ACK, b"");
    let mut connection = capture.connection(40012);
    connection.handshake().client(request);
}

fn pppoe_compressed(capture: &mut Capture) {
    fn wrap(ip: Vec<u8>) -> Vec<u8> {
        let length = (1 + ip.len() as u16).to_be_bytes();
        let session = [0x88, 0x64, 0x11, 0, 0, 1, length[0], length[1], 0x21];
        [&[0; 12][..], &session, &ip].concat()
    }
    let mut connection = capture.connection(40001).wrapped(wrap);
    connection.handshake().get("/a").get("/b").close();
}

fn tunnels(capture: &mut Capture) {
    fn vxlan(packet: Vec<u8>) -> Vec<u8> {
        let inner = [&[0; 12][..], &[8, 0], &packet].concat();
        let length = (16 + inner.len() as u16).to_be_bytes();
        let udp = [0xc0, 0, 0x12, 0xb5, length[0], length[1], 0, 0];
        let payload = [&udp[..], &[8, 0, 0, 0, 0, 0, 7, 0], &inner].concat();
        let outer = ip(17, [10, 9, 0, 1], [10, 9, 0, 2], &payload);
        [&[0; 12][..], &[8, 0], &outer].concat()
    }
    fn gre(packet: Vec<u8>) -> Vec<u8> {
        let outer = ip(
            47,
            [10, 9, 0, 1],
            [10, 9, 0, 2],
            &[&[0, 0, 8, 0], &packet[..]].concat(),
        );
        [&[0; 12][..], &[8, 0], &outer].concat()
    }
    let mut connection = capture.connection(40001).wrapped(vxlan);
    connection.handshake().get("/a").get("/b").close();
    let mut connection = capture.connection(40002).wrapped(gre);
    connection.get("/a");
    capture.connection(40003).get("/plain");
}

fn switched(capture: &mut Capture) {
    let upgrade =
        "GET /ws HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let mut connection = capture.connection(40001);
    connection.handshake().get("/before").client(upgrade);
    connection.server("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n");
    connection.get("/inside").close();
    let connect = "CONNECT shop:443 HTTP/1.1\r\nHost: shop:443\r\n\r\n";
    let mut connection = capture.connection(40002);
    connection
        .handshake()
        .client(connect)
        .server("HTTP/1.1 200 Established\r\n\r\n");
    connection.get("/inside").close();
    let mut connection = capture.connection(40003);
    connection.handshake().client(connect);
    connection
        .server("HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")
        .get("/after")
        .close();
}

fn trailers(capture: &mut Capture) {
    let head =
        "POST /t HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\nTrailer: Digest\r\n\r\n";
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n";
    let mut connection = capture.connection(40001);
    connection.handshake();
    connection.client(format!(
        "{head}3\r\nabc\r\n0\r\nDigest: x\r\nexpires: 0\r\n\r\n"
    ));
    connection.server(format!("{answer}Server-Timing: db;dur=3\r\n\r\n"));
    connection.client(format!("{head}3\r\nabc\r\n0\r\nContent-Length: 7\r\n\r\n"));
    connection.server(format!("{answer}\r\n"));
    connection.get("/after").close();
}

fn unread(capture: &mut Capture) {
    let first: [&[u8]; 6] = [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"\0\0\0\x08\x04\xd2\x16\x2f",
        b"\x16\x03\x01\x00\x05hello",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        b"HELO shop\r\n",
    ];
    for (port, bytes) in (40001..).zip(first) {
        capture
            .connection(port)
            .handshake()
            .client(bytes)
            .server("\x01\x02")
            .close();
    }
    // After the loss of its beginning it could be HTTP for long.
    let mut connection = capture.connection(40011);
    for _ in 0..70 {
        connection.client([7; 30]);
    }
    connection.close();
    let mut connection = capture.connection(40012);
    connection.get("/read").close();
}
