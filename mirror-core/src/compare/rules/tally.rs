//! How often each rule matched in a run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::CompareRule;
use crate::compare::{CompareOptions, Comparison};

/// The use of one rule in a run.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct RuleCount {
    /// Compared pairs on its route.
    pub pairs: u64,
    /// Of these, the pairs in which it matched.
    pub matched: u64,
    /// Differences that it matched.
    pub hits: u64,
    /// It is an intended change.
    pub is_expectation: bool,
}

/// The use of all rules in a run, by their texts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RuleTally(BTreeMap<String, RuleCount>);

impl RuleTally {
    /// With a count for each rule, so that one which is on no route that was seen is known too.
    pub fn new(options: &CompareOptions) -> Self {
        let mut tally = Self::default();
        options
            .all_rules()
            .for_each(|rule| tally.add(rule, RuleCount::default()));
        tally
    }

    /// From now on these are the rules: others are forgotten, and none is counted that is not among them.
    pub fn set_rules(&mut self, options: &CompareOptions) {
        let mut rules = Self::new(options);
        rules.count_known(self);
        *self = rules;
    }

    /// Adds what another one has of the rules of this one.
    pub fn count_known(&mut self, other: &Self) {
        for (rule, count) in &other.0 {
            if let Some(known) = self.0.get_mut(rule) {
                *known += *count;
            }
        }
    }

    /// Takes what [`compare`](crate::compare::compare) found with these options.
    pub fn count(&mut self, options: &CompareOptions, comparison: &Comparison) {
        if comparison.rules.is_empty() {
            return;
        }
        let rules: Vec<&CompareRule> = options.all_rules().collect();
        for used in &comparison.rules {
            if let Some(rule) = rules.get(used.rule) {
                let count = RuleCount {
                    pairs: 1,
                    matched: u64::from(used.hits > 0),
                    hits: used.hits,
                    is_expectation: false,
                };
                self.add(rule, count);
            }
        }
    }

    fn add(&mut self, rule: &CompareRule, count: RuleCount) {
        let known = self.0.entry(rule.to_string()).or_default();
        *known += count;
        known.is_expectation = rule.is_expectation();
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, RuleCount)> {
        self.0.iter().map(|(rule, count)| (rule.as_str(), *count))
    }

    /// Whether both count the same rules.
    pub fn has_rules_of(&self, other: &Self) -> bool {
        self.0.keys().eq(other.0.keys())
    }

    /// Rules that matched nothing in the run.
    pub fn unmatched(&self) -> impl Iterator<Item = &str> {
        let unmatched = self.iter().filter(|(_, count)| count.hits == 0);
        unmatched.map(|(rule, _)| rule)
    }

    /// Intended changes that no answer on their routes showed, with the number of those that were compared.
    pub fn absent(&self) -> impl Iterator<Item = (&str, u64)> {
        let is_absent = |count: &RuleCount| count.is_expectation && count.hits == 0;
        let absent = self.iter().filter(move |(_, count)| is_absent(count));
        absent.map(|(rule, count)| (rule, count.pairs))
    }
}

impl std::ops::AddAssign for RuleCount {
    fn add_assign(&mut self, more: Self) {
        self.pairs += more.pairs;
        self.matched += more.matched;
        self.hits += more.hits;
        self.is_expectation |= more.is_expectation;
    }
}

impl std::ops::AddAssign for RuleTally {
    fn add_assign(&mut self, more: Self) {
        for (rule, count) in more.0 {
            *self.0.entry(rule).or_default() += count;
        }
    }
}
