//! Commands that send a request again, for any POSIX shell.
//!
//! What is in them comes from strangers and is pasted into a terminal. So targets and fields are quoted, and hold no control
//! characters; bodies are written by `printf`, which has an escape for each byte.

use super::answers::{StoredBody, StoredMessage};

/// Longest body that a command of a report carries.
const MAX_BODY: usize = 16 << 10;

/// Fields that curl makes itself, or that concern the connection.
const LEFT_OUT: [&str; 7] = [
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Fields that curl adds to what it is given, unless it is told otherwise; the last one to data only.
const ADDED: [&str; 3] = ["Accept", "User-Agent", "Content-Type"];

/// A request line in two parts, between which the address of a side comes: `curl … ADDRESS'/target'`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(super) struct ShortCurl {
    /// As in `curl -sS -g --path-as-is -X DELETE `.
    pub(super) start: String,
    /// Quoted.
    pub(super) target: String,
    /// It is not safe by its method: to send it again may write again.
    pub(super) writes: bool,
}

impl ShortCurl {
    /// Of `GET /target` as examples have it; none where it was cut, or holds what cannot be sent again.
    pub(super) fn new(request: &str) -> Option<Self> {
        let (method, target) = request.split_once(' ')?;
        let is_whole = !request.contains('…') && !request.contains("\\u{");
        is_whole.then(|| Self::of(method, target, false))?
    }

    /// The whole command; `address` is a word of the shell.
    pub(super) fn to(&self, address: &str) -> String {
        format!("{}{}", self.start, joined(address, &self.target))
    }

    /// With data, curl says POST unless it is told another method; a HEAD with data is none that it knows.
    fn of(method: &str, target: &str, has_body: bool) -> Option<Self> {
        let path = origin_form(target)?;
        let method_flag = match method {
            "GET" if !has_body => String::new(),
            "HEAD" if has_body => return None,
            "HEAD" => "--head ".into(),
            plain if plain.chars().all(|c| c.is_ascii_uppercase()) => format!("-X {plain} "),
            other => format!("-X {} ", quoted(other)),
        };
        Some(Self {
            start: format!("curl -sS -g --path-as-is {method_flag}"),
            target: quoted(&path),
            writes: !matches!(method, "GET" | "HEAD" | "OPTIONS"),
        })
    }
}

/// A request as a command sends it.
pub struct CurlRequest<'a> {
    pub method: &'a str,
    pub target: &'a str,
    pub headers: Vec<(&'a str, &'a str)>,
    pub body: &'a [u8],
    /// The body is without its content coding, so that the field for it is left out.
    pub is_decoded: bool,
}

impl CurlRequest<'_> {
    /// The whole request to `address`, which is a word of the shell; none where curl would send another request.
    pub fn to(&self, address: &str) -> Option<String> {
        let body = self.body;
        let short = ShortCurl::of(self.method, self.target, !body.is_empty())?;
        let mut command = String::new();
        if !body.is_empty() {
            command.push_str(&format!("printf {} | ", printf_format(body)));
        }
        command.push_str(&short.to(address));
        for (name, value) in &self.headers {
            if self.leaves_out(name) {
                continue;
            }
            if value.contains(char::is_control) {
                return None;
            }
            let field = match *value {
                "" => format!("{name};"),
                value => format!("{name}: {value}"),
            };
            command.push_str(&format!(" \\\n  -H {}", quoted(&field)));
        }
        let has = |wanted: &str| {
            let mut headers = self.headers.iter();
            headers.any(|(name, _)| name.eq_ignore_ascii_case(wanted))
        };
        let added = match body.is_empty() {
            true => &ADDED[..2],
            false => &ADDED,
        };
        for name in added.iter().filter(|name| !has(name)) {
            command.push_str(&format!(" \\\n  -H '{name}:'"));
        }
        if !body.is_empty() {
            command.push_str(" \\\n  --data-binary @-");
        }
        Some(command)
    }

    fn leaves_out(&self, name: &str) -> bool {
        let is_coding = name.eq_ignore_ascii_case("content-encoding");
        let is_made = LEFT_OUT.contains(&name.to_ascii_lowercase().as_str());
        is_made || (is_coding && self.is_decoded) || name.starts_with(':') || name.is_empty()
    }
}

