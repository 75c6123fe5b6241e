//! An order service over SQLite, as a service that takes part: one code base, two profiles.
//!
//! In production it reads its database and files what it read; in the mirror it reads that instead. Version 2
//! has one planted mistake that its answers show; `--mistake` plants one that they do not.

mod database;
mod service;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use clap::Parser;
use mirror_snapshot::{IdRules, Profile, RedisStore, Settings, Snapshots};

use database::Database;
use service::{Mistake, Service};

/// Example: orders --profile production --listen 127.0.0.1:8080 --database /tmp/orders.db --churn 50
#[derive(Debug, Parser)]
struct Options {
    #[arg(long, default_value = "production")]
    profile: Profile,
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where snapshots are kept; without it both profiles read their own database
    #[arg(long)]
    redis: Option<String>,
    #[arg(long)]
    database: PathBuf,
    /// 1, or 2 with the mistake
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    api_version: u8,
    /// A mistake that no answer shows
    #[arg(long)]
    mistake: Option<Mistake>,
    /// Milliseconds between two changes of stock and prices; 0 for none
    #[arg(long, default_value_t = 0)]
    churn: u64,
    /// Rule for the request id (repeatable)
    #[arg(long, default_values_t = [
        String::from("header:x-request-id"),
        String::from("md5(\"{json:userId}:{json:productId}:{time:s}\")"),
    ])]
    rule: Vec<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let database = Arc::new(Database::open(&options.database)?);
    let snapshots = match &options.redis {
        None => Snapshots::off(options.profile),
        Some(url) => Snapshots::new(
            Settings::new(options.profile),
            IdRules::parse(&options.rule)?,
            RedisStore::connect(url)?,
        ),
    };
    if options.churn > 0 {
        let database = Arc::clone(&database);
        let pause = Duration::from_millis(options.churn);
        tokio::spawn(async move {
            for round in 0.. {
                tokio::time::sleep(pause).await;
                if let Err(error) = database.churn(round) {
                    eprintln!("churn: {error:#}");
                }
            }
        });
    }
    let service = Service {
        database,
        version: options.api_version,
        mistake: options.mistake,
    };
    let listener = tokio::net::TcpListener::bind(options.listen)
        .await
        .with_context(|| format!("listening on {}", options.listen))?;
    let router = service.router(snapshots);
    axum::serve(
        listener,
        router.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .await?;
    Ok(())
}
