//! Where in later requests a learnt value may be replaced: anywhere when chance cannot make it equal, else only at the place
//! that belongs to it.

use super::place::CarryPlace;

/// Bytes of a value that tells more than a number or a word does.
const TELLING: usize = 10;
/// Bytes of one that need not have digits and letters.
const LONG: usize = 16;

/// Names that say nothing of what they name: the rest of the place must.
const GENERIC: [&str; 6] = ["id", "uuid", "guid", "key", "token", "cursor"];

/// The requests' places that a learnt value fits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reach {
    /// Any place at all, because the value tells enough.
    pub(super) anywhere: bool,
    /// The cookie of this name.
    cookie: Option<String>,
    /// The field of this name, in a query, a form or JSON.
    field: Option<String>,
    /// The segment of a path after one of these.
    after: Vec<After>,
    /// The conditions of requests for this target: a validator belongs to one resource.
    target: Option<Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum After {
    /// After this whole path.
    Path(Vec<u8>),
    /// After a segment of this name, or its plural.
    Named(String),
}

/// A place of a request, while it is looked for a value to put there.
#[derive(Clone, Copy, Debug)]
pub(super) enum Use<'r> {
    Cookie(&'r str),
    Header,
    /// Of a query, a form, or a member of a JSON document, by its own name.
    Field(&'r str),
    /// The path before the segment, with the slash at its end.
    Segment {
        before: &'r [u8],
    },
    /// A condition of a request for this target.
    Validator {
        target: &'r [u8],
    },
}

/// Whether equal values mean the same thing: 16 bytes with digits and letters, or upper and lower case, or digits alone; or
/// 10 bytes with digits and letters. None with space in it, for that is a text.
pub(super) fn is_telling(value: &[u8]) -> bool {
    let any = |is: fn(&u8) -> bool| value.iter().any(is);
    let (digits, letters) = (any(u8::is_ascii_digit), any(u8::is_ascii_alphabetic));
    let mixed_case = any(u8::is_ascii_uppercase) && any(u8::is_ascii_lowercase);
    let only_digits = value.iter().all(u8::is_ascii_digit);
    let is_text = value
        .iter()
        .any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control());
    let tells = match value.len() {
        LONG.. => (digits && letters) || mixed_case || only_digits,
        TELLING.. => digits && letters,
        _ => false,
    };
    tells && !is_text
}

impl Reach {
    /// Of a value that an answer to a request for `path` had at `place`. `telling` says that both sides' values are.
    pub(super) fn of(place: &CarryPlace, path: &[u8], value: &[u8], telling: bool) -> Self {
        let mut reach = Self {
            anywhere: telling,
            ..Self::default()
        };
        match place {
            CarryPlace::Cookie(name) => reach.cookie = Some(name.clone()),
            CarryPlace::Form(name) => reach.field = Some(name.clone()),
            CarryPlace::Query(name) if names_an_id(name).is_some() => {
                reach.field = Some(name.clone());
            }
            CarryPlace::Json(pointer) => reach.json(pointer, path, value),
            _ => {}
        }
        reach
    }

    /// Of a validator of `target`: nowhere but in its conditions.
    pub(super) fn validator(target: &[u8]) -> Self {
        Self {
            target: Some(target.into()),
            ..Self::default()
        }
    }

    /// Of a segment of a `location`, that stands after `path`.
    pub(super) fn segment(path: &[u8], telling: bool) -> Self {
        Self {
            anywhere: telling,
            after: vec![After::Path(path.into())],
            ..Self::default()
        }
    }

    /// `/id` of an answer to `POST /orders` is the segment after `/orders`; `/order_id` is the field of that name, and the
    /// segment after `order` or `orders`. Members that are not named like an id prove nothing.
    fn json(&mut self, pointer: &str, path: &[u8], value: &[u8]) {
        let mut steps = pointer.rsplit('/');
        let name = steps.next().unwrap_or_default();
        let Some(stem) = names_an_id(name) else {
            return;
        };
        if !GENERIC.contains(&name) {
            self.field = Some(name.into());
            self.after.push(After::Named(stem.into()));
            return;
        }
        let collection = match path.strip_suffix(value) {
            Some(collection) if collection.ends_with(b"/") => collection.to_vec(),
            _ => [path.strip_suffix(b"/").unwrap_or(path), b"/"].concat(),
        };
        self.after.push(After::Path(collection));
        // As in `/order/id` and `/orders/*/id`.
        let parent = steps.find(|step| *step != "*" && *step != "{*}");
        if let Some(parent) = parent.filter(|parent| !parent.is_empty()) {
            self.after.push(After::Named(parent.into()));
        }
    }

    /// Whether this value may be put at `at` because of what the place is.
    pub(super) fn fits(&self, at: Use<'_>) -> bool {
        match at {
            Use::Cookie(name) => self.cookie.as_deref() == Some(name),
            Use::Field(name) => self.field.as_deref() == Some(name),
            Use::Segment { before } => self.after.iter().any(|after| after.fits(before)),
            Use::Validator { target } => self.target.as_deref() == Some(target),
            Use::Header => false,
        }
    }

