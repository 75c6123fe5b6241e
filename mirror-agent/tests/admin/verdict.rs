//! `/verdict`, as rollouts ask it.

use mirror_core::verdict::Decision;
use serde_json::Value;

use super::{CONNECTIONS, Side, body, empty_report, status};
use mirror_agent::control::ControlOptions;

fn side(decision: Decision) -> Side {
    let mut report = empty_report();
    report.results.verdict.decision = decision;
    report.results.verdict.reason = "because".into();
    Side::with(&ControlOptions::default(), CONNECTIONS, report)
}

#[test]
fn each_decision_is_a_result_and_two_hooks() {
    let check = |decision, name: &str, result: &str, exit_code: u8, promotion, rollback| {
        let admin = side(decision);
        let answer = admin.get("/verdict");
        assert_eq!(status(&answer), "200", "{answer}");
        assert!(answer.contains("content-type: application/json\r\n"));
        let json: Value = serde_json::from_str(body(&answer)).unwrap();
        assert_eq!(json["decision"], name, "{json:#}");
        assert_eq!(json["result"], result, "{json:#}");
        assert_eq!(json["exit_code"], exit_code, "{json:#}");
        assert_eq!(json["reason"], "because", "{json:#}");
        for (path, expect) in [("/verdict", promotion), ("/verdict/rollback", rollback)] {
            let hook = admin.ask("POST", path, "Content-Length: 2\r\n\r\n{}");
            assert_eq!(status(&hook), expect, "{path}: {hook}");
            let text = format!("{}: because\n", decision.name());
            assert_eq!(body(&hook), text, "{path}");
        }
    };
    check(Decision::Pass, "pass", "success", 0, "200", "412");
    check(Decision::Fail, "fail", "failure", 1, "412", "200");
    check(
        Decision::Invalid,
        "invalid",
        "inconclusive",
        3,
        "412",
        "412",
    );
    check(Decision::Hold, "hold", "inconclusive", 4, "412", "412");
}

#[test]
fn what_a_hook_sends_along_is_bounded() {
    let admin = side(Decision::Pass);
    let hook = |bytes: usize| {
        let fields = format!("Content-Length: {bytes}\r\n\r\n{}", "x".repeat(bytes));
        admin.ask("POST", "/verdict", &fields)
    };
    assert_eq!(status(&hook(60 << 10)), "200");
    assert_eq!(status(&hook(70 << 10)), "413");
}
