//! What a task prints: results on stdout, everything else on stderr.
//!
//! `println!` panics when its reader went away, as in `cargo xtask demo | head -3`. A panic in the middle of a clean-up ends the
//! process at once and leaves what it had made. Here such a task ends quietly, and takes everything with it.

use std::fmt::Arguments;
use std::io::{Write, stderr, stdout};

use crate::leave;

/// A line of the result.
macro_rules! say {
    ($($text:tt)*) => { $crate::say::result(::std::format_args!($($text)*)) };
}

/// A line on the way to the result.
macro_rules! note {
    ($($text:tt)*) => { $crate::say::remark(::std::format_args!($($text)*)) };
}

pub(crate) use {note, say};

pub(crate) fn result(line: Arguments<'_>) {
    if writeln!(stdout(), "{line}").is_err() {
        leave::without_reader();
    }
}

pub(crate) fn remark(line: Arguments<'_>) {
    if writeln!(stderr(), "{line}").is_err() {
        leave::without_reader();
    }
}

/// Text without a line end of its own.
pub(crate) fn text(text: &str) {
    let mut out = stdout();
    if out
        .write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .is_err()
    {
        leave::without_reader();
    }
}
