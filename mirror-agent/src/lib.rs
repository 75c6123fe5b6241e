//! The edges of the product: eBPF, files, Redis, the mirror, the report and the command line.
//!
//! What turns bytes into a verdict is the crate `mirror-core`. `pipeline` is the only place that knows the order of the
//! stages.

pub mod capture;
mod certificates;
mod clock;
pub mod gate;
pub mod otlp;
pub mod replay;
pub mod report;
pub mod secret;
pub mod traffic;
pub mod transport;
pub mod variants;
pub mod web;

pub mod cli;
pub mod config;
pub mod control;
pub mod pipeline;
pub mod printable;
