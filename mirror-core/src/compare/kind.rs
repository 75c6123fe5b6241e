//! How two answers can differ, and how much that matters to who reads them.

use serde::{Deserialize, Serialize};

use super::place::Place;

/// In what way the two sides differ at a place.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A status of another class, as 500 in the place of 200.
    StatusClass,
    /// Another status of the same class.
    Status,
    /// Another value.
    Value,
    /// A value of another type.
    Type,
    /// A value of another format, where the format is known.
    Format,
    /// The mirror does not have it.
    Missing,
    /// Production does not have it.
    Added,
    /// The same elements in another order.
    Order,
    /// The same meaning, written in another way.
    Cosmetic,
    /// Other bytes in bodies that were not compared as data.
    Bytes,
    /// Other shares of the values that a place takes.
    Distribution,
    /// A number outside of the range that a place takes.
    Range,
    /// A time at another distance from its own answer's.
    Clock,
}

impl Kind {
    pub const ALL: [Self; 13] = [
        Self::StatusClass,
        Self::Status,
        Self::Value,
        Self::Type,
        Self::Format,
        Self::Missing,
        Self::Added,
        Self::Order,
        Self::Cosmetic,
        Self::Bytes,
        Self::Distribution,
        Self::Range,
        Self::Clock,
    ];

    /// As reports and rules write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::StatusClass => "status-class",
            Self::Status => "status",
            Self::Value => "value",
            Self::Type => "type",
            Self::Format => "format",
            Self::Missing => "missing",
            Self::Added => "added",
            Self::Order => "order",
            Self::Cosmetic => "cosmetic",
            Self::Bytes => "bytes",
            Self::Distribution => "distribution",
            Self::Range => "range",
            Self::Clock => "clock",
        }
    }

    /// As in `missing, breaking`, and `value` where both are one word.
    pub fn with_severity(self, severity: Severity) -> String {
        match (self.name(), severity.name()) {
            (kind, severity) if kind == severity => kind.into(),
            (kind, severity) => format!("{kind}, {severity}"),
        }
    }

    /// By what it does to a reader who relied on production's answer; for effects, to what lies behind the service.
    pub fn severity_at(self, place: &Place) -> Severity {
        match place {
            Place::Effects(pointer) => self.severity_of_effect(pointer),
            _ => self.severity(),
        }
    }

    /// A write is breaking as a whole, and else as its value is: what is stored in addition is read by somebody. To read more than
    /// production did is a cost, and a mirror has no data for it; to read less is not. What a mirror did beyond what it can list may
    /// be writes.
    fn severity_of_effect(self, pointer: &str) -> Severity {
        let is_write = pointer.starts_with("/writes/");
        let is_whole = pointer.bytes().filter(|byte| *byte == b'/').count() <= 3;
        match self {
            Self::Added if is_write && is_whole => Severity::Breaking,
            Self::Added if pointer == "/dropped" => Severity::Breaking,
            Self::Added => Severity::Value,
            Self::Missing if !is_write => Severity::Added,
            _ => self.severity(),
        }
    }

    /// The severity in an answer.
    const fn severity(self) -> Severity {
        match self {
            Self::StatusClass | Self::Type | Self::Format | Self::Missing => Severity::Breaking,
            Self::Status
            | Self::Value
            | Self::Bytes
            | Self::Distribution
            | Self::Range
            | Self::Clock => Severity::Value,
            Self::Order => Severity::Order,
            Self::Added => Severity::Added,
            Self::Cosmetic => Severity::Cosmetic,
        }
    }

    /// How another status differs from production's.
    pub(super) const fn of_statuses(ours: u16, theirs: u16) -> Self {
        if ours / 100 == theirs / 100 {
            Self::Status
        } else {
            Self::StatusClass
        }
    }
}

/// The most severe comes first.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_breaks_a_reader_is_more_severe_than_what_it_ignores() {
        let severities = Kind::ALL.map(Kind::severity);
        assert!(severities.contains(&Severity::Cosmetic));
        assert!(Kind::Missing.severity() < Kind::Value.severity());
        assert!(Kind::Value.severity() < Kind::Order.severity());
        assert!(Kind::Order.severity() < Kind::Added.severity());
        assert!(Kind::Added.severity() < Kind::Cosmetic.severity());
    }

    #[test]
    fn a_status_of_another_class_breaks_and_one_of_the_same_does_not() {
        assert_eq!(Kind::of_statuses(200, 500), Kind::StatusClass);
        assert_eq!(Kind::of_statuses(200, 404).severity(), Severity::Breaking);
        assert_eq!(Kind::of_statuses(200, 204), Kind::Status);
        assert_eq!(Kind::of_statuses(404, 410).severity(), Severity::Value);
    }

    #[test]
    fn a_write_that_is_missing_or_new_breaks_and_a_read_more_is_a_value() {
        let check = |pointer: &str, kind: Kind, expect| {
            let place = Place::Effects(pointer.into());
            assert_eq!(kind.severity_at(&place), expect, "{place} {kind:?}");
        };
        check("/writes/book/*", Kind::Missing, Severity::Breaking);
        check("/writes/book/*", Kind::Added, Severity::Breaking);
        check("/writes/book/*/note", Kind::Missing, Severity::Breaking);
        check("/writes/book/*/note", Kind::Added, Severity::Value);
        check("/writes/book/*/amount", Kind::Value, Severity::Value);
        check("/writes/book/*/amount", Kind::Type, Severity::Breaking);
        check("/reads/price/*", Kind::Added, Severity::Value);
        check("/reads/price/*", Kind::Missing, Severity::Added);
        check("/order", Kind::Order, Severity::Order);
        check("/dropped", Kind::Added, Severity::Breaking);
        check("/total", Kind::Value, Severity::Value);
        let body = Place::Json("/writes/book/*".into());
        assert_eq!(Kind::Added.severity_at(&body), Severity::Added);
    }

    #[test]
    fn each_kind_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = Kind::ALL.map(Kind::name).into();
        assert_eq!(names.len(), Kind::ALL.len());
    }
}
