//! Each exchange travels with a [`Ticket`], so that it ends in the ledger exactly once.

use std::cell::Cell;
use std::sync::Arc;

use mirror_core::compare::Comparison;
use mirror_core::exchange::Exchange;
use mirror_core::ledger::Outcome;
use mirror_core::noise::{AnswerTimes, Source};
use mirror_core::policy::Redactor;
use mirror_core::route::RouteId;

use super::{AnswersPlace, End, Recorder, RequestLabel};

/// One request on its way to its outcome. Dropped without one, it ends as `interrupted`.
pub struct Ticket {
    recorder: Arc<Recorder>,
    label: RequestLabel,
    /// Where it is known already.
    route: Cell<Option<RouteId>>,
    /// What the transport knows it by.
    mark: Option<u64>,
    open: bool,
}

impl Ticket {
    /// For a request that was captured here.
    pub fn new(recorder: &Arc<Recorder>, redactor: &Redactor, exchange: &Exchange) -> Self {
        recorder.saw();
        Self::open(recorder, redactor, exchange, None)
    }

    /// For a request that another process handed over: it is counted here from now on. Its mark is told with what counts it.
    pub fn take_over(
        recorder: &Arc<Recorder>,
        redactor: &Redactor,
        exchange: &Exchange,
        mark: u64,
    ) -> Self {
        recorder.took_over();
        Self::open(recorder, redactor, exchange, Some(mark))
    }

    fn open(
        recorder: &Arc<Recorder>,
        redactor: &Redactor,
        exchange: &Exchange,
        mark: Option<u64>,
    ) -> Self {
        Self {
            recorder: Arc::clone(recorder),
            label: RequestLabel::new(redactor, exchange),
            route: Cell::default(),
            mark,
            open: true,
        }
    }

    pub fn end(mut self, end: impl Into<End>) {
        self.open = false;
        let (route, mark) = (self.route.get(), self.mark);
        self.recorder
            .ended_as(&self.label, route, &end.into(), mark);
    }

    /// Whether the request is to be sent to the mirror once more, and why. Ask once, and only for one that may be.
    pub fn wants_repeat(&self, answered: AnswerTimes, pair: &Comparison) -> Option<Source> {
        let known = self.route.get();
        let (route, source) = self
            .recorder
            .wants_repeat(&self.label, known, answered, pair);
        self.route.set(Some(route));
        source
    }

    /// A place for the answers in full, if they may be wanted as an example.
    pub fn place_for_answers(&self, pair: &Comparison) -> Option<AnswersPlace> {
        let known = self.route.get();
        let (route, place) = self.recorder.place_for_answers(&self.label, known, pair);
        self.route.set(route);
        place
    }

    /// Production answered the same request shortly before: that answer against this one.
    pub fn learn_from_production(&self, times: AnswerTimes, pair: &Comparison) {
        let known = self.route.get();
        let route = self
            .recorder
            .learn_from_production(&self.label, known, times, pair);
        self.route.set(Some(route));
    }

    /// The request goes on in another process, whose ledger says how it ends.
    pub fn hand_over(self) {
        self.end(Outcome::HandedOver);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.open {
            let end = Outcome::Interrupted.into();
            let (route, mark) = (self.route.get(), self.mark);
            self.recorder.ended_as(&self.label, route, &end, mark);
        }
    }
}
