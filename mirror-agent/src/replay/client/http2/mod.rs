//! HTTP/2 to the target, by hyper: one connection, on which requests share their way.
//!
//! HTTP/2 has no request line, no fields of a connection and no reasons of its own for a body's length, so that less of the
//! captured request goes out as it was: names are in lower case, the fields of a connection, `Expect` and what Connection names
//! are left out, Host becomes `:authority`.

mod message;

use std::error::Error;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http_body::Body as _;
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use mirror_core::exchange::{Request, Response};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use super::connection::Stream;
use super::failure::{Failure, FailureKind, grouped};
use super::patience::Patience;
use super::{ClientParts, is_idempotent};
use crate::replay::{Marks, ReplayOptions, ReplayOutcome};
use message::{Collected, Upload, outgoing};

/// Longest time without a word from the target before it is asked whether it is there.
const PING_INTERVAL: Duration = Duration::from_secs(10);

pub(in crate::replay) struct Http2Client {
    parts: ClientParts,
    sender: Mutex<Option<SendRequest<Upload>>>,
    patience: Patience,
}

/// Why there was no answer, and whether the request may be sent again.
struct Failed {
    failure: Failure,
    /// The target cannot have seen it.
    is_unsent: bool,
    /// The connection ended, and nothing of the answer came.
    is_stale: bool,
}

impl Http2Client {
    pub(in crate::replay) fn new(parts: ClientParts, options: &ReplayOptions) -> Self {
        Self {
            parts,
            sender: Mutex::new(None),
            patience: Patience::of(options),
        }
    }

    pub(in crate::replay) async fn send(
        &self,
        request: &Request,
        marks: &Marks<'_>,
        allowance: Duration,
    ) -> ReplayOutcome {
        let patience = self.patience.extended(allowance);
        let is_idempotent = is_idempotent(request);
        let mut attempts = 1;
        loop {
            let made = match outgoing(self.parts.connector.target(), request, marks) {
                Ok(made) => made,
                Err(why) => {
                    let reason = format!("the request cannot be sent again: {why}");
                    return Failure::new(FailureKind::Other, reason).outcome(attempts);
                }
            };
            let (sender, is_new) = match self.sender(attempts > 1).await {
                Ok(sender) => sender,
                Err(failure) => return failure.outcome(attempts),
            };
            let sent_at = Instant::now();
            match self.exchange(sender, made, patience, sent_at).await {
                Ok(response) => {
                    return ReplayOutcome::Answered {
                        response: Box::new(response),
                        sent_at: sent_at.into_std(),
                        latency: sent_at.elapsed(),
                        attempts,
                    };
                }
                Err(failed)
                    if attempts == 1
                        && (failed.is_unsent || (!is_new && failed.is_stale && is_idempotent)) =>
                {
                    attempts = 2;
                    self.parts.sent_twice.fetch_add(1, Ordering::Relaxed);
                }
                Err(failed) => return failed.failure.outcome(attempts),
            }
        }
    }

    /// The connection's sender, and whether the connection is new.
    async fn sender(&self, must_be_new: bool) -> Result<(SendRequest<Upload>, bool), Failure> {
        let mut shared = self.sender.lock().await;
        let open = shared.as_ref().filter(|sender| !sender.is_closed());
        if let Some(sender) = open.filter(|_| !must_be_new) {
            return Ok((sender.clone(), false));
        }
        let sender = self.connect().await?;
        *shared = Some(sender.clone());
        Ok((sender, true))
    }

    async fn connect(&self) -> Result<SendRequest<Upload>, Failure> {
        let (stream, own) = self.parts.connector.stream().await?;
        let failed = |why: String| Failure::new(FailureKind::Connect, why);
        if let Stream::Tls(tls) = &stream
            && tls.get_ref().1.alpn_protocol() != Some(b"h2")
        {
            let target = self.parts.connector.target();
            return Err(failed(format!("{target} does not agree to HTTP/2 (ALPN)")));
        }
        let max_head = u32::try_from(self.parts.limits.max_head).unwrap_or(u32::MAX);
        let handshake = Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_INTERVAL)
            .max_header_list_size(max_head)
            .handshake(TokioIo::new(stream));
        let (sender, connection) = handshake.await.map_err(|error| failed(chain(&error)))?;
        tokio::spawn(async move {
            let _own = own;
            // Its requests have the reason.
            let _ = connection.await;
        });
        Ok(sender)
    }

    async fn exchange(
        &self,
        mut sender: SendRequest<Upload>,
        request: hyper::Request<Upload>,
        patience: Patience,
        sent_at: Instant,
    ) -> Result<Response, Failed> {
        let deadline = sent_at + patience.whole;
        let head_until = deadline.min(sent_at + patience.head);
        let Ok(sent) = timeout_at(head_until, sender.try_send_request(request)).await else {
            let (limit, option) = match head_until == deadline {
                true => (patience.whole, "--replay-timeout"),
                false => (patience.head, "--head-timeout"),
            };
            return Err(Failure::timeout("no answer began", limit, option).into());
        };
        let response = sent.map_err(|mut error| Failed {
            is_unsent: error.take_message().is_some(),
            is_stale: error.error().is_closed() || error.error().is_canceled(),
            failure: Failure::new(FailureKind::Other, chain(error.error())),
        })?;
        let (head, body) = response.into_parts();
        let mut collected = Collected::new(head, self.parts.limits.max_body);
        self.body(body, &mut collected, patience, deadline).await?;
        Ok(collected.response())
    }

    async fn body(
        &self,
        mut body: Incoming,
        collected: &mut Collected,
        patience: Patience,
        deadline: Instant,
    ) -> Result<(), Failure> {
        let mut body = std::pin::Pin::new(&mut body);
        loop {
            let until = deadline.min(Instant::now() + patience.body);
            let frame = std::future::poll_fn(|context| body.as_mut().poll_frame(context));
            let Ok(frame) = timeout_at(until, frame).await else {
                let came = grouped(collected.len());
                return Err(match until == deadline {
                    true => {
                        let what = format!("only {came} body bytes came");
                        Failure::timeout(&what, patience.whole, "--replay-timeout")
                    }
                    false => {
                        let what = format!("{came} body bytes came, and no more");
                        Failure::timeout(&what, patience.body, "--body-timeout")
                    }
                });
            };
            match frame {
                None => return Ok(()),
                Some(Ok(frame)) => collected.take(frame),
                Some(Err(error)) => {
                    let came = grouped(collected.len());
                    let reason = format!("after {came} body bytes: {}", chain(&error));
                    return Err(Failure::new(FailureKind::Other, reason));
                }
            }
        }
    }
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            is_unsent: false,
            is_stale: false,
        }
    }
}

/// An error with all of its causes.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

#[cfg(test)]
mod tests;
