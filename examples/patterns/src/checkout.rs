//! Three queries, and one of them again after a write: recorded one by one, answered in their order.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use mirror_snapshot::SnapshotSource;
use serde_json::{Value, json};

use crate::Shop;

pub(crate) async fn total(
    State(shop): State<Shop>,
    source: SnapshotSource,
) -> Result<Json<Value>, Response> {
    let read = async |name: &str| {
        let loaded = source
            .load(name, "", async || shop.database.read().await)
            .await;
        loaded.map_err(IntoResponse::into_response)
    };
    let (user, cart, stock) = (
        read("user").await?,
        read("cart").await?,
        read("stock").await?,
    );
    if let Some(position) = &shop.position {
        source.set_position(position);
    }
    let reserve = async || shop.database.read().await;
    let reserved = source
        .write("reserve", cart, &cart, reserve)
        .await
        .map_err(IntoResponse::into_response)?;
    let after = read("stock").await?;
    // In the mirror this is production's time.
    let at = source
        .now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    Ok(Json(json!({
        "user": user,
        "cart": cart,
        "stock": [stock, after],
        "reserved": reserved,
        "at": at.as_millis() as u64,
    })))
}
