//! Secrets that are known by their form, wherever they stand: keys, tokens, card numbers, addresses. And the header fields
//! that carry credentials.
//!
//! One pass over the text finds where a secret may begin; each kind then says where it ends, or that it is none. Texts are
//! bytes: every form is ASCII.

mod card;
mod form;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

/// Header fields that carry credentials: they are taken out unless kept by name.
pub const SECRETS: [&str; 34] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "cookie2",
    "set-cookie",
    "set-cookie2",
    "api-key",
    "apikey",
    "x-api-key",
    "x-apikey",
    "x-auth-token",
    "x-access-token",
    "x-session-token",
    "x-refresh-token",
    "x-amz-security-token",
    "x-goog-api-key",
    "x-goog-iap-jwt-assertion",
    "x-ms-token-aad-access-token",
    "x-vault-token",
    "x-gitlab-token",
    "private-token",
    "ocp-apim-subscription-key",
    "x-authorization",
    "x-forwarded-authorization",
    "x-token",
    "x-api-token",
    "x-id-token",
    "x-jwt-assertion",
    "x-amzn-oidc-accesstoken",
    "x-amzn-oidc-data",
    "cf-access-jwt-assertion",
    "x-shopify-access-token",
    "x-functions-key",
    "x-plex-token",
];

pub(crate) fn is_secret_header(name: &str) -> bool {
    SECRETS
        .iter()
        .any(|secret| secret.eq_ignore_ascii_case(name))
}

/// How far around a part that is shown credentials are looked for; hardly any is longer.
const REACH: usize = 8 << 10;

/// A kind of secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Detector {
    /// A payment card's number: the length and first digits of a network, and a check digit (ISO/IEC 7812) that fits.
    Card,
    Email,
    /// What follows `Bearer ` (RFC 6750).
    Bearer,
    /// A JSON Web Token (RFC 7519), signed or encrypted.
    Jwt,
    /// An access key's id of Amazon: `AKIA…`, `ASIA…`.
    Aws,
    /// A key or an access token of Google: `AIza…`, `ya29.…`.
    Google,
    /// A token of GitHub: `ghp_…`, `gho_…`, `github_pat_…`.
    Github,
    /// A token of Slack: `xoxb-…`, `xapp-…`.
    Slack,
    /// A private key in PEM.
    Pem,
}

impl Detector {
    pub const ALL: [Self; 9] = [
        Self::Card,
        Self::Email,
        Self::Bearer,
        Self::Jwt,
        Self::Aws,
        Self::Google,
        Self::Github,
        Self::Slack,
        Self::Pem,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Email => "email",
            Self::Bearer => "bearer",
            Self::Jwt => "jwt",
            Self::Aws => "aws",
            Self::Google => "google",
            Self::Github => "github",
            Self::Slack => "slack",
            Self::Pem => "pem",
        }
    }

    /// What a secret of this kind begins with, or has inside. None of them overlaps another.
    const fn signs(self) -> &'static [&'static str] {
        match self {
            // Digits are looked for by themselves.
            Self::Card => &[],
            Self::Email => &["@"],
            Self::Bearer => &["Bearer", "bearer", "BEARER"],
            Self::Jwt => &["eyJ"],
            Self::Aws => &["AKIA", "ASIA"],
            Self::Google => &["AIza", "ya29."],
            Self::Github => &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"],
            Self::Slack => &["xox", "xapp-"],
            Self::Pem => &["-----BEGIN"],
        }
    }
}

/// A secret, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    pub detector: Detector,
    pub range: Range<usize>,
}

/// Looks for secrets of some kinds.
#[derive(Clone, Debug)]
pub struct Detectors {
    kinds: Vec<Detector>,
    /// None where no kind has a sign.
    signs: Option<AhoCorasick>,
    /// The kind that each sign is of.
    owners: Vec<Detector>,
}

