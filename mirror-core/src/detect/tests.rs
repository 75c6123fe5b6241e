use super::*;

fn check(kind: Detector, text: &str, expect: &[&str]) {
    let hits = Detectors::new([kind]).find(text.as_bytes());
    let found: Vec<_> = hits.iter().map(|hit| &text[hit.range.clone()]).collect();
    assert_eq!(found, expect, "{text}");
    assert!(hits.iter().all(|hit| hit.detector == kind));
}

#[test]
fn cards_have_a_network_and_a_check_digit() {
    let check = |text: &str, expect: &[&str]| check(Detector::Card, text, expect);
    check("pay 4111111111111111 now", &["4111111111111111"]);
    check("4111 1111-1111 1111", &["4111 1111-1111 1111"]);
    check(
        "378282246310005,5555555555554444",
        &["378282246310005", "5555555555554444"],
    );
    check("2223003122003222", &["2223003122003222"]);
    check("6011111111111117", &["6011111111111117"]);
    check("4111111111111112", &[]);
    check("9111111111111117", &[]);
    check("x4111111111111111", &[]);
    check("4111111111111111x", &[]);
    check("0.4111111111111111", &[]);
    check("end.4111111111111111.", &["4111111111111111"]);
    check("41111111111111114111111111111111", &[]);
    check("1732647600000000000", &[]);
}

#[test]
fn an_address_has_a_domain() {
    let check = |text: &str, expect: &[&str]| check(Detector::Email, text, expect);
    check("mail a.b+c@shop.example, now", &["a.b+c@shop.example"]);
    check("<a@b.co>.", &["a@b.co"]);
    check("to=a@b.co&x=1", &["a@b.co"]);
    check("a@b", &[]);
    check("@b.co", &[]);
    check("a@1.2", &[]);
    check("react@18.2.0", &[]);
    check("é@b.co", &[]);
    check("a@b.co.", &["a@b.co"]);
}

#[test]
fn a_bearer_is_what_follows_the_word() {
    let check = |text: &str, expect: &[&str]| check(Detector::Bearer, text, expect);
    check("Authorization: Bearer abc123==", &["abc123=="]);
    check("bearer  a1b2c3", &["a1b2c3"]);
    check("bearer of good news", &[]);
    check("forbearer a1b2c3d4", &[]);
    check("bearer", &[]);
}

#[test]
fn web_tokens_have_parts() {
    let check = |text: &str, expect: &[&str]| check(Detector::Jwt, text, expect);
    let signed = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";
    check(&format!("\"{signed}\""), &[signed]);
    let encrypted = "eyJhbGciOiJkaXIifQ..aaaa.bbbb.cccc";
    check(encrypted, &[encrypted]);
    check("eyJhbGciOiJIUzI1NiJ9", &[]);
    check(&format!("session-{signed}"), &[signed]);
    check("eyJ.a.b", &[]);
}

#[test]
fn keys_are_known_by_their_first_letters() {
    check(
        Detector::Aws,
        "AKIAIOSFODNN7EXAMPLE",
        &["AKIAIOSFODNN7EXAMPLE"],
    );
    check(
        Detector::Aws,
        "AKIAIOSFODNN7EXAMPLEX",
        &["AKIAIOSFODNN7EXAMPLEX"],
    );
    check(Detector::Aws, "AKIAIOSFODNN7EXAMPLExyz", &[]);
    check(Detector::Aws, "akiaiosfodnn7example", &[]);
    let google = format!("AIza{}", "a-_B5".repeat(7));
    check(Detector::Google, &format!("k={google}&x"), &[&google]);
    check(Detector::Google, "AIzaShort", &[]);
    check(
        Detector::Google,
        "AIZA-and-what-follows-in-capitals-or-not-at-all",
        &[],
    );
    check(
        Detector::Google,
        "ya29.a0AfH6SMBxxxxxxxxxxxxxxx",
        &["ya29.a0AfH6SMBxxxxxxxxxxxxxxx"],
    );
    let github = format!("ghp_{}", "a1B2".repeat(9));
    check(Detector::Github, &github, &[&github]);
    let fine = format!("github_pat_{}", "a1_B2".repeat(16));
    check(Detector::Github, &fine, &[&fine]);
    check(Detector::Github, "ghp_short", &[]);
    check(
        Detector::Slack,
        "xoxb-1234567890-abc",
        &["xoxb-1234567890-abc"],
    );
    check(Detector::Slack, "xapp-1-A0123-456", &["xapp-1-A0123-456"]);
    check(Detector::Slack, "xoxo-", &[]);
}

#[test]
fn a_private_key_goes_to_its_last_line() {
    let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----";
    check(Detector::Pem, &format!("a {key} b"), &[key]);
    let cut = "-----BEGIN PRIVATE KEY-----\nMIIE";
    check(Detector::Pem, cut, &[cut]);
    check(Detector::Pem, "-----BEGIN CERTIFICATE-----\nMIIE", &[]);
}

#[test]
fn hits_of_several_kinds_are_apart_and_in_order() {
    let all = Detectors::new(Detector::ALL);
    let text = "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln a@b.co 4111111111111111";
    let hits = all.find(text.as_bytes());
    let found: Vec<_> = hits.iter().map(|hit| &text[hit.range.clone()]).collect();
    assert_eq!(
        found,
        [
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
            "a@b.co",
            "4111111111111111"
        ]
    );
    assert_eq!(all.masked(text), "Bearer *** *** ***");
    assert_eq!(CREDENTIALS.masked("a@b.co"), "a@b.co");
    assert_eq!(all.masked("nothing"), "nothing");
}

#[test]
fn a_part_shows_nothing_of_a_credential_that_it_cuts() {
    let text = "before Bearer abc123def456 after";
    let check = |part: Range<usize>, expect: &str| {
        assert_eq!(
            shown_part(text.as_bytes(), part.clone()),
            expect,
            "{part:?}"
        );
    };
    check(0..6, "before");
    check(7..18, "Bearer ***");
    check(16..30, "*** aft");
    check(16..20, "***");
    check(26..32, " after");
}

#[test]
fn a_text_of_nothing_but_signs_is_read_once() {
    let begin = "-----BEGIN PRIVATE KEY-----";
    for sign in [
        "AKIA", "-AIza", "_ghp_", "-xoxb-", "eyJ", "-eyJ", "Bearer/", "Bearer ", "a@b.", begin,
    ] {
        let text = sign.repeat((1 << 18) / sign.len());
        // What is read again from each sign on takes minutes.
        Detectors::new(Detector::ALL).find(text.as_bytes());
        Detectors::new(Detector::ALL).find(format!("{text}.{text}-----END").as_bytes());
    }
}

#[test]
fn a_sign_at_the_end_of_a_secret_begins_another() {
    let check = |text: String| assert_eq!(CREDENTIALS.masked(&text), "***", "{text}");
    let (key, token) = (
        format!("AIza{}", "x".repeat(35)),
        format!("ya29.{}", "y".repeat(20)),
    );
    check(format!("{key}-{token}"));
    check(format!("{key}-{key}"));
    let part = "eyJhbGciOiJIUzI1NiJ9";
    check(format!("{part}.{part}.a.b.c.d").replace(".d", ""));
    check([part; 7].join("."));
    check(
        [
            begin_of_pem(),
            begin_of_pem(),
            "x\n-----END PRIVATE KEY-----".into(),
        ]
        .concat(),
    );
}

fn begin_of_pem() -> String {
    "-----BEGIN PRIVATE KEY-----\nabc\n".into()
}
