//! Whole ways of values: an answer brings one, a later request repeats it.

use bytes::Bytes;

use super::*;
use crate::exchange::RequestTarget;
use crate::options::OptionValue;

const HOUR: u64 = 3_600_000_000_000;

/// A request as production's client sends it, with an answer of each side.
#[derive(Clone)]
struct Step {
    exchange: Exchange,
    mirror: Response,
}

fn message(lines: &[&str]) -> (Vec<(String, String)>, String) {
    let fields = lines.iter().filter_map(|line| line.split_once(": "));
    let body = lines
        .iter()
        .filter(|line| !line.contains(": ") || line.starts_with('{'));
    (
        fields
            .filter(|(name, _)| !name.starts_with('{'))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        body.copied().collect::<Vec<_>>().join(""),
    )
}

/// `request` is a request line without version, headers, and a body.
fn request(lines: &[&str]) -> Request {
    let (method, target) = lines[0].split_once(' ').unwrap();
    let (headers, body) = message(&lines[1..]);
    let mut request = Request::new(method, target.to_owned());
    request.headers = headers.iter().map(|(n, v)| (n, v)).collect();
    if !body.is_empty() {
        request.set_body(Bytes::from(body));
    }
    request
}

fn response(status: u16, lines: &[&str]) -> Response {
    let (headers, body) = message(lines);
    Response {
        headers: headers.iter().map(|(n, v)| (n, v)).collect(),
        body: Bytes::from(body).into(),
        ..Response::new(status)
    }
}

struct Client {
    address: &'static str,
    connection: u64,
}

const ANNA: Client = Client {
    address: "10.0.0.1:40000",
    connection: 1,
};
const BERT: Client = Client {
    address: "10.0.0.2:40000",
    connection: 2,
};

impl Client {
    fn on(&self, connection: u64) -> Self {
        Self {
            connection,
            ..*self
        }
    }

    fn exchange(&self, lines: &[&str]) -> Exchange {
        let server = "10.0.0.9:80".parse().unwrap();
        let mut exchange = Exchange::new(self.address.parse().unwrap(), server, request(lines));
        exchange.connection = self.connection;
        exchange
    }
}

fn carry(rules: &[&str]) -> Carry {
    let rules: Vec<String> = rules.iter().map(|rule| (*rule).to_owned()).collect();
    Carry::new(CarryRules::read(&rules).unwrap(), CarryLimits::default())
}

/// Lines of an answer in which each `@` is the side's own.
fn side(lines: &[&str], side: &str) -> Vec<String> {
    lines.iter().map(|line| line.replace('@', side)).collect()
}

const PRODUCTION: &str = "PRODUCTION-0a1b2c3d";
const MIRROR: &str = "MIRROR-9f8e7d6c";

impl Carry {
    fn hears(&mut self, client: &Client, asked: &[&str], answered: &[&str]) {
        self.hears_of(client, asked, answered, (PRODUCTION, MIRROR));
    }

    fn hears_of(
        &mut self,
        client: &Client,
        asked: &[&str],
        answered: &[&str],
        (ours, theirs): (&str, &str),
    ) {
        let answer = |own: &str| {
            let lines = side(answered, own);
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            response(200, &lines)
        };
        let asked = side(asked, ours);
        let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
        let mut exchange = client.exchange(&asked);
        exchange.response = Some(answer(ours).into());
        let step = Step {
            exchange,
            mirror: answer(theirs),
        };
        self.learn(origin(&step.exchange), &step.mirror, Timestamp(HOUR));
    }

    /// What is sent for a request of the client's.
    fn sends(&mut self, client: &Client, asked: &[&str]) -> (Request, Carried) {
        let exchange = client.exchange(asked);
        let mut sent = exchange.request.clone();
        let carried = self.replace(origin(&exchange), &mut sent, Timestamp(HOUR));
        (*sent, carried)
    }

    fn check(&mut self, client: &Client, asked: &[&str], expect: &[&str]) {
        let (sent, carried) = self.sends(client, asked);
        assert_eq!(sent, request(expect), "{carried:?}");
        assert_eq!(carried.replaced.is_empty(), asked == expect);
    }
}

