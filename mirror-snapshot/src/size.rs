//! How much room a document takes, without writing it.

use crate::{Document, Read, Unfinished, Written};

/// Bytes around a call in a document, about.
const AROUND: usize = 64;

/// Bytes of the calls in a document, about.
pub(crate) fn size(document: &Document) -> usize {
    let reads: usize = document.reads.iter().map(read_size).sum();
    let unfinished: usize = document.unfinished.iter().map(unfinished_size).sum();
    reads + unfinished
}

pub(crate) fn read_size(read: &Read) -> usize {
    let value = read.result.as_ref().map_or_else(|e| e.len(), |v| v.len());
    call_size(&read.name, &read.key, read.written.as_ref()) + value
}

pub(crate) fn unfinished_size(one: &Unfinished) -> usize {
    call_size(&one.name, &one.key, one.written.as_ref())
}

fn call_size(name: &str, key: &str, written: Option<&Written>) -> usize {
    let value = written.and_then(|written| written.value.as_ref());
    name.len() + key.len() + value.map_or(0, String::len) + AROUND
}
