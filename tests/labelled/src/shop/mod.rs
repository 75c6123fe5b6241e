//! A shop: 33 routes of JSON of many shapes, lists, maps, JSON lines, events, HTML, XML, CSV, redirects, errors, headers, cookies,
//! times, and orders of which the answer does not show what they write.

mod changes;
mod documents;
mod effects;
mod lists;
mod markup;
mod plain;

use crate::service::{Route, Site};

pub static SHOP: Site = Site {
    name: "shop",
    routes: &ROUTES,
    changes: changes::CHANGES,
    ignored: &[
        "date",
        "time",
        "_at",
        "generated",
        "expires",
        "now",
        "age",
        "uuid",
        "trace",
        "span",
        "request_id",
        "session",
        "token",
        "csrf",
        "nonce",
        "reference",
        "next",
        "took",
        "host",
        "served_by",
        "visit",
        "set-cookie",
        "quota",
        "signature",
        "incident",
        "lastBuildDate",
    ],
};

static ROUTES: [Route; 33] = [
    Route::new("GET /orders/{id}", documents::order),
    Route::new("GET /users/{id}", documents::user),
    Route::new("GET /products/{id}", documents::product),
    Route::new("GET /carts/{id}", documents::cart),
    Route::new("GET /invoices/{id}", documents::invoice),
    Route::new("GET /profiles/{id}", documents::profile),
    Route::new("GET /tickets/{id}", documents::ticket),
    Route::new("GET /payments/{id}", documents::payment),
    Route::new("GET /sessions/{id}", documents::session),
    Route::new("GET /flags", documents::flags),
    Route::new("GET /prices/{id}", documents::prices),
    Route::new("GET /metrics/{id}", documents::metrics),
    Route::new("GET /search/{id}", lists::search),
    Route::new("GET /recommendations/{id}", lists::recommendations),
    Route::new("GET /events/{id}", lists::events),
    Route::new("GET /groups/{id}", lists::groups),
    Route::new("GET /inventory/{id}", lists::inventory),
    Route::new("GET /audit/{id}", lists::audit),
    Route::new("GET /pages/{id}", markup::page),
    Route::new("GET /tables/{id}", markup::table),
    Route::new("GET /feeds/{id}", markup::feed),
    Route::new("GET /sitemaps/{id}", markup::sitemap),
    Route::new("GET /reports/{id}", plain::report),
    Route::new("GET /robots", plain::robots),
    Route::new("GET /go/{id}", plain::redirect),
    Route::new("GET /missing/{id}", plain::missing),
    Route::new("GET /downloads/{id}", plain::download),
    Route::new("GET /slow/{id}", plain::slow),
    Route::new("GET /tails/{id}", plain::tail),
    Route::new("GET /flaky/{id}", plain::flaky),
    Route::new("POST /checkouts/{id}", effects::checkout),
    Route::new("POST /returns/{id}", effects::refund),
    Route::new("POST /notes/{id}", effects::note),
];
