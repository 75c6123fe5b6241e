//! The member that tells the elements of a list apart: `id`, `sku`, `name`, or another one whose values are unique.

use std::hash::{BuildHasher, Hasher};
use std::ops::Range;

use super::number::hash_number;
use crate::json::{Value, unescaped};

/// Names that say that a member is a key, the best first.
const NAMES: [&str; 15] = [
    "@key", "id", "uuid", "guid", "_id", "sku", "key", "code", "slug", "number", "ref", "name",
    "href", "url", "email",
];
/// Members that are tried, beside those of the names above.
const MAX_TRIED: usize = 16;

/// The key of two lists, and its hash for each element.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Key<'v> {
    pub(super) name: &'v str,
    pub(super) ours: Vec<u64>,
    pub(super) theirs: Vec<u64>,
}

/// Finds a member that each element of both lists has, with a text or a number that no other element of its list has, and
/// that the two lists share. A rule's own choice needs to share nothing.
pub(super) fn find<'v>(
    ours: &'v [Value<'v>],
    theirs: &'v [Value<'v>],
    wanted: Option<&'v str>,
) -> Option<Key<'v>> {
    if let Some(name) = wanted {
        return read(name, ours, theirs);
    }
    let Some(Value::Object(first)) = ours.first() else {
        return None;
    };
    let named = NAMES.into_iter().chain(
        first
            .iter()
            .take(MAX_TRIED)
            .map(|(name, _)| &**name)
            .filter(|name| is_like_id(name)),
    );
    let has = |name: &str| first.iter().any(|(member, _)| member == name);
    let mut named = named.filter(|name| has(name));
    let by_name = named.find_map(|name| {
        let key = read(name, ours, theirs)?;
        (shared(&key) > 0).then_some(key)
    });
    if by_name.is_some() {
        return by_name;
    }
    // Any other member may be unique by chance, so that nearly all of its values must be there on both sides.
    let others = first.iter().take(MAX_TRIED).map(|(name, _)| &**name);
    let mut others = others.filter_map(|name| read(name, ours, theirs));
    let fewer = ours.len().min(theirs.len());
    others.find(|key| fewer >= 3 && 10 * shared(key) >= 9 * fewer)
}

/// `order_id`, `orderId`, `product-code`, `@id`.
fn is_like_id(name: &str) -> bool {
    // An attribute in XML.
    let is_named = |name| NAMES.contains(&name);
    [
        "_id", "Id", "-id", "ID", "_key", "_code", "Code", "Uuid", "_uuid",
    ]
    .into_iter()
    .any(|end| name.len() > end.len() && name.ends_with(end))
        || name.strip_prefix('@').is_some_and(is_named)
}

/// The key of two lists of which only the elements in the middle are asked for: what is unique by chance among few is told by all.
pub(super) fn find_within<'v>(
    ours: &'v [Value<'v>],
    theirs: &'v [Value<'v>],
    [of_ours, of_theirs]: [Range<usize>; 2],
) -> Option<Key<'v>> {
    let key = find(ours, theirs, None)?;
    Some(Key {
        name: key.name,
        ours: key.ours[of_ours].to_vec(),
        theirs: key.theirs[of_theirs].to_vec(),
    })
}

fn read<'v>(name: &'v str, ours: &[Value<'_>], theirs: &[Value<'_>]) -> Option<Key<'v>> {
    let ours = column(name, ours)?;
    let theirs = column(name, theirs)?;
    let is_unique = |column: &[u64]| {
        let mut sorted = column.to_vec();
        sorted.sort_unstable();
        sorted.windows(2).all(|both| both[0] != both[1])
    };
    // In lists with the same keys in the same order each element belongs to the one at its place.
    let unique = ours == theirs || (is_unique(&ours) && is_unique(&theirs));
    unique.then_some(Key { name, ours, theirs })
}

