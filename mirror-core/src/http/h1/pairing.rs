//! Which request a response answers.
//!
//! As long as nothing is missing, responses answer requests in their order (RFC 9112 §9.3). A response that was captured
//! before its request waits for it.
//!
//! Where something is missing, a wrong pair would be worse than none. Each request carries the acknowledgement number of
//! its first packet: so far had the client received the other stream when it sent the request. This gives two rules:
//! - always: a response that began before that place answers an earlier request, one that was not seen (an orphan);
//! - after a gap in either stream: a client that does not pipeline has received everything before it asks again, so a
//!   response belongs to the request whose acknowledgement number is exactly the response's first byte. Requests before
//!   that one end without a response; a response without such a request is an orphan. From the pair on, order counts again.
//!
//! On a connection that was seen to pipeline the second rule decides nothing: after a gap its requests end without response.
//!
//! Bytes that should have been a head and were none are a request only if they are answered. When a real request came
//! after them, that one was answered, unless the status is one of those that servers have for what they cannot read.

use std::collections::VecDeque;

use super::Answered;
use crate::exchange::{Request, Response};
use crate::packet::Seq;
use crate::tcp::Arrival;
use crate::time::Timestamp;

/// Requests of one connection that await their response; pipelines of clients in use are shorter by far.
const MAX_PENDING: usize = 256;

/// A request and what is known of its exchange.
pub(super) struct Pending {
    pub(super) index: u32,
    pub(super) first: Arrival,
    pub(super) answered: Answered,
    pub(super) request: Option<(Box<Request>, Timestamp)>,
    pub(super) response: Option<(Box<Response>, Timestamp, Timestamp)>,
    /// No head: a request only if it is answered.
    pub(super) malformed: bool,
    after_gap: bool,
}

impl Pending {
    /// The client had a part of the response that begins at `start` when it sent this.
    fn was_sent_after(&self, start: Seq) -> bool {
        self.first.ack.is_some_and(|ack| start.is_before(ack))
    }

    fn is_whole(&self) -> bool {
        self.request.is_some() && self.response.is_some()
    }
}

/// What a response is the response to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// The request at this place; those before it have no response.
    Request(usize),
    Orphan,
    /// Its request may be still to come.
    Wait,
}

/// The requests of one connection that are not done, in order.
#[derive(Default)]
pub(super) struct Pairing {
    pending: VecDeque<Pending>,
    next_index: u32,
    /// The request stream lost something before the next request.
    requests_lost: bool,
    /// The response stream lost something before the next response.
    responses_lost: bool,
    pipelined: bool,
    /// The exchange that the response being read belongs to; none for an orphan.
    answering: Option<u32>,
}

impl Pairing {
    /// Bytes of requests that wait for their response.
    pub(super) fn held_bytes(&self) -> usize {
        let waiting = self.pending.iter().filter_map(|p| p.request.as_ref());
        waiting.map(|(request, _)| request.body.len()).sum()
    }

    /// The next request begins. When there are too many, the oldest is given up.
    #[inline]
    pub(super) fn request(&mut self, first: Arrival, answered: Answered) -> Option<Pending> {
        // Nobody waits for an answer to what is no request.
        if let Some(before) = self.pending.back().filter(|before| !before.malformed) {
            self.pipelined |= before.response.is_none() && before.first.ack == first.ack;
        }
        self.pending.push_back(Pending {
            index: self.next_index,
            first,
            answered,
            after_gap: std::mem::take(&mut self.requests_lost),
            request: None,
            response: None,
            malformed: false,
        });
        self.next_index += 1;
        if self.pending.len() <= MAX_PENDING {
            return None;
        }
        self.responses_lost = true;
        self.pending.pop_front()
    }

    /// Bytes that should have been a request's head.
    pub(super) fn malformed(&mut self, first: Arrival, request: Box<Request>) -> Option<Pending> {
        let pipelined = self.pipelined;
        let oldest = self.request(first, Answered::Other);
        self.pipelined = pipelined;
        if let Some(pending) = self.pending.back_mut() {
            pending.malformed = true;
            pending.request = Some((request, first.at));
        }
        oldest
    }

    /// The request that began last.
    pub(super) fn newest(&mut self) -> Option<&mut Pending> {
        self.pending.back_mut()
    }

    pub(super) fn lose_requests(&mut self) {
        self.requests_lost = true;
    }

    pub(super) fn lose_responses(&mut self) {
        self.responses_lost = true;
    }

