//! mirror-agent: captures production's HTTP exchanges, replays them to a mirror and compares the answers.
//!
//! The modules stand in the order in which a request passes them; `pipeline` joins them.

pub mod capture;
pub mod packet;
pub mod tcp;
pub mod http;
pub mod exchange;
pub mod pair;
pub mod dissect;
pub mod identity;
pub mod policy;
pub mod transport;
pub mod snapshot;
pub mod replay;
pub mod compare;
pub mod report;

pub mod cli;
pub mod config;
pub mod control;
pub mod pipeline;