fn column(name: &str, items: &[Value<'_>]) -> Option<Vec<u64>> {
    // Elements of one list mostly have their members at the same places.
    let place = match items.first()? {
        Value::Object(first) => first.iter().position(|(member, _)| member == name)?,
        _ => return None,
    };
    let read = |item: &Value<'_>| match item {
        Value::Object(members) => match members.get(place) {
            Some((member, value)) if member == name => value_hash(value),
            _ => value_hash(value(name, item)?),
        },
        _ => None,
    };
    items.iter().map(read).collect()
}

/// The member of an element.
pub(super) fn value<'v, 'a>(name: &str, item: &'v Value<'a>) -> Option<&'v Value<'a>> {
    let Value::Object(members) = item else {
        return None;
    };
    let mut named = members.iter().rev().filter(|(member, _)| member == name);
    named.next().map(|(_, value)| value)
}

fn value_hash(value: &Value<'_>) -> Option<u64> {
    let mut hasher = foldhash::quality::FixedState::default().build_hasher();
    match value {
        Value::Text(text) => hasher.write(unescaped(text).as_bytes()),
        Value::Number(number) => hash_number(number, &mut hasher),
        _ => return None,
    }
    Some(hasher.finish())
}

fn shared(key: &Key<'_>) -> usize {
    if key.ours == key.theirs {
        return key.ours.len();
    }
    let mut theirs = key.theirs.clone();
    theirs.sort_unstable();
    key.ours
        .iter()
        .filter(|hash| theirs.binary_search(hash).is_ok())
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ours: &str, theirs: &str, expect: Option<&str>) {
        let [ours, theirs] =
            [ours, theirs].map(|text| Value::parse(text.as_bytes(), 1000).unwrap());
        let (Value::Array(ours), Value::Array(theirs)) = (&ours, &theirs) else {
            panic!("two lists");
        };
        assert_eq!(find(ours, theirs, None).map(|key| key.name), expect);
    }

    #[test]
    fn a_key_is_unique_on_both_sides_and_shared() {
        check(
            r#"[{"id":1},{"id":2}]"#,
            r#"[{"id":2},{"id":3}]"#,
            Some("id"),
        );
        check(r#"[{"id":1},{"id":1}]"#, r#"[{"id":2},{"id":1}]"#, None);
        check(r#"[{"id":1},{"id":2}]"#, r#"[{"id":3},{"id":4}]"#, None);
        check(r#"[{"id":1},{"x":2}]"#, r#"[{"id":1},{"id":4}]"#, None);
        check(r#"[{"id":1},2]"#, r#"[{"id":1},2]"#, None);
        check(r#"[{"id":null}]"#, r#"[{"id":null}]"#, None);
        check(
            r#"[{"order_id":"a","n":1}]"#,
            r#"[{"order_id":"a","n":1}]"#,
            Some("order_id"),
        );
        check(
            r#"[{"name":"a","sku":1}]"#,
            r#"[{"name":"a","sku":1}]"#,
            Some("sku"),
        );
    }

    #[test]
    fn a_member_that_is_unique_by_chance_is_no_key_unless_nearly_all_are_shared() {
        let list = |values: &[u32]| {
            let items = values.iter().map(|n| format!(r#"{{"price":{n}}}"#));
            format!("[{}]", items.collect::<Vec<_>>().join(","))
        };
        check(&list(&[1, 2, 3]), &list(&[3, 1, 2, 4]), Some("price"));
        check(&list(&[1, 2, 3]), &list(&[1, 2, 4]), None);
    }

    #[test]
    fn attributes_are_keys_as_members_are() {
        check(r#"[{"@id":1}]"#, r#"[{"@id":1},{"@id":2}]"#, Some("@id"));
    }

    #[test]
    fn a_rule_may_name_a_key_that_shares_nothing() {
        let ours = Value::parse(br#"[{"a":1},{"a":2}]"#, 100).unwrap();
        let theirs = Value::parse(br#"[{"a":3}]"#, 100).unwrap();
        let (Value::Array(ours), Value::Array(theirs)) = (&ours, &theirs) else {
            panic!("two lists");
        };
        assert!(find(ours, theirs, Some("a")).is_some());
        assert!(find(ours, theirs, Some("b")).is_none());
    }
}
