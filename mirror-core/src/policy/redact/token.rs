//! What stands in the place of a value: nothing, a mask, or a token that only the key's holder can make.
//!
//! A token is equal for equal values, and has a form that stays valid where the value stood: digits for digits, a UUID for
//! a UUID, an address for an address. It carries a check of itself, so that a mirror that answers with a token it was sent
//! is not given a token of the token: both sides of a comparison stay equal.

use std::borrow::Cow;
use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::percent_decode;
use sha2::Sha256;

use crate::detect::{EMAILS, MASK, WEB_TOKENS};

use super::Mode;

/// Bytes below which a key can be guessed.
const MIN_KEY: usize = 16;
/// Hexadecimal digits of a token: of the value, then of the check.
const VALUE_DIGITS: usize = 24;
const CHECK_DIGITS: usize = 8;
/// Decimal digits of a number's token: an 8, which no card begins with, then of the value, then of the check. All programs
/// hold a number of so many digits exactly.
const NUMBER_DIGITS: usize = 16;
const NUMBER_CHECK_DIGITS: usize = 5;
const TEXT_PREFIX: &str = "t_";
const EMAIL_PREFIX: &str = "t-";
const EMAIL_DOMAIN: &str = "@redacted.invalid";

/// The key of the tokens, one for all hosts whose exchanges are compared. It is never printed.
#[derive(Clone)]
pub struct RedactKey(Hmac<Sha256>);

impl fmt::Debug for RedactKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedactKey(…)")
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the key has {0} bytes, and {MIN_KEY} are needed: make one with `head -c 32 /dev/urandom | base64 > redact.key`"
)]
pub struct KeyTooShort(usize);

impl RedactKey {
    /// A key from the bytes of a file; line ends behind it are not a part of it.
    pub fn new(bytes: &[u8]) -> Result<Self, KeyTooShort> {
        let key = bytes.trim_ascii_end();
        if key.len() < MIN_KEY {
            return Err(KeyTooShort(key.len()));
        }
        // A key of any length will do.
        Hmac::new_from_slice(key)
            .map(Self)
            .map_err(|_| KeyTooShort(key.len()))
    }

