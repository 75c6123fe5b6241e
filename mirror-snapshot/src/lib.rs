//! The SDK that Rust services link: production files what it read for a request, the mirror reads it back.
//!
//! [`Snapshots`] is the seam in a service's code, with [`service`] as a layer around its handlers; [`RedisStore`] holds
//! the snapshots. What all sides must agree on is the crate `mirror-contract`, whose items stand here too.

mod counts;
mod filing;
mod naming;
#[cfg(feature = "tower")]
pub mod service;
mod settings;
mod size;
mod snapshots;
mod source;
pub mod store;

pub use counts::Counts;
pub use mirror_contract::*;
pub use settings::{OnMiss, OnWrite, Profile, Settings};
pub use snapshots::Snapshots;
pub use source::{LoadError, SnapshotSource, WriteError};
pub use store::{RedisStore, StoreError, StoreOptions, WaitOptions, Waited};
