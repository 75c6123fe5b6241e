//! What a control says: the old version beside the mirror, which gets the same requests at the same time.

use serde::{Deserialize, Serialize};

use crate::compare::{Comparison, Kind, Observation};

/// How the control's answer stands to production's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlFinding {
    /// It is equal: what differs in the mirror's answer does not differ in the control's.
    Equal,
    /// It differs in every place where the mirror's answer does: the reason is data or time, and not the new version.
    Alike,
    /// It differs, but not in every place where the mirror's answer does.
    Apart,
}

impl ControlFinding {
    /// Takes what comparing production's answer came to, once with the mirror's and once with the control's.
    pub fn new(mirror: &Comparison, control: &Comparison) -> Self {
        if !control.differs() {
            return Self::Equal;
        }
        let differs_there = |wanted: &Observation| {
            let mut all = control.observations.iter();
            all.any(|found| found.place == wanted.place && found.kind == wanted.kind)
        };
        // Differences beyond those that are told apart could be anywhere.
        let is_known = mirror.differs() && mirror.untold == 0;
        let mut wanted = mirror.observations.iter();
        if is_known && wanted.all(|found| found.kind == Kind::Cosmetic || differs_there(found)) {
            Self::Alike
        } else {
            Self::Apart
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::compare::{CompareOptions, compare};
    use crate::exchange::Response;

    fn check(production: &str, mirror: &str, control: &str, expect: ControlFinding) {
        let answer = |body: &str| Response {
            body: Bytes::from(body.to_owned()).into(),
            ..Response::new(200)
        };
        let options = CompareOptions::default();
        let compared = |other| compare(&options, &answer(production), &answer(other));
        let got = ControlFinding::new(&compared(mirror), &compared(control));
        assert_eq!(got, expect, "{production} {mirror} {control}");
    }

    #[test]
    fn a_control_that_answers_as_production_is_equal_whatever_the_mirror_answers() {
        let same = r#"{"a":1}"#;
        check(same, same, same, ControlFinding::Equal);
        check(same, r#"{"a":2}"#, same, ControlFinding::Equal);
    }

    #[test]
    fn differences_in_the_same_places_are_alike() {
        let production = r#"{"at":1,"id":"x"}"#;
        let mirror = r#"{"at":2,"id":"y"}"#;
        check(
            production,
            mirror,
            r#"{"at":3,"id":"z"}"#,
            ControlFinding::Alike,
        );
        check(
            production,
            r#"{"at":2,"id":"x"}"#,
            mirror,
            ControlFinding::Alike,
        );
    }

    #[test]
    fn one_place_of_the_mirrors_own_is_enough_to_be_apart() {
        let production = r#"{"at":1,"price":5}"#;
        let control = r#"{"at":3,"price":5}"#;
        check(
            production,
            r#"{"at":2,"price":6}"#,
            control,
            ControlFinding::Apart,
        );
        check(production, r#"{"at":2}"#, control, ControlFinding::Apart);
        check(production, production, control, ControlFinding::Apart);
    }

    #[test]
    fn another_kind_of_difference_is_another_difference() {
        let production = r#"{"price":5}"#;
        check(
            production,
            r#"{"price":"5"}"#,
            r#"{"price":6}"#,
            ControlFinding::Apart,
        );
    }
}
