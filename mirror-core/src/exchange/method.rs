//! The method of a request.

use std::{borrow::Cow, fmt, ops::Deref};

/// A request's method as it was sent. The usual ones take no memory of their own.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Method(Cow<'static, str>);

/// RFC 9110 and RFC 5789.
const USUAL: [&str; 9] = [
    "GET", "POST", "PUT", "HEAD", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE",
];

impl Method {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Method {
    fn from(name: &str) -> Self {
        let usual = USUAL.into_iter().find(|usual| *usual == name);
        Self(usual.map_or_else(|| name.to_owned().into(), Cow::Borrowed))
    }
}

impl Deref for Method {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for Method {
    fn eq(&self, other: &str) -> bool {
        **self == *other
    }
}

impl PartialEq<&str> for Method {
    fn eq(&self, other: &&str) -> bool {
        **self == **other
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_what_was_sent() {
        for name in ["GET", "TRACE", "get", "M-SEARCH", ""] {
            let method = Method::from(name);
            assert_eq!(method, name);
            assert_eq!(method.to_string(), name);
            assert_eq!(matches!(method.0, Cow::Borrowed(_)), USUAL.contains(&name));
        }
    }
}
