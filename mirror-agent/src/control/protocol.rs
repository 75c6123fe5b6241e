//! What passes over the control socket: one line of JSON each way, with the version of this protocol, then the end.
//!
//! ```text
//! {"version":1,"order":"status"}          {"version":1,"answer":{…}}
//! {"version":1,"order":{"filter":{…}}}    {"version":1,"error":"no port would be captured: …"}
//! ```

use anyhow::{Context, bail, ensure};
use mirror_core::filter::FilterChange;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Raised when an older program would misunderstand.
const VERSION: u32 = 1;

/// What an agent can be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    Status,
    /// The decision so far.
    Verdict,
    /// Shows the filter, after a change if there is one.
    Filter(FilterChange),
    Reload,
    /// What comes from now on is not replayed; capture goes on.
    Pause,
    Resume,
    /// Answered with the report, when the run has ended.
    Stop,
}

#[derive(Serialize, Deserialize)]
struct Question {
    version: u32,
    order: Order,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Answer {
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Read before all else, because the rest may look different in another version.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// The line that asks.
pub(super) fn question(order: &Order) -> anyhow::Result<String> {
    let question = Question {
        version: VERSION,
        order: order.clone(),
    };
    Ok(serde_json::to_string(&question)? + "\n")
}

pub(super) fn parse_question(line: &[u8]) -> anyhow::Result<Order> {
    check_version(line).context("reading the order")?;
    let question: Question = serde_json::from_slice(line).context("reading the order")?;
    Ok(question.order)
}

/// The line that answers.
pub(super) fn answer(result: anyhow::Result<Value>) -> String {
    let (answer, error) = match result {
        Ok(value) => (Some(value), None),
        Err(error) => (None, Some(format!("{error:#}"))),
    };
    let answer = Answer {
        version: VERSION,
        answer,
        error,
    };
    // Values have keys of text alone, so that this does not fail.
    serde_json::to_string(&answer).unwrap_or_default() + "\n"
}

pub(super) fn parse_answer(line: &[u8]) -> anyhow::Result<Value> {
    ensure!(
        line.ends_with(b"\n"),
        "the agent closed the connection before it had answered"
    );
    check_version(line).context("reading the answer")?;
    let answer: Answer = serde_json::from_slice(line).context("reading the answer")?;
    match answer.error {
        Some(error) => bail!(error),
        None => Ok(answer.answer.unwrap_or_default()),
    }
}

fn check_version(line: &[u8]) -> anyhow::Result<()> {
    let Versioned { version } = serde_json::from_slice(line)?;
    ensure!(
        version == VERSION,
        "it is of version {version} of the control protocol, this program of version {VERSION}: use the mirror-agent that the agent was started with"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn orders_arrive_as_they_were_given() {
        let change = FilterChange::default().with("port", ["8080"]);
        for order in [
            Order::Status,
            Order::Verdict,
            Order::Reload,
            Order::Pause,
            Order::Resume,
            Order::Stop,
            Order::Filter(change),
        ] {
            let line = question(&order).unwrap();
            assert!(line.ends_with('\n'), "{line}");
            assert_eq!(parse_question(line.as_bytes()).unwrap(), order);
        }
    }

    #[test]
    fn the_line_of_an_order_is_stated() {
        assert_eq!(
            question(&Order::Status).unwrap(),
            "{\"version\":1,\"order\":\"status\"}\n"
        );
    }

    #[test]
    fn answers_and_errors_arrive() {
        let check = |result, expect: Result<Value, &str>| {
            let parsed = parse_answer(answer(result).as_bytes());
            assert_eq!(
                parsed.map_err(|e| e.to_string()),
                expect.map_err(str::to_owned)
            );
        };
        check(Ok(json!({ "seen": 1 })), Ok(json!({ "seen": 1 })));
        check(Ok(Value::Null), Ok(Value::Null));
        check(Err(anyhow::anyhow!("no\n\"port\"")), Err("no\n\"port\""));
    }

    #[test]
    fn what_is_no_order_is_an_error_that_says_why() {
        let check = |line: &str, expect: &str| {
            let error = format!("{:#}", parse_question(line.as_bytes()).unwrap_err());
            assert!(error.contains(expect), "{line:.60}: {error}");
        };
        check("", "reading the order");
        check("status", "reading the order");
        check("{}", "version");
        check(r#"{"version":2,"order":["new"]}"#, "version 2");
        check(r#"{"version":1,"order":"dance"}"#, "dance");
        check(r#"{"version":1}"#, "order");
        let deep = format!("{{\"version\":1,\"order\":{}", "[".repeat(100_000));
        check(&deep, "reading the order");
    }

    #[test]
    fn half_an_answer_is_no_answer() {
        let whole = answer(Ok(json!({ "seen": 1 })));
        for end in 0..whole.len() {
            assert!(parse_answer(&whole.as_bytes()[..end]).is_err(), "{end}");
        }
    }
}
