//! Hides secrets: in a request before it leaves the host, in production's answer with it, and in the mirror's answer before
//! it is compared. One [`Redactor`] does all of it, so that what is equal stays equal.
//!
//! Headers that carry credentials are taken out without being asked for. Rules name further headers, cookies, fields of
//! queries, forms and JSON; detectors know secrets by their form, wherever they stand. A body is read only if a rule may
//! concern it, and changed in place; its content-coding is undone where it is changed. What cannot be read, though a rule
//! may concern it, does not go on.

mod effects;
mod hidden;
mod json;
mod message;
mod multipart;
mod pairs;
mod rule;
mod scalars;
mod target;
mod token;
mod trace;

use std::borrow::Cow;
use std::sync::Arc;

use crate::detect::{Detector, Detectors, MASK, SECRETS, is_secret_header};
use crate::exchange::Headers;

use crate::edits::Edits;
use rule::{JsonPattern, NamePattern, RedactPlace};

pub use hidden::HiddenValues;
pub use rule::{Mode, RedactRule};
pub(super) use rule::{fits, fits_any_case};
pub(super) use token::form_decoded;
pub use token::{KeyTooShort, RedactKey};
pub use trace::Redaction;
pub(super) use trace::Trace;

/// JSON documents inside of texts of each other that are looked into. Nobody has more, and each costs stack.
const MAX_LEVELS: usize = 4;

/// Hides what its rules name.
#[derive(Clone, Debug)]
pub struct Redactor {
    headers: Vec<(NamePattern, Mode)>,
    cookies: Vec<(NamePattern, Mode)>,
    queries: Vec<(NamePattern, Mode)>,
    forms: Vec<(NamePattern, Mode)>,
    json: Vec<(JsonPattern, Mode)>,
    /// Media types whose bodies are taken out.
    bodies: Vec<NamePattern>,
    detectors: Detectors,
    /// The mode of each kind that is looked for.
    detected: Vec<(Detector, Mode)>,
    key: Option<RedactKey>,
    kept: Arc<[Box<str>]>,
    /// What is hidden wherever something is shown to people.
    shown: Detectors,
}

impl Redactor {
    /// Rules in order: of those that fit a place, the first decides. Headers named in `kept` stay for the replay, and are not
    /// shown. With `keeps_claims`, web tokens stay too, without what makes them valid.
    pub fn new(
        rules: &[RedactRule],
        kept: &[String],
        key: Option<RedactKey>,
        keeps_claims: bool,
    ) -> Self {
        let mut redactor = Self {
            headers: Vec::new(),
            cookies: Vec::new(),
            queries: Vec::new(),
            forms: Vec::new(),
            json: Vec::new(),
            bodies: Vec::new(),
            detectors: Detectors::new([]),
            detected: Vec::new(),
            key,
            kept: Arc::default(),
            shown: Detectors::new([]),
        };
        rules.iter().for_each(|rule| redactor.add(rule));
        let mut kept: Vec<Box<str>> = kept
            .iter()
            .map(|name| name.to_ascii_lowercase().into())
            .collect();
        if keeps_claims {
            let authorization = RedactRule::unsigned_authorization();
            if !kept.iter().any(|name| &**name == "authorization") {
                redactor.add(&authorization);
                kept.push("authorization".into());
            }
        }
        redactor.kept = kept.into();
        let kinds: Vec<_> = redactor.detected.iter().map(|(kind, _)| *kind).collect();
        let named = Detector::ALL
            .into_iter()
            .filter(|kind| *kind != Detector::Email || kinds.contains(kind));
        redactor.shown = Detectors::new(named);
        redactor.detectors = Detectors::new(kinds);
        redactor
    }

    /// Hides what [`CREDENTIALS`](crate::detect::CREDENTIALS) find, and leaves every header where it is.
    pub fn of_credentials() -> Self {
        let kinds = Detector::ALL.into_iter();
        let kinds = kinds.filter(|kind| *kind != Detector::Email).collect();
        let rule = RedactRule {
            at: RedactPlace::Detected(kinds),
            mode: Mode::Mask,
        };
        Self::new(&[rule], &SECRETS.map(str::to_owned), None, false)
    }

    fn add(&mut self, rule: &RedactRule) {
        let mode = rule.mode;
        match &rule.at {
            RedactPlace::Header(name) => self.headers.push((name.clone(), mode)),
            RedactPlace::Cookie(name) => self.cookies.push((name.clone(), mode)),
            RedactPlace::Query(name) => self.queries.push((name.clone(), mode)),
            RedactPlace::Form(name) => self.forms.push((name.clone(), mode)),
            RedactPlace::Json(pattern) => self.json.push((pattern.clone(), mode)),
            RedactPlace::Body(kind) => self.bodies.push(kind.clone()),
            RedactPlace::Detected(kinds) => {
                for kind in kinds {
                    if self.detected.iter().all(|(known, _)| known != kind) {
                        self.detected.push((*kind, mode));
                    }
                }
            }
        }
    }

