//! What would be done to a request after policy has let it through. The mirror's own values are not known here: what would be
//! carried is said, and keeps production's value.

use mirror_agent::cli::ExplainOptions;
use mirror_core::exchange::Request;
use mirror_core::policy::Envelope;
use mirror_core::rewrite::Conditions;
use mirror_core::session::{Carry, CarryOrigin};

/// Stands for the target's host, which nobody has named.
const TARGET: &str = "(target)";

pub(super) struct Editor<'o> {
    options: &'o ExplainOptions,
    carry: Option<Carry>,
}

/// A request as it would be sent, but for credentials, and what was done to it.
pub(super) struct Edited {
    pub(super) request: Box<Request>,
    /// A line for each edit.
    pub(super) edits: Vec<String>,
}

impl<'o> Editor<'o> {
    pub(super) fn new(options: &'o ExplainOptions) -> Self {
        let rules = &options.carry.rules;
        let carry = || Carry::rehearsal(rules.clone());
        Self {
            options,
            carry: rules.is_on().then(carry),
        }
    }

    pub(super) fn edited(&mut self, envelope: &Envelope) -> Edited {
        let exchange = envelope.exchange();
        let mut request = exchange.request.clone();
        let (mut edits, mut conditions) = (Vec::new(), Vec::new());
        if let Some(carry) = &mut self.carry {
            let from = CarryOrigin {
                host: envelope.host(),
                exchange,
            };
            let now = exchange.captured_at();
            let carried = carry.replace(from, &mut request, now);
            edits.extend(carried.replaced.iter().map(|replaced| {
                let (place, source) = (&replaced.place, &replaced.learnt_from);
                format!("carried: {place}, where the mirror has its own from {source}")
            }));
            conditions = carried.conditions;
            if let Some(response) = &exchange.response {
                carry.learn(from, response, now);
            }
        }
        let production = exchange.response.as_ref().map(|response| response.status);
        let settled = Conditions::settle(&mut request, production, &conditions);
        let dropped = settled.dropped.iter();
        edits.extend(
            dropped.map(|name| format!("dropped: {name}, which has a validator of production's")),
        );
        let rewritten = self.options.rewrite.apply(&mut request, TARGET);
        edits.extend(
            rewritten
                .into_iter()
                .map(|rule| format!("rewritten: {rule}")),
        );
        let credentials = &self.options.credentials;
        let headers = credentials.headers.iter();
        edits.extend(headers.map(|source| format!("credential: {}", source.name())));
        Edited { request, edits }
    }
}
