//! The HTTP interface. Every read goes through the snapshots; every write through [`Service::place`].

use std::{
    borrow::Cow,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Query, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    routing::{get, post},
};
use mirror_snapshot::{
    Fields, HEADER_REQUEST_ID, IdRules, LoadError, Profile, RequestId, Snapshots,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::database::{Database, Product};

#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) database: Arc<Database>,
    pub(crate) snapshots: Snapshots,
    pub(crate) rules: IdRules,
    pub(crate) version: u8,
}

type Answer = Result<Json<Value>, (StatusCode, Json<Value>)>;

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
    pub(crate) fn router(self) -> Router {
        Router::new()
            .route("/healthz", get(|| async { "ok" }))
            .route("/products/{id}", get(product))
            .route("/cart/{user}/total", get(total))
            .route("/orders", post(order))
            .with_state(self)
    }

    async fn read(
        &self,
        id: Option<&RequestId>,
        product: u32,
    ) -> Result<Product, (StatusCode, Json<Value>)> {
        let database = Arc::clone(&self.database);
        let loaded = self
            .snapshots
            .load(id, async || database.product(product))
            .await;
        match loaded.map(|l| l.value) {
            Ok(Some(product)) => Ok(product),
            Ok(None) => Err(refuse(StatusCode::NOT_FOUND, "no such product")),
            Err(LoadError::Database(error)) => Err(refuse(
                StatusCode::INTERNAL_SERVER_ERROR,
                &error.to_string(),
            )),
            Err(error) => Err(refuse(StatusCode::SERVICE_UNAVAILABLE, &error.to_string())),
        }
    }

    /// Writes in production; in the mirror a write is not done.
    fn place(&self, id: &str, order: &Order) -> rusqlite::Result<()> {
        match self.snapshots.profile() {
            Profile::Production => {
                self.database
                    .place(id, order.user_id, order.product_id, order.quantity)
            }
            Profile::Mirror => Ok(()),
        }
    }

    fn id(&self, request: &Request<'_>) -> Option<RequestId> {
        if self.snapshots.profile() == Profile::Mirror
            && let Some(given) = request.header(HEADER_REQUEST_ID)
        {
            return RequestId::new(&given);
        }
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        self.rules.derive(request, None, now.as_secs())
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
    uri: Uri,
    headers: HeaderMap,
) -> Answer {
    let id_of = service.id(&Request::new(&Method::GET, &uri, &headers, None));
    let product = service.read(id_of.as_ref(), id).await?;
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
    uri: Uri,
    headers: HeaderMap,
) -> Answer {
    let id = service.id(&Request::new(&Method::GET, &uri, &headers, None));
    let product = service.read(id.as_ref(), line.product_id).await?;
    Ok(Json(json!({
        "userId": user,
        "unitPriceCents": product.price_cents,
        "quantity": line.qty,
        "discountCents": service.discount(product.price_cents, line.qty),
        "totalCents": product.price_cents * line.qty,
    })))
}

async fn order(
    State(service): State<Service>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let json: Option<Value> = serde_json::from_slice(&body).ok();
    let order: Order = serde_json::from_slice(&body)
        .map_err(|error| refuse(StatusCode::BAD_REQUEST, &error.to_string()))?;
    let id = service.id(&Request::new(&Method::POST, &uri, &headers, json.as_ref()));
    let product = service.read(id.as_ref(), order.product_id).await?;
    let number = id.map_or_else(|| "unnamed".into(), |id| id.to_string());
    service
        .place(&number, &order)
        .map_err(|error| refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()))?;
    Ok(Json(json!({
        "orderId": number,
        "totalCents": product.price_cents * order.quantity,
        "remaining": product.stock - order.quantity,
    })))
}

fn refuse(status: StatusCode, why: &str) -> (StatusCode, Json<Value>) {
    (status, Json(json!({ "error": why })))
}

/// What the id rules may read.
struct Request<'a> {
    method: &'a Method,
    target: String,
    headers: &'a HeaderMap,
    json: Option<&'a Value>,
}

impl<'a> Request<'a> {
    fn new(method: &'a Method, uri: &Uri, headers: &'a HeaderMap, json: Option<&'a Value>) -> Self {
        Self {
            method,
            target: uri.to_string(),
            headers,
            json,
        }
    }
}

impl Fields for Request<'_> {
    fn method(&self) -> &str {
        self.method.as_str()
    }

    fn target(&self) -> &str {
        &self.target
    }

    fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        self.headers
            .get(name)
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
    }

    fn json(&self) -> Option<&Value> {
        self.json
    }
}
