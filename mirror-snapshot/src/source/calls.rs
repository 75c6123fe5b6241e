//! What a request of production asked for. A call has its place from the moment when it is asked for, as in the mirror, and its
//! result when it ends.

use crate::size::{read_size, unfinished_size};
use crate::{Document, Encoded, Encoding, Read, Stamp, Unfinished, Written};

/// Bytes of calls that have not ended which a document holds, at most.
const MAX_UNFINISHED_BYTES: usize = 64 << 10;

/// The calls of one request, in the order in which they were asked for.
#[derive(Default)]
pub(super) struct Calls {
    calls: Vec<(Call, Option<CallResult>)>,
    /// Something could not be encoded: the document would not be whole.
    is_broken: bool,
}

/// A read, or a write.
pub(super) struct Call {
    pub(super) name: String,
    pub(super) key: String,
    /// Of a write: what is to be written.
    pub(super) written: Option<Written>,
    /// It is asked for while another call is done.
    pub(super) is_inside: bool,
}

pub(super) type CallResult = Result<Encoded, String>;

/// Where a call stands among those of its request.
#[derive(Clone, Copy)]
pub(super) struct CallPlace(usize);

impl Calls {
    pub(super) fn begin(&mut self, call: Call) -> CallPlace {
        self.calls.push((call, None));
        CallPlace(self.calls.len() - 1)
    }

    pub(super) fn end(&mut self, place: CallPlace, result: CallResult) {
        if let Some((_, ended)) = self.calls.get_mut(place.0) {
            *ended = Some(result);
        }
    }

    /// A result cannot be encoded.
    pub(super) fn give_up(&mut self) {
        self.is_broken = true;
    }

    /// As it is filed. Calls that have not ended do not make it larger than `max_bytes`. `None` where it would not be whole.
    pub(super) fn document(
        self,
        stamp: Stamp,
        encoding: Encoding,
        max_bytes: usize,
    ) -> Option<Document> {
        if self.is_broken {
            return None;
        }
        let mut document = Document {
            stamp,
            encoding,
            reads: Vec::with_capacity(self.calls.len()),
            unfinished: Vec::new(),
            dropped: 0,
        };
        for (call, result) in self.calls {
            match result {
                Some(result) => document.reads.push(call.ended(result)),
                // Nobody comes to it in the mirror, and it gave nothing.
                None if call.is_inside => {}
                None => document
                    .unfinished
                    .push(call.unfinished(document.reads.len())),
            }
        }
        let read_bytes: usize = document.reads.iter().map(read_size).sum();
        let room = max_bytes
            .saturating_sub(read_bytes)
            .min(MAX_UNFINISHED_BYTES);
        document.dropped = shorten(&mut document.unfinished, room);
        Some(document)
    }
}

impl Call {
    fn ended(self, result: CallResult) -> Read {
        Read {
            name: self.name,
            key: self.key,
            result,
            written: self.written,
            is_inside: self.is_inside,
        }
    }

    fn unfinished(self, at: usize) -> Unfinished {
        Unfinished {
            name: self.name,
            key: self.key,
            at: Some(at),
            written: self.written,
        }
    }
}

/// Leaves out the last ones, so that the others fit into the room. Returns how many.
fn shorten(unfinished: &mut Vec<Unfinished>, room: usize) -> u64 {
    let mut bytes = 0;
    let mut fits = |one: &Unfinished| {
        bytes += unfinished_size(one);
        bytes <= room
    };
    let kept = unfinished.iter().take_while(|one| fits(one)).count();
    let dropped = unfinished.len() - kept;
    unfinished.truncate(kept);
    dropped as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::size::size;

    fn call(name: &str) -> Call {
        Call {
            name: name.into(),
            key: String::new(),
            written: None,
            is_inside: false,
        }
    }

    fn document(calls: Calls, max_bytes: usize) -> Document {
        let document = calls.document(Stamp::default(), Encoding::Json, max_bytes);
        document.expect("it is whole")
    }

    fn names(document: &Document) -> (Vec<&str>, Vec<(&str, Option<usize>)>) {
        let reads = document.reads.iter().map(|read| read.name.as_str());
        let unfinished = document.unfinished.iter();
        let unfinished = unfinished.map(|one| (one.name.as_str(), one.at));
        (reads.collect(), unfinished.collect())
    }

    #[test]
    fn calls_stand_where_they_were_asked_for_and_not_where_they_ended() {
        let mut calls = Calls::default();
        let [a, _, c, d] = ["a", "b", "c", "d"].map(|name| calls.begin(call(name)));
        for place in [d, a, c] {
            calls.end(place, Err("gone".into()));
        }
        calls.begin(Call {
            is_inside: true,
            ..call("inside")
        });
        calls.begin(call("e"));
        let document = document(calls, 1 << 20);
        let unfinished = vec![("b", Some(1)), ("e", Some(3))];
        assert_eq!(names(&document), (vec!["a", "c", "d"], unfinished));
        assert_eq!(document.dropped, 0);
    }

    #[test]
    fn what_has_not_ended_does_not_make_a_document_too_large() {
        let check = |max_bytes, kept: usize| {
            let mut calls = Calls::default();
            let first = calls.begin(call("first"));
            calls.end(first, Err("x".repeat(931)));
            for _ in 0..2000 {
                calls.begin(call("name"));
            }
            let document = document(calls, max_bytes);
            assert_eq!(document.unfinished.len(), kept, "{max_bytes}");
            assert_eq!(document.dropped, (2000 - kept) as u64, "{max_bytes}");
            assert!(size(&document) <= max_bytes.max(1000), "{max_bytes}");
        };
        check(1 << 20, MAX_UNFINISHED_BYTES / 68);
        check(1000 + 68 * 5, 5);
        check(500, 0);
    }

    #[test]
    fn a_document_that_is_not_whole_is_none() {
        let mut calls = Calls::default();
        calls.begin(call("a"));
        calls.give_up();
        let document = calls.document(Stamp::default(), Encoding::Json, 1 << 20);
        assert_eq!(document, None);
    }
}
