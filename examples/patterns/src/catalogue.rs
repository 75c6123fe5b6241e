//! A cache in front of the database. Recorded is what the request saw: the value, and whether the cache had it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use mirror_snapshot::SnapshotSource;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{Database, Shop};

/// Prices by product, each good for a few answers.
#[derive(Clone, Default)]
pub(crate) struct Cache(Arc<Mutex<HashMap<u64, (u64, u32)>>>);

const GOOD_FOR: u32 = 5;

#[derive(Serialize, Deserialize)]
struct Price {
    cents: u64,
    from_cache: bool,
}

impl Cache {
    async fn price(&self, database: &Database, product: u64) -> Result<Price, std::io::Error> {
        if let Some((cents, left)) = self.entries().get_mut(&product)
            && *left > 0
        {
            *left -= 1;
            return Ok(Price {
                cents: *cents,
                from_cache: true,
            });
        }
        let cents = database.read().await?;
        self.entries().insert(product, (cents, GOOD_FOR));
        Ok(Price {
            cents,
            from_cache: false,
        })
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, HashMap<u64, (u64, u32)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) async fn show(
    State(shop): State<Shop>,
    Path(product): Path<u64>,
    source: SnapshotSource,
) -> Response {
    let read = async || shop.cache.price(&shop.database, product).await;
    match source.load("price", product, read).await {
        Err(error) => error.into_response(),
        Ok(price) => {
            // Both sides tell their hits, and the report compares the shares.
            let cache = if price.from_cache { "hit" } else { "miss" };
            (
                [("x-cache", cache)],
                Json(json!({ "product": product, "cents": price.cents })),
            )
                .into_response()
        }
    }
}
