//! What is sent when: in which order, at what time, and whether at all. Time is an argument, so that a simulated clock can drive
//! all of it.

mod lanes;
mod order;

pub use lanes::{LaneCounts, Lanes};
pub use order::{LaneKey, Order, SessionField};

crate::options! {
    /// When requests are sent to the mirror.
    #[derive(Clone, Debug)]
    pub struct ScheduleOptions("When it is sent") {
        /// Whose requests keep their order: those of a `connection`, those of a session over all its connections, as in
        /// session:cookie:sid or session:header:x-user, or `none`. Each is sent when the one before it was answered
        #[option("order", "WHAT", default = "connection")]
        pub order: Order,
    }
}
