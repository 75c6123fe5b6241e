//! The end-to-end harness: three hosts in network namespaces (client, production, mirror), the
//! real programs that run on them, and the agent as a user would start it. The tests in this
//! package and `cargo xtask demo` and `bench` tell their stories with it.

pub mod admin;
pub mod agent;
pub mod axe;
pub mod browser;
pub mod capture_file;
pub mod captures;
pub mod cluster;
pub mod foreign;
pub mod http;
pub mod java;
pub mod kafka;
pub mod load;
pub mod local_redis;
pub mod net;
pub mod nginx;
pub mod orders;
pub mod paced;
pub mod patterns;
pub mod peers;
pub mod postgres;
pub mod process;
pub mod pty;
pub mod raw;
pub mod redis;
pub mod schema;
pub mod scratch;
pub mod stage;
pub mod testing;
pub mod tun;
pub mod wire;
pub mod witness;
pub mod workspace;
pub mod wrk;

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

#[doc(hidden)]
pub use inventory;
/// Says what a test needs, and makes the function a test: see [`testing`].
pub use mirror_tests_needs::needs;
pub use testing::is_root;

/// A line on stderr. A reader that went away is no reason to panic.
#[macro_export]
macro_rules! note {
    ($($text:tt)*) => { $crate::write_note(::std::format_args!($($text)*)) };
}

#[doc(hidden)]
pub fn write_note(text: std::fmt::Arguments<'_>) {
    // There is nobody to tell that nobody listens.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Polls `ready` every 20 ms until it holds, or fails after `limit` saying `what` never happened.
pub fn wait_until(what: &str, limit: Duration, mut ready: impl FnMut() -> bool) -> Result<()> {
    let end = Instant::now() + limit;
    while !ready() {
        if Instant::now() > end {
            bail!("{what}: not within {} s", limit.as_secs_f32());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
