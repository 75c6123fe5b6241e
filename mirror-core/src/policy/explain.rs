//! What policy makes of an exchange, for people who write rules.

use std::sync::Arc;

use crate::exchange::Exchange;
use crate::identity::Identity;

use super::redact::Trace;
use super::{Envelope, Permission, Policy, Redaction, Refusal};

/// What becomes of an exchange, and why.
#[derive(Clone, Debug)]
pub struct Explanation {
    pub judged: Result<Permission, Refusal>,
    /// What was hidden in the request and in production's answer.
    pub redactions: Vec<Redaction>,
    /// What would go to the mirror side; none of what is refused.
    pub sent: Option<Envelope>,
}

impl Policy {
    /// Does what [`admit`](Self::admit) does, and says what it did.
    pub fn explain(
        &self,
        exchange: Exchange,
        identify: impl FnOnce(&Exchange) -> Identity,
    ) -> Explanation {
        let host = Arc::from("");
        let mut trace = Trace::on();
        let admitted = self.judge(&exchange).and_then(|permission| {
            let access = permission.access;
            let envelope = self.enclose(&host, exchange, access, identify, &mut trace)?;
            Ok((permission, envelope))
        });
        let (judged, sent) = match admitted {
            Ok((permission, envelope)) => (Ok(permission), Some(envelope)),
            Err(refusal) => (Err(refusal), None),
        };
        Explanation {
            judged,
            redactions: trace.into_list(),
            sent,
        }
    }
}
