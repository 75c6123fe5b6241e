//! Random requests, and what of each the mirror should read.

use anyhow::{Result, bail, ensure};
use mirror_tests::net::Host;
use mirror_tests::stage::MIRROR_PORT;

/// SplitMix64.
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, most: usize) -> usize {
        (self.next() % most as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn bytes(&mut self, most: usize, allowed: impl Fn(u8) -> bool) -> Vec<u8> {
        let wanted = self.below(most + 1);
        let mut bytes = Vec::with_capacity(wanted);
        while bytes.len() < wanted {
            let byte = self.next() as u8;
            if allowed(byte) {
                bytes.push(byte);
            }
        }
        bytes
    }
}

/// A request, and what of it goes to the mirror.
pub(super) struct Sample {
    pub(super) sent: Vec<u8>,
    pub(super) is_head: bool,
    /// The connection ends with its answer.
    pub(super) closes: bool,
    /// It needs a connection of its own, because nothing after it is trusted.
    pub(super) is_alone: bool,
    /// `None` when policy refuses it. The marks stand at the end of the head.
    pub(super) replayed: Option<Replayed>,
}

pub(super) struct Replayed {
    head: Vec<u8>,
    line_end: &'static str,
    body: Vec<u8>,
}

/// A request in parts: what is sent, and what is expected of the mirror.
struct Draft<'r> {
    random: &'r mut Random,
    end: &'static str,
    sent: Vec<u8>,
    expect: Vec<u8>,
    is_refused: bool,
}

/// The number in a target, as in `/w/17/…`.
pub(super) fn number(request: &[u8]) -> u64 {
    let line = request.split(|byte| *byte == b'\n').next();
    let line = String::from_utf8_lossy(line.unwrap_or_default()).into_owned();
    let path = line
        .split(" /")
        .nth(1)
        .or_else(|| line.split("example/").nth(1));
    let number = path.and_then(|path| path.split('/').nth(1));
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or(u64::MAX)
}

impl Sample {
    pub(super) fn new(number: u64, random: &mut Random) -> Self {
        let end = if random.one_in(10) { "\n" } else { "\r\n" };
        let mut draft = Draft {
            random,
            end,
            sent: Vec::new(),
            expect: Vec::new(),
            is_refused: false,
        };
        let (method, version) = draft.request_line(number);
        draft.fields(version);
        let closes = draft.connection(version);
        let body = draft.body(method, version);
        let is_alone = draft.refusal(version);
        // Without any field nothing tells later how the lines ended.
        let has_fields = draft.sent.iter().filter(|byte| **byte == b'\n').count() > 1;
        let line_end = if has_fields { end } else { "\r\n" };
        if line_end != end {
            let lines = draft.expect.split_inclusive(|byte| *byte == b'\n');
            let lines =
                lines.map(|line| [line.strip_suffix(b"\n").unwrap_or(line), b"\r\n"].concat());
            draft.expect = lines.collect::<Vec<_>>().concat();
        }
        draft.sent.extend(end.as_bytes());
        let (sent_body, replayed_body) = body;
        draft.sent.extend(sent_body);
        Self {
            is_head: method == "HEAD",
            closes,
            is_alone,
            replayed: (!draft.is_refused).then_some(Replayed {
                head: draft.expect,
                line_end,
                body: replayed_body,
            }),
            sent: draft.sent,
        }
    }

    /// Whether the mirror read what it should, once or never.
    pub(super) fn check(&self, read: &[Vec<u8>]) -> Result<()> {
        let sent = self.sent.escape_ascii();
        let Some(replayed) = &self.replayed else {
            ensure!(read.is_empty(), "policy refused it, and it came: {sent}");
            return Ok(());
        };
        let [read] = read else {
            bail!("it came {} times: {sent}", read.len());
        };
        let rest = read.strip_prefix(&replayed.head[..]);
        let rest = rest.and_then(|rest| rest.strip_prefix(b"x-mirror-captured-at: "));
        let rest = rest.map(|rest| {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            (digits, &rest[digits..])
        });
        let end = replayed.line_end;
        let marks = format!("{end}x-mirror-replay: 1{end}{end}");
        let body = match rest {
            Some((13, rest)) => rest.strip_prefix(marks.as_bytes()),
            _ => None,
        };
        ensure!(
            body == Some(&replayed.body[..]),
            "sent:     {sent}\nread:     {}\nexpected: {} + marks + {}",
            read.escape_ascii(),
            replayed.head.escape_ascii(),
            replayed.body.escape_ascii()
        );
        Ok(())
    }
}

