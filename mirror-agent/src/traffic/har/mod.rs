//! HTTP Archive 1.2, <http://www.softwareishard.com/blog/har-12-spec/>, entry by entry.
//!
//! An archive holds bodies without their content-coding, and what it has no field for is in fields of our own, whose names begin
//! with an underscore.

mod entries;
mod read;
mod write;

pub(super) use read::{Archive, is_json};
pub(super) use write::HarWriter;
pub use write::{Entry, archive_begin, archive_end, authority};
