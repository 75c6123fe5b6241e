//! What a user says of carried values: `--carry`, with places that are forced or forbidden.

use mirror_contract::{RequestTarget, Route};

use super::place::CarryPlace;
use crate::options::{BadValue, OptionValue};

const REMEDY: &str = "use `all`, a place as in 'POST /cart json:/id' or cookie:sid, '!header:etag' for one that is never carried, or 'session cookie:sid' for what names a session; places are cookie:, header:, json:, form:, meta:, query: and path";

/// Whether values are carried, and the places that a user named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CarryRules {
    is_on: bool,
    rules: Vec<Rule>,
    /// What names a session, instead of what is found by itself.
    sessions: Vec<CarryPlace>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    forbids: bool,
    /// Any route without it.
    route: Option<Route>,
    place: CarryPlace,
}

/// What the rules say of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Say {
    Forbidden,
    Forced,
    Nothing,
}

impl CarryRules {
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    pub(super) fn sessions(&self) -> &[CarryPlace] {
        &self.sessions
    }

    /// A forbidden place stays forbidden, whatever else is said of it.
    pub(super) fn say(&self, method: &str, target: &RequestTarget, place: &CarryPlace) -> Say {
        let mut said = Say::Nothing;
        for rule in &self.rules {
            let is_on_route = rule
                .route
                .as_ref()
                .is_none_or(|route| route.matches(method, target));
            if is_on_route && rule.place.covers(place) {
                if rule.forbids {
                    return Say::Forbidden;
                }
                said = Say::Forced;
            }
        }
        said
    }

    fn add(&mut self, text: &str) -> Option<()> {
        let text = text.trim();
        match text {
            "all" | "true" => {
                self.is_on = true;
                return Some(());
            }
            _ => {}
        }
        if let Some(place) = text.strip_prefix("session ") {
            let place = CarryPlace::parse(place.trim())?;
            if !matches!(place, CarryPlace::Cookie(_) | CarryPlace::Header(_)) {
                return None;
            }
            self.sessions.push(place);
        } else {
            self.rules.push(rule(text)?);
        }
        self.is_on = true;
        Some(())
    }
}

fn rule(text: &str) -> Option<Rule> {
    let (forbids, text) = match text.strip_prefix('!') {
        Some(rest) => (true, rest.trim()),
        None => (false, text),
    };
    let (route, place) = match text.rsplit_once(char::is_whitespace) {
        Some((route, place)) => (Some(route.parse().ok()?), place),
        None => (None, text),
    };
    let place = CarryPlace::parse(place)?;
    Some(Rule {
        forbids,
        route,
        place,
    })
}

impl OptionValue for CarryRules {
    const IS_LIST: bool = true;
    const ALONE: Option<&'static str> = Some("all");

    fn read(texts: &[String]) -> Result<Self, BadValue> {
        let mut rules = Self::default();
        if let [off] = texts
            && (off == "none" || off == "false")
        {
            return Ok(rules);
        }
        for text in texts {
            rules.add(text).ok_or_else(|| BadValue::new(text, REMEDY))?;
        }
        Ok(rules)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(texts: &[&str]) -> CarryRules {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        CarryRules::read(&texts).unwrap()
    }

    #[test]
    fn nothing_is_carried_unless_it_is_said() {
        assert!(!rules(&[]).is_on());
        assert!(!rules(&["none"]).is_on());
        assert!(rules(&["all"]).is_on());
        assert!(rules(&["!header:etag"]).is_on());
    }

    #[test]
    fn places_are_forced_and_forbidden_on_their_routes() {
        let check = |texts: &[&str], route: (&str, &'static str), place: &str, expect| {
            let target = RequestTarget::parse(route.0, route.1);
            let place = CarryPlace::parse(place).unwrap();
            let said = rules(texts).say(route.0, &target, &place);
            assert_eq!(said, expect, "{texts:?} {route:?} {place}");
        };
        let cart = ("POST", "/cart");
        check(&["POST /cart json:/id"], cart, "json:/id", Say::Forced);
        check(&["POST /cart json:/id"], cart, "json:/ids", Say::Nothing);
        check(
            &["POST /cart json:/id"],
            ("PUT", "/cart"),
            "json:/id",
            Say::Nothing,
        );
        check(&["json:/*/id"], cart, "json:/items/id", Say::Forced);
        check(&["json:/*/id"], cart, "json:/id", Say::Nothing);
        check(&["!header:ETag"], cart, "header:etag", Say::Forbidden);
        check(
            &["!header:etag", "header:*"],
            cart,
            "header:etag",
            Say::Forbidden,
        );
        check(&["!cookie:*"], cart, "cookie:sid", Say::Forbidden);
        check(&["!cookie:*"], cart, "form:sid", Say::Nothing);
        check(&["!* /cart path"], cart, "path", Say::Forbidden);
    }

    #[test]
    fn what_is_no_rule_is_refused_with_examples() {
        for bad in [
            "",
            "cookies",
            "cookie:",
            "json:id",
            "post /cart json:/id",
            "POST cart json:/id",
            "session json:/id",
            "session",
            "! ",
        ] {
            let error = CarryRules::read(&[bad.to_owned()]).unwrap_err();
            let BadValue::Text { text, remedy } = error else {
                panic!("{error:?}");
            };
            assert_eq!(text, bad);
            assert!(remedy.contains("POST /cart json:/id"), "{remedy}");
        }
    }
}