    /// The request of a response that begins at `start`; the rules are at the top of this file. An interim response leaves
    /// its request unanswered, so that the final one is given the same.
    #[inline]
    pub(super) fn choose(&mut self, start: Seq, status: u16) -> Choice {
        self.answering = None;
        self.drop_ignored(start, status);
        let Some(place) = self.first_unanswered() else {
            return Choice::Wait;
        };
        let first = &self.pending[place];
        if first.was_sent_after(start) {
            return Choice::Orphan;
        }
        if !self.responses_lost && !first.after_gap {
            return Choice::Request(place);
        }
        if self.pipelined {
            return Choice::Orphan;
        }
        let exact =
            |pending: &Pending| pending.response.is_none() && pending.first.ack == Some(start);
        match self.pending.iter().position(exact) {
            Some(place) => Choice::Request(place),
            None if self.was_sent_after(start) => Choice::Orphan,
            None => Choice::Wait,
        }
    }

    fn was_sent_after(&self, start: Seq) -> bool {
        let mut pending = self.pending.iter();
        pending.any(|pending| pending.was_sent_after(start))
    }

    /// The first may be answered before it is whole.
    fn first_unanswered(&self) -> Option<usize> {
        let mut pending = self.pending.iter();
        pending.position(|pending| pending.response.is_none())
    }

    /// Forgets malformed heads that are not what the response at `start` answers.
    fn drop_ignored(&mut self, start: Seq, status: u16) {
        while let Some(place) = self.first_unanswered()
            && self.pending[place].malformed
        {
            let had_all_before = match self.pending[place].first.ack {
                Some(ack) => ack == start || !self.responses_lost && ack.is_before(start),
                None => true,
            };
            let asked_after = self
                .pending
                .iter()
                .skip(place)
                .any(|pending| !pending.malformed && !pending.was_sent_after(start));
            let is_refusal = matches!(status, 400 | 405 | 413 | 414 | 431 | 501 | 505);
            if had_all_before && (is_refusal || !asked_after) {
                return;
            }
            self.pending.remove(place);
        }
    }

    /// Takes the request before the one that is answered, which itself has no response.
    pub(super) fn pop_unanswered(&mut self) -> Option<Pending> {
        self.pending.pop_front()
    }

    /// The first request is the one that the response being read answers.
    #[inline]
    pub(super) fn answer_first(&mut self) -> Option<&mut Pending> {
        self.responses_lost = false;
        let first = self.pending.front_mut()?;
        first.after_gap = false;
        self.answering = Some(first.index);
        Some(first)
    }

    /// The request that began last, and is not whole yet, is the one that is answered.
    pub(super) fn answers_unfinished(&self) -> bool {
        let newest = self.pending.back();
        newest.is_some_and(|p| p.request.is_none() && Some(p.index) == self.answering)
    }

    /// Gives the response that was read, up to `end`, to the request that it answers: how that one is answered, or
    /// `None` for an orphan.
    #[inline]
    pub(super) fn response(
        &mut self,
        response: Box<Response>,
        first: Timestamp,
        last: Timestamp,
        end: Seq,
    ) -> Option<Answered> {
        let index = self.answering.take();
        let answered = match self.pending.front_mut() {
            Some(pending) if Some(pending.index) == index => {
                pending.response = Some((response, first, last));
                pending.answered
            }
            _ => {
                // Without the request its end may have been misread.
                self.responses_lost = true;
                return None;
            }
        };
        let next = self.pending.get(1).filter(|next| !next.malformed);
        let next = next.and_then(|next| next.first.ack);
        self.pipelined |= next.is_some_and(|ack| ack.is_before(end));
        Some(answered)
    }

    /// The first exchange, when nothing more of it can come.
    #[inline]
    pub(super) fn pop_whole(&mut self) -> Option<Pending> {
        self.pending
            .front()
            .is_some_and(Pending::is_whole)
            .then(|| self.pending.pop_front())
            .flatten()
    }

