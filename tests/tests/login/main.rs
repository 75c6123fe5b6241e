//! A service that knows its clients is replayed without a snapshot: who is logged in to production is logged in on the mirror.

mod client;
mod service;

use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mirror_tests::agent::{Agent, Finished, Report};
use mirror_tests::net::Network;
use mirror_tests::stage::{Actor, Stage};
use mirror_tests::wire::{self, Answering, Received, Server};
use mirror_tests::workspace::{Profile, binary};
use mirror_tests::{needs, testing};

use client::Client;
use service::{key_of, shop, token};

const LIMIT: Duration = Duration::from_secs(30);
const USERS: usize = 40;
/// Seeds of the two services: their orders have short numbers of their own.
const PRODUCTION: u64 = 1000;
const MIRROR: u64 = 500;

const WRITES: [&str; 3] = ["--allow", "POST /**", "--allow-unsnapshotted-writes"];
const JSON: &str = "application/json";

type Shops = Stage<Server, Server>;

fn main() -> ExitCode {
    testing::main()
}

fn stage() -> Result<Shops> {
    Stage::new()?
        .production(shop(PRODUCTION))?
        .mirror(shop(MIRROR))
}

/// A user from the form to the first order.
struct Shopper<'n> {
    client: Client<'n>,
    order: u64,
}

impl<'n> Shopper<'n> {
    const LOGIN_REQUESTS: usize = 5;
    const LATER_REQUESTS: usize = 5;

