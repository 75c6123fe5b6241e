//! Why a request ended as it did, so that equal reasons are counted as one.

use mirror_core::compare::excerpt;

/// Longest reason that reports show.
const MAX_REASON: usize = 240;

/// The reason without what varies from request to request: ports behind an address, long numbers, ids.
pub(super) fn grouped(reason: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    for c in excerpt(reason, MAX_REASON).chars() {
        if c.is_ascii_alphanumeric() || ".:-_[]".contains(c) {
            word.push(c);
        } else {
            out.push_str(&constant(&word));
            word.clear();
            out.push(c);
        }
    }
    out.push_str(&constant(&word));
    out
}

/// A word without its variable part.
fn constant(word: &str) -> String {
    let core = word.trim_end_matches([':', '.']);
    let end = &word[core.len()..];
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if let Some((host, port)) = core.rsplit_once(':')
        && is_digits(port)
        && !host.is_empty()
    {
        return format!("{host}:…{end}");
    }
    let is_long_number = is_digits(core) && core.len() >= 5;
    let is_id = core.len() >= 8 && mirror_core::route::variable(core).is_some();
    if is_long_number || is_id {
        format!("…{end}")
    } else {
        word.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::grouped;

    fn check(reason: &str, expect: &str) {
        assert_eq!(grouped(reason), expect);
    }

    #[test]
    fn what_varies_is_cut_and_what_explains_stays() {
        check(
            "client error (Connect): tcp connect error: 10.79.1.2:9090: Connection refused (os error 111)",
            "client error (Connect): tcp connect error: 10.79.1.2:…: Connection refused (os error 111)",
        );
        check(
            "from 127.0.0.1:51234 to [::1]:80",
            "from 127.0.0.1:… to [::1]:…",
        );
        check(
            "no snapshot 550e8400-e29b-41d4-a716-446655440000.",
            "no snapshot ….",
        );
        check("after 1234567 bytes", "after … bytes");
        check("no answer within 5000 ms", "no answer within 5000 ms");
        check(
            "WRONGTYPE: Operation against a key",
            "WRONGTYPE: Operation against a key",
        );
        check("HTTP/1.1 503", "HTTP/1.1 503");
    }

    #[test]
    fn a_reason_is_short_and_harmless() {
        check("a\x1b[2Jb", "a\\u{1b}[2Jb");
        assert!(grouped(&"x ".repeat(1000)).chars().count() <= 241);
    }
}
