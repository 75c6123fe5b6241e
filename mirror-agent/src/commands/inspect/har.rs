//! An HTTP Archive, written entry by entry.

use mirror_agent::traffic::{Entry, archive_begin, archive_end};
use mirror_core::exchange::Exchange;

use super::{Known, Show};

#[derive(Default)]
pub(super) struct Har {
    entries: u64,
}

impl Show for Har {
    fn begin(&mut self, out: &mut String) {
        *out += &archive_begin();
    }

    fn exchange(&mut self, exchange: &Exchange, known: &Known, out: &mut String) {
        if self.entries > 0 {
            *out += ",\n";
        }
        self.entries += 1;
        let comment = Some(known.outcome);
        *out += &Entry { exchange, comment }.text();
    }

    fn end(&mut self, out: &mut String) {
        *out += archive_end();
    }
}
