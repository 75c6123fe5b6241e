//! An envelope that comes from a recording or from another host is judged once more, by the rules in effect here.

use super::{Envelope, Policy, Refusal};

impl Policy {
    /// Lets an envelope through that another policy made, or says how it ends here. Rules, shares, the rate and the guard for writes
    /// judge it as if it had been captured; its identity and what was redacted in it stay as they came. So a recording that was made
    /// with `--allow 'POST /orders'` sends no order, unless the replay allows it too.
    pub fn readmit(&self, mut envelope: Envelope) -> Result<Envelope, Refusal> {
        let permission = self.judge(&envelope.exchange)?;
        let identity = std::mem::take(&mut envelope.identity);
        let identity = self.choose(&envelope.exchange, |_| identity)?;
        self.keep_rate(&envelope.exchange)?;
        Ok(Envelope {
            identity,
            access: permission.access,
            ..envelope
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Outcome;
    use crate::options::FromText;
    use crate::policy::tests::{envelope, rules};
    use crate::policy::{Access, RedactRule, ReplayShare};
    use crate::verdict::Basis;

    /// How `POST /orders` ends, which another policy let through.
    fn refused(policy: &Policy) -> Option<Outcome> {
        policy.readmit(envelope()).err().map(|end| end.outcome)
    }

    #[test]
    fn what_another_policy_allowed_needs_this_ones_permission() {
        assert_eq!(refused(&Policy::default()), Some(Outcome::FilteredMethod));
        let allowing = Policy::allowing(rules(&["POST /orders"]));
        assert_eq!(allowing.readmit(envelope()), Ok(envelope()));
        let denying = Policy {
            deny: rules(&["POST /orders"]),
            ..allowing.clone()
        };
        assert_eq!(refused(&denying), Some(Outcome::FilteredRule));
        let sampling = Policy {
            shares: vec![ReplayShare::from_text("0%").unwrap()],
            ..allowing
        };
        assert_eq!(refused(&sampling), Some(Outcome::FilteredSample));
    }

    #[test]
    fn whether_it_writes_is_decided_here() {
        let reading = Policy {
            reads: rules(&["POST /orders"]),
            ..Policy::default()
        };
        let readmitted = reading.readmit(envelope()).unwrap();
        assert_eq!(readmitted.access(), Access::Read);
        let allowing = Policy::allowing(rules(&["POST /orders"]));
        let readmitted = allowing.readmit(readmitted).unwrap();
        assert_eq!(readmitted.access(), Access::Write);
        let without_data = allowing.may_write(&readmitted, Basis::Missing);
        assert_eq!(without_data, Err(Outcome::FilteredWrite));
    }

    #[test]
    fn identity_and_redaction_stay_as_they_came() {
        let policy = Policy {
            redact: vec![RedactRule::from_text("query:q => mask").unwrap()],
            ..Policy::allowing(rules(&["POST /orders"]))
        };
        assert_eq!(policy.readmit(envelope()), Ok(envelope()));
    }
}
