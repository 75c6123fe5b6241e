//! Pausing and resuming, and who may.

use std::sync::atomic::Ordering::Relaxed;

use mirror_agent::control::ControlOptions;
use mirror_tests::scratch::Scratch;

use super::{CONNECTIONS, Side, body, empty_report, status, token_file};

const TOKEN: &str = "planted-admin-token-0123";

fn side_with_token(scratch: &Scratch) -> Side {
    let options = ControlOptions {
        admin_token_file: Some(token_file(scratch, TOKEN)),
        ..ControlOptions::default()
    };
    Side::with(&options, CONNECTIONS, empty_report())
}

#[test]
fn who_has_the_token_pauses_and_resumes() {
    let scratch = Scratch::new().unwrap();
    let admin = side_with_token(&scratch);
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    let paused = admin.ask("POST", "/pause", &bearer);
    assert_eq!(
        (status(&paused), body(&paused)),
        ("200", "{\"paused\":true}\n")
    );
    assert!(admin.state.paused.load(Relaxed));
    // As the page of a browser does it, whose user gave the token as a password.
    let fields = "Sec-Fetch-Site: same-origin\r\nOrigin: http://localhost\r\nContent-Length: 0\r\n";
    let basic = "Authorization: Basic YW55OnBsYW50ZWQtYWRtaW4tdG9rZW4tMDEyMw==\r\n";
    let resumed = admin.ask("POST", "/resume", &format!("{fields}{basic}"));
    assert_eq!(
        (status(&resumed), body(&resumed)),
        ("200", "{\"paused\":false}\n")
    );
    assert!(!admin.state.paused.load(Relaxed));
    assert!(
        admin
            .ask("GET", "/", &bearer)
            .contains("data-live=\"control\"")
    );
}

#[test]
fn nobody_else_does() {
    let scratch = Scratch::new().unwrap();
    let admin = side_with_token(&scratch);
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    let check = |method: &str, fields: &str, expect: &str| {
        let answer = admin.ask(method, "/pause", fields);
        assert_eq!(status(&answer), expect, "{method} {fields}: {answer}");
        assert!(!answer.contains(TOKEN), "{answer}");
    };
    check("POST", "", "401");
    check("POST", "Authorization: Bearer wrong\r\n", "401");
    check(
        "POST",
        &format!("{bearer}Sec-Fetch-Site: cross-site\r\n"),
        "403",
    );
    check(
        "POST",
        &format!("{bearer}Origin: http://evil.example\r\n"),
        "403",
    );
    // A link or an image of another page cannot even with the token.
    check("GET", &bearer, "405");
    assert!(!admin.state.paused.load(Relaxed));

    let asked = admin.get("/");
    assert!(asked.contains("www-authenticate: Basic realm="), "{asked}");
    assert_eq!(status(&admin.get("/healthz")), "200");
    for path in ["/", "/events", "/verdict", "/metrics"] {
        assert_eq!(status(&admin.get(path)), "401", "{path}");
    }
}

#[test]
fn without_a_token_nobody_orders_and_the_user_is_told_how() {
    let admin = Side::start();
    let answer = admin.ask("POST", "/pause", "");
    assert_eq!(status(&answer), "403");
    assert!(answer.contains("--admin-token-file"), "{answer}");
    assert!(!admin.state.paused.load(Relaxed));
}

#[test]
fn a_page_cannot_reach_it_through_a_name_of_its_own() {
    let admin = Side::start();
    for path in ["/", "/events", "/verdict", "/metrics"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: rebound.example:9464\r\n\r\n");
        let answer = admin.send(request.as_bytes());
        assert_eq!(status(&answer), "403", "{answer}");
    }
}

#[test]
fn a_token_file_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new().unwrap();
    let path = token_file(&scratch, TOKEN);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let check = |path: std::path::PathBuf, word: &str| {
        let options = ControlOptions {
            admin_token_file: Some(path),
            ..ControlOptions::default()
        };
        let bound =
            mirror_agent::control::http::Admin::bind("127.0.0.1:0".parse().unwrap(), &options);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let error = runtime.block_on(bound).err().expect("it is refused");
        let error = format!("{error:#}");
        assert!(error.contains(word) && !error.contains(TOKEN), "{error}");
    };
    check(path, "chmod 600");
    check(scratch.join("nothing"), "--admin-token-file");
    check(token_file(&scratch, "short"), "openssl rand");
}
