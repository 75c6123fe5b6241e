//! The fields after a chunked body.

use std::{fmt, ops::Deref};

use super::headers::{Headers, NONE};

/// Fields after a chunked body (RFC 9112 §7.1.2). Few messages have any: those without take the room of a pointer.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Trailers(Option<Box<Headers>>);

impl Trailers {
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        if let Some(mut fields) = self.0.take() {
            fields.retain(keep);
            *self = Self::from(*fields);
        }
    }
}

impl From<Headers> for Trailers {
    fn from(fields: Headers) -> Self {
        Self((!fields.is_empty()).then(|| fields.into()))
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>> FromIterator<(N, V)> for Trailers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        Self::from(Headers::from_iter(fields))
    }
}

impl Deref for Trailers {
    type Target = Headers;

    fn deref(&self) -> &Headers {
        self.0.as_deref().unwrap_or(&NONE)
    }
}

impl fmt::Debug for Trailers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailers_of_which_none_is_left_are_as_if_there_were_none() {
        let mut trailers: Trailers = [("Digest", "x"), ("Expires", "0")].into_iter().collect();
        trailers.retain(|name| name != "Digest");
        assert_eq!(trailers.first("expires"), Some(&b"0"[..]));
        trailers.retain(|_| false);
        assert_eq!(trailers, Trailers::default());
        assert!(trailers.is_empty());
    }
}