fn origin(exchange: &Exchange) -> CarryOrigin<'_> {
    CarryOrigin {
        host: "web-1",
        exchange,
    }
}

/// `answered` to a first request brings `@`, and `asked` repeats production's: the mirror gets its own.
fn check_carried(first: &str, answered: &[&str], asked: &[&str]) {
    let mut carry = carry(&["all"]);
    carry.hears(&ANNA, &[first], answered);
    let [ours, theirs] = [PRODUCTION, MIRROR].map(|own| side(asked, own));
    let [ours, theirs] = [&ours, &theirs].map(|s| s.iter().map(String::as_str).collect::<Vec<_>>());
    carry.check(&ANNA, &ours, &theirs);
}

#[test]
fn what_an_answer_brings_is_replaced_wherever_a_request_repeats_it() {
    let cookie: &[&str] = &["Set-Cookie: sid=@; Path=/; HttpOnly"];
    let json: &[&str] = &["{\"token\": \"@\"}"];
    let page: &[&str] = &[
        "Content-Type: text/html",
        "<form><input type=hidden name=csrf value=\"@\"></form>",
    ];
    let meta: &[&str] = &[
        "content-type: text/html; charset=utf-8",
        "<meta name=csrf content=@>",
    ];
    check_carried(
        "GET /login",
        cookie,
        &["GET /", "Cookie: theme=dark;  sid=@; b=c"],
    );
    check_carried("GET /login", json, &["GET /", "Authorization: Bearer @"]);
    check_carried(
        "GET /login",
        json,
        &["POST /a", "{ \"t\" : [1.50, \"@\"] }"],
    );
    check_carried(
        "GET /login",
        page,
        &[
            "POST /login",
            "Content-Type: application/x-www-form-urlencoded",
            "user=a%20b&csrf=@&pass=c+d",
        ],
    );
    check_carried("GET /", meta, &["POST /a", "X-CSRF-Token: @"]);
    check_carried(
        "POST /orders",
        &["Location: /orders/@/done"],
        &["GET /orders/@?x=1"],
    );
    check_carried(
        "GET /list",
        &["{\"next\":\"@\"}"],
        &["GET /list?after=@&n=7"],
    );
    check_carried(
        "GET /",
        &["X-Request-Token: @"],
        &["GET http://shop/a/@?b=@#c"],
    );
    check_carried(
        "GET /a",
        &["ETag: \"@\""],
        &["GET /a", "If-None-Match: W/\"x\", \"@\""],
    );
}

#[test]
fn what_was_not_learnt_stays_as_it_was_sent() {
    let mut carry = carry(&["all"]);
    carry.hears(
        &ANNA,
        &["POST /login"],
        &["Set-Cookie: sid=@", "{\"token\":\"@\"}"],
    );
    for asked in [
        ["GET /", "Cookie: sid=another-0a1b2c3d4e5f"],
        // A part of a value is none.
        [
            "GET /PRODUCTION-0a1b2c3d-and-more",
            "X: xPRODUCTION-0a1b2c3d",
        ],
        [
            "GET /?q=text+with+PRODUCTION-0a1b2c3d",
            "Host: PRODUCTION-0a1b2c3d",
        ],
    ] {
        carry.check(&ANNA, &asked, &asked);
    }
    // An answer of another kind has nothing in common.
    let mut exchange = ANNA.exchange(&["GET /b"]);
    exchange.response = Some(response(200, &["{\"t\":\"aaaaaaaaaaaa1111\"}"]).into());
    let refused = response(401, &["{\"t\":\"bbbbbbbbbbbb2222\"}"]);
    carry.learn(origin(&exchange), &refused, Timestamp(HOUR));
    carry.check(
        &ANNA,
        &["GET /aaaaaaaaaaaa1111"],
        &["GET /aaaaaaaaaaaa1111"],
    );
}

