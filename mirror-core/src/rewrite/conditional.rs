//! Conditional requests (RFC 9110 §13): a validator is of the instance that made it, so what it decides on the mirror says
//! nothing of the code.
//!
//! * Where production's answer was decided by the condition (304, 412), the condition is sent as it is. The mirror may agree; when
//!   it does not, the two are not compared.
//! * Where it was not, the condition is taken out, so that the mirror sends what production sent.
//! * A validator that was carried is the mirror's own, and stays in any case.

use crate::exchange::Request;

/// Conditions with a validator. `*` in their place is none: it asks whether there is anything at all.
const CONDITIONS: [&str; 4] = [
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
];

/// The conditions that a request was captured with, and what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// It has a validator.
    is_conditional: bool,
    /// It has an `if-range` with one.
    is_range: bool,
    /// Headers that were taken out.
    pub dropped: Vec<&'static str>,
}

impl Conditions {
    /// Takes out of `request` the conditions that production's answer does not depend on. `production` is the status of that
    /// answer, `carried` are the conditions that have the mirror's own validators.
    pub fn settle(request: &mut Request, production: Option<u16>, carried: &[String]) -> Self {
        let has = |name: &str| {
            let value = request.headers.first(name);
            value.is_some_and(|value| value.trim_ascii() != b"*")
        };
        let conditions: Vec<_> = CONDITIONS.into_iter().filter(|name| has(name)).collect();
        let mut settled = Self {
            is_conditional: !conditions.is_empty(),
            is_range: has("if-range") && has("range"),
            dropped: Vec::new(),
        };
        if production.is_some_and(is_decided) {
            return settled;
        }
        let is_carried = |name: &str| carried.iter().any(|carried| carried == name);
        let foreign = conditions.into_iter().filter(|name| !is_carried(name));
        settled.dropped.extend(foreign);
        if has("if-range") && !is_carried("if-range") {
            settled.dropped.push("if-range");
            // Production sent the whole, for the validator did not hold.
            if production == Some(200) {
                settled.dropped.push("range");
            }
        }
        for name in &settled.dropped {
            request.headers.remove(name);
        }
        settled
    }

    /// The two answers differ because a condition held on one side only: nothing to compare. An error is one all the same.
    pub fn parted(&self, production: u16, mirror: u16) -> bool {
        let either = |is: fn(u16) -> bool| is(production) || is(mirror);
        let fits = |status| is_decided(status) || (200..300).contains(&status);
        let by_condition =
            self.is_conditional && either(is_decided) && fits(production) && fits(mirror);
        let by_range = self.is_range && either(|s| s == 206) && either(|s| s == 200);
        production != mirror && (by_condition || by_range)
    }
}

/// Not Modified, Precondition Failed.
fn is_decided(status: u16) -> bool {
    matches!(status, 304 | 412)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Case<'c> {
        sent: &'c [(&'c str, &'c str)],
        production: Option<u16>,
        carried: &'c [&'c str],
        /// What stays.
        expect: &'c [&'c str],
    }

    fn settle(case: &Case<'_>) -> (Request, Conditions) {
        let mut request = Request::new("GET", "/");
        request.headers = case.sent.iter().copied().collect();
        let carried: Vec<String> = case.carried.iter().map(|n| (*n).to_owned()).collect();
        let settled = Conditions::settle(&mut request, case.production, &carried);
        (request, settled)
    }

    fn check(case: Case<'_>) {
        let (request, settled) = settle(&case);
        let left: Vec<_> = request.headers.iter().map(|(name, _)| name).collect();
        assert_eq!(left, case.expect, "{settled:?}");
        assert_eq!(left.len() + settled.dropped.len(), case.sent.len());
    }

    const TAG: (&str, &str) = ("If-None-Match", "\"a\"");
    const SINCE: (&str, &str) = ("If-Modified-Since", "Thu, 26 Nov 2026 10:00:00 GMT");
    const MATCH: (&str, &str) = ("If-Match", "\"a\"");

    #[test]
    fn a_foreign_condition_goes_where_production_sent_a_body() {
        check(Case {
            sent: &[TAG, SINCE, ("Accept", "*/*")],
            production: Some(200),
            carried: &[],
            expect: &["Accept"],
        });
        check(Case {
            sent: &[MATCH, ("If-Unmodified-Since", SINCE.1)],
            production: Some(204),
            carried: &[],
            expect: &[],
        });
        check(Case {
            sent: &[TAG],
            production: None,
            carried: &[],
            expect: &[],
        });
    }

    #[test]
    fn a_condition_stays_where_it_decided_production_s_answer_or_is_the_mirror_s_own() {
        check(Case {
            sent: &[TAG],
            production: Some(304),
            carried: &[],
            expect: &["If-None-Match"],
        });
        // A write that production refused is not made on the mirror.
        check(Case {
            sent: &[MATCH],
            production: Some(412),
            carried: &[],
            expect: &["If-Match"],
        });
        check(Case {
            sent: &[TAG, SINCE],
            production: Some(200),
            carried: &["if-none-match"],
            expect: &["If-None-Match"],
        });
        check(Case {
            sent: &[("If-None-Match", "*"), ("If-Match", " * ")],
            production: Some(201),
            carried: &[],
            expect: &["If-None-Match", "If-Match"],
        });
    }

    #[test]
    fn a_range_is_asked_for_where_production_sent_one() {
        let sent = [("Range", "bytes=0-9"), ("If-Range", "\"a\"")];
        let check_range = |production, carried: &[&str], expect: &[&str]| {
            check(Case {
                sent: &sent,
                production: Some(production),
                carried,
                expect,
            });
        };
        check_range(206, &[], &["Range"]);
        check_range(416, &[], &["Range"]);
        check_range(200, &[], &[]);
        check_range(200, &["if-range"], &["Range", "If-Range"]);
        check_range(304, &[], &["Range", "If-Range"]);
    }

    #[test]
    fn what_a_condition_decides_is_no_difference() {
        let parted = |sent: &[(&str, &str)], production, mirror, expect| {
            let case = Case {
                sent,
                production: Some(production),
                carried: &["if-none-match", "if-match", "if-range"],
                expect: &[],
            };
            let (_, settled) = settle(&case);
            assert_eq!(
                settled.parted(production, mirror),
                expect,
                "{sent:?} {production} {mirror}"
            );
        };
        parted(&[TAG], 304, 200, true);
        parted(&[TAG], 200, 304, true);
        parted(&[TAG], 304, 304, false);
        parted(&[TAG], 200, 200, false);
        parted(&[TAG], 200, 500, false);
        parted(&[TAG], 304, 500, false);
        parted(&[MATCH], 412, 404, false);
        parted(&[MATCH], 412, 204, true);
        parted(&[MATCH], 204, 412, true);
        // Without a validator the code is to blame.
        parted(&[], 304, 200, false);
        parted(&[("If-None-Match", "*")], 412, 201, false);
        let range = [("Range", "bytes=0-9"), ("If-Range", "\"a\"")];
        parted(&range, 206, 200, true);
        parted(&range, 200, 206, true);
        parted(&range, 206, 416, false);
        parted(&[("Range", "bytes=0-9")], 206, 200, false);
    }
}
