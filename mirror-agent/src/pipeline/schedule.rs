//! The schedule of a run: asked on the mirror side, told and shown elsewhere.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering::Relaxed},
};
use std::time::{Duration, Instant};

use crate::clock::wall_clock;
use mirror_core::ledger::Outcome;
use mirror_core::schedule::{Ended, LaneCounts, Schedule, ScheduleData, ScheduleOptions, Turn};
use mirror_core::time::Timestamp;

pub(super) struct RunSchedule {
    schedule: Mutex<Schedule>,
    clock: Clock,
    active_lanes: AtomicUsize,
    waiting: AtomicUsize,
}

/// What becomes of a request that comes now.
pub(super) enum Admission {
    Admitted,
    /// It is admitted, and the last one that was asked for.
    Last,
    Ends(Outcome),
}

impl RunSchedule {
    /// With at most so many `replays` at once, to targets of these names.
    pub(super) fn new(options: &ScheduleOptions, replays: usize, targets: Vec<String>) -> Self {
        Self {
            schedule: Mutex::new(Schedule::new(options, replays, targets)),
            clock: Clock::default(),
            active_lanes: AtomicUsize::default(),
            waiting: AtomicUsize::default(),
        }
    }

    pub(super) fn pause(&self, is_paused: bool) {
        self.schedule().pause(is_paused);
    }

    pub(super) fn admit(&self) -> Admission {
        let mut schedule = self.schedule();
        match schedule.admit(wall_clock()) {
            Err(outcome) => Admission::Ends(outcome),
            Ok(()) if schedule.is_finished() => Admission::Last,
            Ok(()) => Admission::Admitted,
        }
    }

    /// Why nothing is sent now, if so.
    pub(super) fn refuses(&self, target: usize) -> Option<String> {
        let (schedule, now) = (self.schedule(), self.clock.now());
        schedule.refuses(now, target).map(str::to_owned)
    }

    pub(super) fn turn(&self, target: usize) -> Turn {
        self.schedule().turn(self.clock.now(), target)
    }

    pub(super) fn admits(&self, target: usize) -> Result<(), String> {
        let (mut schedule, now) = (self.schedule(), self.clock.now());
        schedule.admits(now, target).map_err(str::to_owned)
    }

    pub(super) fn instant(&self, at: Timestamp) -> Instant {
        self.clock.instant(at)
    }

    pub(super) fn counts_bytes(&self) -> bool {
        self.schedule().counts_bytes()
    }

    pub(super) fn ended(&self, target: usize, ended: Ended<'_>, bytes: usize) {
        let now = self.clock.now();
        self.schedule().ended(now, target, ended, bytes);
    }

    pub(super) fn ended_beside(&self, target: usize, ended: Ended<'_>, bytes: usize) {
        let now = self.clock.now();
        self.schedule().ended_beside(now, target, ended, bytes);
    }

    pub(super) fn needs_ticks(&self) -> bool {
        self.schedule().needs_ticks()
    }

    pub(super) fn tick(&self, cpu_time: Duration, host_cpu: f64) -> usize {
        let now = self.clock.now();
        self.schedule().tick(now, cpu_time, host_cpu)
    }

    pub(super) fn show_lanes(&self, counts: LaneCounts) {
        self.active_lanes.store(counts.active, Relaxed);
        self.waiting.store(counts.waiting, Relaxed);
    }

    pub(super) fn data(&self) -> ScheduleData {
        let lanes = LaneCounts {
            active: self.active_lanes.load(Relaxed),
            waiting: self.waiting.load(Relaxed),
        };
        self.schedule().data(wall_clock(), lanes)
    }

    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A clock that is never set: a budget must not stand still because the time was corrected.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    begun: Instant,
    begun_at: Timestamp,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            begun_at: wall_clock(),
        }
    }
}

impl Clock {
    pub(super) fn now(&self) -> Timestamp {
        self.begun_at.after(self.begun.elapsed())
    }

    pub(super) fn instant(&self, at: Timestamp) -> Instant {
        self.begun + Duration::from_nanos(at.nanos_since(self.begun_at))
    }
}