/// The same for a request that was stored; none where it was not kept whole.
pub(super) fn full(request: &StoredMessage, address: &str) -> Option<String> {
    let (method, target) = method_and_target(request)?;
    let body = body(&request.body).filter(|_| request.headers_cut == 0)?;
    let headers = request.headers.iter();
    let request = CurlRequest {
        method,
        target,
        headers: headers.map(|(name, value)| (&**name, &**value)).collect(),
        body: &body,
        is_decoded: true,
    };
    request.to(address)
}

/// Two words of the shell as one. Where both are quoted, one pair of quotes is enough.
fn joined(address: &str, target: &str) -> String {
    match (address.strip_suffix('\''), target.strip_prefix('\'')) {
        (Some(address), Some(target)) => format!("{address}{target}"),
        _ => format!("{address}{target}"),
    }
}

/// The address of the side that a request names itself, as a word of the shell.
pub(super) fn address_of(request: &StoredMessage) -> Option<String> {
    let mut headers = request.headers.iter();
    let (_, host) = headers.find(|(name, _)| name.eq_ignore_ascii_case("host"))?;
    let is_host = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
    let is_known = !host.is_empty() && host.chars().all(is_host);
    is_known.then(|| quoted(&format!("http://{host}")))
}

/// One word of the shell, without control characters.
pub fn quoted(text: &str) -> String {
    let visible: String = text
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    format!("'{}'", visible.replace('\'', r"'\''"))
}

fn method_and_target(request: &StoredMessage) -> Option<(&str, &str)> {
    let mut words = request.first_line.split(' ');
    Some((words.next()?, words.next()?))
}

