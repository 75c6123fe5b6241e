//! Three ways in which services use snapshots, each a route in a file of its own:
//!
//! * `order`: all that a request needs is read at once and filed as one object, under the MD5 of user, product and second.
//! * `catalogue`: a read-heavy service with a cache in front of its database. What the cache gave is what production answered
//!   from, so it is what is recorded; the answer says whether it was a hit.
//! * `checkout`: three queries, and one again after a write. Each is recorded and answered in its order.
//!
//! The data changes at every read, as in a busy shop: without snapshots no two answers are alike.

mod catalogue;
mod checkout;
mod order;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use anyhow::Context;
use axum::{
    Router,
    extract::ConnectInfo,
    routing::{get, post},
};
use clap::Parser;
use mirror_snapshot::{IdRules, Profile, RedisStore, Settings, Snapshots, service::SnapshotLayer};

/// Both sides name a request alike. The last rule is for the routes that have no fields of their own.
const RULES: [&str; 3] = [
    r#"POST /orders => md5("{json:userId}:{json:productId}:{time:s}")"#,
    r#"GET /catalogue/{product} => md5("{path:product}:{?header:x-user}:{time:s}") #n"#,
    "response-header:x-request-id",
];

/// Example: patterns --profile production --listen 127.0.0.1:8080 --redis redis://127.0.0.1
#[derive(Debug, Parser)]
struct Options {
    #[arg(long, default_value = "production")]
    profile: Profile,
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    #[arg(long)]
    redis: String,
    /// Where the database's log is, for mirrors that read a replica; a real service asks its database
    #[arg(long)]
    position: Option<String>,
    /// Print the rules for `mirror-agent --rule` and end
    #[arg(long)]
    rules: bool,
}

/// A database whose every answer is new.
#[derive(Clone, Default)]
struct Database(Arc<AtomicU64>);

impl Database {
    /// Some number that will be another one the next time.
    async fn read(&self) -> Result<u64, std::io::Error> {
        Ok(self.0.fetch_add(1, Relaxed))
    }
}

#[derive(Clone, Default)]
struct Shop {
    database: Database,
    cache: catalogue::Cache,
    position: Option<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if options.rules {
        RULES.iter().for_each(|rule| println!("{rule}"));
        return Ok(());
    }
    let snapshots = Snapshots::new(
        Settings::new(options.profile),
        IdRules::parse(&RULES)?,
        RedisStore::connect(&options.redis)?,
    );
    let peer = |e: &axum::http::Extensions| e.get::<ConnectInfo<SocketAddr>>().map(|c| c.0);
    let app = Router::new()
        .route("/orders", post(order::place))
        .route("/catalogue/{product}", get(catalogue::show))
        .route("/checkout", get(checkout::total))
        .with_state(Shop {
            position: options.position,
            ..Shop::default()
        })
        .layer(SnapshotLayer::new(snapshots).peer(peer));
    let listener = tokio::net::TcpListener::bind(options.listen)
        .await
        .with_context(|| format!("listening on {}", options.listen))?;
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).await?;
    Ok(())
}
