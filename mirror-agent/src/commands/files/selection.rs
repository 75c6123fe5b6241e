//! Which exchanges are wanted. Each way of choosing narrows what the others leave.

use std::collections::{HashMap, HashSet};

use mirror_agent::cli::{Moment, SelectionOptions};
use mirror_core::policy::Envelope;
use mirror_core::recording::route_of;
use mirror_core::time::Timestamp;

use super::shape::shape;

pub(super) struct Selection<'o> {
    options: &'o SelectionOptions,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    /// Exchanges taken of each route, if they are counted.
    taken: HashMap<String, u64>,
    shapes: HashSet<u64>,
}

impl<'o> Selection<'o> {
    /// `first` is when the file begins.
    pub(super) fn new(options: &'o SelectionOptions, first: Timestamp) -> Self {
        let moment = |moment: &Moment| moment.after(first);
        Self {
            from: options.from.as_ref().map(moment),
            until: options.until.as_ref().map(moment),
            options,
            taken: HashMap::new(),
            shapes: HashSet::new(),
        }
    }

    /// Takes an exchange, or says why it is not wanted.
    pub(super) fn take(&mut self, envelope: &Envelope) -> Result<(), &'static str> {
        let (exchange, options) = (envelope.exchange(), self.options);
        let at = exchange.captured_at();
        let is_in_time =
            self.from.is_none_or(|from| at >= from) && self.until.is_none_or(|until| at < until);
        require(is_in_time, "it is of another time")?;
        let routes = &options.route;
        let is_on_route = routes.is_empty() || routes.iter().any(|rule| rule.lets_in(exchange));
        require(is_on_route, "no --route fits it")?;
        let is_without = options.without.iter().any(|rule| rule.lets_in(exchange));
        require(!is_without, "a --without fits it")?;
        let ids = &envelope.identity().candidates.ids;
        let has_id = |wanted: &String| ids.iter().any(|id| id.as_str() == wanted);
        let ids = &options.id;
        require(
            ids.is_empty() || ids.iter().any(has_id),
            "it has another id",
        )?;
        let lane = envelope.lane();
        let sessions = &options.session;
        let is_of_session =
            sessions.is_empty() || sessions.iter().any(|session| Some(session.0) == lane);
        require(is_of_session, "it is of another session")?;
        let shares = options.share.iter();
        let mut shares = shares.filter(|share| !share.chooses(exchange, envelope.identity()));
        require(shares.next().is_none(), "it is not in the --share")?;
        if options.distinct {
            let is_new = self.shapes.insert(shape(exchange));
            require(is_new, "one of its shape is there already")?;
        }
        if let Some(most) = options.first {
            let taken = self.taken.entry(route_of(&exchange.request)).or_default();
            require(*taken < most, "there are enough of its route")?;
            *taken += 1;
        }
        Ok(())
    }
}

fn require(is_so: bool, why: &'static str) -> Result<(), &'static str> {
    if is_so { Ok(()) } else { Err(why) }
}
