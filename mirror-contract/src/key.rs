//! Where a snapshot stands in the store. CONTRACT.md, "Keys".

use crate::{RequestId, SendId};

/// The keys of one service or run: `<prefix>snapshot:<id>`, or `<prefix>snapshot/<namespace>:<id>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    prefix: String,
    namespace: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no namespace: write 1 to 64 letters, digits, `.`, `_` or `-`")]
pub struct NamespaceError(String);

impl Keys {
    /// `prefix` stands before every key as it is, as in `shop:`.
    pub fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.into(),
            namespace: None,
        }
    }

    /// The same prefix, in a namespace.
    pub fn within(&self, namespace: &str) -> Result<Self, NamespaceError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        if !(1..=64).contains(&namespace.len()) || !namespace.bytes().all(allowed) {
            return Err(NamespaceError(namespace.into()));
        }
        Ok(Self {
            prefix: self.prefix.clone(),
            namespace: Some(namespace.into()),
        })
    }

    /// Fits these keys, as Redis reads patterns.
    pub fn pattern(&self) -> String {
        let mut pattern = String::new();
        for c in self.prefix.chars() {
            if "*?[]\\^".contains(c) {
                pattern.push('\\');
            }
            pattern.push(c);
        }
        match &self.namespace {
            None => pattern + "snapshot:*",
            Some(namespace) => format!("{pattern}snapshot/{namespace}:*"),
        }
    }

    /// Where the numbers of a derived id are listed that production received in this minute since the epoch. No id holds
    /// a space, so no snapshot stands there.
    pub fn list(&self, derived: &RequestId, minute: u64) -> String {
        format!("{} {minute}", self.key(derived))
    }

    /// Where a mirror files what one sending of a request read and would have written. Namespaces are for snapshots only.
    pub fn effects(&self, send: &SendId, id: &RequestId) -> String {
        format!("{}effects/{send}:{id}", self.prefix)
    }

    pub fn key(&self, id: &RequestId) -> String {
        match &self.namespace {
            None => format!("{}snapshot:{id}", self.prefix),
            Some(namespace) => format!("{}snapshot/{namespace}:{id}", self.prefix),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_cannot_be_taken_for_an_id() {
        let keys = Keys::new("shop:");
        let id = RequestId::new("run:7").unwrap();
        assert_eq!(keys.key(&id), "shop:snapshot:run:7");
        let run = keys.within("run").unwrap();
        assert_eq!(
            run.key(&RequestId::new("7").unwrap()),
            "shop:snapshot/run:7"
        );
        assert!(keys.within("a:b").is_err());
        assert!(keys.within("").is_err());
    }
}