#[test]
fn a_short_id_is_replaced_at_its_own_place_only() {
    let mut carry = carry(&["all"]);
    let ids = ("7", "8");
    carry.hears_of(
        &ANNA,
        &["POST /orders"],
        &["{\"id\":@,\"customer_id\":@,\"count\":@}"],
        ids,
    );
    carry.check(&ANNA, &["GET /orders/7/items"], &["GET /orders/8/items"]);
    carry.check(&ANNA, &["GET /customers/7"], &["GET /customers/8"]);
    carry.check(&ANNA, &["GET /users/7?n=7"], &["GET /users/7?n=7"]);
    carry.check(
        &ANNA,
        &[
            "POST /pay",
            "{\"customer_id\": 7, \"count\": 7, \"n\": [7]}",
        ],
        &[
            "POST /pay",
            "{\"customer_id\": 8, \"count\": 7, \"n\": [7]}",
        ],
    );
    // Its connection alone is proof enough of who it is; its address is not.
    carry.check(&ANNA.on(5), &["GET /orders/7"], &["GET /orders/7"]);
}

#[test]
fn a_body_keeps_every_other_byte_and_its_length_is_told_anew() {
    let mut carry = carry(&["all"]);
    carry.hears(&ANNA, &["GET /"], &["{\"t\":\"@\"}"]);
    let (sent, _) = carry.sends(
        &ANNA,
        &[
            "PUT /a",
            "content-length: 99",
            "{\"a\":1.10, \"t\" :\"PRODUCTION-0a1b2c3d\" , \"b\":1e400}",
        ],
    );
    let expect = "{\"a\":1.10, \"t\" :\"MIRROR-9f8e7d6c\" , \"b\":1e400}";
    assert_eq!(&sent.body[..], expect.as_bytes());
    let length = expect.len().to_string();
    assert_eq!(
        sent.headers.first("content-length"),
        Some(length.as_bytes())
    );
}

