//! `/items/*/price`, `/**/updated_at`, `header:x-build`, `status`, `body`, `effects:/writes/book/*/at`: the places that a rule is
//! about.

use super::super::place::{At, Step, Tree, pointer};

const FORM: &str = "a place is a JSON pointer as in /id, /items/*/price or /**/updated_at (`*` is one step, `**` any number of them), \
     header:NAME, status, body, or effects and effects:/POINTER for what requests read and wrote";

/// The places of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PlacePattern {
    Status,
    /// In small letters.
    Header(String),
    /// Everything in the body, whether it is compared as data or as bytes.
    Body,
    Json(Vec<PatternStep>),
    /// In what a request read and wrote.
    Effects(Vec<PatternStep>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PatternStep {
    /// A member's name, or an index.
    Name(String),
    Any,
    /// Any number of steps, or none.
    Rest,
}

impl PlacePattern {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("`{text}` is not a place: {why}; {FORM}");
        match text {
            "status" => return Ok(Self::Status),
            "body" => return Ok(Self::Body),
            "effects" => return Ok(Self::Effects(Vec::new())),
            _ => {}
        }
        if let Some(pointer) = text.strip_prefix("effects:") {
            return steps(pointer).map(Self::Effects).map_err(|why| wrong(&why));
        }
        if let Some(name) = text.strip_prefix("header:") {
            let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.!#$%&'*+^`|~".contains(c);
            return match !name.is_empty() && name.chars().all(is_name) {
                true => Ok(Self::Header(name.to_ascii_lowercase())),
                false => Err(wrong("a header has a name without spaces")),
            };
        }
        Self::pointer(text).map_err(|why| wrong(&why))
    }

    /// A JSON pointer alone.
    pub(super) fn pointer(text: &str) -> Result<Self, String> {
        steps(text).map(Self::Json)
    }

    pub(super) fn is_of(&self, tree: Tree) -> bool {
        matches!(self, Self::Effects(_)) == (tree == Tree::Effects)
    }

    /// Whether a difference there is one of this place itself.
    pub(super) fn fits(&self, at: At<'_>) -> bool {
        match (self, at) {
            (Self::Status, At::Status) => true,
            // A cookie's place is `set-cookie NAME`.
            (Self::Header(name), At::Header(found)) => {
                found.split(' ').next().is_some_and(|found| found == name)
            }
            (Self::Body, At::Body) => true,
            (Self::Json(pattern), At::Json(steps))
            | (Self::Effects(pattern), At::Effects(steps)) => {
                glob(pattern, steps, false, fits_step)
            }
            _ => false,
        }
    }

    /// Whether a difference there is one of this place, or of something in it.
    pub(super) fn holds(&self, at: At<'_>) -> bool {
        match (self, at) {
            (Self::Body, At::Json(_)) => true,
            (Self::Json(pattern), At::Json(steps))
            | (Self::Effects(pattern), At::Effects(steps)) => glob(pattern, steps, true, fits_step),
            _ => self.fits(at),
        }
    }

    /// Whether this holds every place that `other` fits, as far as that is easily seen.
    pub(super) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Body, Self::Body | Self::Json(_)) => true,
            (Self::Json(ours), Self::Json(theirs))
            | (Self::Effects(ours), Self::Effects(theirs)) => glob(ours, theirs, true, covers_step),
            _ => self == other,
        }
    }
}

/// The steps of a pointer.
fn steps(text: &str) -> Result<Vec<PatternStep>, String> {
    let steps = text.strip_prefix('/');
    let steps = steps.ok_or("a pointer begins with `/`")?.split('/');
    let mut steps = steps.map(step).collect::<Result<Vec<_>, String>>()?;
    // Two of them say no more than one, and cost more.
    steps.dedup_by(|a, b| *a == PatternStep::Rest && a == b);
    Ok(steps)
}

fn step(text: &str) -> Result<PatternStep, String> {
    match text {
        // Reports write `{*}` for the members of a map.
        "*" | "{*}" => return Ok(PatternStep::Any),
        "**" => return Ok(PatternStep::Rest),
        _ => {}
    }
    let escapes = text.split('~').skip(1);
    if !escapes
        .into_iter()
        .all(|after| after.starts_with(['0', '1']))
    {
        return Err(format!(
            "in `{text}`, `~` must be followed by 0 or 1 (`~0` is `~`, `~1` is `/`)"
        ));
    }
    if text.contains("**") {
        return Err(format!("in `{text}`, `**` must be a whole step"));
    }
    let plain = text.replace("~1", "/").replace("~0", "~");
    Ok(PatternStep::Name(plain))
}

fn fits_step(pattern: &PatternStep, step: &Step<'_>) -> bool {
    match (pattern, step) {
        (PatternStep::Name(wanted), Step::Member(name) | Step::Key(name)) => wanted == name,
        (PatternStep::Name(wanted), Step::Index(index)) => wanted.parse() == Ok(*index),
        (PatternStep::Name(wanted), Step::Line(index, _)) if !wanted.starts_with('*') => {
            wanted.parse() == Ok(*index)
        }
        (PatternStep::Name(wanted), Step::Line(..)) => pointer(&[*step])[1..] == *wanted,
        (PatternStep::Any | PatternStep::Rest, _) => true,
    }
}

fn covers_step(pattern: &PatternStep, other: &PatternStep) -> bool {
    match (pattern, other) {
        (PatternStep::Rest, _) => true,
        (PatternStep::Any, other) => *other != PatternStep::Rest,
        (PatternStep::Name(_), other) => pattern == other,
    }
}

