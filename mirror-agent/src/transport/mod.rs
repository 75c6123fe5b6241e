//! How admitted exchanges get from the capture side to the replay side: in process for now.

pub mod memory;
