//! Secrets in 41 places of requests, of production's answers, of the mirror's, and of what both read and wrote: none of them comes
//! out anywhere, with every way of hiding them.

mod by_hand;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result};
use mirror_agent::report::{self, RunsFolder};
use mirror_tests::admin::{GIVE_TOKEN, TOKEN, token_file};
use mirror_tests::agent::Agent;
use mirror_tests::net::Host;
use mirror_tests::stage::{Actor, Stage};
use mirror_tests::wire::{self, Answering, Received, Server};
use mirror_tests::workspace::{Profile, binary};
use mirror_tests::{http, needs, testing};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(20);
const ADMIN: &str = "127.0.0.1:9464";
const OTLP_KEY: &str = "planted-otlp-key-0123456789";
const MODES: [&str; 3] = ["remove", "mask", "token"];

/// What must not come out. Most have a form that a detector knows, or stand at a place that a rule names.
const PLANTED: [&str; 41] = [
    // In requests.
    "planted01bearer",
    "planted02cookie",
    "planted03apikey",
    "planted04proxy",
    "planted05userheader",
    "planted06referer",
    "planted07query",
    "planted08@shop.example",
    "planted09claims",
    "planted10email",
    "planted11password",
    "4111111111111111",
    "AKIAPLANTED000000013",
    "5555555555554444",
    "planted15@shop.example",
    "planted16pin",
    "378282246310005",
    "planted18multipart",
    "planted19",
    "planted20",
    "planted21pem",
    // In production's answers.
    "planted22setcookie",
    "planted23location",
    "planted24access",
    "planted25bearer1",
    "planted26header",
    "planted27@shop.example",
    "planted28",
    // In the mirror's.
    "planted29setcookie",
    "planted30access",
    "planted31bearer1",
    "planted32header",
    "AKIAPLANTED000000033",
    "planted34@shop.example",
    // In what is refused, and in what cannot be read.
    "planted35claims",
    "planted36claims",
    // In keys and values of what requests read and wrote.
    "planted37session",
    "planted38key",
    "planted39query",
    "planted40issued",
    "planted41mirrored",
];

fn main() -> ExitCode {
    testing::main()
}

fn jwt(claims: &str) -> String {
    format!("eyJhbGciOiJIUzI1NiJ9.{claims}.c2lnbmF0dXJl")
}

fn github() -> String {
    format!("ghp_{:0<36}", "planted19")
}

fn google() -> String {
    format!("AIza{:0<35}", "planted28")
}

