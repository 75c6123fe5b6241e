//! The values of a place while they are few, by what stands for each. Only digests are kept, so that what was learnt and is
//! given to others holds no values of production.

use serde::{Deserialize, Serialize};

use super::class::Class;

/// Numbers, and texts, that are told apart.
const MAX_VALUES: usize = 16;
/// FewValues seen before a place is known by their set.
const MIN_SEEN: u64 = 8;
/// How often a value was seen on average where the set of them is known.
const MIN_EACH: u64 = 4;

/// How often each value was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Classes {
    numbers: FewValues,
    texts: FewValues,
    /// Null, booleans, absence, and forms: there are only so many of them.
    others: Vec<(u64, u64)>,
}

/// FewValues of one group: what was seen how often, sorted; or only how many, when they are too many to be told apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct FewValues {
    few: Vec<(u64, u64)>,
    many: Option<u64>,
}

impl FewValues {
    pub(super) fn add(&mut self, key: u64, count: u64) {
        if let Some(many) = &mut self.many {
            *many += count;
            return;
        }
        add(&mut self.few, key, count);
        if self.few.len() > MAX_VALUES {
            self.many = Some(self.seen());
            self.few = Vec::new();
        }
    }

    fn seen(&self) -> u64 {
        self.many.unwrap_or_default() + seen(&self.few)
    }

    pub(super) const fn are_many(&self) -> bool {
        self.many.is_some()
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (key, count) in &other.few {
            self.add(*key, *count);
        }
        if let Some(many) = other.many {
            self.many = Some(self.seen() + many);
            self.few = Vec::new();
        }
    }
}

fn add(table: &mut Vec<(u64, u64)>, key: u64, count: u64) {
    match table.binary_search_by_key(&key, |(known, _)| *known) {
        Ok(at) => table[at].1 += count,
        Err(at) => table.insert(at, (key, count)),
    }
}

fn seen(table: &[(u64, u64)]) -> u64 {
    table.iter().map(|(_, count)| count).sum()
}

fn has(table: &[(u64, u64)], key: u64) -> bool {
    table
        .binary_search_by_key(&key, |(known, _)| *known)
        .is_ok()
}

impl Classes {
    pub(super) fn add(&mut self, class: &Class<'_>) {
        match class {
            Class::Number(_) => self.numbers.add(class.key(), 1),
            Class::Text(_) => self.texts.add(class.key(), 1),
            _ => add(&mut self.others, class.key(), 1),
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.numbers.merge(&other.numbers);
        self.texts.merge(&other.texts);
        for (key, count) in &other.others {
            add(&mut self.others, *key, *count);
        }
    }

    /// FewValues of production and of A/A pairs.
    pub(super) fn seen(&self) -> u64 {
        self.numbers.seen() + self.texts.seen() + seen(&self.others)
    }

    pub(super) const fn has_many_numbers(&self) -> bool {
        self.numbers.many.is_some()
    }

    pub(super) const fn has_many_texts(&self) -> bool {
        self.texts.many.is_some()
    }

    pub(super) fn has(&self, class: &Class<'_>) -> bool {
        match class {
            Class::Number(_) => self.has_many_numbers() || has(&self.numbers.few, class.key()),
            Class::Text(_) => self.has_many_texts() || has(&self.texts.few, class.key()),
            _ => has(&self.others, class.key()),
        }
    }

    /// Whether enough was seen for the set of values to be known: each of them many times. A group of too many values counts as
    /// one, because its values are not told apart.
    pub(super) fn is_settled(&self) -> bool {
        let each = |group: &FewValues| match group.many {
            Some(_) => 1,
            None => group.few.len(),
        };
        let different = (each(&self.numbers) + each(&self.texts) + self.others.len()) as u64;
        self.seen() >= MIN_SEEN.max(MIN_EACH * different)
    }

    /// The same for the numbers alone: they are told apart by value.
    pub(super) fn knows_numbers(&self) -> bool {
        let few = self.numbers.few.len() as u64;
        !self.has_many_numbers() && self.numbers.seen() >= MIN_SEEN.max(MIN_EACH * few)
    }

    /// The same for the texts alone.
    pub(super) fn knows_texts(&self) -> bool {
        self.texts.seen() >= MIN_SEEN.max(MIN_EACH * self.texts.few.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::*;
    use crate::time::Timestamp;

    fn of(values: &[&str]) -> Classes {
        let mut classes = Classes::default();
        for value in values {
            classes.add(&Sample::of(value, Timestamp(1)).class);
        }
        classes
    }

    #[test]
    fn values_are_known_when_each_was_seen_often() {
        assert!(!of(&["1", "2", "1", "2", "1", "2", "1"]).is_settled());
        assert!(of(&["1", "2", "1", "2", "1", "2", "1", "2"]).is_settled());
        assert!(!of(&["1", "2", "3", "2", "1", "2", "1", "2"]).is_settled());
        assert!(of(&["\"a\""; 8]).knows_texts());
        assert!(!of(&["1"; 8]).knows_texts());
    }

    #[test]
    fn too_many_values_are_not_told_apart() {
        let numbers: Vec<String> = (0..17).map(|n| n.to_string()).collect();
        let texts: Vec<&str> = numbers.iter().map(String::as_str).collect();
        let few = of(&texts[..16]);
        assert!(
            !few.has_many_numbers()
                && few.has(&Class::Number("3"))
                && !few.has(&Class::Number("16"))
        );
        let many = of(&texts);
        assert!(many.has_many_numbers() && many.has(&Class::Number("99")));
        assert_eq!(many.seen(), 17);
        assert!(many.numbers.few.is_empty());
        assert!(!many.has(&Class::Text("99".into())));
    }

    #[test]
    fn what_is_known_does_not_depend_on_the_order() {
        let numbers: Vec<String> = (0..40).map(|n| (n % 20).to_string()).collect();
        let mut texts: Vec<&str> = numbers.iter().map(String::as_str).collect();
        texts.extend(["\"a\"", "null", "\"b\"", "true"]);
        let (whole, mut merged) = (of(&texts), of(&texts[20..]));
        merged.merge(&of(&texts[..20]));
        assert_eq!(whole, merged);
        texts.reverse();
        assert_eq!(of(&texts), whole);
    }
}
