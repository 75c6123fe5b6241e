//! One object for each request: what is read stands in one struct, which is the snapshot.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use mirror_snapshot::SnapshotSource;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Database, Shop};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Order {
    user_id: u64,
    product_id: u64,
}

/// All that an order is decided by.
#[derive(Serialize, Deserialize)]
struct Seed {
    credit: u64,
    stock: u64,
    price: u64,
}

impl Seed {
    async fn read(database: &Database) -> Result<Self, std::io::Error> {
        Ok(Self {
            credit: database.read().await?,
            stock: database.read().await?,
            price: database.read().await?,
        })
    }
}

pub(crate) async fn place(
    State(shop): State<Shop>,
    source: SnapshotSource,
    Json(order): Json<Order>,
) -> Result<Json<Value>, Response> {
    let read = async || Seed::read(&shop.database).await;
    let seed = source
        .load("seed", order.user_id, read)
        .await
        .map_err(IntoResponse::into_response)?;
    // New in production, the same in the mirror.
    let number = source
        .random_id()
        .await
        .map_err(IntoResponse::into_response)?;
    Ok(Json(json!({
        "number": number,
        "product": order.product_id,
        "left": seed.stock,
        "price": seed.price,
        "credit": seed.credit,
    })))
}