/// The requests, as they are sent.
fn requests() -> Vec<String> {
    let request = |line: &str, fields: &str, body: &str| {
        let length = body.len();
        format!(
            "{line} HTTP/1.1\r\nHost: shop.example\r\n{fields}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
    };
    let json = "Content-Type: application/json\r\n";
    let multipart = "--B\r\nContent-Disposition: form-data; name=\"pin\"\r\n\r\nplanted18multipart\r\n--B--\r\n";
    vec![
        request(
            "GET /headers",
            &format!(
                "Authorization: Bearer planted01bearer\r\nCookie: sid=planted02cookie\r\nX-Api-Key: planted03apikey\r\n\
                 Proxy-Authorization: Basic planted04proxy\r\nX-User-Token: planted05userheader\r\n\
                 Referer: http://shop.example/?token=planted06referer\r\nX-Note: see {}\r\n",
                github()
            ),
            "",
        ),
        request(
            "GET /query?token=planted07query&mail=planted08%40shop.example&hook=xoxb-planted20-0000000",
            "",
            "",
        ),
        request(&format!("GET /reset/{}", jwt("planted09claims")), "", ""),
        request(
            "POST /json",
            json,
            "{\"user\":{\"email\":\"planted10email\",\"x\":[{\"password\":\"planted11password\"}]},\
             \"cards\":[{\"number\":\"4111111111111111\"}],\"note\":\"key AKIAPLANTED000000013\",\"n\":5555555555554444,\
             \"e\":\"planted15\\u0040shop.example\",\"pem\":\"-----BEGIN PRIVATE KEY-----\\nplanted21pem\\n-----END PRIVATE KEY-----\"}",
        ),
        request(
            "POST /form",
            "Content-Type: application/x-www-form-urlencoded\r\n",
            "pin=planted16pin&text=card+378282246310005",
        ),
        request(
            "POST /multipart",
            "Content-Type: multipart/form-data; boundary=B\r\n",
            multipart,
        ),
        request("GET /answer-json", "", ""),
        request("GET /answer-text", "", ""),
        request(
            &format!("DELETE /refused/{}", jwt("planted35claims")),
            "",
            "",
        ),
        request(&format!("GET /broken/{}", jwt("planted36claims")), "", ""),
        request(
            "POST /echo?token=same",
            json,
            "{\"access_token\":\"same\",\"user\":{\"email\":\"a.b@c.example\"}}",
        ),
    ]
}

fn answer(fields: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: {length}\r\n\r\n{body}").into_bytes()
}

fn path(request: &Received) -> String {
    let line = String::from_utf8_lossy(request.line()).into_owned();
    let target = line.split(' ').nth(1).unwrap_or_default();
    target.split('?').next().unwrap_or_default().to_owned()
}

fn production(request: &Received) -> Vec<u8> {
    let json = "Content-Type: application/json\r\n";
    match path(request).as_str() {
        "/answer-json" => answer(
            &format!(
                "{json}Set-Cookie: sid=planted22setcookie\r\nLocation: /next?token=planted23location\r\nX-Secret: planted26header\r\n"
            ),
            "{\"access_token\":\"planted24access\",\"mail\":\"planted27@shop.example\"}",
        ),
        "/answer-text" => answer(
            "Content-Type: text/html\r\n",
            &format!("<p>Bearer planted25bearer1 and {}</p>", google()),
        ),
        "/echo" => answer(json, &String::from_utf8_lossy(&request.body)),
        _ => answer(json, "{}"),
    }
}

/// Different from production's, so that both are in the report.
fn mirror(request: &Received) -> Vec<u8> {
    let json = "Content-Type: application/json\r\n";
    match path(request).as_str() {
        "/answer-json" => answer(
            &format!(
                "{json}Set-Cookie: sid=planted29setcookie\r\nLocation: /other\r\nX-Secret: planted32header\r\nX-Mirror-Snapshot: AKIAPLANTED000000033\r\n"
            ),
            "{\"access_token\":\"planted30access\",\"mail\":\"planted34@shop.example\",\"new\":1}",
        ),
        "/answer-text" => answer(
            "Content-Type: text/html\r\n",
            "<p>Bearer planted31bearer1, changed</p>",
        ),
        "/echo" => answer(json, &String::from_utf8_lossy(&request.body)),
        path if path.starts_with("/broken") => b"HTTP/1.1 2\r\nno answer\r\n\r\n".to_vec(),
        _ => answer(json, "{}"),
    }
}

fn stage() -> Result<Stage<Server, Server>> {
    Stage::new()?
        .production(Answering(production))?
        .mirror(Answering(mirror))
}

fn rules(mode: &str) -> Vec<String> {
    let places = [
        "header:x-user-token",
        "header:x-secret",
        "query:token",
        "json:/user/email",
        "json:/cards/*/number",
        "json:password",
        "json:access_token",
        "form:pin",
        "detect:all",
    ];
    let rule = |place| ["--redact".to_owned(), format!("{place} => {mode}")];
    places.into_iter().flat_map(rule).collect()
}

/// All that came out of a run, and where.
struct Leaks(Vec<(String, String)>);

impl Leaks {
    fn look(&mut self, place: impl Into<String>, text: impl Into<String>) {
        self.0.push((place.into(), text.into()));
    }

    fn found(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (place, text) in &self.0 {
            let secrets = PLANTED.iter().filter(|secret| text.contains(**secret));
            found.extend(secrets.map(|secret| format!("{secret} in {place}")));
        }
        found
    }
}

/// What curl gets until it has all, or its time is over.
fn curl(stage: &Stage<Server, Server>, options: &[&str], url: &str) -> Result<String> {
    let mut command = stage.network.command(Host::Production, "curl");
    let output = command
        .args(["--silent", "--no-buffer"])
        .args(options)
        .arg(url)
        .output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// An agent with an admin side and a key for tokens.
fn watched(stage: &Stage<Server, Server>, more: &[&str]) -> Result<Agent> {
    let token = token_file(&stage.scratch)?;
    let key = stage.scratch.join("redact.key");
    fs::write(&key, "planted-key-of-a-fleet-0123456789\n")?;
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
    let key = key.to_str().context("a path that is text")?;
    let admin = ["--admin", ADMIN, "--admin-token-file", &token];
    let usual = ["--redact-key-file", key, "--compare-header", "set-cookie"];
    stage.agent(&[&admin[..], &usual, more].concat())
}

/// Sends everything once; all that came out, and what the mirror received.
fn run(more: &[String]) -> Result<(Leaks, Vec<Received>, Value)> {
    let stage = stage()?;
    let mut args = vec![
        "--allow",
        "POST /**",
        "--allow-unsnapshotted-writes",
        "--compare-header",
        "location",
        "--compare-header",
        "x-secret",
    ];
    args.extend(more.iter().map(String::as_str));
    let collector = Server::start(&stage.network, Host::Mirror, 4318, |_| {
        wire::answer("200 OK", "")
    })?;
    let key = stage.scratch.join("otlp.key");
    fs::write(&key, OTLP_KEY)?;
    let (url, header) = (collector.url(), format!("x-api-key: @{}", key.display()));
    args.extend(["--otlp", &url, "--otlp-header", &header]);
    let agent = watched(&stage, &args)?;
    let sent = requests();
    for request in &sent {
        wire::send(
            &stage.network,
            stage.production.address(),
            request.as_bytes(),
        )?;
    }
    let (mut leaks, received, report) = come_out(&stage, agent, sent.len())?;
    // What was told at the end of the run.
    let exports = collector.received();
    assert!(exports.iter().any(|export| path(export) == "/v1/logs"));
    for export in exports {
        let text = String::from_utf8_lossy(&export.body).into_owned();
        leaks.look(format!("the export to {}", path(&export)), text);
    }
    for (place, text) in &leaks.0 {
        assert!(
            !text.contains(OTLP_KEY),
            "the collector's key is in {place}"
        );
    }
    Ok((leaks, received, report))
}

/// All that came out of a run, once so many requests have their outcomes.
fn come_out(
    stage: &Stage<Server, Server>,
    agent: Agent,
    sent: usize,
) -> Result<(Leaks, Vec<Received>, Value)> {
    let status = agent.wait_settled(sent as u64, LIMIT)?;
    let mut leaks = Leaks(Vec::new());
    leaks.look("status --json", status.to_string());
    leaks.look("status", agent.tell(&["status"])?.1);
    // All that the admin side shows; the events of a second are enough, for each is the whole run.
    let give = [&GIVE_TOKEN[..], &["--max-time", "1"]].concat();
    for path in ["", "metrics", "verdict", "events"] {
        let url = format!("http://{ADMIN}/{path}");
        let text = curl(stage, &give, &url)?;
        assert!(!text.is_empty(), "{url}");
        leaks.look(url, text);
    }
    for path in ["", "verdict"] {
        let url = format!("http://{ADMIN}/{path}");
        let (code, text) = http::get(&stage.network, Host::Production, &url)?;
        assert_eq!(code, 401, "{text}");
        leaks.look(format!("{url} without the token"), text);
    }
    for number in 0..16 {
        let url = format!("http://{ADMIN}/answers/{number}");
        leaks.look(&url, curl(stage, &GIVE_TOKEN, &url)?);
    }
    let directory = agent.report_dir().to_owned();
    let finished = agent.stop()?;
    look_at_stored(&stage.scratch.join("runs"), &mut leaks)?;
    leaks.look("what it printed", finished.output);
    leaks.look("the report", finished.report.json.to_string());
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
        leaks.look(path.display().to_string(), text);
    }
    let received = stage.mirror.received();
    for request in &received {
        let text =
            String::from_utf8_lossy(&[&request.head[..], &request.body].concat()).into_owned();
        leaks.look(
            format!("the request to the mirror {:?}", text.lines().next()),
            text,
        );
    }
    for (place, text) in &leaks.0 {
        assert!(!text.contains("planted-key"), "the key is in {place}");
        assert!(!text.contains(TOKEN), "the token is in {place}");
    }
    assert!(
        finished.report.seen == sent as u64,
        "{:#}",
        finished.report.json
    );
    Ok((leaks, received, finished.report.json))
}

/// What the run keeps of both answers in full, and the commands that are made of it.
fn look_at_stored(runs: &Path, leaks: &mut Leaks) -> Result<()> {
    let run = RunsFolder::named(Some(runs))?.find(None)?;
    let report = report::read(&run)?;
    let stored = report::answers_of(&run, &report)?;
    assert!(
        !stored.is_empty(),
        "nothing stored of {}",
        run.path().display()
    );
    for answers in stored {
        let text = serde_json::to_string(&answers)?;
        leaks.look(format!("the stored answers {}", answers.number), text);
    }
    for entry in fs::read_dir(run.path())? {
        let path = entry?.path();
        if path.is_file() {
            let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
            leaks.look(path.display().to_string(), text);
        }
    }
    let program = binary("mirror-agent", Profile::Debug)?;
    for group in 1..=report.results.differences.len() {
        let mut command = Command::new(&program);
        command.args(["reproduce", "last", &group.to_string(), "--runs"]);
        let output = command.arg(runs).output()?;
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains("curl"), "{text}");
        leaks.look(format!("reproduce last {group}"), text);
    }
    Ok(())
}

