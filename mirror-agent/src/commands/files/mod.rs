//! Commands that make files of traffic of files of traffic.

mod convert;
mod cut;
mod merge;
mod output;
mod pin;
mod reading;
mod recording;
mod selection;
mod shape;
mod source;
mod tally;

pub(super) use convert::convert;
pub(super) use cut::cut;
pub(super) use merge::merge;
