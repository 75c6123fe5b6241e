//! What is pinned to each exchange of a cut.

use mirror_agent::cli::PinOptions;
use mirror_agent::report::{KnownNoise, RunPath, known_noise_beside, read, suggest_rules};
use mirror_agent::traffic::Expectation;
use mirror_core::compare::CompareOptions;
use mirror_core::exchange::Exchange;
use mirror_core::recording::RecordedExchange;

use anyhow::{Error, ensure};

/// What makes a suggested rule one that wants a difference.
const INTENDED: &str = "=> expect";

pub(super) struct Pins<'o> {
    options: &'o PinOptions,
    rules: Vec<String>,
}

impl<'o> Pins<'o> {
    /// With the rules that were given, and those for what varies in a run.
    pub(super) fn new(options: &'o PinOptions, run: Option<&RunPath>) -> anyhow::Result<Self> {
        let compare = CompareOptions {
            rules: options.pin_rule.clone(),
            ..CompareOptions::default()
        };
        compare.check().map_err(Error::msg)?;
        let given = options.pin_rule.iter().map(ToString::to_string);
        let mut rules: Vec<String> = given.collect();
        if let Some(run) = run {
            rules.extend(varying(run)?);
        }
        Ok(Self { options, rules })
    }

    pub(super) fn rules(&self) -> &[String] {
        &self.rules
    }

    /// Only what has a whole answer can be expected again.
    pub(super) fn pin(
        &self,
        exchange: &mut RecordedExchange,
    ) -> anyhow::Result<Result<(), &'static str>> {
        let seen = exchange.envelope.exchange();
        let answer = seen.response.as_ref();
        if answer.is_none_or(|answer| answer.fault.is_some()) {
            return Ok(Err("production's answer is not whole"));
        }
        let expectation = Expectation {
            name: self.name(seen),
            rules: self.rules.clone(),
        };
        expectation.pin(exchange)?;
        Ok(Ok(()))
    }

    fn name(&self, exchange: &Exchange) -> Option<String> {
        let mut named = self.options.pin_name.iter();
        let named = named.find(|named| named.rule.lets_in(exchange));
        named.map(|named| named.name.clone())
    }
}

/// Rules for what differs by nature, as `rules suggest` has them.
fn varying(run: &RunPath) -> anyhow::Result<Vec<String>> {
    let known = known_noise_beside(run.path())?;
    ensure!(
        known.is_some(),
        "{} has no noise.json, so that it is not known what varies: name a run that has ended",
        run.path().display()
    );
    let known: KnownNoise = known.unwrap_or_default();
    let suggested = suggest_rules(&read(run)?, &known.noise).into_iter();
    let rules = suggested.map(|suggested| suggested.rule);
    Ok(rules.filter(|rule| !rule.contains(INTENDED)).collect())
}