    /// The first request, whatever is known of it.
    pub(super) fn pop(&mut self) -> Option<Pending> {
        self.pending.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests in order, each with what its client had received when it sent it.
    fn requests(acks: &[u32]) -> Pairing {
        let mut pairing = Pairing::default();
        acks.iter().for_each(|ack| ask(&mut pairing, *ack));
        pairing
    }

    fn ask(pairing: &mut Pairing, ack: u32) {
        let none = pairing.request(arrival(ack), Answered::Other);
        assert!(none.is_none());
        let pending = pairing.newest().unwrap();
        pending.request = Some((Request::new("GET", "/").into(), Timestamp(1)));
    }

    fn arrival(ack: u32) -> Arrival {
        Arrival {
            ack: Some(Seq(ack)),
            ..Arrival::default()
        }
    }

    /// Reads a whole response from `start` to `end`, to the request that is chosen.
    fn answer(pairing: &mut Pairing, start: u32, end: u32) -> Choice {
        let choice = pairing.choose(Seq(start), 200);
        match choice {
            Choice::Request(place) => {
                (0..place).for_each(|_| drop(pairing.pop_unanswered()));
                pairing.answer_first();
            }
            Choice::Orphan | Choice::Wait => {}
        }
        let at = Timestamp(2);
        let answered = pairing.response(Response::new(200).into(), at, at, Seq(end));
        assert_eq!(answered.is_some(), matches!(choice, Choice::Request(_)));
        while pairing.pop_whole().is_some() {}
        choice
    }

    #[test]
    fn responses_answer_requests_in_their_order() {
        let mut pairing = requests(&[10, 20]);
        assert_eq!(pairing.choose(Seq(10), 200), Choice::Request(0));
        assert_eq!(answer(&mut pairing, 10, 20), Choice::Request(0));
        assert_eq!(answer(&mut pairing, 20, 30), Choice::Request(0));
        assert_eq!(answer(&mut pairing, 30, 40), Choice::Wait);
    }

    #[test]
    fn a_response_that_began_before_its_request_was_sent_is_an_orphan() {
        let mut pairing = requests(&[20]);
        assert_eq!(pairing.choose(Seq(19), 200), Choice::Orphan);
        assert_eq!(pairing.choose(Seq(20), 200), Choice::Request(0));
        assert_eq!(pairing.choose(Seq(21), 200), Choice::Request(0));
    }

    #[test]
    fn after_a_gap_the_acknowledgement_must_be_the_first_byte_of_the_response() {
        let mut pairing = requests(&[10, 20, 30]);
        pairing.lose_responses();
        assert_eq!(pairing.choose(Seq(20), 200), Choice::Request(1));
        assert_eq!(pairing.choose(Seq(15), 200), Choice::Orphan);
        assert_eq!(pairing.choose(Seq(31), 200), Choice::Wait);
        assert_eq!(answer(&mut pairing, 20, 30), Choice::Request(1));
        // From the pair on, order counts again.
        assert_eq!(pairing.choose(Seq(35), 200), Choice::Request(0));
        let mut pairing = requests(&[10]);
        pairing.lose_requests();
        ask(&mut pairing, 20);
        assert_eq!(answer(&mut pairing, 10, 19), Choice::Request(0));
        assert_eq!(pairing.choose(Seq(21), 200), Choice::Wait);
        assert_eq!(pairing.choose(Seq(20), 200), Choice::Request(0));
        // Only the request after the gap is in doubt.
        ask(&mut pairing, 30);
        assert_eq!(answer(&mut pairing, 20, 29), Choice::Request(0));
        assert_eq!(pairing.choose(Seq(31), 200), Choice::Request(0));
    }

    #[test]
    fn after_an_orphan_order_does_not_count() {
        let mut pairing = requests(&[20]);
        assert_eq!(answer(&mut pairing, 10, 20), Choice::Orphan);
        assert_eq!(pairing.choose(Seq(21), 200), Choice::Wait);
        assert_eq!(pairing.choose(Seq(20), 200), Choice::Request(0));
    }

    #[test]
    fn a_pipeline_is_seen_by_requests_that_did_not_wait() {
        // Both were sent with the same bytes received.
        let mut pairing = requests(&[10, 10]);
        pairing.lose_responses();
        assert_eq!(pairing.choose(Seq(10), 200), Choice::Orphan);
        // The second was sent before the first one's answer was received to its end.
        let mut pairing = requests(&[10, 19]);
        assert_eq!(answer(&mut pairing, 10, 20), Choice::Request(0));
        pairing.lose_responses();
        assert_eq!(pairing.choose(Seq(19), 200), Choice::Orphan);
        let mut pairing = requests(&[10, 20]);
        assert_eq!(answer(&mut pairing, 10, 20), Choice::Request(0));
        pairing.lose_responses();
        assert_eq!(pairing.choose(Seq(20), 200), Choice::Request(0));
        // A request that was answered before the next one came is none of a pipeline.
        let mut pairing = requests(&[10]);
        pairing.choose(Seq(10), 200);
        pairing.answer_first();
        let at = Timestamp(2);
        pairing.response(Response::new(200).into(), at, at, Seq(20));
        ask(&mut pairing, 10);
        pairing.pop_whole();
        pairing.lose_responses();
        assert_eq!(pairing.choose(Seq(10), 200), Choice::Request(0));
    }

    #[test]
    fn a_final_response_answers_what_its_interim_one_answered() {
        let mut pairing = requests(&[10]);
        assert_eq!(pairing.choose(Seq(10), 100), Choice::Request(0));
        pairing.answer_first();
        pairing.lose_requests();
        ask(&mut pairing, 15);
        assert_eq!(pairing.choose(Seq(12), 200), Choice::Request(0));
        // Unless something was lost between them: then any request may be the one.
        pairing.lose_responses();
        assert_eq!(pairing.choose(Seq(12), 200), Choice::Orphan);
    }

    #[test]
    fn the_final_response_to_a_request_that_was_given_up_is_no_others() {
        let mut pairing = requests(&[10]);
        pairing.choose(Seq(10), 100);
        pairing.answer_first();
        (1..MAX_PENDING as u32).for_each(|n| ask(&mut pairing, 10 * n + 10));
        let oldest = pairing.request(arrival(5000), Answered::Other).unwrap();
        assert_eq!(oldest.index, 0);
        assert_eq!(answer(&mut pairing, 12, 19), Choice::Orphan);
    }

    #[test]
    fn the_oldest_of_too_many_requests_ends_without_response() {
        let acks: Vec<u32> = (0..MAX_PENDING as u32).map(|n| n * 10).collect();
        let mut pairing = requests(&acks);
        assert_eq!(pairing.choose(Seq(2561), 200), Choice::Request(0));
        let oldest = pairing.request(arrival(2560), Answered::Other).unwrap();
        assert_eq!(oldest.index, 0);
        // Which answer is the next one is not known any more.
        assert_eq!(pairing.choose(Seq(2561), 200), Choice::Wait);
        assert_eq!(
            pairing.choose(Seq(2560), 200),
            Choice::Request(MAX_PENDING - 1)
        );
    }

    #[test]
    fn a_request_that_is_answered_before_its_end_is_told() {
        let mut pairing = Pairing::default();
        pairing.request(arrival(10), Answered::Other);
        assert!(!pairing.answers_unfinished());
        pairing.choose(Seq(10), 417);
        pairing.answer_first();
        assert!(pairing.answers_unfinished());
        let pending = pairing.newest().unwrap();
        pending.request = Some((Request::new("POST", "/").into(), Timestamp(1)));
        assert!(!pairing.answers_unfinished());
    }

    /// After a request that is done: a malformed head, then requests.
    fn malformed(ack: u32, after: &[u32]) -> Pairing {
        let mut pairing = requests(&[5]);
        answer(&mut pairing, 5, 10);
        let none = pairing.malformed(arrival(ack), Request::new("?", "x").into());
        assert!(none.is_none());
        after.iter().for_each(|ack| ask(&mut pairing, *ack));
        pairing
    }

    #[test]
    fn a_malformed_head_is_answered_unless_a_request_came_after_it() {
        assert_eq!(malformed(10, &[]).choose(Seq(10), 200), Choice::Request(0));
        assert_eq!(malformed(9, &[]).choose(Seq(10), 400), Choice::Request(0));
        assert_eq!(malformed(11, &[]).choose(Seq(10), 400), Choice::Wait);
        for status in [400, 405, 413, 414, 431, 501, 505] {
            let mut pairing = malformed(10, &[10]);
            assert_eq!(pairing.choose(Seq(10), status), Choice::Request(0));
            assert_eq!(pairing.pending.len(), 2);
        }
        for status in [200, 404, 500] {
            let mut pairing = malformed(10, &[10]);
            assert_eq!(pairing.choose(Seq(10), status), Choice::Request(0));
            assert_eq!(pairing.pending.len(), 1, "{status}");
        }
        // It was asked after this answer.
        let mut pairing = malformed(10, &[20]);
        assert_eq!(pairing.choose(Seq(10), 200), Choice::Request(0));
        assert_eq!(pairing.pending.len(), 2);
        let mut pairing = malformed(9, &[]);
        pairing.lose_responses();
        assert_eq!(pairing.choose(Seq(10), 400), Choice::Wait);
        let mut pairing = malformed(10, &[]);
        pairing.lose_responses();
        assert_eq!(pairing.choose(Seq(10), 400), Choice::Request(0));
    }

    #[test]
    fn a_malformed_head_makes_no_pipeline() {
        let mut pairing = malformed(10, &[10]);
        pairing.choose(Seq(10), 200);
        pairing.lose_responses();
        assert_eq!(pairing.choose(Seq(10), 200), Choice::Request(0));
    }

    #[test]
    fn held_bytes_are_the_bodies_that_wait() {
        let mut pairing = requests(&[10, 20]);
        assert_eq!(pairing.held_bytes(), 0);
        let request = &mut pairing.newest().unwrap().request;
        request.as_mut().unwrap().0.body = bytes::Bytes::from_static(b"abc").into();
        assert_eq!(pairing.held_bytes(), 3);
    }
}
