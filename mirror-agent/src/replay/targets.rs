//! Several targets: each with its share of the requests.

use std::fmt;
use std::num::NonZeroU32;

use mirror_core::options::FromText;

use super::Target;

/// A target and its share: `http://mirror:8080`, or `http://mirror:8080 weight=3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightedTarget {
    pub target: Target,
    pub weight: NonZeroU32,
}

impl FromText for WeightedTarget {
    const IS_SECRET: bool = Target::IS_SECRET;

    fn from_text(text: &str) -> Result<Self, String> {
        let (url, weight) = match text.trim().split_once(char::is_whitespace) {
            None => (text.trim(), NonZeroU32::MIN),
            Some((url, rest)) => (url, weight(rest.trim())?),
        };
        Ok(Self {
            target: Target::from_text(url)?,
            weight,
        })
    }

    fn shown(text: &str) -> String {
        Target::shown(text)
    }
}

fn weight(text: &str) -> Result<NonZeroU32, String> {
    let number = text.strip_prefix("weight=").and_then(|n| n.parse().ok());
    number.ok_or_else(|| "write its share as in 'http://mirror:8080 weight=3'".into())
}

impl fmt::Display for WeightedTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.target.fmt(f)?;
        match self.weight.get() {
            1 => Ok(()),
            weight => write!(f, " weight={weight}"),
        }
    }
}

/// Which of several gets what has this hash. Equal hashes get the same one.
pub fn choose(weights: impl Iterator<Item = NonZeroU32> + Clone, hash: u64) -> usize {
    let weights = weights.map(|weight| u64::from(weight.get()));
    let all: u64 = weights.clone().sum();
    let mut left = hash % all.max(1);
    for (index, weight) in weights.enumerate() {
        if left < weight {
            return index;
        }
        left -= weight;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_may_have_a_weight() {
        let check = |text: &str, shown: &str| {
            let target = WeightedTarget::from_text(text).unwrap();
            assert_eq!(target.to_string(), shown);
        };
        check("http://a:8080", "http://a:8080");
        check("http://a:8080 weight=1", "http://a:8080");
        check(
            " http://a:8080/v2/   weight=20 ",
            "http://a:8080/v2 weight=20",
        );
    }

    #[test]
    fn a_weight_that_is_none_is_told_how_to_write_one() {
        for bad in ["http://a weight=0", "http://a 3", "http://a weight=x"] {
            let error = WeightedTarget::from_text(bad).unwrap_err();
            assert!(error.contains("weight=3"), "{bad}: {error}");
        }
    }

    #[test]
    fn each_gets_its_share() {
        let weights = [1, 3, 6].map(|weight| NonZeroU32::new(weight).unwrap());
        let mut counts = [0; 3];
        for hash in 0..1000 {
            counts[choose(weights.into_iter(), hash)] += 1;
        }
        assert_eq!(counts, [100, 300, 600]);
        assert_eq!(choose([NonZeroU32::MIN].into_iter(), 7), 0);
    }
}
