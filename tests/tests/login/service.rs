//! A service that knows its clients: a form to log in with a CSRF token, a session cookie, created ids, a cursor, and web tokens.
//! Two of them have no secret and no id in common.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use mirror_tests::wire::{Answering, Received};
use ring::hmac;
use serde_json::{Value, json};

/// A service whose secrets follow from `seed`. Its orders count from there too.
pub(crate) fn shop(seed: u64) -> Answering<impl Fn(&Received) -> Vec<u8> + Clone> {
    let shop = Arc::new(Mutex::new(Shop {
        random: seed,
        key: key_of(seed),
        next_order: seed,
        ..Shop::default()
    }));
    Answering(move |request: &Received| {
        let mut shop = shop.lock().unwrap_or_else(PoisonError::into_inner);
        shop.answer(&Asked::of(request)).bytes()
    })
}

/// The key that a service signs its web tokens with.
pub(crate) fn key_of(seed: u64) -> String {
    format!("the-key-of-{seed}")
}

/// A web token for `user`, of ten minutes.
pub(crate) fn token(key: &str, user: &str) -> String {
    let header = BASE64.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let claims = json!({ "sub": user, "iat": seconds(), "exp": seconds() + 600 });
    let message = format!("{header}.{}", BASE64.encode(claims.to_string()));
    format!("{message}.{}", signature(key, &message))
}

fn signature(key: &str, message: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    BASE64.encode(hmac::sign(&key, message.as_bytes()))
}

fn seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// Who a token is for, if it is one of this key's and its time is not over.
fn subject(key: &str, token: &str) -> Option<String> {
    let (message, signed) = token.rsplit_once('.')?;
    let (_, claims) = message.split_once('.')?;
    let claims: Value = serde_json::from_slice(&BASE64.decode(claims).ok()?).ok()?;
    let is_valid = signature(key, message) == signed && claims["exp"].as_u64()? > seconds();
    is_valid.then(|| claims["sub"].as_str().unwrap_or_default().to_owned())
}

#[derive(Default)]
struct Shop {
    random: u64,
    key: String,
    next_order: u64,
    /// CSRF tokens of clients that may log in, and of those that did, by their cookie.
    visitors: HashMap<String, String>,
    users: HashMap<String, User>,
    cursors: HashSet<String>,
}

struct User {
    name: String,
    csrf: String,
    orders: Vec<u64>,
}

struct Asked {
    method: String,
    path: String,
    query: String,
    head: String,
    body: String,
}

impl Asked {
    fn of(request: &Received) -> Self {
        let line = String::from_utf8_lossy(request.line()).into_owned();
        let mut words = line.split(' ').map(str::to_owned);
        let mut word = || words.next().unwrap_or_default();
        let (method, target) = (word(), word());
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        Self {
            method,
            path: path.into(),
            query: query.into(),
            head: String::from_utf8_lossy(&request.head).into_owned(),
            body: String::from_utf8_lossy(&request.body).into_owned(),
        }
    }

    fn header(&self, name: &str) -> &str {
        let fields = self.head.lines().filter_map(|line| line.split_once(':'));
        let mut values = fields.filter(|(other, _)| other.eq_ignore_ascii_case(name));
        values.next().map_or("", |(_, value)| value.trim())
    }

    fn cookie(&self, name: &str) -> &str {
        let pairs = self.header("cookie").split("; ");
        let mut pairs = pairs.filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(n, _)| *n == name)
            .map_or("", |(_, value)| value)
    }

    fn field(text: &str, name: &str) -> String {
        let fields = text.split('&').filter_map(|field| field.split_once('='));
        let mut fields = fields.filter(|(other, _)| *other == name);
        fields
            .next()
            .map_or_else(String::new, |(_, value)| value.into())
    }
}

struct Answer {
    status: &'static str,
    headers: Vec<String>,
    media: &'static str,
    body: String,
}

impl Answer {
    fn json(status: &'static str, body: &Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            media: "application/json",
            body: body.to_string(),
        }
    }

    fn refused(status: &'static str) -> Self {
        Self::json(status, &json!({ "error": status }))
    }

    fn header(mut self, line: String) -> Self {
        self.headers.push(line);
        self
    }

    fn bytes(self) -> Vec<u8> {
        let headers: String = self
            .headers
            .iter()
            .map(|line| format!("{line}\r\n"))
            .collect();
        let (status, media, body) = (self.status, self.media, self.body);
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: {media}\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        )
        .into_bytes()
    }
}

