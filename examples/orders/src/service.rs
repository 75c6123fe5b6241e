//! The HTTP interface. Every read and every write goes through the request's [`SnapshotSource`].

use std::{net::SocketAddr, sync::Arc, time::UNIX_EPOCH};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{ConnectInfo, Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use mirror_snapshot::{SnapshotSource, Snapshots, service::SnapshotLayer};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::database::{Database, Placed, Product};

#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) database: Arc<Database>,
    pub(crate) version: u8,
    pub(crate) mistake: Option<Mistake>,
}

/// What only shows in what a request reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mistake {
    /// Books a cent more than the answer says
    BookedAmount,
    /// Reads the product once more for each piece of an order
    RowPerPiece,
}

type Answer = Result<Json<Value>, Response>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    product_id: u32,
    qty: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Order {
    user_id: u64,
    product_id: u32,
    quantity: i64,
}

impl Service {
    pub(crate) fn router(self, snapshots: Snapshots) -> Router {
        let peer = |e: &axum::http::Extensions| e.get::<ConnectInfo<SocketAddr>>().map(|c| c.0);
        Router::new()
            .route("/healthz", get(|| async { "ok" }))
            .route("/products/{id}", get(product))
            .route("/cart/{user}/total", get(total))
            .route("/orders", post(order))
            .with_state(self)
            .layer(SnapshotLayer::new(snapshots).peer(peer))
    }

    /// What the order service reads for a request.
    async fn read(&self, source: &SnapshotSource, product: u32) -> Result<Product, Response> {
        let found = source
            .load("product", product, async || self.database.product(product))
            .await
            .map_err(IntoResponse::into_response)?;
        found.ok_or_else(|| refuse(StatusCode::NOT_FOUND, "no such product"))
    }

    /// One percent off for each piece beyond the first, in cents, rounded down.
    fn discount(&self, price_cents: i64, quantity: i64) -> i64 {
        let hundredths = price_cents * quantity * (quantity - 1).clamp(0, 20);
        match self.version {
            1 => hundredths / 100,
            // The planted mistake of version 2: rounded up.
            _ => (hundredths + 99) / 100,
        }
    }
}

async fn product(
    State(service): State<Service>,
    Path(id): Path<u32>,
    source: SnapshotSource,
) -> Answer {
    let product = service.read(&source, id).await?;
    Ok(Json(json!({
        "id": product.id,
        "name": product.name,
        "priceCents": product.price_cents,
        "stock": product.stock,
    })))
}

async fn total(
    State(service): State<Service>,
    Path(user): Path<u64>,
    Query(line): Query<Line>,
    source: SnapshotSource,
) -> Answer {
    let product = service.read(&source, line.product_id).await?;
    Ok(Json(json!({
        "userId": user,
        "unitPriceCents": product.price_cents,
        "quantity": line.qty,
        "discountCents": service.discount(product.price_cents, line.qty),
        "totalCents": product.price_cents * line.qty,
    })))
}

async fn order(State(service): State<Service>, source: SnapshotSource, body: Bytes) -> Answer {
    let order: Order = serde_json::from_slice(&body)
        .map_err(|error| refuse(StatusCode::BAD_REQUEST, &error.to_string()))?;
    let product = service.read(&source, order.product_id).await?;
    if service.mistake == Some(Mistake::RowPerPiece) {
        for _ in 0..order.quantity {
            // Its result changes nothing, and no snapshot has it.
            let _ = service.read(&source, order.product_id).await;
        }
    }
    let database = &service.database;
    let before = source
        .load("orders of user", order.user_id, async || {
            database.orders_of(order.user_id)
        })
        .await
        .map_err(IntoResponse::into_response)?;
    let number = source
        .id()
        .map_or_else(|| "unnamed".into(), |id| id.to_string());
    let receipt = source
        .random_id()
        .await
        .map_err(IntoResponse::into_response)?;
    let receipt = receipt.to_string();
    let placed_at = source.now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let placed_at = placed_at.as_millis() as u64;
    let total_cents = product.price_cents * order.quantity;
    let booked_too_much = i64::from(service.mistake == Some(Mistake::BookedAmount));
    let placed = Placed {
        id: &number,
        user: order.user_id,
        product: order.product_id,
        quantity: order.quantity,
        receipt: &receipt,
        placed_at,
        total_cents: total_cents + booked_too_much,
    };
    source
        .write("order", &number, &placed, async || database.place(&placed))
        .await
        .map_err(IntoResponse::into_response)?;
    Ok(Json(json!({
        "orderId": number,
        "receipt": receipt,
        "placedAt": placed_at,
        "ordersBefore": before,
        "totalCents": total_cents,
        "remaining": product.stock - order.quantity,
    })))
}

fn refuse(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({ "error": why }))).into_response()
}