impl Draft<'_> {
    fn both(&mut self, bytes: &[u8]) {
        self.sent.extend(bytes);
        self.expect.extend(bytes);
    }

    /// A field that the mirror does not read.
    fn dropped(&mut self, line: &str) {
        self.sent.extend(line.as_bytes());
        self.sent.extend(self.end.as_bytes());
    }

    fn added(&mut self, line: &str) {
        self.expect.extend(line.as_bytes());
        self.expect.extend(self.end.as_bytes());
    }

    fn kept(&mut self, line: &str) {
        self.dropped(line);
        self.added(line);
    }

    fn request_line(&mut self, number: u64) -> (&'static str, &'static str) {
        const METHODS: [&str; 9] = [
            "GET", "GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "PURGE",
        ];
        let method = self.random.pick(&METHODS);
        let version = if self.random.one_in(5) {
            "HTTP/1.0"
        } else {
            "HTTP/1.1"
        };
        let is_safe = matches!(method, "GET" | "HEAD" | "OPTIONS");
        // Only routes under /w are allowed.
        let folder = if self.random.one_in(6) { "no" } else { "w" };
        self.is_refused = !is_safe && folder == "no";
        self.both(method.as_bytes());
        self.both(b" ");
        if self.random.one_in(12) {
            self.sent.extend(b"http://shop.example");
        }
        self.both(format!("/{folder}/{number}/").as_bytes());
        // Any byte that is not a space or a control character.
        let odd = self.random.bytes(30, |byte| byte > b' ' && byte != 0x7f);
        self.both(&odd);
        self.both(format!(" {version}{}", self.end).as_bytes());
        (method, version)
    }

    fn fields(&mut self, version: &str) {
        let before = self.random.below(8);
        for _ in 0..before {
            self.field();
        }
        match version {
            "HTTP/1.0" if self.random.one_in(2) => {}
            _ => {
                let name = self.random.pick(&["Host", "host", "HOST", "hOsT"]);
                self.kept(&format!("{name}: shop.example"));
            }
        }
        if self.random.one_in(20) {
            self.dropped("X-Mirror-Request-Id: forged");
        }
        if self.random.one_in(20) {
            self.dropped("x-mirror-namespace: forged");
        }
        if self.random.one_in(20) {
            self.dropped("x-MIRROR-captured-at: 1");
        }
        for _ in 0..self.random.below(8) {
            self.field();
        }
    }

    /// Names of every case, often repeated; values of any bytes, with odd spaces around them.
    fn field(&mut self) {
        const NAMES: [&str; 8] = [
            "Accept",
            "accept",
            "X-A",
            "x-a",
            "X-a",
            "If-Unknown",
            "!#$%&'*+-.^_`|~9",
            "Te",
        ];
        let name = self.random.pick(&NAMES);
        let before = self.random.pick(&["", " ", "  ", "\t"]);
        let after = self.random.pick(&["", "", " ", "\t "]);
        let value = self.random.bytes(20, |byte| byte > b' ' && byte != 0x7f);
        let end = self.end;
        self.both(format!("{name}:{before}").as_bytes());
        self.both(&value);
        self.both(format!("{after}{end}").as_bytes());
    }

    /// Whether the connection ends with the answer.
    fn connection(&mut self, version: &str) -> bool {
        if version == "HTTP/1.0" {
            let keeps = self.random.one_in(2);
            if keeps {
                self.kept("Connection: keep-alive");
            }
            return !keeps;
        }
        match self.random.below(20) {
            0 => {
                self.kept("Connection: close");
                true
            }
            1 => {
                self.kept("connection: keep-alive, x-a");
                self.kept("Keep-Alive: timeout=5");
                false
            }
            2 => {
                self.dropped("Connection: Upgrade, HTTP2-Settings");
                self.dropped("Upgrade: h2c");
                self.dropped("HTTP2-Settings: AAMAAABkAAQAAP__");
                false
            }
            3 => {
                self.dropped("Connection: upgrade, TE");
                self.added("Connection: TE");
                self.dropped("Upgrade: h2c");
                false
            }
            _ => false,
        }
    }

    /// The body as it is sent, and as the mirror reads it.
    fn body(&mut self, method: &str, version: &str) -> (Vec<u8>, Vec<u8>) {
        let most = if self.random.one_in(10) { 100_000 } else { 300 };
        let has_body = !matches!(method, "GET" | "HEAD") || self.random.one_in(20);
        let body = match has_body {
            true => self.random.bytes(most, |_| true),
            false => Vec::new(),
        };
        let length = body.len();
        if !has_body {
            return (body.clone(), body);
        }
        if version == "HTTP/1.1" && self.random.one_in(3) {
            return self.chunked(&body);
        }
        match self.random.below(6) {
            0 => self.kept(&format!("content-length: {length}, {length}")),
            1 => {
                self.kept(&format!("Content-Length: {length}"));
                self.kept(&format!("content-length: {length}"));
            }
            2 if version == "HTTP/1.1" => {
                self.kept(&format!("Content-Length: {length}"));
                self.kept("Expect: 100-continue");
            }
            _ => self.kept(&format!("Content-Length: {length}")),
        }
        (body.clone(), body)
    }

    fn chunked(&mut self, body: &[u8]) -> (Vec<u8>, Vec<u8>) {
        self.kept("Transfer-Encoding: chunked");
        let (mut sent, mut expect) = (Vec::new(), Vec::new());
        let mut rest = body;
        while !rest.is_empty() {
            let size = 1 + self.random.below(rest.len());
            let extension = self.random.pick(&["", "", ";a", ";a=\"b\""]);
            sent.extend(format!("{size:x}{extension}\r\n").as_bytes());
            sent.extend(&rest[..size]);
            sent.extend(b"\r\n");
            rest = &rest[size..];
        }
        if !body.is_empty() {
            expect.extend(format!("{:x}\r\n", body.len()).as_bytes());
            expect.extend(body);
            expect.extend(b"\r\n");
        }
        let trailers: &str = self
            .random
            .pick(&["", "", "Digest: x\r\n", "A: b\r\na: c\r\n"]);
        for bytes in [&mut sent, &mut expect] {
            bytes.extend(b"0\r\n");
            bytes.extend(trailers.as_bytes());
            bytes.extend(b"\r\n");
        }
        (sent, expect)
    }

    /// Sometimes a reason for policy to refuse it, and a Host where there is none. Whether nothing after it is trusted.
    fn refusal(&mut self, version: &str) -> bool {
        let has_host = self
            .expect
            .to_ascii_lowercase()
            .windows(6)
            .any(|six| six == b"\nhost:");
        let ambiguous = match self.random.below(60) {
            0 => "Host : other.example",
            1 => "A: b\r\n folded",
            2 if has_host => "Host: other.example",
            3 => "Content_Length: 7",
            4 => {
                self.dropped("x-mirror-replay: 1");
                self.is_refused = true;
                return false;
            }
            _ => {
                if !has_host && version == "HTTP/1.0" {
                    self.host();
                }
                return false;
            }
        };
        self.dropped(&ambiguous.replace("\r\n", self.end));
        self.is_refused = true;
        true
    }

    /// An absolute target names the host, else the mirror is meant.
    fn host(&mut self) {
        let is_absolute = self.sent.windows(8).any(|eight| eight == b" http://");
        match is_absolute {
            true => self.added("Host: shop.example"),
            false => self.added(&format!("Host: {}:{MIRROR_PORT}", Host::Mirror.address())),
        }
    }
}