    fn digest(&self, purpose: &[u8], value: &str) -> [u8; 32] {
        let mut mac = self.0.clone();
        mac.update(purpose);
        mac.update(value.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// A number that is equal for equal values, and says nothing of them to those who do not have the key.
    pub(in crate::policy) fn number_of_session(&self, value: &[u8]) -> u64 {
        let mut mac = self.0.clone();
        mac.update(b"lane\0");
        mac.update(value);
        let digest: [u8; 32] = mac.finalize().into_bytes().into();
        digest
            .first_chunk()
            .map_or(0, |first| u64::from_le_bytes(*first))
    }

    /// The token of a value; a token stays as it is.
    pub(super) fn token(&self, value: &str) -> String {
        match Form::of(value) {
            _ if self.is_token(value) => value.to_owned(),
            Form::Digits => self.number(value),
            Form::Card(digits) => self.number(&digits),
            Form::Uuid => self.uuid(value),
            Form::Email => format!("{EMAIL_PREFIX}{}{EMAIL_DOMAIN}", self.hexadecimal(value)),
            Form::Text => format!("{TEXT_PREFIX}{}", self.hexadecimal(value)),
        }
    }

    fn is_token(&self, text: &str) -> bool {
        let email = || text.strip_prefix(EMAIL_PREFIX)?.strip_suffix(EMAIL_DOMAIN);
        if let Some(digits) = text.strip_prefix(TEXT_PREFIX).or_else(email) {
            let halves = digits.split_at_checked(VALUE_DIGITS);
            return halves.is_some_and(|(value, check)| self.check(value) == check);
        }
        let number = text.len() == NUMBER_DIGITS && text.starts_with('8');
        if number && text.bytes().all(|b| b.is_ascii_digit()) {
            let (value, check) = text.split_at(NUMBER_DIGITS - NUMBER_CHECK_DIGITS);
            return self.number_check(value) == check;
        }
        let is_uuid = matches!(Form::of(text), Form::Uuid);
        is_uuid && {
            let (value, check) = text.split_at(28);
            self.check(value) == check
        }
    }

    fn hexadecimal(&self, value: &str) -> String {
        let mut digits = hexadecimal(&self.digest(b"value:", value));
        digits.truncate(VALUE_DIGITS);
        let check = self.check(&digits);
        digits + &check
    }

    fn check(&self, digits: &str) -> String {
        let mut check = hexadecimal(&self.digest(b"check:", digits));
        check.truncate(CHECK_DIGITS);
        check
    }

    fn number(&self, value: &str) -> String {
        let value = decimal(
            &self.digest(b"value:", value),
            NUMBER_DIGITS - NUMBER_CHECK_DIGITS - 1,
        );
        let value = format!("8{value}");
        let check = self.number_check(&value);
        value + &check
    }

    fn number_check(&self, digits: &str) -> String {
        decimal(&self.digest(b"check:", digits), NUMBER_CHECK_DIGITS)
    }

    /// Of version 8, whose content is free (RFC 9562 §5.8).
    fn uuid(&self, value: &str) -> String {
        let d = hexadecimal(&self.digest(b"value:", &value.to_ascii_lowercase()));
        let value = format!(
            "{}-{}-8{}-8{}-{}",
            &d[..8],
            &d[8..12],
            &d[12..15],
            &d[15..18],
            &d[18..22]
        );
        let check = self.check(&value);
        value + &check
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn decimal(bytes: &[u8; 32], digits: usize) -> String {
    let mut first = [0; 8];
    first.copy_from_slice(&bytes[..8]);
    let number = u64::from_be_bytes(first) % 10_u64.pow(digits as u32);
    format!("{number:0digits$}")
}

/// What a value looks like.
enum Form {
    Digits,
    /// Digits in groups: without what stands between.
    Card(String),
    Uuid,
    Email,
    Text,
}

impl Form {
    fn of(value: &str) -> Self {
        let bytes = value.as_bytes();
        let is_hex = |byte: &u8| byte.is_ascii_hexdigit();
        if bytes.iter().all(u8::is_ascii_digit) {
            return Self::Digits;
        }
        let is_dash = |place: usize| [8, 13, 18, 23].contains(&place);
        let fits = |(place, byte): (usize, &u8)| match is_dash(place) {
            true => *byte == b'-',
            false => is_hex(byte),
        };
        if bytes.len() == 36 && bytes.iter().enumerate().all(fits) {
            return Self::Uuid;
        }
        let is_grouped = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b' ' | b'-');
        if bytes.len() > 12 && bytes.iter().all(is_grouped) {
            return Self::Card(value.replace([' ', '-'], ""));
        }
        match value.contains('@')
            && EMAILS
                .find(bytes)
                .first()
                .is_some_and(|hit| hit.range == (0..bytes.len()))
        {
            true => Self::Email,
            false => Self::Text,
        }
    }
}

/// What `mode` makes of a text; `None` for nothing. `key` is there wherever a rule asks for tokens.
pub(super) fn hidden(mode: Mode, value: &str, key: Option<&RedactKey>) -> Option<String> {
    match (mode, key) {
        (Mode::Remove, _) => None,
        _ if value.is_empty() => Some(String::new()),
        (Mode::Token, Some(key)) => Some(key.token(value)),
        (Mode::Unsigned, _) => unsigned(value),
        (Mode::Mask | Mode::Token, _) => Some(MASK.into()),
    }
}

/// A web token, perhaps after its scheme, without its signature; `None` for anything else.
fn unsigned(value: &str) -> Option<String> {
    let hits = WEB_TOKENS.find(value.as_bytes());
    let [hit] = hits.as_slice() else {
        return None;
    };
    let scheme = value.get(..hit.range.start)?;
    let is_scheme = scheme.is_empty() || scheme.trim_end().bytes().all(|b| b.is_ascii_alphabetic());
    let parts: Vec<&str> = value.get(hit.range.clone())?.split('.').collect();
    let [header, claims, _] = parts[..] else {
        return None;
    };
    let is_all = hit.range.end == value.len();
    (is_all && is_scheme && !claims.is_empty()).then(|| format!("{scheme}{header}.{claims}."))
}

/// A value of a query or a form as it is meant.
pub(in crate::policy) fn form_decoded(raw: &[u8]) -> Cow<'_, str> {
    if !raw.contains(&b'+') {
        return percent_decoded(raw);
    }
    let space = |byte: &u8| if *byte == b'+' { b' ' } else { *byte };
    let spaced: Vec<u8> = raw.iter().map(space).collect();
    percent_decoded(&spaced).into_owned().into()
}

/// A path, or a part of one, as it is meant.
pub(super) fn percent_decoded(raw: &[u8]) -> Cow<'_, str> {
    percent_decode(raw).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> RedactKey {
        RedactKey::new(b"0123456789abcdef\n").unwrap()
    }

    fn check(value: &str, expect: impl Fn(&str) -> bool) {
        let token = key().token(value);
        assert!(expect(&token), "{value}: {token}");
        assert!(!token.contains(value), "{token}");
        assert_eq!(key().token(value), token, "equal stays equal");
        assert_eq!(key().token(&token), token, "a token stays");
        let other = RedactKey::new(b"another key of sixteen").unwrap();
        assert_ne!(other.token(value), token);
        assert_ne!(other.token(&token), token, "of another key it is a value");
    }

    #[test]
    fn a_token_has_the_form_of_the_value() {
        check("hunter2", |t| t.len() == 34 && t.starts_with("t_"));
        check("42", |t| {
            t.len() == 16 && t.parse::<u64>().unwrap() < 1 << 53
        });
        check("550e8400-e29b-41d4-a716-446655440000", |t| {
            t.len() == 36 && t.as_bytes()[14] == b'8' && t.as_bytes()[19] == b'8'
        });
        check("a.b@shop.example", |t| t.ends_with("@redacted.invalid"));
        check("日本", |t| t.is_ascii());
        assert_eq!(
            key().token("4111 1111 1111 1111"),
            key().token("4111111111111111")
        );
    }

    #[test]
    fn what_only_looks_like_a_token_is_hidden() {
        for forged in [
            "t_0123456789abcdef0123456700000000",
            "t_",
            "t-00000000000000000000000000000000@redacted.invalid",
            "8000000000000000",
        ] {
            assert_ne!(key().token(forged), forged);
        }
    }

    #[test]
    fn a_key_is_long_and_never_shown() {
        assert!(RedactKey::new(b"short\n").is_err());
        assert_eq!(format!("{:?}", key()), "RedactKey(…)");
        let with_end = RedactKey::new(b"0123456789abcdef").unwrap();
        assert_eq!(with_end.token("a"), key().token("a"));
    }

    #[test]
    fn a_web_token_keeps_its_claims_and_loses_its_signature() {
        let check = |value: &str, expect: Option<&str>| {
            assert_eq!(
                hidden(Mode::Unsigned, value, None).as_deref(),
                expect,
                "{value}"
            );
        };
        let (head, claims) = ("eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiIxIn0");
        let left = format!("Bearer {head}.{claims}.");
        check(&format!("Bearer {head}.{claims}.c2ln"), Some(&left));
        check(&left, Some(&left));
        check(
            &format!("{head}.{claims}.c2ln"),
            Some(&format!("{head}.{claims}.")),
        );
        check("Bearer opaque123", None);
        check("Basic dTpw", None);
        check(&format!("{head}.a.b.c.d"), None);
        check(&format!("{head}.{claims}.c2ln, hunter2"), None);
        check(&format!("hunter2 x {head}.{claims}.c2ln"), None);
    }
}
