//! A cookie that an answer sets: by its name and attributes, and never by its value, which is a secret and new each time.

use std::collections::BTreeMap;

use super::rules::http_date;

/// Two times of expiry that are this far apart, in seconds, are one: dates have whole seconds.
const MAX_APART: i128 = 2;
/// A time before 2001 says that something is gone already, whatever the clock says.
const LONG_AGO: i128 = 978_307_200;

/// How long something lives, from the answer's own date on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// It is over.
    Over,
    Seconds(i128),
    /// The answer has no date.
    Unknown,
}

impl Life {
    /// Reads `expires`. What is no date is over (RFC 9111 §5.3).
    pub(super) fn of(expires: &[u8], date: Option<&[u8]>) -> Self {
        let seconds = |value: &[u8]| {
            let text = std::str::from_utf8(value).ok()?.trim();
            Some(http_date(&text.replace('-', " "))?.div_euclid(1_000_000_000))
        };
        let Some(expires) = seconds(expires).filter(|at| *at >= LONG_AGO) else {
            return Self::Over;
        };
        match date.and_then(seconds) {
            Some(date) if expires <= date => Self::Over,
            Some(date) => Self::Seconds(expires - date),
            None => Self::Unknown,
        }
    }

    pub(super) fn is_like(self, other: Self) -> bool {
        match (self, other) {
            (Self::Seconds(ours), Self::Seconds(theirs)) => {
                ours.abs_diff(theirs) <= MAX_APART.unsigned_abs()
            }
            (Self::Unknown, Self::Seconds(_)) | (Self::Seconds(_), Self::Unknown) => true,
            _ => self == other,
        }
    }
}

/// A cookie without its value.
#[derive(Debug)]
pub(super) struct Cookie {
    name: String,
    has_value: bool,
    /// By their names in small letters, without those that say how long it lives.
    attributes: BTreeMap<String, String>,
    /// `None` until the browser is closed.
    life: Option<Life>,
}

impl Cookie {
    /// `is_own` says whether a domain is the answer's own host.
    pub(super) fn parse(value: &[u8], date: Option<&[u8]>, is_own: impl Fn(&[u8]) -> bool) -> Self {
        let text = String::from_utf8_lossy(value);
        let mut parts = text.split(';').map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (name.trim(), value.trim())
        });
        let (name, value) = parts.next().unwrap_or_default();
        let mut cookie = Self {
            name: name.into(),
            has_value: !value.is_empty(),
            attributes: BTreeMap::new(),
            life: None,
        };
        let (mut max_age, mut expires) = (None, None);
        for (name, value) in parts.filter(|(name, _)| !name.is_empty()) {
            match name.to_ascii_lowercase().as_str() {
                "max-age" => max_age = value.parse::<i128>().ok(),
                "expires" => expires = Some(Life::of(value.as_bytes(), date)),
                "domain" => {
                    let domain = value.trim_start_matches('.').to_ascii_lowercase();
                    let domain = match is_own(domain.as_bytes()) {
                        true => "(own)".into(),
                        false => domain,
                    };
                    cookie.attributes.insert("domain".into(), domain);
                }
                name @ "samesite" => {
                    cookie
                        .attributes
                        .insert(name.into(), value.to_ascii_lowercase());
                }
                name => {
                    cookie.attributes.insert(name.into(), value.into());
                }
            }
        }
        // RFC 6265 §5.3: Max-Age comes before Expires.
        cookie.life = max_age
            .map(|seconds| {
                if seconds > 0 {
                    Life::Seconds(seconds)
                } else {
                    Life::Over
                }
            })
            .or(expires);
        cookie
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn is_like(&self, other: &Self) -> bool {
        let same_life = match (self.life, other.life) {
            (Some(ours), Some(theirs)) => ours.is_like(theirs),
            (ours, theirs) => ours == theirs,
        };
        same_life && self.has_value == other.has_value && self.attributes == other.attributes
    }

    /// Its attributes; of its value whether there is one.
    pub(super) fn shown(&self) -> String {
        let mut out = String::from(if self.has_value {
            "(a value)"
        } else {
            "(no value)"
        });
        for (name, value) in &self.attributes {
            out.push_str("; ");
            out.push_str(name);
            if !value.is_empty() {
                out.push('=');
                out.push_str(value);
            }
        }
        match self.life {
            None => {}
            Some(Life::Over) => out.push_str("; expired"),
            Some(Life::Seconds(seconds)) => out.push_str(&format!("; for {seconds} s")),
            Some(Life::Unknown) => out.push_str("; expires"),
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &[u8] = b"Thu, 26 Nov 2026 10:00:00 GMT";

    fn cookie(text: &str) -> Cookie {
        Cookie::parse(text.as_bytes(), Some(DATE), |domain| {
            domain == b"shop.example"
        })
    }

    fn check(ours: &str, theirs: &str, expect: bool) {
        assert_eq!(
            cookie(ours).is_like(&cookie(theirs)),
            expect,
            "{ours} | {theirs}"
        );
    }

    #[test]
    fn a_cookie_is_compared_by_its_attributes_and_not_by_its_value() {
        check("sid=a; Path=/; HttpOnly", "sid=b; httponly; path=/", true);
        check("sid=a; Path=/; HttpOnly", "sid=a; Path=/", false);
        check("sid=a; Path=/", "sid=a; Path=/x", false);
        check("sid=a", "sid=", false);
        check("sid=a; SameSite=Lax", "sid=a; SameSite=lax", true);
        check(
            "sid=a; Domain=.shop.example",
            "sid=a; Domain=shop.example",
            true,
        );
        check(
            "sid=a; Domain=shop.example",
            "sid=a; Domain=other.example",
            false,
        );
    }

    #[test]
    fn how_long_a_cookie_lives_counts_and_not_when_it_was_made() {
        check(
            "a=b; Max-Age=60",
            "a=b; Expires=Thu, 26 Nov 2026 10:01:01 GMT",
            true,
        );
        check("a=b; Max-Age=60", "a=b; Max-Age=3600", false);
        check("a=b; Max-Age=60", "a=b", false);
        check(
            "a=b; Max-Age=0",
            "a=b; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            true,
        );
        check(
            "a=b; Expires=Thu, 26-Nov-2026 11:00:00 GMT",
            "a=b; Max-Age=3600",
            true,
        );
        let undated = Cookie::parse(b"a=b; Expires=Thu, 26 Nov 2026 11:00:00 GMT", None, |_| {
            false
        });
        assert!(undated.is_like(&cookie("a=b; Max-Age=3600")));
        assert!(!undated.is_like(&cookie("a=b; Max-Age=0")));
    }

    #[test]
    fn a_value_is_never_shown() {
        let shown = cookie("sid=topsecret; Path=/; Max-Age=60").shown();
        assert_eq!(shown, "(a value); path=/; for 60 s");
        assert_eq!(cookie("sid=; Max-Age=0").shown(), "(no value); expired");
    }
}
