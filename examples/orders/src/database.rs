//! Products and orders in SQLite. Seeded alike everywhere; production's changes over time.

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::Context;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

const PRODUCTS: u32 = 50;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Product {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) price_cents: i64,
    pub(crate) stock: i64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Placed<'a> {
    /// Its number.
    pub(crate) id: &'a str,
    pub(crate) user: u64,
    pub(crate) product: u32,
    pub(crate) quantity: i64,
    pub(crate) receipt: &'a str,
    /// Milliseconds since the epoch.
    pub(crate) placed_at: u64,
    pub(crate) total_cents: i64,
}

pub(crate) struct Database(Mutex<Connection>);

impl Database {
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let connection = Connection::open(path)
            .with_context(|| format!("opening the database {}", path.display()))?;
        connection.execute_batch(
            "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;
             CREATE TABLE IF NOT EXISTS product (id INTEGER PRIMARY KEY, name TEXT, price_cents INTEGER, stock INTEGER);
             CREATE TABLE IF NOT EXISTS placed (id TEXT PRIMARY KEY, user INTEGER, product INTEGER, quantity INTEGER, receipt TEXT, placed_at INTEGER, total_cents INTEGER);
             CREATE INDEX IF NOT EXISTS placed_by ON placed (user);",
        )?;
        for id in 1..=PRODUCTS {
            connection.execute(
                "INSERT OR IGNORE INTO product VALUES (?, ?, ?, ?)",
                params![
                    id,
                    format!("product {id}"),
                    199 + 37 * i64::from(id),
                    10_000
                ],
            )?;
        }
        Ok(Self(Mutex::new(connection)))
    }

    pub(crate) fn product(&self, id: u32) -> rusqlite::Result<Option<Product>> {
        let row = |row: &rusqlite::Row<'_>| {
            Ok(Product {
                id: row.get(0)?,
                name: row.get(1)?,
                price_cents: row.get(2)?,
                stock: row.get(3)?,
            })
        };
        self.connection()
            .query_row(
                "SELECT id, name, price_cents, stock FROM product WHERE id = ?",
                [id],
                row,
            )
            .optional()
    }

    /// How many orders this user has placed.
    pub(crate) fn orders_of(&self, user: u64) -> rusqlite::Result<i64> {
        self.connection().query_row(
            "SELECT count(*) FROM placed WHERE user = ?",
            [user as i64],
            |row| row.get(0),
        )
    }

    pub(crate) fn place(&self, order: &Placed<'_>) -> rusqlite::Result<()> {
        let mut connection = self.connection();
        let change = connection.transaction()?;
        change.execute(
            "INSERT OR IGNORE INTO placed VALUES (?, ?, ?, ?, ?, ?, ?)",
            params![
                order.id,
                order.user as i64,
                order.product,
                order.quantity,
                order.receipt,
                order.placed_at as i64,
                order.total_cents
            ],
        )?;
        change.execute(
            "UPDATE product SET stock = stock - ? WHERE id = ?",
            params![order.quantity, order.product],
        )?;
        change.commit()
    }

    /// Moves every price and stock a little, as a busy shop does.
    pub(crate) fn churn(&self, round: i64) -> rusqlite::Result<()> {
        self.connection().execute(
            "UPDATE product SET price_cents = price_cents + 1 + (id + ?) % 3, stock = stock - 1 - (id + ?) % 2",
            params![round, round],
        )?;
        Ok(())
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
