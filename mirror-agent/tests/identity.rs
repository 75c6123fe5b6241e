//! The agent and a service that uses the layer name every request alike, whatever is in it.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use mirror_core::exchange;
use mirror_core::exchange::{Body, Exchange, Timing};
use mirror_core::identity::Identifier;
use mirror_core::time::Timestamp;
use mirror_snapshot::{
    HEADER_REQUEST_ID, IdRules, Profile, RedisStore, RequestId, Settings, SnapshotSource,
    Snapshots, service::SnapshotLayer,
};
use tower_service::Service;

const REQUESTS: u32 = 20_000;
const SEED: u64 = 0x5eed_2026;

const RULES: [&str; 8] = [
    "header:x-request-id",
    "traceparent",
    r#"GET /u/{user}/** => md5("{path:user}|{client}|{time:s}")"#,
    r#"md5("{json:userId}:{json:/items/0}:{time:s}")"#,
    r#"sha256("{form:a}|{?form:b}|{time:5s}")"#,
    r#"xxh3("{query:q}|{cookie:sid}|{host}")"#,
    r#"md5("{header:x-a}|{method}|{path}")"#,
    r#"md5("{path}|{query:q}|{?json:userId}")"#,
];

/// Xorshift, seeded: the same requests on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len() as u64) as usize]
    }

    fn sometimes<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.below(2) == 0).then(|| make(self))
    }
}

struct Made {
    method: &'static str,
    target: String,
    headers: Vec<(&'static str, String)>,
    body: String,
}

fn request(random: &mut Random) -> Made {
    let segment = ["7", "a%20b", "%C3%A4", "%ff", "", "x+y", "%2F", "user"];
    let value = ["1", "a+b", "%20", "%zz", "", "%E6%97%A5", "a%3Db", "0"];
    let mut target = format!(
        "/{}/{}/{}",
        random.of(&["u", "orders", "a"]),
        random.of(&segment),
        random.of(&segment)
    );
    if let Some(query) = random.sometimes(|r| {
        format!(
            "?{}={}&q={}",
            r.of(&["q", "%71", "x"]),
            r.of(&value),
            r.of(&value)
        )
    }) {
        target.push_str(&query);
    }
    let mut headers = vec![(
        "host",
        random
            .of(&["shop.example", "Shop:8080", "[::1]:80"])
            .to_owned(),
    )];
    let mut maybe = |name: &'static str, values: &[&str]| {
        if let Some(value) = random.sometimes(|r| r.of(values).to_owned()) {
            headers.push((name, value));
        }
    };
    maybe("x-a", &["1", "a b", "", "x"]);
    maybe("x-a", &["second"]);
    maybe("cookie", &["sid=1; b=2", "b=2;sid= x ", "sid", "a=1"]);
    maybe(
        "content-type",
        &[
            "application/x-www-form-urlencoded",
            "application/json",
            "text/plain; a=b",
        ],
    );
    maybe(
        "traceparent",
        &[
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-x-y-z",
            "",
        ],
    );
    if random.below(4) == 0 {
        headers.push((
            "x-request-id",
            random.of(&["abc", "a b", "", "id-7"]).to_owned(),
        ));
    }
    let number = random.of(&[
        "1",
        "1.0",
        "-0.0",
        "1e3",
        "12345678901234567890",
        "0.10",
        "1e99",
    ]);
    let text = random.of(&[
        "\"p1\"",
        "\"日本\"",
        "\"\\ud83d\\ude00\"",
        "null",
        "[1.0,{\"b\":2,\"a\":1}]",
        "true",
    ]);
    let json = format!(r#"{{"userId":{number},"items":[{text}],"userId":{number}}}"#);
    let body = match random.below(4) {
        0 => json,
        1 => format!("a={}&b={}", random.of(&value), random.of(&value)),
        2 => "{".into(),
        _ => String::new(),
    };
    Made {
        method: random.of(&["GET", "POST", "PUT"]),
        target,
        headers,
        body,
    }
}

/// What the agent saw of it on the wire.
fn captured(made: &Made, client: SocketAddr, at: Timestamp) -> Exchange {
    let request = exchange::Request {
        headers: made.headers.iter().map(|(n, v)| (*n, v.as_str())).collect(),
        body: Body::from(Bytes::from(made.body.clone())),
        ..exchange::Request::new(made.method, made.target.clone())
    };
    let server = "10.0.0.2:80".parse().expect("an address");
    Exchange {
        timing: Timing {
            request_first: at,
            request_last: at,
            ..Timing::default()
        },
        ..Exchange::new(client, server, request)
    }
}

/// A handler that tells what the layer gave it.
#[derive(Clone, Default)]
struct Handler(Arc<Mutex<Option<RequestId>>>);

impl<B> Service<Request<B>> for Handler {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let source = request
            .extensions()
            .get::<SnapshotSource>()
            .expect("the layer's work");
        *self.0.lock().expect("one thread") = source.id();
        std::future::ready(Ok(Response::new(())))
    }
}

