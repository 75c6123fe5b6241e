//! How much a difference matters to who reads the answers.

use serde::{Deserialize, Serialize};

use crate::compare::{Kind, Observation, Place};

/// The most severe comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// A reader of production's answer fails: another class of status, a member that is gone, another type.
    Breaking,
    /// A reader gets something else.
    Value,
    Order,
    /// A reader who ignores what it does not know notices nothing.
    Added,
    /// Nobody who reads the data notices.
    Cosmetic,
}

impl Severity {
    pub const ALL: [Self; 5] = [
        Self::Breaking,
        Self::Value,
        Self::Order,
        Self::Added,
        Self::Cosmetic,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Breaking => "breaking",
            Self::Value => "value",
            Self::Order => "order",
            Self::Added => "added",
            Self::Cosmetic => "cosmetic",
        }
    }

    pub fn of(observation: &Observation) -> Self {
        let class = |status: &str| status.chars().next();
        match (&observation.place, observation.kind) {
            (Place::Status, _) if class(&observation.production) != class(&observation.mirror) => {
                Self::Breaking
            }
            (_, Kind::Type | Kind::Missing) => Self::Breaking,
            (_, Kind::Added) => Self::Added,
            (_, Kind::Value | Kind::Bytes) => Self::Value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_of_another_class_breaks_and_one_of_the_same_is_a_value() {
        let check = |mirror: &str, expect: Severity| {
            let observation = Observation {
                place: Place::Status,
                kind: Kind::Value,
                count: 1,
                production: "200".into(),
                mirror: mirror.into(),
            };
            assert_eq!(Severity::of(&observation), expect, "{mirror}");
        };
        check("500", Severity::Breaking);
        check("204", Severity::Value);
    }
}
