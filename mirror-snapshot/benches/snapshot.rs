//! What snapshots cost: the request path of production with a store that is well, silent or dead; ids per second;
//! thousands of waits at once. Run by `cargo xtask bench snapshot`, which names a free port for its own Redis.

use std::{
    hint::black_box,
    net::IpAddr,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use mirror_snapshot::{
    Fields, IdRules, Profile, RedisStore, RequestId, RequestTarget, Settings, Snapshots,
    WaitOptions, store::Waiter,
};
use serde_json::json;

const REQUESTS: usize = 20_000;
const WAITING: usize = 20_000;

struct Order {
    target: RequestTarget,
    body: Vec<u8>,
}

impl Fields for Order {
    fn method(&self) -> &str {
        "POST"
    }
    fn target(&self) -> Option<&RequestTarget> {
        Some(&self.target)
    }
    fn header(&self, name: &str, nth: usize) -> Option<&[u8]> {
        (name == "x-request-id" && nth == 0).then_some(b"7f3c2b1e-0a4d-4c3e-9a57-0a1b2c3d4e5f")
    }
    fn body(&self) -> Option<&[u8]> {
        Some(&self.body)
    }
    fn client(&self) -> Option<IpAddr> {
        None
    }
}

fn order(n: usize) -> Order {
    let body = json!({ "userId": n, "productId": format!("p{}", n % 50), "quantity": 2, "note": "please ring twice" });
    Order {
        target: RequestTarget::parse("POST", "/users/42/orders?lang=en&page=2"),
        body: body.to_string().into_bytes(),
    }
}

struct Redis {
    child: Child,
    port: String,
}

impl Redis {
    fn start(port: &str) -> Self {
        let child = Command::new("redis-server")
            .args([
                "--port",
                port,
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .stdout(Stdio::null())
            .spawn()
            .expect("starting redis-server");
        let this = Self {
            child,
            port: port.into(),
        };
        while !this.cli(&["ping"]).starts_with("PONG") {
            std::thread::sleep(Duration::from_millis(20));
        }
        this
    }

    fn cli(&self, command: &[&str]) -> String {
        let output = Command::new("redis-cli")
            .args(["-p", &self.port])
            .args(command)
            .output();
        String::from_utf8_lossy(&output.expect("running redis-cli").stdout).into_owned()
    }

    fn signal(&self, signal: &str) {
        let _ = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status();
    }

    fn commands(&self) -> u64 {
        let info = self.cli(&["info", "stats"]);
        let line = info
            .lines()
            .find_map(|l| l.strip_prefix("total_commands_processed:"));
        line.and_then(|n| n.trim().parse().ok()).unwrap_or(0)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::main]
async fn main() {
    let Some(port) = std::env::var("MIRROR_BENCH_REDIS_PORT").ok() else {
        println!(
            "{}",
            json!({ "skipped": "run by `cargo xtask bench snapshot`" })
        );
        return;
    };
    let mut redis = Redis::start(&port);
    let url = format!("redis://127.0.0.1:{port}");
    let ids = ids_per_second();
    let waits = waits(&redis, &url).await;
    let mut path = vec![request_path(None, "off").await];
    path.push(request_path(Some(&url), "healthy").await);
    redis.signal("-STOP");
    path.push(request_path(Some(&url), "silent").await);
    redis.signal("-CONT");
    let _ = redis.child.kill();
    let _ = redis.child.wait();
    path.push(request_path(Some(&url), "dead").await);
    println!(
        "{}",
        json!({ "ids": ids, "waits": waits, "request_path": path })
    );
}

/// On one core.
fn ids_per_second() -> serde_json::Value {
    let rules = [
        "header:x-request-id",
        r#"md5("{json:userId}:{json:productId}:{time:s}")"#,
        r#"sha256("{json:userId}:{json:productId}:{time:s}")"#,
        r#"xxh3("{query:lang}:{query:page}:{path:2}:{time:s}")"#,
    ];
    let orders: Vec<_> = (0..1000).map(order).collect();
    let measure = |rule: &&str| {
        let rules = IdRules::parse(&[rule]).expect("a rule");
        let (began, mut made) = (Instant::now(), 0_u64);
        while began.elapsed() < Duration::from_secs(1) {
            for order in &orders {
                black_box(rules.derive(order, None, 1_700_000_000));
            }
            made += orders.len() as u64;
        }
        json!({ "rule": rule, "per_second": made as f64 / began.elapsed().as_secs_f64() })
    };
    rules.iter().map(measure).collect()
}

/// Time that a request spends on its snapshot: naming it, recording two reads, handing it over.
async fn request_path(url: Option<&str>, store: &str) -> serde_json::Value {
    let rules = IdRules::parse(&[r#"none("{json:userId}")"#]).expect("a rule");
    let snapshots = match url {
        None => Snapshots::off(Profile::Production),
        Some(url) => Snapshots::new(
            Settings::new(Profile::Production),
            rules,
            RedisStore::connect(url).expect("a URL"),
        ),
    };
    let stock = json!({ "product": 7, "left": 31, "warehouse": "north" });
    let mut took = Vec::with_capacity(REQUESTS);
    for n in 0..REQUESTS {
        let order = order(n);
        let began = Instant::now();
        let source = snapshots.begin(&order, None);
        let read = async || Ok::<_, String>(stock.clone());
        let _ = black_box(source.load("stock", 7, read).await);
        let _ = black_box(
            source
                .load("price", 7, async || Ok::<_, String>(1999))
                .await,
        );
        drop(source);
        took.push(began.elapsed());
        // 10,000 a second.
        if n % 10 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    took.sort();
    let at =
        |share: f64| took[(share * (took.len() - 1) as f64) as usize].as_nanos() as f64 / 1000.0;
    let counts: serde_json::Map<_, _> = snapshots
        .counts()
        .iter()
        .map(|(n, c)| (n.into(), c.into()))
        .collect();
    json!({ "store": store, "p50_us": at(0.5), "p99_us": at(0.99), "max_us": at(1.0), "counts": counts })
}

/// 20,000 ids wait for ten ticks and are not found.
async fn waits(redis: &Redis, url: &str) -> serde_json::Value {
    let store = RedisStore::connect(url).expect("a URL");
    store.ping().await.expect("a store");
    let options = WaitOptions {
        timeout: Duration::from_secs(5),
        ..WaitOptions::default()
    };
    let waiter = Waiter::new(store, options);
    let all: Vec<_> = (0..WAITING)
        .map(|n| {
            let waiter = waiter.clone();
            tokio::spawn(async move {
                let id =
                    RequestId::new(&format!("0123456789abcdef0123456789{n:06}")).expect("an id");
                waiter.wait(vec![id], Box::new(|_, _| true)).await
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (commands, cpu, began) = (redis.commands(), cpu_seconds(), Instant::now());
    tokio::time::sleep(Duration::from_secs(3)).await;
    let seconds = began.elapsed().as_secs_f64();
    let (cpu, commands) = (cpu_seconds() - cpu, redis.commands() - commands);
    for wait in all {
        let _ = wait.await;
    }
    json!({
        "waiting": WAITING,
        "share_of_a_core": cpu / seconds,
        "commands_per_second": commands as f64 / seconds,
        "looks_per_second": WAITING as f64 * 10.0,
    })
}

/// Of this process, user and system.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or("")
        .split_whitespace()
        .collect();
    let ticks = |n: usize| {
        fields
            .get(n)
            .and_then(|f| f.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    (ticks(11) + ticks(12)) / 100.0
}