#[needs(root)]
fn no_secret_comes_out_in_any_mode() -> Result<()> {
    for mode in MODES {
        let (leaks, received, report) = run(&rules(mode))?;
        assert_eq!(leaks.found(), Vec::<String>::new(), "{mode}");
        // All but what is refused came to the mirror.
        assert_eq!(received.len(), requests().len() - 1, "{mode}");
        let outcomes = &report["ledger"]["outcomes"];
        assert_eq!(outcomes["filtered: method"], 1, "{mode}: {outcomes:#}");
        assert_eq!(outcomes["replay: failed"], 1, "{mode}: {outcomes:#}");
        assert_eq!(outcomes["differed"], 2, "{mode}: {outcomes:#}");
    }
    Ok(())
}

/// What the mirror got in the place of a value is what stands in production's answer for it, and wherever else the value was.
#[needs(root)]
fn equal_values_stay_equal_as_tokens() -> Result<()> {
    let (_, received, report) = run(&rules("token"))?;
    let is_echo = |request: &&Received| path(request) == "/echo";
    let echo = received.iter().find(is_echo).context("the echo")?;
    let line = String::from_utf8_lossy(echo.line()).into_owned();
    let token = line
        .split("token=")
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    let token = token.context("a token in the query")?;
    let body: Value = serde_json::from_slice(&echo.body)?;
    assert!(token.starts_with("t_"), "{token}");
    assert_eq!(body["access_token"], token);
    let mail = body["user"]["email"].as_str().context("an address")?;
    assert!(mail.ends_with("@redacted.invalid"), "{mail}");
    // Production answered with the values, the mirror with their tokens: no difference.
    let differences = report["differences"].as_array().context("differences")?;
    let of_echo = differences
        .iter()
        .filter(|group| group["route"] == "POST /echo");
    assert_eq!(of_echo.count(), 0, "{report:#}");
    Ok(())
}