/// Path and query, with all that is not printable ASCII escaped as a URL has it.
fn origin_form(target: &str) -> Option<String> {
    let path = match target.find("://") {
        Some(at) if !target.starts_with('/') => {
            let rest = &target[at + 3..];
            rest.find('/').map_or("/", |slash| &rest[slash..])
        }
        _ => target,
    };
    if !path.starts_with('/') {
        return None;
    }
    let mut escaped = String::new();
    for byte in path.bytes() {
        match byte {
            b'!'..=b'~' if byte != b'#' => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    Some(escaped)
}

fn body(body: &StoredBody) -> Option<Vec<u8>> {
    if body.is_cut {
        return None;
    }
    let bytes = body.bytes_kept().ok()?;
    let is_whole = bytes.len() as u64 == body.bytes;
    (is_whole && bytes.len() <= MAX_BODY).then_some(bytes)
}

/// The format of `printf` that writes these bytes.
fn printf_format(bytes: &[u8]) -> String {
    let mut format = String::from("'");
    for (index, byte) in bytes.iter().enumerate() {
        match byte {
            // It would be taken for an option.
            b'-' if index == 0 => format.push_str(r"\055"),
            b'%' => format.push_str("%%"),
            b'\\' => format.push_str(r"\\"),
            b'\'' => format.push_str(r"'\''"),
            b'\n' => format.push_str(r"\n"),
            b' '..=b'~' => format.push(char::from(*byte)),
            other => format.push_str(&format!("\\{other:03o}")),
        }
    }
    format.push('\'');
    format
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use base64::Engine;

    use super::*;

    /// What `sh` hands to a program in the place of curl: its arguments, and what comes in.
    fn run(command: &str) -> (Vec<String>, Vec<u8>) {
        let script = format!(
            "curl() {{ printf '%s\\0' \"$@\"; printf 'in\\0'; case \"$*\" in *@-) cat;; esac; }}\n{command}"
        );
        let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
        assert!(output.status.success(), "{command}");
        let text = output.stdout;
        let end = text.windows(4).position(|four| four == b"\0in\0").unwrap();
        let arguments = String::from_utf8(text[..end].to_vec()).unwrap();
        let arguments = arguments.split('\0').map(str::to_owned).collect();
        (arguments, text[end + 4..].to_vec())
    }

    fn request(first_line: &str, headers: &[(&str, &str)], text: &[u8]) -> StoredMessage {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        StoredMessage {
            first_line: first_line.into(),
            status: None,
            headers: headers.iter().map(own).collect(),
            headers_cut: 0,
            body: StoredBody {
                text: String::from_utf8(text.to_vec()).ok(),
                base64: String::from_utf8(text.to_vec())
                    .is_err()
                    .then(|| base64::engine::general_purpose::STANDARD.encode(text)),
                bytes: text.len() as u64,
                is_cut: false,
                sha256: String::new(),
            },
        }
    }

    #[test]
    fn a_shell_gives_curl_what_the_request_held_and_runs_nothing_of_it() {
        let hostile = "/a';touch${IFS}/tmp/x;'?q=$(id)`id`&b=\"c\\d\u{e9}\u{1b}[2J#f";
        let headers = [
            ("Host", "shop.example"),
            ("X-Note", "it's $HOME `id`"),
            ("X-Empty", ""),
            ("Content-Length", "3"),
        ];
        let body: Vec<u8> = (0..=255).collect();
        let message = request(&format!("POST {hostile} HTTP/1.1"), &headers, &body);
        let command = full(&message, "'http://10.0.0.2:8080'").unwrap();
        assert!(
            command.chars().all(|c| !c.is_control() || c == '\n'),
            "{command}"
        );
        let (arguments, came_in) = run(&command);
        let url =
            "http://10.0.0.2:8080/a';touch${IFS}/tmp/x;'?q=$(id)`id`&b=\"c\\d%C3%A9%1B[2J%23f";
        let fields = ["Host: shop.example", "X-Note: it's $HOME `id`", "X-Empty;"];
        let mut expect = vec!["-sS", "-g", "--path-as-is", "-X", "POST", url];
        expect.extend(fields.iter().flat_map(|field| ["-H", field]));
        for added in ["Accept:", "User-Agent:", "Content-Type:"] {
            expect.extend(["-H", added]);
        }
        expect.extend(["--data-binary", "@-"]);
        assert_eq!(arguments, expect);
        assert_eq!(came_in, body);
    }

    #[test]
    fn what_cannot_be_sent_again_has_no_command() {
        let cut = StoredMessage {
            body: StoredBody {
                is_cut: true,
                ..request("", &[], b"").body
            },
            ..request("POST /a HTTP/1.1", &[], b"")
        };
        assert_eq!(full(&cut, "x"), None);
        let cut = StoredMessage {
            headers_cut: 1,
            ..request("GET /a HTTP/1.1", &[], b"")
        };
        assert_eq!(full(&cut, "x"), None);
        assert_eq!(full(&request("OPTIONS * HTTP/1.1", &[], b""), "x"), None);
        assert_eq!(full(&request("", &[], b""), "x"), None);
        for text in ["GET /long…", "GET /a\\u{1b}", "GET", "GET relative"] {
            assert_eq!(ShortCurl::new(text), None, "{text}");
        }
    }

    #[test]
    fn a_short_command_is_the_method_and_the_target() {
        let short = ShortCurl::new("DELETE /a?b='c'").unwrap();
        let (arguments, _) = run(&format!("{}'http://m'{}", short.start, short.target));
        let expect = [
            "-sS",
            "-g",
            "--path-as-is",
            "-X",
            "DELETE",
            "http://m/a?b='c'",
        ];
        assert_eq!(arguments, expect);
        assert!(short.writes && !ShortCurl::new("GET /").unwrap().writes);
        let (arguments, _) =
            run(&full(&request("HEAD http://a.b/c?d HTTP/1.1", &[], b""), "x").unwrap());
        assert!(arguments.contains(&"x/c?d".to_owned()), "{arguments:?}");
    }

    #[test]
    fn a_body_neither_changes_the_method_nor_gets_lost() {
        let headers = [
            ("Accept", "*/*"),
            ("User-Agent", "x"),
            ("content-type", "a/b"),
        ];
        let body = b"--XX\r\n-%-\r\n--XX--";
        let command = full(&request("GET /search HTTP/1.1", &headers, body), "x").unwrap();
        let (arguments, came_in) = run(&command);
        assert_eq!(came_in, body);
        assert_eq!(arguments[3..6], ["-X", "GET", "x/search"]);
        assert!(!arguments.contains(&"Accept:".to_owned()), "{arguments:?}");
        assert_eq!(full(&request("HEAD / HTTP/1.1", &headers, body), "x"), None);
        let tab = [("X-Tab", "a\tb")];
        assert_eq!(full(&request("GET / HTTP/1.1", &tab, b""), "x"), None);
    }

    #[test]
    fn an_address_is_only_taken_from_a_plain_host() {
        let of = |host: &str| address_of(&request("GET / HTTP/1.1", &[("hOST", host)], b""));
        assert_eq!(of("[::1]:80").as_deref(), Some("'http://[::1]:80'"));
        assert_eq!(of("a'b"), None);
        assert_eq!(of("a/b"), None);
        assert_eq!(of(""), None);
    }
}
