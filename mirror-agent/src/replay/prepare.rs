//! A captured request → the one that is sent: carried values, then the rules of the user, then credentials.
//!
//! In this order, because carried values are told by the route that was captured, and what a user gives has the last word.

use std::cell::RefCell;
use std::time::Instant;

use mirror_core::exchange::{Request, Response};
use mirror_core::policy::Envelope;
use mirror_core::rewrite::{Conditions, Rewrite};
use mirror_core::session::{Carried, Carry, CarryLimits, CarryOptions, CarryOrigin, CarryStats};

use super::Target;
use super::credentials::{CredentialOptions, Credentials};
use crate::clock::wall_clock;

/// What a request became.
#[derive(Debug)]
pub struct Prepared {
    pub request: Request,
    pub conditions: Conditions,
    pub carried: Carried,
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
        let exchange = envelope.exchange();
        let mut request = Request::clone(&exchange.request);
        let carried = self.carry.as_ref().map(|carry| {
            let mut carry = carry.borrow_mut();
            carry.replace(origin(envelope), &mut request, wall_clock())
        });
        let carried = carried.unwrap_or_default();
        let production = exchange.response.as_ref().map(|answer| answer.status);
        let conditions = Conditions::settle(&mut request, production, &carried.conditions);
        if !rewrite.rules.is_empty() {
            rewrite.apply(&mut request, &target.host());
        }
        if !self.credentials.is_empty() {
            self.credentials.refresh(Instant::now());
            let captured_at = exchange.captured_at();
            self.credentials
                .apply(&mut request, captured_at, wall_clock());
        }
        Prepared {
            request,
            conditions,
            carried,
        }
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

fn origin(envelope: &Envelope) -> CarryOrigin<'_> {
    CarryOrigin {
        host: envelope.host(),
        exchange: envelope.exchange(),
    }
}
