//! Leaves a busy host alone: asked by the capture threads for each request, adjusted several times a second.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
};

use super::host::LoadWatch;
use super::schedule::Clock;
use mirror_core::exchange::Request;
use mirror_core::filter::Share;
use mirror_core::policy::FairShare;
use mirror_core::schedule::Relief;

/// Requests that are taken up between two ticks in any case, which is 200 a second: so few are no relief for any host, and a service
/// with little load is mirrored whole.
const LEAST_IN_TICK: u32 = 20;

pub(super) struct HostRelief {
    most: Share,
    /// The share of the requests that is taken up, as the bits of an `f64`.
    share: AtomicU64,
    /// What is left of those that are taken up in any case.
    left: AtomicU32,
    routes: Mutex<FairShare>,
}

impl HostRelief {
    /// The agent may use `most` of the CPUs when no time is left on them.
    pub(super) fn new(most: Share) -> Self {
        Self {
            most,
            share: AtomicU64::new(1.0_f64.to_bits()),
            left: AtomicU32::new(LEAST_IN_TICK),
            routes: Mutex::default(),
        }
    }

    /// Whether a request is taken up.
    pub(super) fn takes(&self, request: &Request) -> bool {
        let share = f64::from_bits(self.share.load(Relaxed));
        if share >= 1.0 {
            return true;
        }
        let one_less = |left: u32| left.checked_sub(1);
        if self.left.fetch_update(Relaxed, Relaxed, one_less).is_ok() {
            return true;
        }
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        routes.takes(request, share)
    }

    /// Adjusts the share; never ends.
    pub(super) async fn follow_host(&self) {
        let mut relief = Relief::new(self.most);
        if !relief.is_on() {
            return std::future::pending().await;
        }
        let clock = Clock::default();
        let mut watch = LoadWatch::start();
        loop {
            let load = watch.next().await;
            let share = relief.tick(clock.now(), load.own, load.busy, load.cpus);
            self.share.store(share.to_bits(), Relaxed);
            self.left.store(LEAST_IN_TICK, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_requests_are_taken_up_on_the_busiest_host() {
        let relief = HostRelief::new("5%".parse().unwrap());
        relief.share.store(0.01_f64.to_bits(), Relaxed);
        let request = Request::new("GET", "/a".to_owned());
        let taken: Vec<bool> = (0..120).map(|_| relief.takes(&request)).collect();
        assert!(taken[..20].iter().all(|taken| *taken));
        // The first one of a route that counts, and then one of a hundred.
        assert_eq!(taken[20..].iter().filter(|taken| **taken).count(), 1);
    }
}
