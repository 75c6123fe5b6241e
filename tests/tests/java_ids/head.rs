//! Targets and headers of every form, and some of none.

use std::fmt::Write;

use crate::random::Random;

pub(crate) fn target(random: &mut Random) -> String {
    let mut target = match random.below(12) {
        0 => random
            .of(&["", "*", "/", "//", "u/x", "?", "#", "http://", "host:443"])
            .into(),
        1 | 2 => {
            let scheme = random.of(&["http://", "https://", "x+y://"]);
            scheme.to_owned() + random.of(&HOSTS) + &path(random)
        }
        _ => path(random),
    };
    if random.below(6) > 0 {
        target.push('?');
        target.push_str(&parameters(random, "%2F/?"));
    }
    if random.below(8) == 0 {
        target.push_str(random.of(&["#", "#f", "#?q=1", "#a?b#c"]));
    }
    target
}

const HOSTS: [&str; 14] = [
    "shop.example",
    "Shop.EXAMPLE:8080",
    "[::1]:80",
    "[2001:DB8::1]",
    "u@h:1",
    "u:p@a@H",
    "",
    ":80",
    "[",
    "[::1",
    "]x[",
    "h\u{4d}x:",
    " h ",
    "\tH:1",
];

fn path(random: &mut Random) -> String {
    let first = random.of(&["u", "u", "orders", "orders", "a", "A", "%75", ""]);
    let mut path = format!("/{first}");
    for _ in 0..1 + random.below(3) {
        path.push('/');
        path.push_str(&encoded(random, "/;.*"));
    }
    path
}

pub(crate) fn parameters(random: &mut Random, also: &str) -> String {
    let mut text = String::new();
    for n in 0..random.below(8) {
        text.push_str(if n == 0 { "" } else { "&" });
        let name = match random.below(4) {
            0 => random.of(&["b", "x", "ä+b", "%C3%A4%20b", "ä"]),
            1 => random.of(&["%71", "%61", "%c3%a4", "%ff", "", "+", "Q"]),
            _ => random.of(&["q", "a"]),
        };
        text.push_str(name);
        if random.below(6) > 0 {
            text.push('=');
            text.push_str(&encoded(random, also));
        }
    }
    text
}

/// Text that may be percent-encoded, or broken.
fn encoded(random: &mut Random, also: &str) -> String {
    let mut text = String::new();
    for _ in 0..random.below(4) {
        match random.below(12) {
            0 => text.push_str(random.of(&["%", "%%", "%4", "%zz", "%+1", "%2", "%\u{e4}a"])),
            1 => text.push_str(random.of(&["%ff", "%C3", "%ED%A0%80", "%F4%90%80%80", "%c0%80"])),
            2 => text.push_str(random.of(&["%00", "%0a", "%7F", "%EF%BB%BF", "%EF%BF%BD"])),
            3 => text.push_str(random.of(&["%C3%A4", "%e6%97%a5", "%F0%9F%98%80", "%C3ä"])),
            4 => text.push_str(random.of(&["ä", "日", "😀", "\u{ffff}", "\u{fffd}"])),
            5 => text.push_str(random.of(&["+", "%20", "%2B", "%26", "%3D", "%3d"])),
            6 => {
                let _ = write!(text, "%{:02X}", random.below(256));
            }
            7 => text.extend(also.chars().nth(random.below(also.len()))),
            _ => text.push_str(random.of(&["1", "0", "a", "b7", "user", "~", "!", "="])),
        }
    }
    text
}

pub(crate) fn headers(
    random: &mut Random,
    content_type: Option<&str>,
) -> Vec<(&'static str, Vec<u8>)> {
    let mut headers: Vec<(&'static str, Vec<u8>)> = Vec::new();
    if random.below(8) > 0 {
        headers.push(("host", random.of(&HOSTS).into()));
    }
    if let Some(content_type) = content_type {
        headers.push(("content-type", content_type.into()));
    }
    for (name, most) in [("x-request-id", 2), ("x-a", 3)] {
        for _ in 0..random.below(most + 1) {
            headers.push((name, header_value(random)));
        }
    }
    for _ in 0..random.below(3) {
        headers.push(("cookie", cookies(random)));
    }
    if random.below(8) > 0 {
        headers.push(("traceparent", traceparent(random).into()));
    }
    headers
}

fn header_value(random: &mut Random) -> Vec<u8> {
    match random.below(10) {
        0 => "!~x".repeat(85 + random.below(2)).into_bytes(),
        1 => random.of(&["", " ", "\t", " a b ", "a\tb"]).into(),
        2 => random.of(&["ä", "日本", "a\u{7f}", "\u{0}", "a\nb"]).into(),
        3 => vec![random.below(256) as u8, b'a', random.below(256) as u8],
        _ => {
            let around = random.of(&["", "", " ", "\t ", "  "]);
            format!("{around}id-{:x}{around}", random.below(1 << 40)).into_bytes()
        }
    }
}

fn cookies(random: &mut Random) -> Vec<u8> {
    let mut line = Vec::new();
    for _ in 0..random.below(4) {
        let name = random.of(&["sid", "b", "SID", " sid ", "\tb", "xsid", "", "sid b"]);
        line.extend_from_slice(name.as_bytes());
        if random.below(6) > 0 {
            line.push(b'=');
            let value = random.of(&["1", "a=b", "\"q x\"", "", " 7\t", "%41", "a+b"]);
            line.extend_from_slice(value.as_bytes());
        }
        line.extend_from_slice(random.of(&[";", "; ", ";;", " ; "]).as_bytes());
    }
    if random.below(10) == 0 {
        line.push(random.below(256) as u8);
    }
    line
}

fn traceparent(random: &mut Random) -> String {
    if random.below(3) > 0 {
        let (trace, parent) = (random.below(1 << 62), random.below(1 << 62));
        return format!("00-{trace:032x}-{parent:016x}-01");
    }
    let version = random.of(&["00", "01", "fe", "ff", "0", "0g", "CC"]);
    let trace = match random.below(3) {
        0 => "0".repeat(32),
        1 => "A".repeat(32),
        _ => "4bf92f3577b34da6".repeat(2),
    };
    let parent = random.of(&["00f067aa0ba902b7", "0000000000000000", "00f067aa0ba902b"]);
    let end = random.of(&["01", "ff", "0", "01-", "01-x", "01x", "", "01 "]);
    format!("{version}-{trace}-{parent}-{end}")
}
