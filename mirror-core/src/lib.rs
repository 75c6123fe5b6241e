//! Everything that turns bytes into a verdict, and touches nothing: no sockets, files, clocks or threads.
//!
//! The way of a captured byte: [`packet`] (frames to segments), [`tcp`] (segments to streams), [`http`] (streams to
//! messages), joined by [`dissect`] into an [`exchange::Exchange`]; then [`identity`] names it, [`policy`] decides
//! whether it may leave the host, [`attribution`] tells which snapshot is its own, [`compare`] how the two answers differ,
//! [`noise`] which of that differs by nature, and [`verdict`] what follows. [`schedule`] says what is sent when, [`rewrite`]
//! and [`session`] change a request for the mirror, [`route`] groups requests for reports, [`journal`] is what a run keeps on disk, [`recording`] what is replayed later. Time is always an
//! argument.
#![forbid(unsafe_code)]

pub mod attribution;
pub mod compare;
mod counters;
pub mod detect;
pub mod dissect;
mod edits;
pub mod exchange;
pub mod filter;
pub mod http;
pub mod identity;
pub mod journal;
mod json;
pub mod ledger;
pub mod noise;
pub mod options;
pub mod packet;
pub mod policy;
pub mod printable;
pub mod recording;
pub mod rewrite;
pub mod route;
pub mod schedule;
pub mod session;
pub mod tcp;
pub mod time;
pub mod verdict;