impl Shop {
    /// 32 hexadecimal digits that nobody guesses.
    fn secret(&mut self) -> String {
        let mut half = || {
            self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        };
        format!("{:016x}{:016x}", half(), half())
    }

    fn answer(&mut self, asked: &Asked) -> Answer {
        match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/login") => self.form(),
            ("POST", "/login") => self.log_in(asked),
            ("POST", "/api/token") => {
                let user: Value = serde_json::from_str(&asked.body).unwrap_or_default();
                let token = token(&self.key, user["user"].as_str().unwrap_or_default());
                Answer::json("200 OK", &json!({ "access_token": token }))
            }
            ("GET", "/api/me") => {
                let token = asked.header("authorization").strip_prefix("Bearer ");
                match subject(&self.key, token.unwrap_or_default()) {
                    Some(user) => Answer::json("200 OK", &json!({ "user": user })),
                    None => Answer::refused("401 Unauthorized"),
                }
            }
            _ => self.for_user(asked),
        }
    }

    fn form(&mut self) -> Answer {
        let (visitor, csrf) = (self.secret(), self.secret());
        self.visitors.insert(visitor.clone(), csrf.clone());
        let answer = Answer {
            status: "200 OK",
            headers: Vec::new(),
            media: "text/html; charset=utf-8",
            body: format!(
                "<form method=post><input name=user><input type=\"hidden\" name=\"csrf\" value=\"{csrf}\"></form>"
            ),
        };
        answer.header(format!("Set-Cookie: visitor={visitor}; Path=/; HttpOnly"))
    }

    fn log_in(&mut self, asked: &Asked) -> Answer {
        let known = self.visitors.remove(asked.cookie("visitor"));
        if known.is_none_or(|csrf| csrf != Asked::field(&asked.body, "csrf")) {
            return Answer::refused("403 Forbidden");
        }
        let (session, csrf) = (self.secret(), self.secret());
        let user = User {
            name: Asked::field(&asked.body, "user"),
            csrf,
            orders: Vec::new(),
        };
        self.users.insert(session.clone(), user);
        Answer::json("303 See Other", &json!({}))
            .header("Location: /account".into())
            .header(format!("Set-Cookie: sid={session}; Path=/; HttpOnly"))
    }

    /// What only a client with a session gets.
    fn for_user(&mut self, asked: &Asked) -> Answer {
        let (next_order, cursor) = (self.next_order, self.secret());
        let Some(user) = self.users.get_mut(asked.cookie("sid")) else {
            return Answer::refused("401 Unauthorized");
        };
        if asked.method == "POST" && asked.header("x-csrf-token") != user.csrf {
            return Answer::refused("403 Forbidden");
        }
        let segments: Vec<&str> = asked.path.split('/').skip(1).collect();
        match (asked.method.as_str(), segments.as_slice()) {
            ("GET", ["account"]) => {
                Answer::json("200 OK", &json!({ "user": user.name, "csrf": user.csrf }))
            }
            ("POST", ["orders"]) => {
                user.orders.push(next_order);
                self.next_order += 1;
                Answer::json("201 Created", &json!({ "id": next_order, "state": "open" }))
                    .header(format!("Location: /orders/{next_order}"))
            }
            ("GET", ["orders", id]) if user.orders.iter().any(|own| own.to_string() == *id) => {
                Answer::json("200 OK", &json!({ "state": "open" }))
            }
            ("POST", ["payments"]) => {
                let body: Value = serde_json::from_str(&asked.body).unwrap_or_default();
                let id = body["order"]["order_id"].as_u64();
                match id.is_some_and(|id| user.orders.contains(&id)) {
                    true => Answer::json("200 OK", &json!({ "state": "paid" })),
                    false => Answer::refused("404 Not Found"),
                }
            }
            ("GET", ["orders"]) => {
                let after = Asked::field(&asked.query, "after");
                if !after.is_empty() && !self.cursors.contains(&after) {
                    return Answer::refused("400 Bad Request");
                }
                let last = user.orders.last();
                let list = json!({ "next": cursor, "last": { "order_id": last } });
                self.cursors.insert(cursor);
                Answer::json("200 OK", &list)
            }
            _ => Answer::refused("404 Not Found"),
        }
    }
}
