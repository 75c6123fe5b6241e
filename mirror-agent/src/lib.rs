//! mirror-agent: captures production's HTTP exchanges, replays them to a mirror and compares the answers.
//!
//! The modules stand in the order in which a request passes them; `pipeline` joins them.

pub mod capture;
pub mod compare;
pub mod dissect;
pub mod exchange;
pub mod http;
pub mod identity;
pub mod packet;
pub mod pair;
pub mod policy;
pub mod replay;
pub mod report;
pub mod snapshot;
pub mod tcp;
pub mod transport;

pub mod cli;
pub mod config;
pub mod control;
pub mod pipeline;