#[tokio::test]
async fn agent_production_and_mirror_derive_one_id() {
    println!("seed {SEED:#x}");
    let client: SocketAddr = "[::ffff:10.0.0.1]:4711".parse().expect("an address");
    let store =
        || RedisStore::connect("redis://127.0.0.1:1").expect("a URL: nothing is asked of it");
    let mut random = Random(SEED);
    let mut named = [0; RULES.len() + 1];
    let layers: Vec<_> = (0..RULES.len())
        .map(|from| {
            let rules = IdRules::parse(&RULES[from..]).expect("rules");
            let of = |profile| {
                let snapshots = Snapshots::new(Settings::new(profile), rules.clone(), store());
                SnapshotLayer::new(snapshots).peer(move |_| Some(client))
            };
            let identifier = Identifier {
                rules: rules.clone(),
                ..Identifier::default()
            };
            (identifier, of(Profile::Production), of(Profile::Mirror))
        })
        .collect();
    for n in 0..REQUESTS {
        let made = request(&mut random);
        let from = random.below(RULES.len() as u64) as usize;
        let (identifier, production, mirror) = &layers[from];
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("a clock");
        // The agent's clock is away, and with what passes until production looks at its own, by less than a second.
        let skew = [-900_000_000_i64, 0, 900_000_000][random.below(3) as usize];
        let at = Timestamp((now.as_nanos() as u64).saturating_add_signed(skew));
        let seen = identifier.identify(&captured(&made, client, at)).candidates;
        let there = through(production, &made, None).await;
        match &there {
            Some(id) => assert!(
                seen.ids.contains(id),
                "request {n}: {id} is not among {:?}",
                seen.ids
            ),
            None => assert!(seen.ids.is_empty(), "request {n}: {:?}", seen.ids),
        }
        let here = through(mirror, &made, there.as_ref()).await;
        assert_eq!(here, there, "request {n}");
        named[if there.is_some() { from } else { RULES.len() }] += 1;
    }
    // Each list of rules named some, and some had no name.
    assert!(named.iter().all(|count| *count > 100), "{named:?}");
}

async fn through(layer: &SnapshotLayer, made: &Made, id: Option<&RequestId>) -> Option<RequestId> {
    let mut request = Request::builder()
        .method(made.method)
        .uri(made.target.as_str());
    for (name, value) in &made.headers {
        request = request.header(*name, value);
    }
    if let Some(id) = id {
        request = request.header(HEADER_REQUEST_ID, id.as_str());
    }
    let request = request
        .body(Full::new(Bytes::from(made.body.clone())))
        .expect("a request");
    let handler = Handler::default();
    let mut service = tower_layer::Layer::layer(layer, handler.clone());
    service.call(request).await.expect("an answer");
    handler.0.lock().expect("one thread").take()
}
