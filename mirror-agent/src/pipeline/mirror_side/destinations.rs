//! Where requests are sent: the targets, which share them, and the control, which gets each of them too.

use std::cell::Cell;
use std::hash::BuildHasher;
use std::num::NonZeroU32;
use std::sync::Arc;

use foldhash::fast::FixedState;
use mirror_core::schedule::LaneKey;
use mirror_core::session::CarryStats;

use crate::config::Config;
use crate::replay::{OwnSockets, Preparer, Replayer, Target, choose};

pub(super) struct Destination {
    /// Its number for the schedule: the targets in their order, then the control.
    pub(super) number: usize,
    pub(super) target: Target,
    /// What a Host field says of the target.
    pub(super) authority: Arc<str>,
    pub(super) replayer: Replayer,
    /// What is carried belongs to the answers of one destination.
    pub(super) preparer: Preparer,
}

#[derive(Default)]
pub(super) struct Destinations {
    /// With its share of the requests.
    targets: Vec<(Destination, NonZeroU32)>,
    control: Option<Destination>,
    is_control_first: Cell<bool>,
}

impl Destinations {
    pub(super) fn new(
        config: &Config,
        own_sockets: Option<Arc<dyn OwnSockets>>,
    ) -> anyhow::Result<Self> {
        let destination = |number: usize, target: &Target| -> anyhow::Result<Destination> {
            let own = own_sockets.clone();
            Ok(Destination {
                number,
                target: target.clone(),
                authority: target.host().into(),
                replayer: Replayer::new(target.clone(), &config.replay, &config.dissect, own)?,
                preparer: Preparer::new(&config.carry, &config.credentials)?,
            })
        };
        let targets = config.replay.targets.iter().enumerate();
        let targets = targets.map(|(n, one)| Ok((destination(n, &one.target)?, one.weight)));
        let control = config.replay.control.as_ref();
        let control = control.map(|control| destination(config.replay.targets.len(), control));
        Ok(Self {
            targets: targets.collect::<anyhow::Result<_>>()?,
            control: control.transpose()?,
            is_control_first: Cell::default(),
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// The target of a request: one for all of a lane, and of a connection where there are no lanes.
    pub(super) fn of(&self, lane: Option<LaneKey>, connection: u64) -> Option<&Destination> {
        if let [(only, _)] = self.targets.as_slice() {
            return Some(only);
        }
        let key = lane.map_or(connection, |LaneKey(key)| key);
        let weights = self.targets.iter().map(|(_, weight)| *weight);
        let chosen = choose(weights, FixedState::default().hash_one(key));
        self.targets.get(chosen).map(|(destination, _)| destination)
    }

    /// What is carried to all targets.
    pub(super) fn carried(&self) -> CarryStats {
        let mut all = CarryStats::default();
        for (target, _) in &self.targets {
            all += target.preparer.carried();
        }
        all
    }

    pub(super) fn control(&self) -> Option<&Destination> {
        self.control.as_ref()
    }

    /// Whether the control gets the next request before the target does: every other one, so that neither always finds the
    /// caches warm.
    pub(super) fn is_control_first(&self) -> bool {
        self.is_control_first.replace(!self.is_control_first.get())
    }
}
