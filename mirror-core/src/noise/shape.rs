//! The forms that a place takes, with what else is known of the values of each.

use serde::{Deserialize, Serialize};

use super::form::{Family, Form, ValueType};

/// Values of a form before its lengths and decimals are known.
const MIN_MEASURED: u64 = 20;

/// Values of one form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shape {
    pub(super) of: ValueType,
    pub(super) family: Family,
    pub(super) count: u64,
    pub(super) measures: Bounds<u32>,
}

impl Shape {
    pub(super) const fn new(form: Form) -> Self {
        Self {
            of: form.of,
            family: form.family,
            count: 1,
            measures: Bounds::at(form.measure),
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.measures.merge(other.measures);
    }

    /// Whether a value of this form is as long, or has as many decimals, as is known of such values. Where they were all
    /// alike, it must be like them; else it may lie outside by as much as they differ among themselves, and a text by half
    /// of the longest.
    pub(super) fn fits(&self, measure: u32) -> bool {
        let Bounds { least, most } = self.measures;
        let slack = match self.family {
            Family::Text | Family::Url | Family::Email => (most - least).max(most / 2),
            _ => most - least,
        };
        let is_within =
            measure >= least.saturating_sub(slack) && measure <= most.saturating_add(slack);
        is_within || self.count < MIN_MEASURED
    }
}

/// The least and the greatest of some values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bounds<T> {
    pub(super) least: T,
    pub(super) most: T,
}

impl<T: Copy + PartialOrd> Bounds<T> {
    pub(super) const fn at(value: T) -> Self {
        Self {
            least: value,
            most: value,
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        if other.least < self.least {
            self.least = other.least;
        }
        if other.most > self.most {
            self.most = other.most;
        }
    }
}

/// Bounds of some values, and their number.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Extremes<T> {
    pub(super) count: u64,
    pub(super) bounds: Bounds<T>,
}

impl<T: Copy + PartialOrd> Extremes<T> {
    pub(super) fn take(all: &mut Option<Self>, value: T) {
        let one = Self {
            count: 1,
            bounds: Bounds::at(value),
        };
        Self::merge(all, Some(one));
    }

    pub(super) fn merge(all: &mut Option<Self>, other: Option<Self>) {
        match (all.as_mut(), other) {
            (Some(all), Some(other)) => {
                all.count += other.count;
                all.bounds.merge(other.bounds);
            }
            (None, Some(other)) => *all = Some(other),
            (_, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(family: Family, measures: &[u32]) -> Shape {
        let form = |measure| Form {
            of: ValueType::Text,
            family,
            measure,
        };
        let mut shape = Shape::new(form(measures[0]));
        for measure in &measures[1..] {
            shape.merge(&Shape::new(form(*measure)));
        }
        shape
    }

    #[test]
    fn lengths_that_were_all_alike_stay_so() {
        let fixed = shape(Family::Digits, &[8; 20]);
        assert!(fixed.fits(8) && !fixed.fits(7) && !fixed.fits(9));
        let few = shape(Family::Digits, &[8; 19]);
        assert!(few.fits(9), "too little is known");
    }

    #[test]
    fn lengths_that_differ_may_differ_more() {
        let varied: Vec<u32> = (0..20).map(|n| 10 + n % 5).collect();
        let digits = shape(Family::Digits, &varied);
        assert!(digits.fits(6) && digits.fits(18) && !digits.fits(5) && !digits.fits(19));
        let text = shape(Family::Text, &[100; 20]);
        assert!(text.fits(50) && text.fits(150) && !text.fits(49) && !text.fits(151));
    }

    #[test]
    fn extremes_are_of_all_values() {
        let mut all = None;
        for value in [3, -1, 7] {
            Extremes::take(&mut all, value);
        }
        let mut other = None;
        Extremes::take(&mut other, 9);
        Extremes::merge(&mut all, other);
        Extremes::merge(&mut all, None);
        let all = all.expect("some were taken");
        assert_eq!((all.count, all.bounds.least, all.bounds.most), (4, -1, 9));
    }
}
