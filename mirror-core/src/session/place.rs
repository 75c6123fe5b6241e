//! Where a carried value stands, in an answer or in a request: `cookie:sid`, `json:/order/id`, `header:etag`.

use std::fmt;

/// A named place of a message. Learning names the place that an answer had the value in, replacing the one in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CarryPlace {
    /// Set by an answer, sent by a request.
    Cookie(String),
    /// In lower case.
    Header(String),
    /// A JSON pointer, in which `*` is any element.
    Json(String),
    /// A hidden input of an answer's page, a field of a request's form.
    Form(String),
    /// A `<meta>` of an answer's page.
    Meta(String),
    /// A segment of an answer's `location`, or of a request's path.
    Path,
    /// The same, in the query.
    Query(String),
}

impl CarryPlace {
    pub(super) fn header(name: &str) -> Self {
        Self::Header(name.to_ascii_lowercase())
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let (kind, name) = match text.split_once(':') {
            None if text == "path" => return Some(Self::Path),
            None => return None,
            Some((_, "")) => return None,
            Some(both) => both,
        };
        match kind {
            "cookie" => Some(Self::Cookie(name.into())),
            "header" => Some(Self::header(name)),
            "json" if name.starts_with('/') => Some(Self::Json(name.into())),
            "form" => Some(Self::Form(name.into())),
            "meta" => Some(Self::Meta(name.into())),
            "query" => Some(Self::Query(name.into())),
            _ => None,
        }
    }

    /// Whether `place` is one of those that this pattern names; `*` is any name, or any step of a pointer.
    pub(super) fn covers(&self, place: &Self) -> bool {
        let named = |pattern: &str, name: &str| pattern == "*" || pattern == name;
        match (self, place) {
            (Self::Cookie(pattern), Self::Cookie(name))
            | (Self::Header(pattern), Self::Header(name))
            | (Self::Form(pattern), Self::Form(name))
            | (Self::Meta(pattern), Self::Meta(name))
            | (Self::Query(pattern), Self::Query(name)) => named(pattern, name),
            (Self::Json(pattern), Self::Json(pointer)) => {
                let (patterns, steps) = (pattern.split('/'), pointer.split('/'));
                patterns.clone().count() == steps.clone().count()
                    && patterns.zip(steps).all(|(p, s)| named(p, s))
            }
            (Self::Path, Self::Path) => true,
            _ => false,
        }
    }
}

impl fmt::Display for CarryPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cookie(name) => write!(f, "cookie:{name}"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Json(pointer) => write!(f, "json:{pointer}"),
            Self::Form(name) => write!(f, "form:{name}"),
            Self::Meta(name) => write!(f, "meta:{name}"),
            Self::Path => f.write_str("path"),
            Self::Query(name) => write!(f, "query:{name}"),
        }
    }
}
