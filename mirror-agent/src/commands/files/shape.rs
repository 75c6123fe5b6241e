//! What exchanges have in common that differ by their values only.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use mirror_core::exchange::{Body, Exchange, Headers};
use mirror_core::http::coding::decoded;
use mirror_core::recording::route_of;
use mirror_core::route::variable;
use serde_json::Value;

/// A number that is equal for equal shapes: route, names of the query, status, and of both bodies the media type, and the members
/// with the kinds of their values where they are JSON.
pub(super) fn shape(exchange: &Exchange) -> u64 {
    let request = &exchange.request;
    let mut hash = DefaultHasher::new();
    route_of(request).hash(&mut hash);
    let query = form_urlencoded::parse(request.target.query().unwrap_or_default());
    let names: BTreeSet<_> = query.map(|(name, _)| name.into_owned()).collect();
    names.hash(&mut hash);
    message(&request.headers, &request.body).hash(&mut hash);
    if let Some(answer) = &exchange.response {
        answer.status.hash(&mut hash);
        message(&answer.headers, &answer.body).hash(&mut hash);
    }
    hash.finish()
}

fn message(headers: &Headers, body: &Body) -> (String, String) {
    let kind = headers.first("content-type").unwrap_or_default();
    let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default();
    let kind = String::from_utf8_lossy(kind).trim().to_ascii_lowercase();
    let body = decoded(headers, body).ok();
    let json = body.and_then(|body| serde_json::from_slice::<Value>(&body).ok());
    (kind, json.as_ref().map(form).unwrap_or_default())
}

/// As in `{"items":[{"id":0}]}`: an array has each form of its elements once, a member that is named by data counts as `{}`.
fn form(value: &Value) -> String {
    match value {
        Value::Null => "n".into(),
        Value::Bool(_) => "b".into(),
        Value::Number(_) => "0".into(),
        Value::String(_) => "s".into(),
        Value::Array(elements) => {
            let forms: BTreeSet<String> = elements.iter().map(form).collect();
            format!("[{}]", forms.into_iter().collect::<Vec<_>>().join(","))
        }
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                let name = match variable(name) {
                    Some(_) => "{}".to_owned(),
                    None => Value::from(name.as_str()).to_string(),
                };
                format!("{name}:{}", form(value))
            };
            let members: BTreeSet<String> = members.iter().map(member).collect();
            format!("{{{}}}", members.into_iter().collect::<Vec<_>>().join(","))
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use mirror_core::exchange::{Request, Response};

    use super::*;

    fn exchange(method: &str, target: &str, body: &str, status: u16, answer: &str) -> Exchange {
        let address = "127.0.0.1:80".parse().unwrap();
        let mut request = Request::new(method, target.to_owned());
        request.body = Bytes::copy_from_slice(body.as_bytes()).into();
        let mut exchange = Exchange::new(address, address, request);
        let mut response = Response::new(status);
        response.body = Bytes::copy_from_slice(answer.as_bytes()).into();
        exchange.response = Some(Box::new(response));
        exchange
    }

    #[test]
    fn values_do_not_count_and_members_do() {
        let one = exchange(
            "GET",
            "/orders/17?a=1&b=2",
            "",
            200,
            r#"{"n":1,"items":[{"id":1},{"id":2}]}"#,
        );
        let check = |other: Exchange, is_same: bool| {
            assert_eq!(shape(&one) == shape(&other), is_same, "{other:?}");
        };
        check(
            exchange(
                "GET",
                "/orders/18?b=7&a=",
                "",
                200,
                r#"{"items":[{"id":9}],"n":2.5}"#,
            ),
            true,
        );
        check(
            exchange(
                "GET",
                "/orders/17?a=1",
                "",
                200,
                r#"{"n":1,"items":[{"id":1}]}"#,
            ),
            false,
        );
        check(
            exchange(
                "GET",
                "/orders/17?a=1&b=2",
                "",
                404,
                r#"{"n":1,"items":[{"id":1}]}"#,
            ),
            false,
        );
        check(
            exchange(
                "GET",
                "/orders/17?a=1&b=2",
                "",
                200,
                r#"{"n":"1","items":[{"id":1}]}"#,
            ),
            false,
        );
        check(
            exchange(
                "GET",
                "/orders/17?a=1&b=2",
                "",
                200,
                r#"{"n":1,"items":[]}"#,
            ),
            false,
        );
        check(
            exchange(
                "GET",
                "/carts/17?a=1&b=2",
                "",
                200,
                r#"{"n":1,"items":[{"id":1}]}"#,
            ),
            false,
        );
        check(
            exchange(
                "GET",
                "/orders/17?a=1&b=2",
                "{}",
                200,
                r#"{"n":1,"items":[{"id":1}]}"#,
            ),
            false,
        );
        let by_id = |id: &str| exchange("GET", "/a", "", 200, &format!(r#"{{"{id}":{{"n":1}}}}"#));
        assert_eq!(shape(&by_id("17")), shape(&by_id("18")));
        assert_ne!(shape(&by_id("17")), shape(&by_id("total")));
    }
}
