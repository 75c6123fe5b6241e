//! `--redact 'PLACE => MODE'`: what is hidden, and what stands in its place.

use std::fmt;

use crate::detect::Detector;
use crate::options::FromText;

/// What stands in the place of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nothing: the field is taken out with its name.
    Remove,
    /// The same for every value: `***`, or 0 for a number.
    Mask,
    /// A keyed token, which is equal for equal values.
    Token,
    /// A web token without its signature: its claims stay, and it opens nothing.
    Unsigned,
}

impl Mode {
    const ALL: [Self; 4] = [Self::Remove, Self::Mask, Self::Token, Self::Unsigned];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Remove => "remove",
            Self::Mask => "mask",
            Self::Token => "token",
            Self::Unsigned => "unsigned",
        }
    }
}

/// One rule: the first that fits a place decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedactRule {
    pub(super) at: RedactPlace,
    pub(super) mode: Mode,
}

/// What a rule hides, in requests and answers alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RedactPlace {
    Header(NamePattern),
    Cookie(NamePattern),
    Query(NamePattern),
    Form(NamePattern),
    Json(JsonPattern),
    /// The whole body of a media type.
    Body(NamePattern),
    Detected(Vec<Detector>),
}

/// A name in which `*` stands for anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamePattern {
    text: String,
    ignores_case: bool,
}

impl NamePattern {
    fn new(text: &str, ignores_case: bool) -> Self {
        let text = if ignores_case {
            text.to_ascii_lowercase()
        } else {
            text.to_owned()
        };
        Self { text, ignores_case }
    }

    pub(super) fn fits(&self, name: &str) -> bool {
        if self.ignores_case && name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return fits(self.text.as_bytes(), name.to_ascii_lowercase().as_bytes());
        }
        fits(self.text.as_bytes(), name.as_bytes())
    }
}

/// Whether `text` is `pattern`, in which `*` stands for any bytes.
pub(in crate::policy) fn fits(pattern: &[u8], text: &[u8]) -> bool {
    fits_by(pattern, text, |wanted, byte| wanted == byte)
}

/// The same, where capitals are not told from small letters.
pub(in crate::policy) fn fits_any_case(pattern: &[u8], text: &[u8]) -> bool {
    fits_by(pattern, text, |wanted, byte| {
        wanted.eq_ignore_ascii_case(&byte)
    })
}

fn fits_by(pattern: &[u8], text: &[u8], is_same: impl Fn(u8, u8) -> bool) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p + 1, t));
            p += 1;
        } else if pattern
            .get(p)
            .is_some_and(|wanted| is_same(*wanted, text[t]))
        {
            p += 1;
            t += 1;
        } else if let Some((after, from)) = star {
            (p, t) = (after, from + 1);
            star = Some((after, from + 1));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// A place in a JSON document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum JsonPattern {
    /// `/items/*/price`; a step `*` stands for any member or element.
    Pointer(Vec<String>),
    /// Every member of this name, however deep.
    Member(NamePattern),
}

impl FromText for RedactRule {
    fn from_text(text: &str) -> Result<Self, String> {
        let Some((place, mode)) = text.rsplit_once("=>") else {
            return Err(
                "use PLACE => MODE, as in 'json:/user/email => token' or 'query:token => mask'"
                    .into(),
            );
        };
        let mode = mode.trim();
        let is_named = |m: &Mode| m.name() == mode;
        let mode = Mode::ALL.into_iter().find(is_named).ok_or_else(|| {
            format!("`{mode}` is not a mode: use remove, mask, token or unsigned")
        })?;
        let at = RedactPlace::parse(place.trim())?;
        at.check(mode)?;
        Ok(Self { at, mode })
    }
}

impl RedactPlace {
    fn parse(text: &str) -> Result<Self, String> {
        let (kind, name) = text.split_once(':').unwrap_or((text, ""));
        let name = name.trim();
        if name.is_empty() {
            return Err(format!("`{text}` names no place: {PLACES}"));
        }
        Ok(match kind.trim() {
            "header" => Self::Header(NamePattern::new(name, true)),
            "cookie" => Self::Cookie(NamePattern::new(name, false)),
            "query" => Self::Query(NamePattern::new(name, false)),
            "form" => Self::Form(NamePattern::new(name, false)),
            "json" => Self::Json(JsonPattern::parse(name)?),
            "body" => Self::Body(NamePattern::new(name, true)),
            "detect" => Self::Detected(detectors(name)?),
            other => return Err(format!("`{other}` is not a kind of place: {PLACES}")),
        })
    }

