//! How a running agent is watched and told what to do: `socket` for its owner (`status`, `stop`, `filter`, `reload`), `http` for
//! people with a browser, monitoring and rollouts (`/`, `/events`, `/verdict`, `/metrics`, `/healthz`, `/readyz`).
//!
//! Both serve a bounded number of [`connections`], each for a bounded time: whatever comes in through them, capture and
//! replays keep their descriptors.

pub mod answers;
mod ask;
mod connections;
pub mod http;
mod options;
mod place;
mod protocol;
mod remote;
pub mod socket;

pub use ask::ask;
pub use options::ControlOptions;
pub use place::create_log;
pub use protocol::Order;
pub use remote::RemoteAgent;