/// The secrets do stand where they are looked for: without rules they come to the mirror.
#[needs(root)]
fn without_rules_only_headers_that_carry_credentials_are_hidden() -> Result<()> {
    let (leaks, _, _) = run(&[])?;
    let found = leaks.found().join("\n");
    for hidden in [
        "planted01",
        "planted02",
        "planted03",
        "planted04",
        "planted22",
        "planted29",
    ] {
        assert!(!found.contains(hidden), "{found}");
    }
    for sent in [
        "planted05",
        "planted07",
        "planted10",
        "planted16",
        "planted18",
        "planted19",
    ] {
        assert!(found.contains(sent), "{sent}: {found}");
    }
    // Nothing that is shown to people has a credential, whatever the rules say.
    let shown: String = found
        .lines()
        .filter(|line| !line.contains("to the mirror"))
        .collect();
    for credential in [
        "planted09",
        "planted19",
        "planted20",
        "planted25",
        "planted28",
        "planted31",
        "planted35",
        "planted36",
        "4111",
        "AKIA",
    ] {
        assert!(!shown.contains(credential), "{found}");
    }
    Ok(())
}

/// A header that is kept for the replay comes to the mirror, and nowhere else.
#[needs(root)]
fn a_kept_header_is_sent_and_not_shown() -> Result<()> {
    let keep = [
        "--keep-header",
        "authorization",
        "--keep-header",
        "set-cookie",
    ]
    .map(str::to_owned);
    let (leaks, received, _) = run(&keep)?;
    let has = |request: &Received| {
        request.header("Authorization").as_deref() == Some("Bearer planted01bearer")
    };
    assert!(received.iter().any(has), "{received:?}");
    let found = leaks.found();
    let is_shown = |line: &&String| !line.contains("to the mirror");
    let shown: Vec<_> = found.iter().filter(is_shown).collect();
    for kept in ["planted01", "planted22", "planted29"] {
        assert!(!shown.iter().any(|line| line.contains(kept)), "{shown:?}");
    }
    Ok(())
}

