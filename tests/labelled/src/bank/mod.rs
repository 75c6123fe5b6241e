//! A bank: 27 routes of another style than the shop's, with other noise and other changes. Documents, GraphQL, JSON lines, statements in
//! columns, exports, logs, metrics, calendars, pages, messages between banks, feeds, redirects, refusals, bookings.

mod accounts;
mod changes;
mod nature;
mod pages;
mod papers;

use crate::service::{Route, Site};

pub static BANK: Site = Site {
    name: "bank",
    routes: &ROUTES,
    changes: changes::CHANGES,
    ignored: &[
        "At",
        "date",
        "time",
        "Date",
        "Time",
        "Id",
        "id",
        "trace",
        "cursor",
        "token",
        "Traceparent",
        "set-cookie",
        "Expires",
        "node",
        "DTSTAMP",
        "UID",
        "updated",
        "instance",
        "duration",
        "age",
        "x-runtime",
        "session",
        "nonce",
        "signature",
    ],
};

static ROUTES: [Route; 27] = [
    Route::new("GET /v2/accounts/{id}", accounts::account),
    Route::new("GET /v2/postings/{id}", accounts::postings),
    Route::new("GET /v2/transfers/{id}", accounts::transfer),
    Route::new("GET /v2/offers/{id}", accounts::offer),
    Route::new("GET /v2/quotes", accounts::quotes),
    Route::new("GET /v2/dashboards/{id}", accounts::dashboard),
    Route::new("POST /graphql/{id}", accounts::graph),
    Route::new("GET /v2/ledgers/{id}", accounts::ledger),
    Route::new("GET /login/{id}", accounts::login),
    Route::new("GET /v2/documents/{id}", accounts::documents),
    Route::new("GET /v2/branches", accounts::branches),
    Route::new("GET /statements/{id}", papers::statement),
    Route::new("GET /status", papers::status),
    Route::new("GET /metrics", papers::metrics),
    Route::new("GET /appointments/{id}", papers::appointment),
    Route::new("GET /exports/{id}", papers::export),
    Route::new("GET /.well-known/security.txt", papers::contact),
    Route::new("GET /logs/{id}", papers::log),
    Route::new("GET /articles/{id}", pages::article),
    Route::new("GET /forms/{id}", pages::form),
    Route::new("GET /messages/{id}", pages::message),
    Route::new("GET /news/{id}", pages::news),
    Route::new("GET /in/{id}", pages::forward),
    Route::new("GET /refused/{id}", pages::refused),
    Route::new("GET /reports/{id}", pages::report),
    Route::new("POST /bookings/{id}", pages::book),
    Route::new("GET /limits/{id}", accounts::limits),
];
