//! What policy must leave in requests and answers, so that production's clients can be logged in on the mirror: in a form that
//! opens nothing.

use std::sync::OnceLock;

use anyhow::{Context, anyhow};
use mirror_core::detect::SECRETS;
use mirror_core::options::FromText;
use mirror_core::policy::{Policy, RedactKey, RedactRule};
use mirror_core::session::CarryOptions;
use ring::rand::{SecureRandom, SystemRandom};

use crate::replay::{CredentialOptions, TokenPlace};

/// Members that are carried, and are secrets, as the headers are that credentials stand in: equal secrets have equal tokens, which is enough.
const CARRIED: [&str; 4] = [
    "json:access_token => token",
    "json:refresh_token => token",
    "json:id_token => token",
    "json:token => token",
];

/// Adds rules after the user's own, which go before them.
pub fn keep_what_login_needs(
    policy: &mut Policy,
    credentials: &CredentialOptions,
    carry: &CarryOptions,
) -> anyhow::Result<()> {
    if credentials.jwt_key.is_some() {
        keep_claims(policy, &credentials.jwt_places, carry);
    }
    if carry.rules.is_on() {
        keep_tokens(policy)?;
    }
    Ok(())
}

/// Web tokens keep their claims and lose their signature. In a cookie that has one, all other cookies go.
fn keep_claims(policy: &mut Policy, places: &[TokenPlace], carry: &CarryOptions) {
    for place in places {
        match place {
            TokenPlace::Header(name) if name.eq_ignore_ascii_case("authorization") => {
                policy.keeps_claims = true;
            }
            TokenPlace::Header(name) => add(policy, &format!("header:{name} => unsigned")),
            TokenPlace::Cookie(name) => {
                add(policy, &format!("cookie:{name} => unsigned"));
                keep(policy, &["cookie", "set-cookie"]);
            }
        }
    }
    let has_cookie = places.iter().any(|p| matches!(p, TokenPlace::Cookie(_)));
    if has_cookie && !carry.rules.is_on() {
        add(policy, "cookie:* => remove");
    }
}

/// Without a key of the user's, the tokens are made with one of this process: they are the same in it, and nowhere else.
fn keep_tokens(policy: &mut Policy) -> anyhow::Result<()> {
    if policy.key.is_none() {
        policy.key = Some(process_key()?);
    }
    let keeps_cookies = policy
        .keep_headers
        .iter()
        .any(|kept| kept.eq_ignore_ascii_case("cookie"));
    keep(policy, &["cookie", "set-cookie"]);
    if !keeps_cookies {
        add(policy, "cookie:* => token");
    }
    if !policy.keeps_claims {
        add(policy, "header:authorization => token");
    }
    CARRIED.iter().for_each(|rule| add(policy, rule));
    let is_whole = |name: &&&str| !name.contains("cookie") && !name.ends_with("authorization");
    for name in SECRETS.iter().filter(is_whole) {
        add(policy, &format!("header:{name} => token"));
    }
    Ok(())
}

/// Made once: what was carried before a `reload` is found by its token after it.
fn process_key() -> anyhow::Result<RedactKey> {
    static KEY: OnceLock<RedactKey> = OnceLock::new();
    if let Some(key) = KEY.get() {
        return Ok(key.clone());
    }
    let mut bytes = [0; 32];
    let made = SystemRandom::new().fill(&mut bytes);
    made.map_err(|_| anyhow!("the kernel gives no random bytes"))?;
    // Line ends after a key are not a part of it.
    let key = RedactKey::new(&bytes.map(|byte| byte | 0x80)).context("making a key")?;
    Ok(KEY.get_or_init(|| key).clone())
}

/// A header that the user keeps as it is stays so.
fn add(policy: &mut Policy, rule: &str) {
    let header = rule.strip_prefix("header:").unwrap_or_default();
    let header = header.split(" =>").next().unwrap_or_default();
    let mut kept = policy.keep_headers.iter();
    if !kept.any(|kept| kept.eq_ignore_ascii_case(header))
        && let Ok(rule) = RedactRule::from_text(rule)
    {
        policy.redact.push(rule);
    }
}

