//! A captured request → the target's answer, or why there is none.
//!
//! A client of our own, because one that is made for applications writes a request as it likes it and not as it was, and reads
//! answers by other rules than the capture of production's: here both sides of a comparison are read by one parser. A usual
//! exchange is one `writev` and one `recvfrom`, in the task that asks for it.
//!
//! A connection that the target closed while it was idle is not a failure: what fails on a used connection before a byte of
//! the answer came is sent once more on a new one, if the method is idempotent or nothing of it was written. Nothing else is
//! ever sent twice. Redirects are answers like others.

mod answer;
mod connect;
mod connection;
mod failure;
mod http2;
mod outgoing;
mod patience;
mod pool;
mod timer;
mod tls;
mod upload;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mirror_core::exchange::Request;
use mirror_core::http::HttpLimits;
use mirror_core::policy::asks_for_another_method;

use super::{Marks, ReplayOptions, ReplayOutcome};
use connection::{Answer, Connection};
use failure::{Failure, FailureKind};
use outgoing::Outgoing;
use patience::Patience;
use pool::Pool;

pub(super) use connect::{Connector, set_mark};
pub(super) use http2::Http2Client;

/// Methods that may come twice (RFC 9110 §9.2.2), and those that are registered as safe.
const IDEMPOTENT: [&str; 10] = [
    "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "QUERY", "SEARCH", "PROPFIND", "REPORT",
];

/// What clients of every protocol are made of.
pub(super) struct ClientParts {
    pub(super) connector: Connector,
    /// Of answers.
    pub(super) limits: HttpLimits,
    /// Counts requests that are sent a second time.
    pub(super) sent_twice: Arc<AtomicU64>,
}

pub(super) struct Client {
    parts: ClientParts,
    pool: Arc<Pool>,
    patience: Patience,
    idle: Duration,
}

impl Client {
    pub(super) fn new(parts: ClientParts, options: &ReplayOptions) -> Self {
        Self {
            parts,
            pool: Pool::new(options.concurrency.get()),
            patience: Patience::of(options),
            idle: options.idle_timeout,
        }
    }

    pub(super) async fn send(
        &self,
        request: &Request,
        marks: &Marks<'_>,
        allowance: Duration,
    ) -> ReplayOutcome {
        let ClientParts {
            connector,
            limits,
            sent_twice,
        } = &self.parts;
        let outgoing = match Outgoing::new(connector.target(), request, marks) {
            Ok(outgoing) => outgoing,
            Err(wrong) => {
                let reason = format!("the request cannot be sent again: {wrong}");
                return Failure::new(FailureKind::Other, reason).outcome(1);
            }
        };
        let patience = self.patience.extended(allowance);
        let mut attempts = 1;
        let mut connection = self.pool.take().await;
        loop {
            let mut used = match connection.take() {
                Some(used) => used,
                None => match connector.connect().await {
                    Ok(new) => new,
                    Err(failure) => return failure.outcome(attempts),
                },
            };
            let exchange = used.exchange(&outgoing, &request.method, *limits, patience);
            match exchange.await {
                Ok(answer) => return self.answered(answer, used, attempts),
                Err(failure) if attempts == 1 && may_repeat(&failure, &used, request) => {
                    attempts = 2;
                    sent_twice.fetch_add(1, Ordering::Relaxed);
                }
                Err(failure) => return failure.outcome(attempts),
            }
        }
    }

    fn answered(&self, answer: Answer, connection: Connection, attempts: u8) -> ReplayOutcome {
        if answer.is_persistent {
            let idle = answer.kept_seconds.map_or(self.idle, |seconds| {
                // It counts from when the target sent it.
                self.idle.min(Duration::from_secs(seconds) * 4 / 5)
            });
            if !idle.is_zero() {
                self.pool.put(connection, answer.came_at + idle);
            }
        }
        ReplayOutcome::Answered {
            response: answer.response,
            sent_at: answer.sent_at.into_std(),
            latency: answer.came_at.duration_since(answer.sent_at),
            attempts,
        }
    }
}

/// Whether a request that failed on this connection is sent again on a new one.
fn may_repeat(failure: &Failure, connection: &Connection, request: &Request) -> bool {
    connection.answers > 0 && failure.is_stale && (failure.is_unsent || is_idempotent(request))
}

/// Whether it makes no difference if the target does the request twice.
fn is_idempotent(request: &Request) -> bool {
    IDEMPOTENT.contains(&request.method.as_str()) && !asks_for_another_method(request)
}

#[cfg(test)]
mod tests;
