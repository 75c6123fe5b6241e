//! A captured request → the one that is sent: carried values, then the rules of the user, then credentials.
//!
//! In this order, because carried values are told by the route that was captured, and what a user gives has the last word.

use std::borrow::Cow;
use std::cell::RefCell;
use std::time::Instant;

use mirror_core::exchange::{Request, Response};
use mirror_core::policy::Envelope;
use mirror_core::rewrite::{Conditions, Rewrite};
use mirror_core::session::{Carried, Carry, CarryLimits, CarryOptions, CarryOrigin, CarryStats};
use mirror_core::time::Timestamp;

use super::Target;
use super::credentials::{CredentialOptions, Credentials};
use crate::clock::wall_clock;

/// What a request became.
#[derive(Debug)]
pub struct Prepared {
    pub request: Request,
    pub conditions: Conditions,
    pub carried: Carried,
    /// The rules of `--rewrite` that changed something.
    pub rewritten: Vec<String>,
}

/// Edits requests, and learns from the answers to them. For one thread.
pub struct Preparer {
    carry: Option<RefCell<Carry>>,
    credentials: Credentials,
}

impl Preparer {
    /// Reads what the credentials are read from.
    pub fn new(carry: &CarryOptions, credentials: &CredentialOptions) -> anyhow::Result<Self> {
        let rules = &carry.rules;
        let carry = || RefCell::new(Carry::new(rules.clone(), CarryLimits::default()));
        Ok(Self {
            carry: rules.is_on().then(carry),
            credentials: Credentials::load(credentials, Instant::now())?,
        })
    }

    /// `target` is where it is sent to.
    pub fn prepare(&self, envelope: &Envelope, rewrite: &Rewrite, target: &Target) -> Prepared {
        let mut carry = self.carry.as_ref().map(RefCell::borrow_mut);
        let carry = carry.as_deref_mut();
        let mut prepared = edited(envelope, carry, rewrite, || target.host(), wall_clock());
        if !self.credentials.is_empty() {
            self.credentials.refresh(Instant::now());
            let captured_at = envelope.exchange().captured_at();
            self.credentials
                .apply(&mut prepared.request, captured_at, wall_clock());
        }
        prepared
    }

    /// Whether anything is carried at all.
    pub fn carries(&self) -> bool {
        self.carry.is_some()
    }

    /// Learns from the mirror's answer as it came, before anything is taken out of it.
    pub fn learn(&self, envelope: &Envelope, mirror: &Response) {
        if let Some(carry) = &self.carry {
            let mut carry = carry.borrow_mut();
            carry.learn(origin(envelope), mirror, wall_clock());
        }
    }

    /// How much is known and was replaced so far.
    pub fn carried(&self) -> CarryStats {
        let carry = self.carry.as_ref();
        carry.map_or_else(CarryStats::default, |carry| carry.borrow().stats())
    }
}

/// All edits but credentials, which `explain` shows without having them. `host` is what a Host field says of the target.
pub fn edited<'h>(
    envelope: &Envelope,
    carry: Option<&mut Carry>,
    rewrite: &Rewrite,
    host: impl FnOnce() -> Cow<'h, str>,
    now: Timestamp,
) -> Prepared {
    let exchange = envelope.exchange();
    let mut request = Request::clone(&exchange.request);
    let carried = carry.map(|carry| carry.replace(origin(envelope), &mut request, now));
    let carried = carried.unwrap_or_default();
    let production = exchange.response.as_ref().map(|answer| answer.status);
    let conditions = Conditions::settle(&mut request, production, &carried.conditions);
    let rewritten = match rewrite.rules.is_empty() {
        true => Vec::new(),
        false => rewrite.apply(&mut request, &host()),
    };
    Prepared {
        request,
        conditions,
        carried,
        rewritten,
    }
}

fn origin(envelope: &Envelope) -> CarryOrigin<'_> {
    CarryOrigin {
        host: envelope.host(),
        exchange: envelope.exchange(),
    }
}
