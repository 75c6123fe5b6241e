use mirror_core::compare::{Kind, Place};
use mirror_core::ledger::Outcome;
use mirror_core::verdict::Decision;

use super::super::answers::{StoredBody, StoredMessage};
use super::super::judgement;
use super::super::request::tests::label;
use super::super::{
    CaptureCounters, DifferenceExample, DifferenceGroup, End, Recorder, RouteData, RunInfo,
};
use super::*;

const HOSTILE: &str = "</script><b onclick=\"x\">\u{202e}\u{1b}[2J";

fn report() -> ReportData {
    let mut report = Recorder::new(RunInfo::default()).finish(CaptureCounters::default());
    report.results.verdict = judgement::tests::judgement();
    report
}

/// The data of a page, as its script reads it.
fn data(page: &str) -> serde_json::Value {
    let (_, rest) = page
        .split_once("<script type=\"application/json\" id=\"data\">")
        .unwrap();
    let (data, _) = rest.split_once("</script>").unwrap();
    serde_json::from_str(data).unwrap()
}

/// The page without its data, its script and its style.
fn markup(page: &str) -> String {
    let (start, _) = page
        .split_once("<script type=\"application/json\"")
        .unwrap();
    start.replace(STYLE, "")
}

#[test]
fn the_page_begins_with_the_decision_and_what_it_rests_on() {
    let mut report = report();
    report.name = "nightly".into();
    report.unfinished = Some("ended without its end at 14:03:22 UTC".into());
    report.kept = Some("the disk is full".into());
    report.results.headline = Some("production's clients are not logged in".into());
    let page = page(&report, &[]);
    let rows = [
        "<title>FAIL – nightly</title>",
        "<section class=\"decision fail\"",
        "<h1 id=\"verdict\">FAIL</h1>",
        "<p class=\"sentence\">412 answers really differ",
        "The run ended without its end at 14:03:22 UTC.",
        "the disk is full",
        "<p class=\"notice\">production's clients are not logged in</p>",
        "shop 1.4",
        "shop &lt;1.5&gt;",
        "<time datetime=\"",
        "<h3>Judged unevenly</h3>",
        "<h3>What fails the run</h3>",
        "GET /orders/{id}",
        "412 of 8,120 answers differ; in 38 of 40 that tell the versions apart",
        "body /name&lt;b&gt;",
        "<h3>Not decided</h3>",
        "9 more that say the same are needed",
        "<h2 id=\"routes-title\">Routes</h2>",
        "DELETE /orders/{id}",
        "<h2 id=\"differences-title\">Differences</h2>",
        "<h2 id=\"requests-title\">Requests</h2>",
    ];
    let mut rest = page.as_str();
    for row in rows {
        let at = rest.find(row).unwrap_or_else(|| panic!("{row}\n{page}"));
        rest = &rest[at..];
    }
    assert!(!page.contains("<pre"), "{page}");
}

#[test]
fn only_our_script_and_our_style_are_allowed_by_the_policy() {
    let page = page(&report(), &[]);
    let (_, rest) = page
        .split_once("Content-Security-Policy\" content=\"")
        .unwrap();
    let (policy, _) = rest.split_once('"').unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'sha256-"),
        "{policy}"
    );
    assert!(
        !policy.contains("unsafe") && !policy.contains("connect-src"),
        "{policy}"
    );
    let digests = [digest(SCRIPT), digest(STYLE)];
    assert!(
        digests
            .iter()
            .all(|digest| policy.contains(digest.as_str())),
        "{policy}"
    );
    // What the digests are of stands in the page byte for byte.
    assert!(page.contains(&format!("<script type=\"module\">{SCRIPT}</script>")));
    assert!(page.contains(&format!("<style>{STYLE}</style>")));
    for attribute in [" style=", " onclick=", " onload="] {
        assert!(!markup(&page).contains(attribute), "{attribute}");
    }
}