/// Carrying needs tokens in the place of session cookies, and gives the mirror its own secrets back: to nobody else.
#[needs(root)]
fn what_is_carried_shows_nothing() -> Result<()> {
    let carry = ["--carry", "all"].map(str::to_owned);
    let (leaks, received, _) = run(&[&rules("token")[..], &carry].concat())?;
    // From the 29th on they are the mirror's.
    let is_own = |line: &String| PLANTED[28..34].iter().any(|own| line.starts_with(own));
    let is_back = |line: &String| line.contains("to the mirror") && is_own(line);
    let found = leaks.found();
    let leaked: Vec<_> = found.iter().filter(|line| !is_back(line)).collect();
    assert!(leaked.is_empty(), "{leaked:?}");
    assert_eq!(received.len(), requests().len() - 1);
    Ok(())
}

/// A service whose keys are sessions and tokens of its requests and its answers.
fn keyed() -> Result<Stage<Server, Server>> {
    Stage::new()?
        .redis()?
        .production(Answering(|_: &Received| {
            by_hand::answer("Set-Cookie: sid=planted40issued\r\n", "{}")
        }))?
        .mirror(Answering(|_: &Received| {
            by_hand::mirrored(true, "Set-Cookie: sid=planted41mirrored\r\n", "{}")
        }))
}

/// What such a service does for a request, by what came to it. In the mirror it books another amount.
fn keyed_effects(session: &str, key: &str, query: &str, issued: &str, amount: u32) -> [Value; 3] {
    let booked = json!({ "by": query, "of": [session], "amount": amount });
    let named = |name: &str, key: String, written: Value| json!({ "name": name, "key": key, "written": written });
    [
        json!({ "name": "session", "key": session }),
        named(
            "write:book",
            json!([key, session]).to_string(),
            by_hand::written(&booked),
        ),
        named(
            "write:session",
            format!("s:{issued}"),
            by_hand::written(&json!(issued)),
        ),
    ]
}

/// As a mirror files them.
fn as_effect(read: &Value) -> Value {
    let name = read["name"].as_str().unwrap_or_default();
    match name.strip_prefix("write:") {
        None => json!({ "read": name, "key": read["key"] }),
        Some(name) => json!({ "write": name, "key": read["key"], "written": read["written"] }),
    }
}

