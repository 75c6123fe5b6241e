//! URLs that may hold a user and a password: kept for connecting, never printed.

use std::fmt;

use mirror_core::options::FromText;

/// A URL whose user, password and query never show in `Display` or `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(String);

impl SecretUrl {
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// The whole URL, for connecting only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redacted(&self.0))
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretUrl({self})")
    }
}

impl FromText for SecretUrl {
    const IS_SECRET: bool = true;

    fn from_text(text: &str) -> Result<Self, String> {
        match text.split_once("://") {
            Some((scheme, rest)) if !scheme.is_empty() && !rest.is_empty() => Ok(Self::new(text)),
            _ => Err("use a URL as in redis://HOST:6379 or postgres://HOST/DATABASE".into()),
        }
    }

    fn shown(text: &str) -> String {
        redacted(text)
    }
}

/// A value that shows nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(String);

impl SecretText {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// For sending only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

/// Whether a text holds a user, a password or both.
pub fn holds_secret(url: &str) -> bool {
    url.contains('@') || url.contains("password")
}

/// Scheme, host and path of a URL. What could be a part of a password is left out, also where the URL is not well formed.
pub fn redacted(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        // As in `host=… password=…`, or a URL that lacks its scheme.
        return if holds_secret(url) {
            "…".into()
        } else {
            url.into()
        };
    };
    if !is_scheme(scheme) {
        return "…".into();
    }
    let place = |place: &str| {
        place
            .split(['?', '#'])
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    match rest.matches('@').count() {
        0 => match place(rest) {
            hidden if hidden.contains("password") => format!("{scheme}://…"),
            shown => format!("{scheme}://{shown}"),
        },
        // The `@` ends the user information, unless it stands in the query.
        1 => match rest.split_once('@') {
            Some((user, host)) if !user.contains('?') => format!("{scheme}://…@{}", place(host)),
            _ => format!("{scheme}://…"),
        },
        _ => format!("{scheme}://…"),
    }
}

fn is_scheme(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ['+', '-', '.'].contains(&c);
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(allowed)
}

/// Redacts every URL with user information inside a text: the last guard before anything is printed.
pub fn scrubbed(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let begin = rest[..at]
            .rfind(|c: char| !(c.is_ascii_alphanumeric() || ['+', '-', '.'].contains(&c)))
            .map_or(0, |before| {
                before + rest[before..].chars().next().map_or(1, char::len_utf8)
            });
        let end = rest[at..]
            .find(|c: char| c.is_whitespace() || ['"', '\'', '`', '<', '>'].contains(&c))
            .map_or(rest.len(), |length| at + length);
        out += &rest[..begin];
        let url = &rest[begin..end];
        if holds_secret(url) {
            out += &redacted(url);
        } else {
            out += url;
        }
        rest = &rest[end..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_shows_its_place_and_nothing_else() {
        let check = |url: &str, expect: &str| {
            assert_eq!(SecretUrl::new(url).to_string(), expect);
        };
        check("redis://10.0.0.5:6379/0", "redis://10.0.0.5:6379/0");
        check("redis://user:hunter2@h:1/0", "redis://…@h:1/0");
        check("redis://:hunter2@h", "redis://…@h");
        check("redis://h?sentinel-password=hunter2", "redis://h");
        check("redis://u@h?sentinel-password=hunter2", "redis://…@h");
        check("redis+sentinel://u:p@a,b/m", "redis+sentinel://…@a,b/m");
    }

    /// Characters that ought to be percent-encoded, and other mistakes.
    #[test]
    fn a_password_does_not_show_where_the_url_is_wrong() {
        for url in [
            "redis://u:hunter2@x@h",
            "redis://u:a?hunter2@h",
            "redis://u:p@h?sentinel-password=a@hunter2",
            "redis://h?sentinel-password=a@hunter2",
            "redis://u:a/hunter2@h",
            "redis://u:a#hunter2@h",
            "u:hunter2@h:6379",
            "host=h password=hunter2",
            "hunter2 redis://h",
        ] {
            let shown = format!("{0} {0:?} {1}", SecretUrl::new(url), redacted(url));
            assert!(!shown.contains("hunter2"), "{url}: {shown}");
        }
    }

    #[test]
    fn urls_inside_a_message_are_redacted() {
        assert_eq!(
            scrubbed("unexpected argument 'redis://u:hunter2@h' found, see https://example.org/a"),
            "unexpected argument 'redis://…@h' found, see https://example.org/a"
        );
        assert_eq!(scrubbed("é=redis://u:p@h"), "é=redis://…@h");
        assert_eq!(scrubbed("nothing"), "nothing");
    }
}