    /// Whether it is a validator.
    pub(super) fn fits_conditions(&self) -> bool {
        self.target.is_some()
    }

    /// Whether there is any place that it could be put at.
    pub(super) fn is_nowhere(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn bytes(&self) -> usize {
        let named = |name: &Option<String>| name.as_ref().map_or(0, String::len);
        let after = self.after.iter().map(|after| match after {
            After::Path(path) => path.len(),
            After::Named(name) => name.len(),
        });
        named(&self.cookie)
            + named(&self.field)
            + after.sum::<usize>()
            + self.target.as_ref().map_or(0, Vec::len)
    }
}

impl After {
    fn fits(&self, before: &[u8]) -> bool {
        match self {
            Self::Path(path) => path == before,
            Self::Named(name) => {
                let segment = before.strip_suffix(b"/").unwrap_or(before);
                let segment = segment.rsplit(|byte| *byte == b'/').next();
                let singular = |name: &[u8]| {
                    let name = name.to_ascii_lowercase();
                    name.strip_suffix(b"s").map(<[u8]>::to_vec).unwrap_or(name)
                };
                segment.is_some_and(|segment| singular(segment) == singular(name.as_bytes()))
            }
        }
    }
}

/// What a member is the id of, as `order` for `order_id` and `orderId`; none for a name that names no id.
fn names_an_id(name: &str) -> Option<&str> {
    if GENERIC.contains(&name) {
        return Some("");
    }
    let ends = [
        "_id", "-id", "Id", "ID", "_uuid", "Uuid", "UUID", "_key", "Key", "_token", "Token",
        "_cursor", "Cursor",
    ];
    let stem = ends.iter().find_map(|end| name.strip_suffix(end));
    stem.filter(|stem| !stem.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_tells_enough_by_its_length_and_what_it_is_made_of() {
        let check = |value: &str, expect| {
            assert_eq!(is_telling(value.as_bytes()), expect, "{value}");
        };
        check("550e8400-e29b-41d4-a716-446655440000", true);
        check("AbCdEfGhIjKlMnOp", true);
        check("a1b2c3d4e5", true);
        check("1234567890123456", true);
        check("7", false);
        check("a1b2c3d4e", false);
        check("123456789012345", false);
        check("international-shipping", false);
        check("The 12 Days Of Christmas", false);
        check("", false);
    }

    fn reach(place: &str, path: &str, value: &str) -> Reach {
        let place = CarryPlace::parse(place).unwrap();
        Reach::of(&place, path.as_bytes(), value.as_bytes(), false)
    }

    #[test]
    fn a_number_needs_its_own_place() {
        let segment = |place, path, value, before: &str, expect| {
            let fits = reach(place, path, value).fits(Use::Segment {
                before: before.as_bytes(),
            });
            assert_eq!(fits, expect, "{place} of {path}, after {before}");
        };
        segment("json:/id", "/orders", "7", "/orders/", true);
        segment("json:/id", "/orders/", "7", "/orders/", true);
        segment("json:/id", "/orders/7", "7", "/orders/", true);
        segment("json:/id", "/orders/17", "7", "/orders/", false);
        segment("json:/id", "/orders", "7", "/users/", false);
        segment("json:/items/*/id", "/search", "7", "/api/items/", true);
        segment("json:/order/id", "/cart", "7", "/orders/", true);
        segment("json:/order_id", "/cart", "7", "/orders/", true);
        segment("json:/orderId", "/cart", "7", "/orders/", true);
        segment("json:/orderId", "/cart", "7", "/users/", false);
        segment("json:/quantity", "/orders", "7", "/orders/", false);
    }

    #[test]
    fn a_field_is_proof_by_its_name() {
        let field = |place, name, expect| {
            let fits = reach(place, "/a", "7").fits(Use::Field(name));
            assert_eq!(fits, expect, "{place} for {name}");
        };
        field("json:/order/customer_id", "customer_id", true);
        field("json:/order/customer_id", "order_id", false);
        field("json:/quantity", "quantity", false);
        field("json:/id", "id", false);
        field("form:step", "step", true);
        field("query:page_token", "page_token", true);
        field("query:page", "page", false);
    }

    #[test]
    fn a_cookie_is_proof_by_its_name_and_a_validator_by_its_target() {
        let cookie = reach("cookie:cart", "/", "7");
        assert!(cookie.fits(Use::Cookie("cart")) && !cookie.fits(Use::Cookie("sid")));
        assert!(!cookie.fits(Use::Field("cart")) && !cookie.fits(Use::Header));
        let etag = Reach::validator(b"/a?b");
        assert!(etag.fits(Use::Validator { target: b"/a?b" }));
        assert!(!etag.fits(Use::Validator { target: b"/a" }));
        assert!(!etag.fits(Use::Header) && !etag.is_nowhere());
        assert!(reach("json:/quantity", "/a", "7").is_nowhere());
    }
}