    /// Headers that go to the mirror, and nowhere else: a recording leaves them out, and nothing shows them.
    pub fn kept(&self) -> &Arc<[Box<str>]> {
        &self.kept
    }

    fn keeps(&self, name: &str) -> bool {
        self.kept.iter().any(|kept| kept.eq_ignore_ascii_case(name))
    }

    /// What becomes of a header field of this name; `None` when no rule names it.
    fn header_mode(&self, name: &str) -> Option<Mode> {
        let rule = self.headers.iter().find(|(pattern, _)| pattern.fits(name));
        match rule {
            Some((_, mode)) => Some(*mode),
            None if is_secret_header(name) && !self.keeps(name) => Some(Mode::Remove),
            None => None,
        }
    }

    fn form_mode(&self, name: &str) -> Option<Mode> {
        let rule = self.forms.iter().find(|(pattern, _)| pattern.fits(name));
        rule.map(|(_, mode)| *mode)
    }

    /// What stands in the place of a value; `None` for nothing.
    fn hidden(&self, mode: Mode, value: &str) -> Option<String> {
        token::hidden(mode, value, self.key.as_ref())
    }

    /// A token that is a number too.
    fn number_token(&self, raw: &str) -> String {
        let whole = raw
            .split_once('.')
            .filter(|(_, fraction)| fraction.bytes().all(|b| b == b'0'));
        let value = whole.map_or(raw, |(whole, _)| whole);
        let Some(key) = &self.key else {
            return "0".into();
        };
        let token = key.token(value);
        if token.bytes().all(|b| b.is_ascii_digit()) {
            return token;
        }
        // A fraction, an exponent or a sign: the token's digits, as a number.
        let digits: String = token.bytes().map(|b| char::from(b'0' + b % 10)).collect();
        key.token(&digits)
    }

    /// A text without what detectors find in it; `None` when that is nothing.
    fn detected(&self, text: &str, trace: &mut Trace) -> Option<String> {
        if self.detectors.is_empty() {
            return None;
        }
        let new = self.detected_bytes(text.as_bytes(), trace)?;
        Some(String::from_utf8_lossy(&new).into_owned())
    }

    /// A text inside of something else, without what rules and detectors name: it may be a JSON document itself.
    fn inner(&self, text: &str, trace: &mut Trace, level: usize) -> Option<String> {
        let is_member =
            |(pattern, _): &(JsonPattern, Mode)| matches!(pattern, JsonPattern::Member(_));
        let is_document = text.trim_ascii_start().starts_with(['{', '[']);
        if !is_document || level > MAX_LEVELS || !self.json.iter().any(is_member) {
            return self.detected(text, trace);
        }
        let new = json::nested(self, text.as_bytes(), trace, level)?;
        Some(String::from_utf8_lossy(&new).into_owned())
    }

    fn detected_bytes(&self, text: &[u8], trace: &mut Trace) -> Option<Vec<u8>> {
        if self.detectors.is_empty() {
            return None;
        }
        let mut edits = Edits::default();
        for hit in self.detectors.find(text) {
            let value = String::from_utf8_lossy(&text[hit.range.clone()]);
            let mode = self.detected.iter().find(|(kind, _)| *kind == hit.detector);
            let mode = mode.map_or(Mode::Mask, |(_, mode)| *mode);
            let new = self.hidden(mode, &value);
            // A web token that has no signature to drop is encrypted, or cut.
            let new = match mode {
                Mode::Unsigned => new.unwrap_or_else(|| MASK.into()),
                _ => new.unwrap_or_default(),
            };
            if new != value {
                trace.hide(mode, &value, Some(&new), || {
                    format!("{} (detected)", hit.detector.name())
                });
                edits.replace(hit.range, new);
            }
        }
        edits.apply(text)
    }

    /// A text as it may be shown to people: without secrets that are known by their form.
    pub fn shown<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.shown.masked(text)
    }

    /// Header fields as they may be shown to people: those that carry credentials, or are kept for the replay only, have no
    /// value.
    pub fn shown_headers(&self, headers: &Headers) -> Headers {
        let value = |(name, value): (&str, &[u8])| {
            let is_hidden = is_secret_header(name) || self.keeps(name);
            let text = String::from_utf8_lossy(value);
            let shown = if is_hidden {
                MASK.into()
            } else {
                self.shown.masked(&text).into_owned()
            };
            (name.to_owned(), shown)
        };
        headers.iter().map(value).collect()
    }
}

impl RedactRule {
    fn unsigned_authorization() -> Self {
        use crate::options::FromText;
        // A literal.
        Self::from_text("header:authorization => unsigned").expect("a rule")
    }

    /// Whether the rule cannot do without a key.
    pub fn needs_key(&self) -> bool {
        self.mode == Mode::Token
    }

    /// Whether it hides a header of this name.
    pub fn hides_header(&self, name: &str) -> bool {
        matches!(&self.at, RedactPlace::Header(pattern) if pattern.fits(name))
    }
}

/// Whether bytes are not a text.
fn is_binary(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err() || bytes.contains(&0)
}

#[cfg(test)]
mod tests;