impl Detectors {
    pub fn new(kinds: impl IntoIterator<Item = Detector>) -> Self {
        let mut kinds: Vec<_> = kinds.into_iter().collect();
        kinds.sort();
        kinds.dedup();
        let signs = kinds
            .iter()
            .flat_map(|kind| kind.signs().iter().map(|sign| (*kind, *sign)));
        let (owners, texts): (Vec<_>, Vec<_>) = signs.unzip();
        // It fails for more signs than an address space holds.
        let build = || AhoCorasick::new(&texts);
        let signs = if texts.is_empty() { None } else { build().ok() };
        Self {
            kinds,
            signs,
            owners,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// Every secret in `text`, in order and apart from each other.
    pub fn find(&self, text: &[u8]) -> Vec<Hit> {
        let mut hits = Vec::new();
        if let Some(signs) = &self.signs {
            let mut read = [0; Detector::ALL.len()];
            for found in signs.find_iter(text) {
                let detector = self.owners[found.pattern().as_usize()];
                let read = &mut read[detector as usize];
                if found.start() < *read {
                    continue;
                }
                let range = form::range(detector, text, found.start());
                *read = form::read_to(detector, text, found.start(), range.as_ref());
                hits.extend(range.map(|range| Hit { detector, range }));
            }
        }
        if self.kinds.contains(&Detector::Card) {
            let detector = Detector::Card;
            hits.extend(card::find(text).map(|range| Hit { detector, range }));
        }
        if hits.len() > 1 {
            apart(&mut hits);
        }
        hits
    }

    /// The text with `***` in the place of every secret.
    pub fn masked<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let hits = self.find(text.as_bytes());
        if hits.is_empty() {
            return text.into();
        }
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for hit in hits {
            // A form is ASCII, but for addresses, which may begin inside of a character.
            out += text.get(at..hit.range.start).unwrap_or_default();
            out += MASK;
            at = hit.range.end;
        }
        (out + text.get(at..).unwrap_or_default()).into()
    }
}

/// What stands for a secret that is hidden.
pub const MASK: &str = "***";

/// What is a credential whatever the user says: everything but addresses. It is never shown.
pub static CREDENTIALS: LazyLock<Detectors> = LazyLock::new(|| {
    let kinds = Detector::ALL.into_iter();
    Detectors::new(kinds.filter(|kind| *kind != Detector::Email))
});

pub(crate) static EMAILS: LazyLock<Detectors> = LazyLock::new(|| Detectors::new([Detector::Email]));
pub(crate) static WEB_TOKENS: LazyLock<Detectors> =
    LazyLock::new(|| Detectors::new([Detector::Jwt]));

/// A part of a text, to be shown: without the credentials in it, also where the part begins or ends inside of one.
pub fn shown_part(text: &[u8], part: Range<usize>) -> String {
    let begin = part.start.saturating_sub(REACH);
    let around = &text[begin..text.len().min(part.end + REACH)];
    let mut out = String::new();
    let mut at = part.start;
    for hit in CREDENTIALS.find(around) {
        let (from, to) = (begin + hit.range.start, begin + hit.range.end);
        if to > at && from < part.end {
            out += &String::from_utf8_lossy(&text[at..from.max(at)]);
            out += MASK;
            at = to;
        }
    }
    out + &String::from_utf8_lossy(text.get(at..part.end).unwrap_or_default())
}

/// Of hits that overlap, the one that begins first takes the others in.
fn apart(hits: &mut Vec<Hit>) {
    hits.sort_by_key(|hit| (hit.range.start, usize::MAX - hit.range.end));
    let mut kept: Vec<Hit> = Vec::with_capacity(hits.len());
    for hit in hits.drain(..) {
        match kept.last_mut() {
            Some(last) if hit.range.start < last.range.end => {
                last.range.end = last.range.end.max(hit.range.end);
            }
            _ => kept.push(hit),
        }
    }
    *hits = kept;
}

#[cfg(test)]
mod tests;