    fn log_in(network: &'n Network, production: &Server, user: usize) -> Result<Self> {
        let mut client = Client::connect(network, production.address())?;
        let csrf = client.get("/login")?.between("value=\"", "\"")?;
        let form = format!("user=anna+{user}&csrf={csrf}");
        let answer = client.post("/login", "application/x-www-form-urlencoded", &form)?;
        ensure!(answer.status == 303, "{}", answer.head);
        let account = client.get("/account")?.json()?;
        let csrf = account["csrf"].as_str().context("a token")?;
        client.headers.push(format!("X-CSRF-Token: {csrf}"));
        let order = client.post("/orders", JSON, r#"{"count":1}"#)?;
        ensure!(order.status == 201, "{}", order.head);
        let order = order.json()?["id"].as_u64().context("an order")?;
        good(&mut client, &format!("/orders/{order}"))?;
        Ok(Self { client, order })
    }

    /// The same user on another connection.
    fn go_on(&mut self) -> Result<()> {
        let client = &mut self.client;
        client.reconnect()?;
        good(client, "/account")?;
        let first = client.get("/orders")?.json()?;
        let next = first["next"].as_str().context("a cursor")?;
        good(client, &format!("/orders?after={next}&size=10"))?;
        let payment = format!(
            r#"{{"order": {{"order_id": {}}}, "amount": 9.90}}"#,
            self.order
        );
        let paid = client.post("/payments", JSON, &payment)?;
        ensure!(paid.status == 200, "{}", paid.head);
        good(client, &format!("/orders/{}?expand=items", self.order))
    }
}

fn good(client: &mut Client<'_>, target: &str) -> Result<()> {
    let answer = client.get(target)?;
    ensure!(answer.status == 200, "{target}: {}", answer.head);
    Ok(())
}

/// A program that gets a token, and shows it on other connections.
fn use_api(stage: &Shops, user: usize) -> Result<usize> {
    let to = stage.production.address();
    let mut client = Client::connect(&stage.network, to)?;
    let asked = format!(r#"{{"user":"bert-{user}"}}"#);
    let answer = client.post("/api/token", JSON, &asked)?.json()?;
    let token = answer["access_token"].as_str().context("a token")?;
    client
        .headers
        .push(format!("Authorization: Bearer {token}"));
    for _ in 0..3 {
        good(&mut client, "/api/me")?;
    }
    Ok(4)
}

/// All that users do; the number of requests.
fn shop_around(stage: &Shops, agent: &Agent) -> Result<usize> {
    let mut shoppers = Vec::new();
    for user in 0..USERS {
        let shopper = Shopper::log_in(&stage.network, &stage.production, user)?;
        shoppers.push(shopper);
    }
    let mut sent = USERS * Shopper::LOGIN_REQUESTS;
    // The users' next pages come on other connections, and when the mirror has seen the first ones.
    agent.wait_settled(sent as u64, LIMIT)?;
    for shopper in &mut shoppers {
        shopper.go_on()?;
    }
    sent += USERS * Shopper::LATER_REQUESTS;
    for user in 0..USERS {
        sent += use_api(stage, user)?;
    }
    agent.wait_settled(sent as u64, LIMIT)?;
    Ok(sent)
}

/// Requests whose answers have another status.
fn other_status(report: &Report) -> u64 {
    let differences = report.differences.iter();
    let status = differences.filter(|difference| difference.place == "status");
    status.map(|difference| difference.count).sum()
}

/// What `mirror-agent report` prints.
fn printed(directory: &Path) -> Result<String> {
    let mut command = Command::new(binary("mirror-agent", Profile::Debug)?);
    let output = command.arg("report").arg(directory).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[needs(root)]
fn with_carry_the_mirror_answers_as_production_does() -> Result<()> {
    let stage = stage()?;
    let agent = stage.agent(&[&WRITES[..], &["--carry"]].concat())?;
    let sent = shop_around(&stage, &agent)? as u64;
    let Finished { report, output, .. } = agent.stop()?;
    assert_eq!(report.seen, sent, "{:#}", report.json);
    assert!(report.is_balanced(), "{:#}", report.json);
    let compared = report.outcome("matched") + report.outcome("differed");
    assert_eq!(compared, sent, "{output}");
    assert!(other_status(&report) * 100 <= sent, "{output}");
    let carried = &report.json["carried"];
    assert!(carried["replaced"].as_u64() > Some(sent), "{carried:#}");
    assert!(report.json["headline"].is_null(), "{output}");
    // Production's own secrets never came to the mirror.
    let production = stage.production.received();
    let cookies = production
        .iter()
        .filter_map(|request| request.header("Cookie"));
    let secrets: Vec<String> = cookies
        .flat_map(|line| line.split("; ").map(str::to_owned).collect::<Vec<_>>())
        .collect();
    for request in stage.mirror.received() {
        let cookie = request.header("Cookie").unwrap_or_default();
        assert!(
            !secrets.iter().any(|secret| cookie.contains(secret)),
            "{cookie}"
        );
    }
    Ok(())
}

#[needs(root)]
fn without_it_the_report_s_first_line_says_what_is_wrong() -> Result<()> {
    let stage = stage()?;
    let agent = stage.agent(&WRITES)?;
    shop_around(&stage, &agent)?;
    let told = agent.status()?;
    let directory = agent.report_dir().to_owned();
    let Finished { report, output, .. } = agent.stop()?;
    let text = printed(&directory)?;
    let first = text.lines().next().unwrap_or_default();
    for expect in ["not logged in", "--carry", "--jwt-key", "--credential"] {
        assert!(first.contains(expect), "{text}\n{output}");
    }
    assert_eq!(report.json["headline"].as_str(), Some(first));
    assert!(told["headline"].is_string(), "{told:#}");
    Ok(())
}

#[needs(root)]
fn tokens_of_production_s_are_signed_anew_with_the_mirror_s_key() -> Result<()> {
    let stage = stage()?;
    let key = stage.scratch.join("mirror.key");
    std::fs::write(&key, key_of(MIRROR))?;
    let agent = stage.agent(&["--jwt-key", &key.to_string_lossy()])?;
    let tokens: Vec<String> = (0..20)
        .map(|user| token(&key_of(PRODUCTION), &format!("bert-{user}")))
        .collect();
    for token in &tokens {
        let mut client = Client::connect(&stage.network, stage.production.address())?;
        client
            .headers
            .push(format!("Authorization: Bearer {token}"));
        good(&mut client, "/api/me")?;
    }
    agent.wait_settled(20, LIMIT)?;
    let report = agent.stop()?.report;
    assert_eq!(report.outcome("matched"), 20, "{:#}", report.json);
    for request in stage.mirror.received() {
        let head = String::from_utf8_lossy(&request.head).into_owned();
        for token in &tokens {
            let signature = token.rsplit('.').next().unwrap_or_default();
            assert!(!head.contains(signature), "{head}");
        }
    }
    Ok(())
}

/// Gives each visitor of `/in` a session of its own.
fn sessions(of: &'static str) -> Answering<impl Fn(&Received) -> Vec<u8> + Clone> {
    let given = Arc::new(AtomicUsize::new(0));
    Answering(move |request: &Received| {
        if !request.line().starts_with(b"GET /in ") {
            return wire::answer("200 OK", "you");
        }
        let session = given.fetch_add(1, Ordering::Relaxed);
        format!(
            "HTTP/1.1 200 OK\r\nSet-Cookie: sid={of}-session-{session}; Path=/\r\nContent-Length: 2\r\n\r\nin"
        )
        .into_bytes()
    })
}

/// Asked once more, a mirror gives another session: the client goes on with its first one, as it does in production.
#[needs(root)]
fn what_a_repeat_gives_is_not_carried() -> Result<()> {
    let stage = Stage::new()?
        .production(sessions("of-production"))?
        .mirror(sessions("of-mirror"))?;
    let agent = stage.agent(&["--carry", "--max-mismatch", "5%"])?;
    let mut client = Client::connect(&stage.network, stage.production.address())?;
    ensure!(client.get("/in")?.status == 200);
    agent.wait_settled(1, LIMIT)?;
    good(&mut client, "/me")?;
    agent.wait_settled(2, LIMIT)?;
    agent.stop()?;
    let received = stage.mirror.received();
    let of = |line: &'static [u8]| {
        received
            .iter()
            .filter(move |one| one.line().starts_with(line))
    };
    assert_eq!(of(b"GET /in ").count(), 2, "it is asked once more");
    for request in of(b"GET /me ") {
        let cookie = request.header("Cookie");
        assert_eq!(cookie.as_deref(), Some("sid=of-mirror-session-0"));
    }
    assert!(of(b"GET /me ").count() > 0);
    Ok(())
}

/// Answers well to one credential only.
fn guarded(credential: &'static str) -> Answering<impl Fn(&Received) -> Vec<u8> + Clone> {
    Answering(move |request: &Received| {
        let shown = request
            .header("Authorization")
            .or_else(|| request.header("authorization"));
        match shown.as_deref() == Some(credential) && request.line().starts_with(b"GET /v2/a?x=1 ")
        {
            true => wire::answer("200 OK", "in"),
            false => wire::answer("401 Unauthorized", "out"),
        }
    })
}

#[needs(root)]
fn one_credential_and_rules_make_the_request_that_is_sent() -> Result<()> {
    let stage = Stage::new()?
        .production(Answering(|_: &Received| wire::answer("200 OK", "in")))?
        .mirror(guarded("Bearer of-the-mirror-s"))?;
    let file = stage.scratch.join("token");
    std::fs::write(&file, "of-the-mirror-s\n")?;
    let credential = format!("authorization: Bearer @{}", file.display());
    let rules = [
        "--credential",
        &credential,
        "--rewrite",
        "GET /api/** => path prefix /api -> /v2",
        "--rewrite",
        "* /** => query set x=1",
    ];
    let agent = stage.agent(&rules)?;
    let mut client = Client::connect(&stage.network, stage.production.address())?;
    good(&mut client, "/api/a")?;
    client
        .headers
        .push("Authorization: Basic cHJvZHVjdGlvbg==".into());
    good(&mut client, "/api/a?x=7")?;
    agent.wait_settled(2, LIMIT)?;
    let Finished { report, output, .. } = agent.stop()?;
    assert_eq!(report.outcome("matched"), 2, "{output}");
    assert!(!report.json.to_string().contains("of-the-mirror-s"));
    assert!(!output.contains("of-the-mirror-s"));
    Ok(())
}

/// A page with a validator of its own, for those who do not have it yet.
fn page(tag: &'static str) -> Answering<impl Fn(&Received) -> Vec<u8> + Clone> {
    Answering(move |request: &Received| {
        match request.header("If-None-Match").as_deref() == Some(tag) {
            true => format!("HTTP/1.1 304 Not Modified\r\nETag: {tag}\r\n\r\n").into_bytes(),
            false => format!("HTTP/1.1 200 OK\r\nETag: {tag}\r\nContent-Length: 4\r\n\r\npage")
                .into_bytes(),
        }
    })
}

/// How two visits of a page and one with an old validator end.
fn visit(args: &[&str]) -> Result<Report> {
    let stage = Stage::new()?
        .production(page("\"of-production\""))?
        .mirror(page("\"of-mirror\""))?;
    let agent = stage.agent(args)?;
    let mut client = Client::connect(&stage.network, stage.production.address())?;
    client.get("/page")?;
    client
        .headers
        .push("If-None-Match: \"of-production\"".into());
    ensure!(client.get("/page")?.status == 304);
    client.headers = vec!["If-None-Match: \"old\"".into()];
    ensure!(client.get("/page")?.status == 200);
    agent.wait_settled(3, LIMIT)?;
    Ok(agent.stop()?.report)
}

#[needs(root)]
fn a_page_that_is_not_modified_is_no_difference() -> Result<()> {
    let report = visit(&[])?;
    assert_eq!(report.outcome("matched"), 2, "{:#}", report.json);
    let not_modified = report.outcome("not compared: not modified");
    assert_eq!(not_modified, 1, "{:#}", report.json);
    let report = visit(&["--carry"])?;
    assert_eq!(report.outcome("matched"), 3, "{:#}", report.json);
    Ok(())
}
