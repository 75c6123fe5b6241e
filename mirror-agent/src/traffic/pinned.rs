//! What is expected of an answer, in a recording beside the exchange: production's answer is the expectation, but for what varies.

use anyhow::Context;
use mirror_core::recording::{ExtraPart, RecordedExchange};
use serde::{Deserialize, Serialize};

/// The part of a recorded exchange that has it, as JSON.
const EXPECTATION: u8 = 200;

/// Makes a recorded exchange one of a pinned set. Members may be added; unknown ones are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Expectation {
    /// What the request is called in a report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Rules of the comparison, as `--compare-rule` takes them.
    pub rules: Vec<String>,
}

impl Expectation {
    /// `None` where nothing is pinned.
    pub fn of(exchange: &RecordedExchange) -> anyhow::Result<Option<Self>> {
        let Some(part) = exchange.part(EXPECTATION) else {
            return Ok(None);
        };
        let read = serde_json::from_slice(part).context("reading what is expected of an answer");
        read.map(Some)
    }

    /// Puts it beside the exchange, in the place of one that is there.
    pub fn pin(&self, exchange: &mut RecordedExchange) -> anyhow::Result<()> {
        let bytes = serde_json::to_vec(self)?.into();
        exchange.parts.retain(|part| part.tag != EXPECTATION);
        exchange.parts.push(ExtraPart {
            tag: EXPECTATION,
            bytes,
        });
        Ok(())
    }
}