    /// Refuses what can never be done.
    fn check(&self, mode: Mode) -> Result<(), String> {
        let holds_jwt = match self {
            Self::Header(_) | Self::Cookie(_) => true,
            Self::Detected(kinds) => kinds == &[Detector::Jwt],
            _ => false,
        };
        match (self, mode) {
            (Self::Body(_), Mode::Mask | Mode::Token | Mode::Unsigned) => {
                Err("a whole body can only be removed: use => remove".into())
            }
            (_, Mode::Unsigned) if !holds_jwt => Err(
                "only web tokens have a signature to drop: use unsigned with header:NAME, cookie:NAME or detect:jwt".into(),
            ),
            _ => Ok(()),
        }
    }
}

const PLACES: &str = "use header:NAME, cookie:NAME, query:NAME, form:NAME, json:/A/POINTER, json:MEMBER, body:MEDIA/TYPE or detect:KIND";

fn detectors(name: &str) -> Result<Vec<Detector>, String> {
    use Detector::{Aws, Github, Google, Pem, Slack};
    match name {
        "all" => return Ok(Detector::ALL.into()),
        "keys" => return Ok(vec![Aws, Google, Github, Slack, Pem]),
        _ => {}
    }
    let known = Detector::ALL.into_iter().find(|kind| kind.name() == name);
    known.map(|kind| vec![kind]).ok_or_else(|| {
        let names = Detector::ALL.map(Detector::name).join(", ");
        format!("nothing detects `{name}`: use all, keys, or one of {names}")
    })
}

impl JsonPattern {
    fn parse(text: &str) -> Result<Self, String> {
        let Some(pointer) = text.strip_prefix('/') else {
            return Ok(Self::Member(NamePattern::new(text, false)));
        };
        let step = |step: &str| {
            let rest = step.replace("~0", "").replace("~1", "");
            if rest.contains('~') {
                return Err(format!("`{text}`: in a JSON pointer `~` is written ~0"));
            }
            Ok(step.replace("~1", "/").replace("~0", "~"))
        };
        let steps: Result<_, _> = pointer.split('/').map(step).collect();
        Ok(Self::Pointer(steps?))
    }
}

impl fmt::Display for RedactPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header:{}", name.text),
            Self::Cookie(name) => write!(f, "cookie:{}", name.text),
            Self::Query(name) => write!(f, "query:{}", name.text),
            Self::Form(name) => write!(f, "form:{}", name.text),
            Self::Json(JsonPattern::Member(name)) => write!(f, "json:{}", name.text),
            Self::Json(JsonPattern::Pointer(steps)) => write!(f, "json:/{}", steps.join("/")),
            Self::Body(kind) => write!(f, "body:{}", kind.text),
            Self::Detected(kinds) => {
                let names: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
                write!(f, "detect:{}", names.join(","))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read() {
        let check = |text: &str, place: &str, mode: Mode| {
            let rule = RedactRule::from_text(text).unwrap();
            assert_eq!((rule.at.to_string().as_str(), rule.mode), (place, mode));
        };
        check("json:/user/email => token", "json:/user/email", Mode::Token);
        check("json:password=>mask", "json:password", Mode::Mask);
        check("query:token => mask", "query:token", Mode::Mask);
        check("header:X-User => remove", "header:x-user", Mode::Remove);
        check("cookie:sid => token", "cookie:sid", Mode::Token);
        check("form:pin => mask", "form:pin", Mode::Mask);
        check("body:image/* => remove", "body:image/*", Mode::Remove);
        check("detect:card => mask", "detect:card", Mode::Mask);
        check("detect:jwt => unsigned", "detect:jwt", Mode::Unsigned);
        check(
            "detect:keys => mask",
            "detect:aws,google,github,slack,pem",
            Mode::Mask,
        );
    }

    #[test]
    fn what_is_wrong_says_what_to_write() {
        let check = |text: &str, word: &str| {
            let error = RedactRule::from_text(text).unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        };
        check("query:token", "PLACE => MODE");
        check("query:token => hide", "remove, mask, token or unsigned");
        check("token => mask", "header:NAME");
        check("query: => mask", "header:NAME");
        check("path:2 => mask", "header:NAME");
        check("json:/a~b => mask", "~0");
        check("detect:iban => mask", "card, email");
        check("body:image/* => mask", "=> remove");
        check("json:/token => unsigned", "detect:jwt");
        check("detect:all => unsigned", "detect:jwt");
    }

    #[test]
    fn a_star_stands_for_anything() {
        let check = |pattern: &str, text: &str, expect: bool| {
            assert_eq!(
                fits(pattern.as_bytes(), text.as_bytes()),
                expect,
                "{pattern} {text}"
            );
        };
        check("*", "", true);
        check("x-*-key", "x-api-key", true);
        check("x-*-key", "x-key", false);
        check("*a*b", "xaxbab", true);
        check("*a*b", "xaxba", false);
        check("a", "ab", false);
        assert!(NamePattern::new("X-User", true).fits("x-uSER"));
        assert!(!NamePattern::new("Token", false).fits("token"));
    }
}
