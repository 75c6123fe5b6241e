//! HTTP/1: heads, bodies, content-codings.

use bytes::Bytes;
use mirror_core::exchange::Headers;
use mirror_core::http::h1::Head;
use mirror_core::http::{Answered, HttpLimits, Kind, Message, Parsed, Parser, coding};
use mirror_core::tcp::{Arrival, CloseReason, StreamEvent};

use crate::input::Input;

const MAX_BODY: usize = 64;

/// A head is no longer than its bytes, and the same when more follows.
pub fn head(bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    for kind in [Kind::Request, Kind::Response] {
        if let Ok(Some(found)) = Head::parse(kind, &bytes) {
            assert!(found.length <= bytes.len());
            let exact = Head::parse(kind, &bytes.slice(..found.length));
            assert_eq!(exact, Ok(Some(found)));
        }
    }
}

/// Whole messages are the same however the stream is cut, and no body is over the cap.
pub fn body(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let size = 1 + input.below(16);
    let bytes = input.rest();
    for kind in [Kind::Request, Kind::Response] {
        let whole = parse(kind, bytes, bytes.len().max(1));
        let cut = parse(kind, bytes, size);
        // After what could not be read it matters where packets begin.
        if !whole.contains(&None) && !cut.contains(&None) {
            assert!(cut.iter().zip(&whole).all(|(left, right)| left == right));
        }
    }
}

/// The messages of one side of a connection, in pieces of one size; None for one with a fault.
pub(crate) fn parse(kind: Kind, bytes: &[u8], size: usize) -> Vec<Option<Message>> {
    let limits = HttpLimits {
        max_head: 4096,
        max_body: MAX_BODY,
    };
    let mut parser = Parser::new(kind, limits);
    for piece in bytes.chunks(size) {
        let data = StreamEvent::Data(Bytes::copy_from_slice(piece));
        parser.push(data, Arrival::default());
    }
    let reason = CloseReason::Fin;
    parser.push(StreamEvent::Close { reason }, Arrival::default());
    let mut out = Vec::new();
    while let Some(parsed) = parser.poll() {
        match parsed {
            Parsed::Head => parser.proceed(Answered::Other),
            Parsed::Message { message, .. } => {
                assert!(message.body().len() <= MAX_BODY);
                out.push(message.fault().is_none().then_some(message));
            }
            _ => {}
        }
    }
    assert_eq!(parser.queued_bytes(), 0);
    out
}

pub(crate) const CODINGS: [&str; 5] = ["gzip", "deflate", "br", "zstd", "gzip, br"];

/// No body of any content-coding panics, nor grows over the cap.
pub fn coding(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let name = input.pick(&CODINGS);
    let headers: Headers = [("content-encoding", name)].into_iter().collect();
    if let Ok(data) = coding::decoded(&headers, input.rest()) {
        assert!(data.len() <= coding::MOST_DECODED);
    }
}
