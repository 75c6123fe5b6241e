//! What stands for all values of a place that are not told apart: a number that is one of few, the mask of a text, else the
//! family of the form.

use std::borrow::Cow;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::form::{Family, HexCase};

/// Sets families with a number apart from those that have a name only.
const UUID_SEED: u64 = 1;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Class<'a> {
    Absent,
    Bool(bool),
    Number(&'a str),
    /// A mask.
    Text(Cow<'a, str>),
    Family(Family),
    /// Of a place that takes too many.
    AnyNumber,
    AnyText,
}

impl Class<'_> {
    /// The same in each version that reads the same files.
    pub(super) fn key(&self) -> u64 {
        match self {
            Self::Family(Family::Uuid(version, case)) => {
                let case = match case {
                    HexCase::Lower => 0,
                    HexCase::Upper => 1,
                    HexCase::Mixed => 2,
                };
                xxh3_64_with_seed(&[*version, case], UUID_SEED)
            }
            Self::Family(family) => xxh3_64(family.name().as_bytes()),
            Self::Text(mask) => xxh3_64(mask.as_bytes()),
            Self::Number(number) => xxh3_64(number.as_bytes()),
            Self::Bool(true) => xxh3_64(b"true"),
            Self::Bool(false) => xxh3_64(b"false"),
            Self::Absent => xxh3_64(b"(absent)"),
            Self::AnyNumber => xxh3_64(b"(number)"),
            Self::AnyText => xxh3_64(b"(text)"),
        }
    }

    /// As people read it; what is no value stands in brackets.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Absent => "(absent)".into(),
            Self::Bool(value) => value.to_string(),
            Self::Number(number) => (*number).into(),
            Self::Text(mask) => mask.clone().into_owned(),
            Self::Family(family) => format!("({})", family.name()),
            Self::AnyNumber => "(number)".into(),
            Self::AnyText => "(text)".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_has_a_key_of_its_own_that_stays() {
        let uuid = |version, case| Class::Family(Family::Uuid(version, case));
        let all = [
            Class::Absent,
            Class::Bool(true),
            Class::Bool(false),
            Class::Family(Family::Null),
            Class::Family(Family::Hex(HexCase::Lower)),
            Class::Family(Family::Hex(HexCase::Upper)),
            uuid(4, HexCase::Lower),
            uuid(4, HexCase::Upper),
            uuid(4, HexCase::Mixed),
            uuid(7, HexCase::Lower),
            Class::AnyNumber,
            Class::AnyText,
        ];
        let keys: std::collections::BTreeSet<u64> = all.iter().map(Class::key).collect();
        assert_eq!(keys.len(), all.len());
        // Files hold it.
        assert_eq!(Class::Text("A".into()).key(), 0xd0d4_96e0_5c55_3485);
        assert_eq!(Class::Number("A").key(), Class::Text("A".into()).key());
    }

    #[test]
    fn classes_have_names() {
        let check = |class: Class<'_>, expect: &str| assert_eq!(class.name(), expect);
        check(Class::Number("1.5"), "1.5");
        check(Class::Text("order #".into()), "order #");
        check(Class::Bool(true), "true");
        check(Class::Family(Family::Jwt), "(JWT)");
        check(
            Class::Family(Family::Uuid(4, HexCase::Lower)),
            "(UUID version 4 in lower case)",
        );
        check(Class::Absent, "(absent)");
    }
}