#[test]
fn a_value_is_encoded_as_its_place_wants_it() {
    let mut carry = carry(&["all"]);
    // The mirror's has a space in it: it does not tell enough by itself, so the place is forced.
    carry.rules = CarryRules::read(&["json:/t".into()]).unwrap();
    let mut exchange = ANNA.exchange(&["GET /"]);
    exchange.response = Some(response(200, &["{\"t\":\"aaaa1111bbbb\"}"]).into());
    let mirror = response(200, &[r#"{"t":"c/d&e\"1111 2"}"#]);
    carry.learn(origin(&exchange), &mirror, Timestamp(HOUR));
    carry.check(
        &ANNA,
        &[
            "POST /aaaa1111bbbb?a=aaaa1111bbbb",
            "{\"x\":\"aaaa1111bbbb\"}",
        ],
        &[
            "POST /c%2Fd%26e%221111%202?a=c%2Fd%26e%221111%202",
            "{\"x\":\"c/d&e\\\"1111 2\"}",
        ],
    );
}

#[test]
fn a_session_is_known_on_every_connection_by_its_cookie() {
    let mut carry = carry(&["all"]);
    let page = [
        "Set-Cookie: sid=@; HttpOnly",
        "Content-Type: text/html",
        "<input type=hidden name=t value=@>",
    ];
    carry.hears(&ANNA, &["GET /login"], &page);
    let elsewhere = ANNA.on(77);
    carry.check(
        &elsewhere,
        &[
            "GET /?t=PRODUCTION-0a1b2c3d",
            "Cookie: sid=PRODUCTION-0a1b2c3d",
        ],
        &["GET /?t=MIRROR-9f8e7d6c", "Cookie: sid=MIRROR-9f8e7d6c"],
    );
    // At login production gives it another name, and it stays the same session.
    carry.hears_of(
        &elsewhere,
        &["POST /login", "Cookie: sid=PRODUCTION-0a1b2c3d"],
        &["Set-Cookie: sid=@"],
        ("production-after-login-1", "mirror-after-login-2"),
    );
    carry.check(
        &ANNA.on(78),
        &[
            "GET /?t=PRODUCTION-0a1b2c3d",
            "Cookie: sid=production-after-login-1",
        ],
        &[
            "GET /?t=MIRROR-9f8e7d6c",
            "Cookie: sid=mirror-after-login-2",
        ],
    );
}

#[test]
fn an_issued_token_names_the_session_that_shows_it() {
    let mut carry = carry(&["all"]);
    carry.hears(&ANNA, &["POST /login"], &["{\"access_token\":\"@\"}"]);
    carry.check(
        &ANNA.on(9),
        &["GET /me", "Authorization: Bearer PRODUCTION-0a1b2c3d"],
        &["GET /me", "Authorization: Bearer MIRROR-9f8e7d6c"],
    );
    // And what is learnt with it belongs to it.
    carry.hears_of(
        &ANNA.on(9),
        &["POST /orders", "Authorization: Bearer PRODUCTION-0a1b2c3d"],
        &["{\"id\":@}"],
        ("7", "8"),
    );
    carry.check(
        &ANNA.on(10),
        &["GET /orders/7", "Authorization: Bearer PRODUCTION-0a1b2c3d"],
        &["GET /orders/8", "Authorization: Bearer MIRROR-9f8e7d6c"],
    );
}

#[test]
fn a_value_is_never_carried_into_another_session() {
    let mut carry = carry(&["all"]);
    let login = |who| {
        [
            format!("Set-Cookie: sid={who}-@; HttpOnly"),
            "{\"t\":\"@\"}".into(),
        ]
    };
    for (client, who) in [(&ANNA, "anna"), (&BERT, "bert")] {
        let answered = login(who);
        let answered: Vec<&str> = answered.iter().map(String::as_str).collect();
        let theirs = format!("{who}-{MIRROR}");
        carry.hears_of(client, &["POST /login"], &answered, (PRODUCTION, &theirs));
    }
    // Both were given the same `t` by production, and another by the mirror.
    for (client, who) in [(&ANNA, "anna"), (&BERT, "bert")] {
        let asked = [
            "GET /?t=PRODUCTION-0a1b2c3d",
            &format!("Cookie: sid={who}-{PRODUCTION}"),
        ];
        let expect = [
            &*format!("GET /?t={who}-{MIRROR}"),
            &format!("Cookie: sid={who}-{who}-{MIRROR}"),
        ];
        carry.check(client, &asked, &expect);
        let nobody = [
            "GET /?t=PRODUCTION-0a1b2c3d",
            "Cookie: sid=nobody-0123456789",
        ];
        carry.check(&client.on(99), &nobody, &nobody);
    }
}

#[test]
fn clients_of_one_proxy_connection_are_told_apart() {
    let mut carry = carry(&["all"]);
    let proxy = |user: &str| format!("X-Forwarded-For: {user}");
    for user in ["198.51.100.1", "198.51.100.2"] {
        let theirs = format!("{MIRROR}-{user}");
        carry.hears_of(
            &ANNA,
            &["GET /", &proxy(user)],
            &["{\"t\":\"@\"}"],
            (PRODUCTION, &theirs),
        );
    }
    let asked = ["GET /PRODUCTION-0a1b2c3d", &proxy("198.51.100.1")];
    let expect = ["GET /MIRROR-9f8e7d6c-198.51.100.1", &proxy("198.51.100.1")];
    carry.check(&ANNA, &asked, &expect);
    let other = ["GET /PRODUCTION-0a1b2c3d", &proxy("198.51.100.3")];
    carry.check(&ANNA, &other, &other);
}

#[test]
fn a_connection_with_two_sessions_is_nobody_s() {
    let mut carry = carry(&["all"]);
    carry.hears_of(&ANNA, &["POST /orders"], &["{\"id\":@}"], ("7", "8"));
    carry.check(&ANNA, &["GET /orders/7"], &["GET /orders/8"]);
    for user in ["session-of-anna-1", "session-of-bert-2"] {
        let cookie = format!("Cookie: sid={user}");
        carry.hears(&ANNA, &["GET /", &cookie], &["{}"]);
    }
    carry.check(&ANNA, &["GET /orders/7"], &["GET /orders/7"]);
}

#[test]
fn a_cookie_that_production_gives_to_many_names_nobody() {
    let mut carry = carry(&["all"]);
    let everybody = "Set-Cookie: bucket=variant-b-2026-11; HttpOnly";
    for (client, who) in [(&ANNA, "anna"), (&BERT, "bert")] {
        let own = format!("Set-Cookie: sid={who}-0123456789; HttpOnly");
        carry.hears_of(
            client,
            &["GET /"],
            &[everybody, &own, "{\"t\":\"@\"}"],
            (PRODUCTION, &format!("{who}-{MIRROR}")),
        );
    }
    let asked = [
        "GET /PRODUCTION-0a1b2c3d",
        "Cookie: bucket=variant-b-2026-11",
    ];
    carry.check(&ANNA.on(50), &asked, &asked);
    // One that shows it beside a sid of its own is not the session that it was first given to.
    let mut carry = self::carry(&["all"]);
    carry.hears(
        &ANNA,
        &["GET /"],
        &[
            everybody,
            "Set-Cookie: sid=anna-0123456789; HttpOnly",
            "{\"t\":\"@\"}",
        ],
    );
    let bert = [
        "GET /PRODUCTION-0a1b2c3d",
        "Cookie: bucket=variant-b-2026-11; sid=bert-0123456789",
    ];
    carry.check(&BERT, &bert, &bert);
    carry.check(&BERT.on(51), &asked, &asked);
}

#[test]
fn a_user_says_what_names_a_session() {
    let mut carry = carry(&["all", "session cookie:who"]);
    let anna = "Cookie: who=anna; sid=session-of-all-1234";
    let bert = "Cookie: who=bert; sid=session-of-all-1234";
    carry.hears(&ANNA, &["GET /", anna], &["{\"t\":\"@\"}"]);
    carry.check(
        &BERT,
        &["GET /PRODUCTION-0a1b2c3d", anna],
        &["GET /MIRROR-9f8e7d6c", anna],
    );
    carry.check(
        &BERT,
        &["GET /PRODUCTION-0a1b2c3d", bert],
        &["GET /PRODUCTION-0a1b2c3d", bert],
    );
}

#[test]
fn places_are_forced_and_forbidden() {
    let ids = ("7", "8");
    let answer = ["{\"id\":@}"];
    let mut forced = carry(&["POST /cart json:/id"]);
    forced.hears_of(&ANNA, &["POST /cart"], &answer, ids);
    forced.check(&ANNA, &["GET /x?n=7"], &["GET /x?n=8"]);
    let mut others = carry(&["POST /cart json:/id"]);
    others.hears_of(&ANNA, &["POST /carts"], &answer, ids);
    others.check(&ANNA, &["GET /x?n=7"], &["GET /x?n=7"]);
    let mut forbidden = carry(&["!json:/id"]);
    forbidden.hears_of(&ANNA, &["POST /cart"], &answer, ids);
    forbidden.check(&ANNA, &["GET /cart/7"], &["GET /cart/7"]);
    // A place of a request can be forbidden too.
    let mut forbidden = carry(&["!path"]);
    forbidden.hears(&ANNA, &["GET /"], &["{\"t\":\"@\"}"]);
    forbidden.check(
        &ANNA,
        &["GET /PRODUCTION-0a1b2c3d?a=PRODUCTION-0a1b2c3d"],
        &["GET /PRODUCTION-0a1b2c3d?a=MIRROR-9f8e7d6c"],
    );
}

#[test]
fn a_validator_belongs_to_its_target_and_may_be_the_same() {
    let mut carry = carry(&["all"]);
    carry.hears(
        &ANNA,
        &["GET /a?b=1"],
        &[
            "ETag: \"@\"",
            "Last-Modified: Thu, 26 Nov 2026 10:00:00 GMT",
        ],
    );
    let condition = "If-None-Match: \"PRODUCTION-0a1b2c3d\"";
    let (sent, carried) = carry.sends(&ANNA, &["GET /a?b=1", condition]);
    assert_eq!(
        sent.headers.first("if-none-match"),
        Some(&b"\"MIRROR-9f8e7d6c\""[..])
    );
    assert_eq!(carried.conditions, ["if-none-match"]);
    let (_, carried) = carry.sends(&ANNA, &["GET /a?b=2", condition]);
    assert_eq!(carried, Carried::default());
    let same = "If-Modified-Since: Thu, 26 Nov 2026 10:00:00 GMT";
    let (_, carried) = carry.sends(&ANNA, &["GET /a?b=1", same]);
    assert_eq!(carried.conditions, ["if-modified-since"]);
    assert!(carried.replaced.is_empty());
}

#[test]
fn a_rehearsal_says_what_would_be_replaced_and_replaces_nothing() {
    let mut carry = Carry::rehearsal(CarryRules::read(&["all".into()]).unwrap());
    let same = (PRODUCTION, PRODUCTION);
    carry.hears_of(&ANNA, &["POST /login"], &["Set-Cookie: sid=@"], same);
    let asked = ["GET /", "Cookie: sid=PRODUCTION-0a1b2c3d"];
    let (sent, carried) = carry.sends(&ANNA, &asked);
    assert_eq!(sent, request(&asked));
    assert_eq!(carried.replaced[0].learnt_from, "POST /login cookie:sid");
}

#[test]
fn what_is_equal_now_is_not_replaced_any_more() {
    let mut carry = carry(&["all"]);
    carry.hears(&ANNA, &["GET /a"], &["{\"t\":\"@\"}"]);
    carry.hears_of(
        &ANNA,
        &["GET /a"],
        &["{\"t\":\"@\"}"],
        (PRODUCTION, PRODUCTION),
    );
    let asked = ["GET /PRODUCTION-0a1b2c3d"];
    carry.check(&ANNA, &asked, &asked);
}

#[test]
fn what_was_replaced_is_told_without_its_value() {
    let mut carry = carry(&["all"]);
    carry.hears(&ANNA, &["POST /users/42/login"], &["Set-Cookie: sid=@"]);
    let (_, carried) = carry.sends(&ANNA, &["GET /", "Cookie: sid=PRODUCTION-0a1b2c3d"]);
    let [replaced] = &carried.replaced[..] else {
        panic!("{carried:?}");
    };
    assert_eq!(replaced.place.to_string(), "cookie:sid");
    assert_eq!(replaced.learnt_from, "POST /users/{id}/login cookie:sid");
    assert_eq!(
        (&*replaced.from, &*replaced.to),
        ("‹19 characters›", "‹15 characters›")
    );
    let text = format!("{carried:?}");
    assert!(
        !text.contains(PRODUCTION) && !text.contains(MIRROR),
        "{text}"
    );
    assert_eq!((carry.stats().requests, carry.stats().replaced), (1, 1));
}

#[test]
fn a_token_in_the_place_of_a_secret_is_as_good_as_the_secret() {
    let mut carry = carry(&["all"]);
    let mut exchange = ANNA.exchange(&["POST /login"]);
    exchange.response = Some(response(200, &["Set-Cookie: sid=tok_5f3a9c1e77d2; Path=/"]).into());
    let mirror = response(200, &["Set-Cookie: sid=the-mirror-s-own-1; Path=/"]);
    carry.learn(origin(&exchange), &mirror, Timestamp(HOUR));
    carry.check(
        &ANNA.on(3),
        &["GET /", "Cookie: sid=tok_5f3a9c1e77d2"],
        &["GET /", "Cookie: sid=the-mirror-s-own-1"],
    );
}

#[test]
fn nothing_lives_longer_than_it_may() {
    let mut carry = carry(&["all"]);
    carry.hears(&ANNA, &["GET /"], &["{\"t\":\"@\"}"]);
    let exchange = ANNA.exchange(&["GET /PRODUCTION-0a1b2c3d"]);
    let mut sends_at = |now: u64| {
        let mut sent = exchange.request.clone();
        let carried = carry.replace(origin(&exchange), &mut sent, Timestamp(now));
        !carried.replaced.is_empty()
    };
    assert!(sends_at(2 * HOUR));
    assert!(!sends_at(2 * HOUR + 1));
}

#[test]
fn all_tables_are_bounded_and_the_books_are_right() {
    let limits = CarryLimits {
        entries: 20,
        sessions: 30,
        bytes: 40_000,
        age: Duration::from_secs(3600),
    };
    let mut carry = Carry::new(CarryRules::read(&["all".into()]).unwrap(), limits);
    let mut random = Random(7);
    for _ in 0..3000 {
        let client = ANNA.on(random.below(200));
        let (sid, value) = (random.below(100), random.below(1_000_000));
        let cookie = format!("Cookie: sid=session-number-{sid}");
        let set = format!(
            "Set-Cookie: sid=session-number-{}; HttpOnly",
            random.below(100)
        );
        let body = format!("{{\"t{}\":\"@\"}}", random.below(50));
        let asked: &[&str] = if random.below(3) == 0 {
            &["GET /"]
        } else {
            &["GET /", &cookie]
        };
        let answered: &[&str] = if random.below(5) == 0 {
            &[&set, &body]
        } else {
            &[&body]
        };
        let own = [
            format!("p{value}-0123456789"),
            format!("m{value}-0123456789"),
        ];
        carry.hears_of(&client, asked, answered, (&own[0], &own[1]));
        let stats = carry.stats();
        assert!(
            stats.sessions <= 30 && stats.entries <= 600 && stats.bytes <= 40_000,
            "{stats:?}"
        );
        let clients = &carry.clients;
        assert_eq!(clients.counted(), (clients.bytes(), clients.entries()));
    }
    assert!(carry.stats().evicted > 0);
}

/// Sessions that show their cookie, on any connections and through proxies, with values that production gives to several of
/// them: what is sent for a session is its own, or what was captured.
#[test]
fn nothing_is_put_in_that_its_own_session_did_not_learn() {
    for seed in 0..20 {
        let mut random = Random(seed * 2 + 1);
        let mut carry = carry(&["all"]);
        let mut learnt: Vec<(u64, String, String)> = Vec::new();
        for _ in 0..400 {
            let session = random.below(6);
            let client = ANNA.on(random.below(3));
            let cookie = format!("Cookie: lang=en; sid=session-number-{session}");
            let forwarded = format!("X-Forwarded-For: 198.51.100.{}", random.below(3));
            let value = format!("value-{}-0123456789", random.below(8));
            let mut asked = vec![format!("POST /things?v={value}"), cookie];
            asked.extend((random.below(2) == 0).then_some(forwarded));
            let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
            let (sent, _) = carry.sends(&client, &asked);
            let query = String::from_utf8(sent.target.query().unwrap().to_vec()).unwrap();
            let sent = query.strip_prefix("v=").unwrap();
            let own = learnt
                .iter()
                .rev()
                .find(|(s, from, _)| *s == session && *from == value);
            assert_eq!(sent, own.map_or(&*value, |(_, _, to)| to), "seed {seed}");
            let to = format!("mirror-{session}-{}-0123456789", random.below(1000));
            carry.hears_of(&client, &asked, &["{\"v\":\"@\"}"], (&value, &to));
            learnt.push((session, value, to));
        }
    }
}

/// A generator of numbers that is the same on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

#[test]
fn an_odd_request_is_left_as_it_is() {
    let mut carry = carry(&["all"]);
    carry.hears(&ANNA, &["GET /"], &["{\"t\":\"@\"}"]);
    for target in [
        "*",
        "/",
        "//?&=&",
        "http://h",
        "http://h?a=PRODUCTION-0a1b2c3d#",
        "/%zz/%",
        "a?b",
    ] {
        let mut exchange = ANNA.exchange(&["GET /"]);
        exchange.request.target = RequestTarget::parse("GET", target);
        let mut sent = exchange.request.clone();
        carry.replace(origin(&exchange), &mut sent, Timestamp(HOUR));
        assert_eq!(sent, exchange.request, "{target}");
    }
}