#[test]
fn a_live_page_listens_and_a_file_does_not() {
    let live = live_page(&report(), &[], LiveMode::Control);
    assert!(
        live.contains("<html lang=\"en\" data-live=\"control\">"),
        "{live}"
    );
    assert!(live.contains("connect-src 'self'; "), "{live}");
    assert!(
        live.contains("id=\"pause\"") && live.contains(" so far"),
        "{live}"
    );
    let watched = live_page(&report(), &[], LiveMode::Watch);
    assert!(watched.contains("data-live=\"watch\"") && !watched.contains("id=\"pause\""));
    let file = page(&report(), &[]);
    assert!(!file.contains("data-live=") && !file.contains("id=\"pause\""));
}

#[test]
fn an_event_is_one_line_with_the_markup_and_the_data() {
    let event = page_data(&report(), &[]);
    assert!(!event.contains('\n') && !event.contains('<'));
    let event: serde_json::Value = serde_json::from_str(&event).unwrap();
    let decision = event["markup"]["decision"].as_str().unwrap();
    assert!(decision.contains("<h1 id=\"verdict\">FAIL"), "{decision}");
    assert!(event["routes"].is_array() && event["groups"].is_array());
    assert_eq!(event["paused"], false);
}

#[test]
fn every_reason_is_on_the_page_and_harmless() {
    let recorder = Recorder::new(RunInfo::default());
    recorder.saw();
    let end = End::because(Outcome::ReplayFailed, format!("bad {HOSTILE}"));
    recorder.ended(&label("<i>", "/<script>"), None, &end);
    let mut report = recorder.finish(CaptureCounters::default());
    report.results.headline = Some(HOSTILE.into());
    report.hosts = vec![HOSTILE.into()];
    report.results.snapshots = [(HOSTILE.to_owned(), 3)].into();
    let page = page(&report, &[]);
    assert!(page.contains("<h1 id=\"verdict\">HOLD</h1>"), "{page}");
    let replay = &data(&page)["stages"][4]["outcomes"][0];
    assert_eq!(replay["name"], "replay: failed");
    let group = &replay["groups"][0];
    let reason = group["reason"].as_str().unwrap();
    assert_eq!(reason, "bad </script><b onclick=\"x\">\\u{202e}\\u{1b}[2J");
    assert!(markup(&page).contains("&lt;b onclick=&quot;x&quot;&gt;"));
    for text in ["<b ", "<i>", "\u{202e}", "\u{1b}"] {
        assert!(!page.contains(text), "{text:?}\n{page}");
    }
    // One of the data, one of the script.
    assert_eq!(page.matches("</script>").count(), 2);
}

#[test]
fn groups_say_what_the_verdict_says_of_them() {
    let mut report = report();
    let group = |place: Place, kind: Kind, is_evidence: bool, varies: bool| DifferenceGroup {
        route: "GET /orders/{id}".into(),
        severity: kind.severity_at(&place),
        place: place.to_string(),
        kind,
        count: 12,
        is_evidence,
        varies,
        examples: vec![DifferenceExample {
            request: "GET /orders/7".into(),
            id: None,
            connection: 1,
            index: 2,
            times: 1,
            production: "1".into(),
            mirror: "2".into(),
            trace_id: None,
            answers: Some(5),
        }],
    };
    let json = |pointer: &str| Place::Json(pointer.into());
    report.results.differences = vec![
        group(json("/at"), Kind::Value, false, true),
        group(json("/total"), Kind::Missing, true, false),
        group(json("/total"), Kind::Missing, false, false),
        group(json("/later"), Kind::Value, true, false),
        group(json("/currency"), Kind::Added, true, false),
    ];
    report.results.routes = vec![RouteData {
        route: "GET /orders/{id}".into(),
        compared: 8_120,
        ..RouteData::default()
    }];
    let data = data(&page(&report, &[]));
    let groups = data["groups"].as_array().unwrap();
    let told: Vec<_> = groups
        .iter()
        .map(|group| {
            let text = |name: &str| group[name].as_str().unwrap().to_owned();
            (text("place"), text("state"))
        })
        .collect();
    let told: Vec<_> = told.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let expect = [
        ("body /total", "fails"),
        ("body /name<b>", "fails"),
        ("body /items/*/stock", "undecided"),
        ("body /currency", "noted"),
        ("body /later", "counted"),
        ("body /at", "varies"),
        ("body /total", "no_evidence"),
    ];
    assert_eq!(told, expect);
    let first = &groups[0];
    assert_eq!(
        first["rule"]["rule"],
        "GET /orders/{id} => expect missing /total"
    );
    assert_eq!(
        (&first["of"], &first["examples"][0]["answers"]),
        (&8_120.into(), &5.into())
    );
    assert_eq!(first["examples"][0]["curl"]["target"], "'/orders/7'");
    assert_eq!(
        groups[3]["rule"]["rule"],
        "GET /orders/{id} => expect added /currency"
    );
    // A finding of which no example was kept is told all the same.
    assert!(
        groups[1]["why"]
            .as_str()
            .unwrap()
            .ends_with("no example was kept")
    );
    let routes = data["routes"].as_array().unwrap();
    let orders = routes
        .iter()
        .find(|route| route["name"] == "GET /orders/{id}")
        .unwrap();
    assert_eq!(
        (&orders["standing"], &orders["groups"]),
        (&"fails".into(), &7.into())
    );
    assert_eq!(orders["worst"], 0);
}

