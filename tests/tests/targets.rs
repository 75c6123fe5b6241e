//! Request targets from the wire to the mirror: what production accepted arrives there byte for byte, and no part of it is taken for a
//! path that was not asked for.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use mirror_tests::stage::{Actor, Stage};
use mirror_tests::wire::{self, Answering, Server};
use mirror_tests::{needs, testing};

const LIMIT: Duration = Duration::from_secs(15);

type Shop = Stage<Server, Server>;

fn main() -> ExitCode {
    testing::main()
}

fn stage() -> Result<Shop> {
    let ok = Answering(|_: &wire::Received| wire::answer("200 OK", "ok"));
    Stage::new()?.production(ok)?.mirror(ok)
}

/// One request, whose target may be any bytes.
fn ask(stage: &Shop, method: &str, target: &[u8], body: &str) -> Result<()> {
    let length = match body.len() {
        0 => String::new(),
        some => format!("Content-Length: {some}\r\n"),
    };
    let rest =
        format!(" HTTP/1.1\r\nHost: shop.example\r\n{length}Connection: close\r\n\r\n{body}");
    let request = [method.as_bytes(), b" ", target, rest.as_bytes()].concat();
    let answer = wire::send(&stage.network, stage.production.address(), &request)
        .with_context(|| target.escape_ascii().to_string())?;
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{answer:?}");
    Ok(())
}

/// The request lines that the mirror received, in a form that shows every byte.
fn lines(server: &Server) -> Vec<String> {
    let line = |request: &wire::Received| request.line().escape_ascii().to_string();
    server.received().iter().map(line).collect()
}

#[needs(root)]
fn targets_arrive_as_they_were_sent() -> Result<()> {
    let targets: [&[u8]; 20] = [
        b"/plain?x=1",
        b"/login?redirect_uri=http://shop.example/orders/7",
        b"/fetch?u=https://a.example/x/y?z=1",
        b"/img/http://a.example/pic.png",
        "/search?q=中文".as_bytes(),
        "/café".as_bytes(),
        b"/latin1?name=J\xfcrgen",
        b"/latin1/J\xfcrgen",
        b"/html?q=<b>\"x\"</b>",
        b"/html/<b>",
        b"/or?a|b^c`d",
        b"/or/a|b^c`d",
        b"/json?q={\"a\":[1]}",
        b"/back\\slash?c:\\d",
        b"/page#part",
        b"/page?x=1#part?y",
        b"//two//slashes/../and/./dots",
        b"/percent/%zz%00%?%",
        b"/empty?",
        b"/?",
    ];
    let stage = stage()?;
    let agent = stage.agent(&[])?;
    for (number, target) in targets.iter().enumerate() {
        ask(&stage, "GET", target, "")?;
        // One after the other, so that the mirror's order is the same.
        agent.wait_settled(number as u64 + 1, LIMIT)?;
    }
    let report = agent.stop()?.report;
    assert_eq!(lines(&stage.mirror), lines(&stage.production));
    let all = targets.len() as u64;
    assert_eq!(report.outcome("matched"), all, "{:#}", report.json);
    Ok(())
}

#[needs(root)]
fn other_forms_keep_their_path_and_lose_production_s_host() -> Result<()> {
    let stage = stage()?;
    let agent = stage.agent(&[])?;
    let forms: [(&str, &[u8]); 4] = [
        ("GET", b"http://shop.example/orders/7?x=<y>"),
        ("GET", b"http://shop.example"),
        ("GET", b"HTTP://user@shop.example:80?x"),
        ("OPTIONS", b"*"),
    ];
    for (number, (method, target)) in forms.iter().enumerate() {
        ask(&stage, method, target, "")?;
        agent.wait_settled(number as u64 + 1, LIMIT)?;
    }
    agent.stop()?;
    assert_eq!(
        lines(&stage.mirror),
        [
            "GET /orders/7?x=<y> HTTP/1.1",
            "GET / HTTP/1.1",
            "GET /?x HTTP/1.1",
            "OPTIONS * HTTP/1.1"
        ]
    );
    Ok(())
}

/// Headers, marks and body are those of any other replay.
#[needs(root)]
fn a_target_that_no_url_can_hold_is_replayed_with_all_of_its_request() -> Result<()> {
    let stage = stage()?;
    let agent = stage.agent(&["--allow", "POST /orders", "--allow-unsnapshotted-writes"])?;
    ask(&stage, "POST", b"/orders?<1>", "{\"count\":3}")?;
    let status = agent.wait_settled(1, LIMIT)?;
    assert_eq!(status["ledger"]["outcomes"]["matched"], 1, "{status:#}");
    let received = stage.mirror.received();
    let [request] = received.as_slice() else {
        panic!("{received:?}");
    };
    assert_eq!(request.line(), b"POST /orders?<1> HTTP/1.1");
    assert_eq!(request.body, b"{\"count\":3}");
    let head = String::from_utf8_lossy(&request.head).to_lowercase();
    for field in ["host: shop.example\r\n", "x-mirror-replay: 1\r\n"] {
        assert!(head.contains(field), "{head}");
    }
    agent.stop()?;
    Ok(())
}

/// What a client writes behind a path cannot choose the route that is allowed.
#[needs(root)]
fn an_allowed_route_is_one_of_the_path_alone() -> Result<()> {
    let stage = stage()?;
    let agent = stage.agent(&["--allow", "POST /orders", "--allow-unsnapshotted-writes"])?;
    let refused: [&[u8]; 4] = [
        b"/accounts/delete?next=http://shop.example/orders",
        b"/accounts/delete?next=/orders",
        b"/accounts/delete#/orders",
        b"/accounts/http://shop.example/orders",
    ];
    for target in refused {
        ask(&stage, "POST", target, "account=7")?;
    }
    ask(&stage, "POST", b"/orders", "account=8")?;
    agent.wait_settled(5, LIMIT)?;
    let report = agent.stop()?.report;
    assert_eq!(report.outcome("filtered: method"), 4, "{:#}", report.json);
    assert_eq!(report.outcome("matched"), 1, "{:#}", report.json);
    assert_eq!(lines(&stage.mirror), ["POST /orders HTTP/1.1"]);
    Ok(())
}

#[needs(root)]
fn a_target_without_a_slash_is_counted_and_does_not_spoil_what_follows() -> Result<()> {
    let stage = stage()?;
    let agent = stage.agent(&["--allow", "POST /**", "--allow-unsnapshotted-writes"])?;
    ask(&stage, "GET", b"/version", "")?;
    ask(&stage, "POST", b"ranker/latest?batch=true", "{}")?;
    ask(&stage, "GET", b"/version", "")?;
    agent.wait_settled(3, LIMIT)?;
    let report = agent.stop()?.report;
    assert_eq!(report.outcome("matched"), 2, "{:#}", report.json);
    assert_eq!(report.outcome("dropped: ambiguous"), 1, "{:#}", report.json);
    assert_eq!(lines(&stage.mirror), ["GET /version HTTP/1.1"; 2]);
    Ok(())
}