fn after<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.split(['?', '&', ';', ' '])
        .find_map(|part| part.strip_prefix(name))
}

/// The same in the mirror, by what it got.
fn mirrored_effects(request: &Received) -> Value {
    let cookie = request.header("Cookie").unwrap_or_default();
    let line = String::from_utf8_lossy(request.line()).into_owned();
    let session = after(&cookie, "sid=").unwrap_or("none");
    let query = after(&line, "token=").unwrap_or("none");
    let api_key = request.header("X-Api-Key").unwrap_or("none".into());
    let done = keyed_effects(session, &api_key, query, "planted41mirrored", 2);
    json!(done.map(|one| as_effect(&one)))
}

/// Where effects of a keyed service differ, which shows none of these secrets.
fn check_keys(options: &[&str], secrets: &[&str]) -> Result<Vec<String>> {
    let stage = keyed()?;
    let args = [&["--rule", "header:x-request-id"], options].concat();
    let agent = watched(&stage, &args)?;
    let fields = "Cookie: sid=planted37session; lang=de\r\nX-Api-Key: planted38key\r\n";
    let [session, key, query, issued, _] = SECRET_KEYS;
    let done = keyed_effects(session, key, query, issued, 1);
    let target = "/session?token=planted39query&x=1";
    by_hand::asked(&stage, "one", target, fields, &json!(done))?;
    by_hand::file_effects(&stage, 1, mirrored_effects)?;
    let (leaks, _, report) = come_out(&stage, agent, 1)?;
    assert_eq!(report["effects"]["compared"], 1, "{options:?}: {report:#}");
    let is_leak = |line: &String| {
        let is_secret = secrets.iter().any(|secret| line.starts_with(secret));
        is_secret && !line.contains("the request to the mirror")
    };
    let found: Vec<_> = leaks.found().into_iter().filter(is_leak).collect();
    assert_eq!(found, Vec::<String>::new(), "{options:?}");
    let groups = report["differences"].as_array().into_iter().flatten();
    let place = |group: &Value| {
        let place = group["place"].as_str()?.strip_prefix("effects ");
        place.map(str::to_owned)
    };
    Ok(groups.filter_map(place).collect())
}

const SECRET_KEYS: [&str; 5] = [
    "planted37session",
    "planted38key",
    "planted39query",
    "planted40issued",
    "planted41mirrored",
];

/// A key that is a session, a token of the query or an API key is known by where it stood, and by nothing else.
#[needs(root)]
fn what_was_hidden_in_a_request_does_not_come_out_as_a_key() -> Result<()> {
    let amount = "/writes/book/*/amount";
    let [session, key, _, issued, mirrored] = SECRET_KEYS;
    // Nobody asks for the query to be hidden there.
    let by_default = [session, key, issued, mirrored];
    let places = check_keys(&[], &by_default)?;
    assert!(places.iter().any(|place| place == amount), "{places:?}");
    // What the mirror gets as it is, or in another form, makes no difference. The session that is issued differs by nature.
    let check_equal = |options: &[&str], secrets: &[&str]| -> Result<()> {
        let mut places = check_keys(options, secrets)?;
        places.retain(|place| !place.starts_with("/writes/session"));
        assert_eq!(places, [amount], "{options:?}");
        Ok(())
    };
    let kept = ["--keep-header", "cookie", "--keep-header", "x-api-key"];
    check_equal(&kept, &by_default)?;
    for mode in MODES {
        let rule = |place: &str| format!("{place} => {mode}");
        let rules = ["query:token", "cookie:sid", "header:x-api-key"].map(rule);
        let options = rules.iter().flat_map(|rule| ["--redact", rule]);
        let options: Vec<&str> = options.chain(["--keep-header", "cookie"]).collect();
        match mode {
            "remove" => drop(check_keys(&options, &SECRET_KEYS)?),
            _ => check_equal(&options, &SECRET_KEYS)?,
        }
    }
    Ok(())
}