/// Unless a rule of the user's hides it.
fn keep(policy: &mut Policy, headers: &[&str]) {
    for header in headers {
        let is_kept = policy.keep_headers.iter().any(|kept| kept == header);
        if !is_kept && !policy.redact.iter().any(|rule| rule.hides_header(header)) {
            policy.keep_headers.push((*header).into());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mirror_core::exchange::{Exchange, Request, Response};
    use mirror_core::identity::Identity;
    use mirror_core::options::{Given, Options, Origin};

    use super::*;
    use crate::config::Config;

    fn config(given: &[(&str, &str)]) -> Config {
        let mut all = Given::default();
        for (key, text) in given {
            all.set(key, vec![(*text).into()], Origin::Flag);
        }
        let mut config = Config::read(&all).unwrap();
        let Config {
            policy,
            credentials,
            carry,
            ..
        } = &mut config;
        keep_what_login_needs(policy, credentials, carry).unwrap();
        config.check().unwrap();
        config
    }

    /// What of a login leaves the host: the request's headers, the answer's headers and its body.
    fn admitted(config: &Config) -> [String; 3] {
        let mut request = Request::new("GET", "/");
        let token = "Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl";
        let fields = [("authorization", token), ("cookie", "sid=hunter2; a=b")];
        request.headers = fields.into_iter().collect();
        let address = "127.0.0.1:80".parse().unwrap();
        let mut exchange = Exchange::new(address, address, request);
        let mut response = Response::new(200);
        let fields = [
            ("set-cookie", "sid=hunter2; Path=/"),
            ("content-type", "application/json"),
        ];
        response.headers = fields.into_iter().collect();
        response.body = bytes::Bytes::from_static(br#"{"access_token":"hunter2"}"#).into();
        exchange.response = Some(response.into());
        let host: Arc<str> = "web-1".into();
        let envelope = config
            .policy
            .admit(&host, exchange, |_| Identity::default())
            .unwrap();
        let exchange = envelope.exchange();
        let answer = exchange.response.as_ref().unwrap();
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        let [asked, answered] =
            [&exchange.request.headers, &answer.headers].map(|headers| format!("{headers:?}"));
        [asked, answered, body]
    }

    #[test]
    fn what_is_carried_leaves_as_equal_tokens_and_never_itself() {
        let [asked, answered, body] = admitted(&config(&[("carry", "all")]));
        for text in [&asked, &answered, &body] {
            assert!(
                !text.contains("hunter2") && !text.contains("c2lnbmF0dXJl"),
                "{text}"
            );
        }
        let (_, token) = asked.split_once("sid=").unwrap();
        let (token, _) = token.split_once(';').unwrap();
        assert!(
            answered.contains(&format!("sid={token}; Path=/")),
            "{answered}"
        );
        assert!(body.contains(token), "{body}");
        assert!(asked.contains("Bearer t_"), "{asked}");
    }

    #[test]
    fn tokens_are_the_same_after_the_options_are_read_again() {
        let carried = || admitted(&config(&[("carry", "all")]));
        assert_eq!(carried(), carried());
    }

    #[test]
    fn nothing_more_leaves_without_it() {
        let [asked, answered, _] = admitted(&config(&[]));
        assert!(
            !asked.contains("cookie") && !asked.contains("authorization"),
            "{asked}"
        );
        assert!(!answered.contains("set-cookie"), "{answered}");
    }

    #[test]
    fn web_tokens_leave_without_their_signature() {
        let [asked, ..] = admitted(&config(&[("jwt-key", "/key")]));
        assert!(
            asked.contains("Bearer eyJhbGciOiJIUzI1NiJ9.e30.\""),
            "{asked}"
        );
        assert!(!asked.contains("hunter2"), "{asked}");
        let [asked, ..] = admitted(&config(&[("jwt-key", "/key"), ("jwt-in", "cookie:sid")]));
        assert!(
            !asked.contains("hunter2") && !asked.contains("a=b"),
            "{asked}"
        );
    }

    #[test]
    fn the_rules_of_the_user_go_before() {
        let kept = config(&[("carry", "all"), ("keep-header", "authorization")]);
        let [asked, ..] = admitted(&kept);
        assert!(asked.contains("c2lnbmF0dXJl"), "{asked}");
        let kept = config(&[("carry", "all"), ("keep-header", "Cookie")]);
        let [asked, answered, _] = admitted(&kept);
        assert!(
            asked.contains("a=b") && asked.contains("sid=hunter2"),
            "{asked}"
        );
        assert!(answered.contains("sid=hunter2; Path=/"), "{answered}");
        let hidden = config(&[("carry", "all"), ("redact", "header:cookie => remove")]);
        let [asked, ..] = admitted(&hidden);
        assert!(!asked.contains("cookie"), "{asked}");
    }

    #[test]
    fn a_credential_is_carried_in_whichever_header() {
        let redacted = |given: &[(&str, &str)], name: &str| {
            let mut headers = mirror_core::exchange::Headers::default();
            headers.append(name, b"hunter2");
            let mut response = Response::new(200);
            response.headers = headers;
            config(given)
                .policy
                .redactor()
                .redact_response(&mut response);
            let value = response.headers.first(name).map(<[u8]>::to_vec);
            value.map(|value| String::from_utf8(value).unwrap())
        };
        for name in ["X-Access-Token", "X-Token", "Private-Token"] {
            let carried = redacted(&[("carry", "all")], name).unwrap();
            assert!(carried.starts_with("t_"), "{name}: {carried}");
            assert_eq!(redacted(&[], name), None);
        }
    }
}
