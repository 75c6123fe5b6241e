//! Each sending of a request has a name, by which the mirror files what the request did.

use std::cell::Cell;
use std::hash::{BuildHasher, Hasher, RandomState};

use mirror_snapshot::SendId;

use super::gate_pass::Pass;

/// Who a request is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sending {
    ToCandidate,
    ToControl,
    /// To the candidate once more.
    Again,
}

/// Gives each sending of the run a name of its own.
pub(super) struct Sends {
    /// Random, so that no two runs share a name.
    run: u64,
    count: Cell<u64>,
}

impl Default for Sends {
    fn default() -> Self {
        Self {
            run: RandomState::new().build_hasher().finish(),
            count: Cell::default(),
        }
    }
}

impl Sends {
    /// `None` where nothing of production's could be compared.
    pub(super) fn next(&self, sending: Sending, pass: &Pass) -> Option<SendId> {
        pass.effects()?;
        self.name(sending)
    }

    fn name(&self, sending: Sending) -> Option<SendId> {
        let letter = match sending {
            Sending::ToCandidate => 'c',
            Sending::ToControl => 'k',
            Sending::Again => 'r',
        };
        let count = self.count.get();
        self.count.set(count.wrapping_add(1));
        SendId::new(&format!("{:016x}-{letter}{count}", self.run))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use mirror_core::verdict::Basis;

    use super::*;

    #[test]
    fn no_two_sendings_share_a_name_and_none_has_one_without_a_snapshot() {
        let plain = Pass::Plain {
            id: None,
            basis: Basis::NotGated,
        };
        let sends = Sends::default();
        assert_eq!(sends.next(Sending::ToCandidate, &plain), None);
        let all = [Sending::ToCandidate, Sending::ToControl, Sending::Again].repeat(2);
        let other_run = Sends::default().name(Sending::ToCandidate);
        let names = all.into_iter().map(|sending| sends.name(sending));
        let names: HashSet<_> = names.chain([other_run]).flatten().collect();
        assert_eq!(names.len(), 7, "{names:?}");
        let last = Sends {
            run: u64::MAX,
            count: Cell::new(u64::MAX),
        };
        assert!(last.name(Sending::Again).is_some(), "it is not too long");
    }
}
