//! One connection to the target, and what is said on it.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use mirror_core::exchange::Response;
use mirror_core::http::HttpLimits;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;

use super::super::own_sockets::OwnSocket;
use super::answer::{AnswerReader, Step, kept_seconds};
use super::failure::{End, Failure, FailureKind, progress};
use super::outgoing::Outgoing;
use super::patience::Patience;
use super::timer::Timer;
use super::upload::Upload;

/// What is asked for at a time. An answer that fits costs one system call.
const READ_SIZE: usize = 16 << 10;
/// Of long answers.
const LONG_READ_SIZE: usize = 128 << 10;
/// Least room for a read.
const MIN_ROOM: usize = 2 << 10;

pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

pub(in crate::replay) struct Connection {
    stream: Stream,
    /// Room for what comes next; empty between two exchanges.
    input: BytesMut,
    timer: Timer,
    /// Answers that came on it.
    pub(super) answers: u64,
    /// Told until the connection is dropped.
    _own: Option<OwnSocket>,
}

/// An answer, and what becomes of its connection.
pub(super) struct Answer {
    pub(super) response: Box<Response>,
    pub(super) sent_at: Instant,
    pub(super) came_at: Instant,
    /// Another request may follow.
    pub(super) is_persistent: bool,
    /// Seconds that the target keeps the connection, where it says so.
    pub(super) kept_seconds: Option<u64>,
}

impl Connection {
    pub(super) fn new(stream: Stream, own: Option<OwnSocket>) -> Self {
        Self {
            stream,
            input: BytesMut::new(),
            timer: Timer::new(Instant::now() + Duration::from_secs(3600)),
            answers: 0,
            _own: own,
        }
    }

    /// Whether an unused connection is still open. Costs no system call unless something came.
    pub(super) fn poll_is_open(&mut self, context: &mut Context<'_>) -> bool {
        self.input.reserve(MIN_ROOM);
        let read = pin!(self.stream.read_buf(&mut self.input));
        // The end of the stream, an error, or bytes that nobody asked for.
        read.poll(context).is_pending()
    }

    /// Writes the request and reads the answer.
    pub(super) async fn exchange(
        &mut self,
        outgoing: &Outgoing<'_>,
        method: &str,
        limits: HttpLimits,
        patience: Patience,
    ) -> Result<Answer, Failure> {
        let sent_at = Instant::now();
        let mut turn = Turn {
            upload: Upload::new(outgoing, sent_at),
            answer: AnswerReader::new(method, limits),
            moved_at: sent_at,
            deadline: sent_at + patience.whole,
            patience,
            connection: self,
        };
        let response = std::future::poll_fn(|context| turn.poll(context)).await?;
        let came_at = turn.moved_at;
        let is_persistent =
            turn.upload.is_done() && !outgoing.closes && turn.answer.is_persistent(&response);
        self.answers += 1;
        Ok(Answer {
            sent_at,
            came_at,
            is_persistent,
            kept_seconds: kept_seconds(&response),
            response,
        })
    }
}

/// One exchange.
struct Turn<'c, 'o> {
    connection: &'c mut Connection,
    upload: Upload<'o>,
    answer: AnswerReader,
    /// When a byte was written or read last.
    moved_at: Instant,
    /// Of the whole answer.
    deadline: Instant,
    patience: Patience,
}

impl Turn<'_, '_> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Box<Response>, Failure>> {
        loop {
            let sent = self.upload.sent();
            self.upload.poll(&mut self.connection.stream, context);
            if sent > 0 && self.upload.sent() > sent {
                self.moved_at = Instant::now();
            }
            if let Poll::Ready(result) = self.poll_answer(context) {
                return Poll::Ready(result);
            }
            if self.upload.is_released() {
                continue;
            }
            let deadline = self.next_deadline();
            match self.connection.timer.poll(context, deadline) {
                Poll::Pending => return Poll::Pending,
                // Nobody says whether the body is wanted (RFC 9110 §10.1.1).
                Poll::Ready(()) if self.upload.held_until() == Some(deadline) => {
                    self.upload.release();
                }
                Poll::Ready(()) => return Poll::Ready(Err(self.timed_out())),
            }
        }
    }

    /// Reads until the answer is whole, or nothing more is there.
    fn poll_answer(&mut self, context: &mut Context<'_>) -> Poll<Result<Box<Response>, Failure>> {
        loop {
            let Connection { input, stream, .. } = &mut *self.connection;
            if input.capacity() - input.len() < MIN_ROOM {
                let is_long = self.answer.body_progress().is_some();
                input.reserve(if is_long { LONG_READ_SIZE } else { READ_SIZE });
            }
            let step = match pin!(stream.read_buf(input)).poll(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => self.answer.end(self.upload.end()),
                Poll::Ready(Err(error)) => self.answer.end(End::Broken(error)),
                Poll::Ready(Ok(_)) => {
                    let bytes = input.split().freeze();
                    self.answer.take(bytes)
                }
            };
            self.moved_at = Instant::now();
            match step {
                Ok(Step::Whole(response)) => return Poll::Ready(Ok(response)),
                Ok(Step::Continue) => self.upload.release(),
                Ok(Step::More) => {}
                Err(bad) => return Poll::Ready(Err(self.failed(bad.to_string()))),
            }
            // While bytes come without a pause, nobody asks the timer.
            if self.moved_at >= self.deadline {
                return Poll::Ready(Err(self.timed_out()));
            }
        }
    }

    fn next_deadline(&self) -> Instant {
        let quiet = match self.answer.has_begun() {
            true => self.patience.body,
            false => self.patience.head,
        };
        let next = self.deadline.min(self.moved_at + quiet);
        self.upload
            .held_until()
            .map_or(next, |until| until.min(next))
    }

    fn failed(&self, mut reason: String) -> Failure {
        if let Some(error) = self.upload.error() {
            reason += &format!(
                "; {} request bytes were sent ({error})",
                progress(self.upload.sent(), Some(self.upload.len()))
            );
        }
        Failure {
            is_stale: !self.answer.has_begun(),
            is_unsent: self.upload.sent() == 0,
            ..Failure::new(FailureKind::Other, reason)
        }
    }

    fn timed_out(&self) -> Failure {
        let (whole, option) = (self.patience.whole, "--replay-timeout");
        let is_whole = self.next_deadline() == self.deadline;
        let body = self.answer.body_progress();
        match (self.answer.has_begun(), body) {
            (false, _) if !self.upload.is_done() => {
                let sent = progress(self.upload.sent(), Some(self.upload.len()));
                let what = format!("the target took only {sent} request bytes");
                match is_whole {
                    true => Failure::timeout(&what, whole, option),
                    false => Failure::timeout(
                        &format!("{what}, and no more"),
                        self.patience.head,
                        "--head-timeout",
                    ),
                }
            }
            (false, _) if is_whole => Failure::timeout("no byte of an answer came", whole, option),
            (false, _) => Failure::timeout(
                "no byte of an answer came",
                self.patience.head,
                "--head-timeout",
            ),
            (true, body) => {
                let came = body.map_or_else(
                    || "a part of the answer's head".to_owned(),
                    |(came, all)| format!("{} body bytes", progress(came, all)),
                );
                match is_whole {
                    true => Failure::timeout(&format!("only {came} came"), whole, option),
                    false => Failure::timeout(
                        &format!("{came} came, and no more"),
                        self.patience.body,
                        "--body-timeout",
                    ),
                }
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