/// As only the last `**` that was met ever takes more, no place takes long. A prefix of the steps is enough where
/// `is_prefix` says so.
fn glob<T>(
    pattern: &[PatternStep],
    steps: &[T],
    is_prefix: bool,
    fits: fn(&PatternStep, &T) -> bool,
) -> bool {
    let (mut at, mut step) = (0, 0);
    let mut last_rest = None;
    loop {
        match pattern.get(at) {
            None if is_prefix || step == steps.len() => return true,
            Some(PatternStep::Rest) => {
                at += 1;
                last_rest = Some((at, step));
                continue;
            }
            Some(wanted) if steps.get(step).is_some_and(|found| fits(wanted, found)) => {
                (at, step) = (at + 1, step + 1);
                continue;
            }
            _ => {}
        }
        let Some((after, from)) = &mut last_rest else {
            return false;
        };
        if *from >= steps.len() {
            return false;
        }
        *from += 1;
        (at, step) = (*after, *from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use Step::{Index, Key, Member};

    fn check(pattern: &str, steps: &[Step<'_>], fits: bool, holds: bool) {
        let pattern = PlacePattern::parse(pattern).unwrap();
        let at = At::Json(steps);
        assert_eq!(pattern.fits(at), fits, "{pattern:?} fits {steps:?}");
        assert_eq!(pattern.holds(at), holds, "{pattern:?} holds {steps:?}");
    }

    #[test]
    fn a_star_is_one_step_and_two_are_any_number() {
        check("/i/*/t", &[Member("i"), Index(4), Member("t")], true, true);
        check(
            "/i/*/t",
            &[Member("i"), Member("x"), Member("t")],
            true,
            true,
        );
        check("/i/{*}", &[Member("i"), Key("x")], true, true);
        check("/i/*/t", &[Member("i"), Index(4)], false, false);
        check(
            "/i/*/t",
            &[Member("i"), Index(4), Member("u")],
            false,
            false,
        );
        check("/a~1b/3", &[Member("a/b"), Index(3)], true, true);
        check("/a~1b/3", &[Member("a/b"), Index(4)], false, false);
        check("/**/t", &[Member("t")], true, true);
        check("/**/t", &[Member("a"), Index(0), Member("t")], true, true);
        check(
            "/**/t",
            &[Member("t"), Member("a"), Member("t")],
            true,
            true,
        );
        check("/**/t", &[Member("a")], false, false);
        check("/a/**", &[Member("a")], true, true);
        check(
            "/a/**/b/**/c",
            &[Member("a"), Member("b"), Member("b"), Member("c")],
            true,
            true,
        );
        check("/**", &[], true, true);
        check("/", &[Member("")], true, true);
    }

    #[test]
    fn a_line_is_named_by_its_label_or_its_index() {
        let line = [Step::Line(2, "threads: 17")];
        check("/*[threads]", &line, true, true);
        check("/*[thread]", &line, false, false);
        check("/*", &line, true, true);
        check("/2", &line, true, true);
        check("/1", &line, false, false);
        check("/**", &line, true, true);
    }

    #[test]
    fn what_stands_in_a_place_is_held_by_it() {
        check("/a", &[Member("a"), Member("b")], false, true);
        check(
            "/**/a",
            &[Member("x"), Member("a"), Member("b")],
            false,
            true,
        );
        check("/a", &[Member("ab")], false, false);
        check("body", &[Member("ab")], false, true);
        check("status", &[], false, false);
        let header = PlacePattern::parse("header:X-Build").unwrap();
        assert!(header.fits(At::Header("x-build")) && !header.fits(At::Status));
    }

    #[test]
    fn places_of_effects_are_not_those_of_a_body() {
        let steps = [Member("writes"), Member("book"), Index(0), Member("at")];
        let check = |text: &str, fits: bool, holds: bool| {
            let pattern = PlacePattern::parse(text).unwrap();
            let at = At::Effects(&steps);
            assert_eq!(
                (pattern.fits(at), pattern.holds(at)),
                (fits, holds),
                "{text}"
            );
        };
        check("effects:/writes/book/*/at", true, true);
        check("effects:/writes/book", false, true);
        check("effects", false, true);
        check("/writes/book/*/at", false, false);
        check("body", false, false);
        let effects = PlacePattern::parse("effects:/**").unwrap();
        assert!(!effects.holds(At::Json(&steps)) && effects.is_of(Tree::Effects));
    }

    #[test]
    fn a_long_place_is_judged_once() {
        let steps = vec![Member("a"); 5_000];
        check("/**/a/**/a/**/a/**/b", &steps, false, false);
        check("/**/a/**/a/**/a/**", &steps, true, true);
    }

    #[test]
    fn a_wider_place_covers_a_narrower_one() {
        let check = |wide: &str, narrow: &str, expect: bool| {
            let [wide, narrow] = [wide, narrow].map(|text| PlacePattern::parse(text).unwrap());
            assert_eq!(wide.covers(&narrow), expect, "{wide:?} {narrow:?}");
        };
        check("/a", "/a", true);
        check("/a", "/a/b", true);
        check("/a", "/**", false);
        check("/*", "/a/b", true);
        check("/**/t", "/a/*/t", true);
        check("/**/t", "/a/**/t", true);
        check("/*", "/**", false);
        check("body", "/a", true);
        check("/**", "/a/**", true);
        check("/a/**/b", "/a/**/**/b", true);
        check("status", "header:status", false);
        check("header:A", "header:a", true);
    }

    #[test]
    fn what_is_no_place_says_how_to_write_one() {
        for bad in [
            "id",
            "$.took",
            "",
            "/a~2",
            "/a**",
            "header:",
            "header:a b",
            "effects:",
            "effects:a",
        ] {
            let error = PlacePattern::parse(bad).unwrap_err();
            assert!(error.contains("/items/*/price"), "{bad}: {error}");
        }
    }
}