#[test]
fn answers_have_commands_and_only_so_many_bytes_are_in_a_page() {
    let message = |first_line: &str, text: &str| StoredMessage {
        first_line: first_line.into(),
        status: None,
        headers: vec![("Host".into(), "shop".into())],
        headers_cut: 0,
        body: StoredBody {
            text: Some(text.into()),
            base64: None,
            bytes: text.len() as u64,
            is_cut: false,
            sha256: String::new(),
        },
    };
    let stored = |number, text: &str| StoredAnswers {
        number,
        request: message("GET /a HTTP/1.1", ""),
        production: message("HTTP/1.1 200 OK", text),
        mirror: message("HTTP/1.1 200 OK", "</script>"),
    };
    let large = "x".repeat(5 << 20);
    let mut report = report();
    report.results.run.target = Some("http://10.0.0.2:80/".into());
    let page = page(
        &report,
        &[stored(1, "a"), stored(2, &large), stored(3, &large)],
    );
    let data = data(&page);
    let answers = data["answers"].as_array().unwrap();
    let numbers: Vec<_> = answers.iter().map(|one| one["number"].as_u64()).collect();
    assert_eq!(numbers, [Some(1), Some(2)]);
    let curl = &answers[0]["curl"];
    for (curl, url) in [
        (&curl[0], "http://shop/a"),
        (&curl[1], "http://10.0.0.2:80/a"),
    ] {
        let begins = format!("curl -sS -g --path-as-is '{url}' \\\n  -H 'Host: shop'");
        assert!(
            curl.as_str().is_some_and(|curl| curl.starts_with(&begins)),
            "{curl}"
        );
    }
}

#[test]
fn each_decision_has_its_words_and_its_colour() {
    let mut report = report();
    let mut seen = Vec::new();
    for decision in Decision::ALL {
        report.results.verdict.decision = decision;
        let page = page(&report, &[]);
        let class = format!("decision {}\"", decision.name().to_lowercase());
        assert!(page.contains(&class), "{class}");
        let (_, claim) = page.split_once("<p class=\"claim\">").unwrap();
        seen.push(claim.split_once('<').unwrap().0.to_owned());
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), Decision::ALL.len());
}

#[test]
fn the_script_shows_by_their_numbers_what_the_agent_does() {
    let (_, rest) = SCRIPT.split_once("const HIDDEN = /[").unwrap();
    let (class, _) = rest.split_once("]/gu").unwrap();
    let number = |text: &str| u32::from_str_radix(text, 16).unwrap();
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for part in class.split("\\u{").skip(1) {
        let (digits, end) = part.split_once('}').unwrap();
        match (ranges.last_mut(), end) {
            // The second one of a range.
            (Some(last), _) if last.1 == u32::MAX => last.1 = number(digits),
            (_, "-") => ranges.push((number(digits), u32::MAX)),
            _ => ranges.push((number(digits), number(digits))),
        }
    }
    for c in (0..=u32::from(char::MAX)).filter_map(char::from_u32) {
        // These are white space of a text that is shown in lines.
        let is_text = matches!(c, '\t' | '\n');
        let is_hidden = ranges
            .iter()
            .any(|(low, high)| (*low..=*high).contains(&u32::from(c)));
        assert_eq!(
            is_hidden,
            mirror_core::printable::is_unsafe(c) && !is_text,
            "{c:?}"
        );
    }
}
