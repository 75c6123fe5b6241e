//! One test for each rule by which a document is given to a request, or refused.

use std::net::{IpAddr, Ipv4Addr};

use mirror_contract::{RequestId, Stamp};

use super::clocks::MAX_HOSTS;
use super::offset::MAX_RANGES;
use super::*;
use crate::time::Timestamp;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1000 * MS;
const T: u64 = 1_700_000_000 * SECOND;
const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
const OTHER_HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9));
const PEER: &str = "10.0.0.1:4000";
const OTHER_PEER: &str = "10.0.0.1:4001";
const ALIKE: &str = "00000000000000aa";
const UNLIKE: &str = "00000000000000bb";

fn owner(peer: &str, from_ms: u64, to_ms: u64) -> Owner {
    Owner {
        request: ALIKE.into(),
        body: None,
        peer: peer.into(),
        began: Timestamp(T + from_ms * MS),
        ended: Timestamp(T + to_ms * MS),
    }
}

fn stamp(peer: Option<&str>, at_ms: u64) -> Stamp {
    Stamp {
        at: T / MS + at_ms,
        us: Some(500),
        request: ALIKE.into(),
        peer: peer.map(Into::into),
        ..Stamp::default()
    }
}

fn id(text: &str) -> RequestId {
    RequestId::new(text).unwrap()
}

fn attribution() -> Attribution {
    Attribution::new(SECOND)
}

/// On the capture's own host, with its end seen.
fn enter(attribution: &mut Attribution, owner: &Owner) -> (RequestNumber, Claim) {
    attribution.enter(owner, HOST, true, true).unwrap()
}

fn open(why: Option<Doubt>) -> Attributed {
    Attributed::Open { why }
}

fn owned(attribution: &mut Attribution, number: RequestNumber) -> Option<String> {
    match attribution.decide(number) {
        Attributed::Own { id, .. } => Some(id.to_string()),
        _ => None,
    }
}

#[test]
fn a_document_belongs_to_the_request_that_it_was_stamped_in() {
    let mut known = attribution();
    let (first, _) = enter(&mut known, &owner(PEER, 0, 10));
    let (second, _) = enter(&mut known, &owner(PEER, 11, 20));
    assert_eq!(known.decide(first), open(None));
    known.list(&id("b"), &stamp(Some(PEER), 15));
    assert_eq!(known.decide(first), open(None));
    assert_eq!(owned(&mut known, second).as_deref(), Some("b"));
    known.list(&id("a"), &stamp(Some(PEER), 5));
    assert_eq!(owned(&mut known, first).as_deref(), Some("a"));
    // Asked again, the answer is the same.
    assert_eq!(owned(&mut known, first).as_deref(), Some("a"));
}

#[test]
fn what_the_stamp_says_of_another_request_is_refused() {
    let check = |change: fn(&mut Stamp), expect: Attributed| {
        let mut known = attribution();
        let mut owner = owner(PEER, 0, 10);
        owner.body = Some("00000000000000c0".into());
        let (number, _) = enter(&mut known, &owner);
        let mut stamp = stamp(Some(PEER), 5);
        stamp.body = owner.body.clone();
        change(&mut stamp);
        known.list(&id("a"), &stamp);
        let decided = known.decide(number);
        match expect {
            Attributed::Own { .. } => assert!(matches!(decided, Attributed::Own { .. })),
            other => assert_eq!(decided, other, "{stamp:?}"),
        }
    };
    let own = Attributed::Own {
        id: id("a"),
        stamp: Stamp::default(),
    };
    check(|_| {}, own.clone());
    check(|stamp| stamp.request = UNLIKE.into(), open(None));
    check(|stamp| stamp.body = Some(UNLIKE.into()), open(None));
    check(|stamp| stamp.peer = Some(OTHER_PEER.into()), open(None));
    check(|stamp| stamp.peer = Some("nobody".into()), open(None));
    check(|stamp| stamp.request = "aa".into(), open(None));
    check(|stamp| stamp.at += 6, open(None));
    check(|stamp| stamp.at -= 6, open(None));
    // What production did not say cannot speak against it.
    check(|stamp| stamp.body = None, own.clone());
    check(|stamp| stamp.peer = None, own);
}

#[test]
fn before_the_offset_is_known_a_document_only_may_be_the_requests() {
    let mut known = attribution();
    let owner = owner(PEER, 0, 10);
    let (number, _) = known.enter(&owner, HOST, false, true).unwrap();
    known.list(&id("a"), &stamp(Some(PEER), 5));
    assert_eq!(known.decide(number), open(Some(Doubt::Clocks)));
    known.list(&id("b"), &stamp(Some(PEER), 1200));
    assert_eq!(known.decide(number), open(Some(Doubt::Clocks)));
}

#[test]
fn a_response_without_its_end_proves_nothing() {
    let mut known = attribution();
    let (number, _) = known.enter(&owner(PEER, 0, 10), HOST, true, false).unwrap();
    known.list(&id("a"), &stamp(Some(PEER), 5));
    assert_eq!(known.decide(number), Attributed::Never(Doubt::NoEnd));
}

#[test]
fn a_request_without_a_peer_cannot_enter() {
    let nobody = owner("nobody", 0, 10);
    assert!(attribution().enter(&nobody, HOST, true, true).is_none());
}

#[test]
fn requests_that_overlap_on_a_connection_are_doubtful_also_afterwards() {
    let mut known = attribution();
    let (first, claim) = enter(&mut known, &owner(PEER, 0, 10));
    known.list(&id("a"), &stamp(Some(PEER), 5));
    assert_eq!(owned(&mut known, first).as_deref(), Some("a"));
    assert!(!claim.is_doubtful());
    let (second, second_claim) = enter(&mut known, &owner(PEER, 9, 20));
    assert!(claim.is_doubtful() && second_claim.is_doubtful());
    assert_eq!(known.decide(first), Attributed::Never(Doubt::Overlap));
    assert_eq!(known.decide(second), Attributed::Never(Doubt::Overlap));
}

#[test]
fn requests_that_follow_each_other_or_differ_do_not_overlap() {
    let check = |other: Owner| {
        let mut known = attribution();
        let (_, claim) = enter(&mut known, &owner(PEER, 10, 20));
        let (_, other_claim) = enter(&mut known, &other);
        assert!(
            !claim.is_doubtful() && !other_claim.is_doubtful(),
            "{other:?}"
        );
    };
    check(owner(PEER, 20, 30));
    check(owner(PEER, 0, 10));
    check(owner(OTHER_PEER, 10, 20));
    check(Owner {
        request: UNLIKE.into(),
        ..owner(PEER, 10, 20)
    });
}

#[test]
fn a_long_request_overlaps_with_those_that_began_much_later() {
    let mut known = attribution();
    let (_, long) = enter(&mut known, &owner(PEER, 0, 9000));
    let (_, short) = enter(&mut known, &owner(PEER, 8000, 8010));
    assert!(long.is_doubtful() && short.is_doubtful());
}

#[test]
fn two_documents_in_one_request_are_no_answer() {
    let mut known = attribution();
    let (number, _) = enter(&mut known, &owner(PEER, 0, 10));
    known.list(&id("a"), &stamp(Some(PEER), 3));
    known.list(&id("b"), &stamp(Some(PEER), 6));
    assert_eq!(known.decide(number), open(Some(Doubt::SeveralFit)));
}

#[test]
fn without_a_peer_a_document_must_fit_no_other_request() {
    let mut known = attribution();
    let (alone, _) = enter(&mut known, &owner(PEER, 0, 10));
    known.list(&id("a"), &stamp(None, 5));
    assert_eq!(owned(&mut known, alone).as_deref(), Some("a"));
    // From another connection, at the same time.
    let (first, _) = enter(&mut known, &owner(PEER, 100, 110));
    let (second, _) = enter(&mut known, &owner(OTHER_PEER, 104, 114));
    known.list(&id("b"), &stamp(None, 105));
    assert_eq!(known.decide(first), open(Some(Doubt::Shared)));
    assert_eq!(known.decide(second), open(Some(Doubt::Shared)));
}

#[test]
fn without_a_peer_a_later_request_makes_an_answer_doubtful() {
    let mut known = attribution();
    let (first, claim) = enter(&mut known, &owner(PEER, 0, 10));
    known.list(&id("a"), &stamp(None, 5));
    assert!(owned(&mut known, first).is_some());
    enter(&mut known, &owner(OTHER_PEER, 20, 30));
    assert!(!claim.is_doubtful());
    enter(&mut known, &owner(OTHER_PEER, 3, 40));
    assert!(claim.is_doubtful());
}

#[test]
fn without_a_peer_no_other_document_may_fit() {
    let mut known = attribution();
    let (number, _) = enter(&mut known, &owner(PEER, 0, 10));
    known.list(&id("a"), &stamp(None, 5));
    // On the edge: it fits, and is not proven.
    let mut edge = stamp(None, 10);
    edge.us = Some(1);
    known.list(&id("b"), &edge);
    assert_eq!(known.decide(number), open(Some(Doubt::SeveralFit)));
}

#[test]
fn one_peer_at_two_hosts_at_once_is_told_apart_by_nothing() {
    let mut known = attribution();
    let (here, _) = enter(&mut known, &owner(PEER, 0, 10));
    let there = known
        .enter(&owner(PEER, 2, 12), OTHER_HOST, true, true)
        .unwrap();
    assert!(!there.1.is_doubtful());
    known.list(&id("a"), &stamp(Some(PEER), 5));
    assert_eq!(known.decide(here), open(Some(Doubt::Shared)));
}

#[test]
fn the_offset_is_learnt_from_requests_in_either_order() {
    for documents_first in [true, false] {
        let mut known = attribution();
        let mut last = None;
        for n in 0..13_u64 {
            let peer = format!("10.0.0.1:{}", 4000 + n);
            let owner = owner(&peer, n * 20, n * 20 + 10);
            let stamp = stamp(Some(&peer), n * 20 + 5 + 700);
            if documents_first {
                known.list(&id(&peer), &stamp);
            }
            last = known.enter(&owner, HOST, false, true);
            known.list(&id(&peer), &stamp);
        }
        let (number, _) = last.unwrap();
        assert_eq!(owned(&mut known, number).as_deref(), Some("10.0.0.1:4012"));
    }
}

#[test]
fn pairs_that_an_id_makes_teach_the_offset_too() {
    let mut known = attribution();
    let pair = |known: &mut Attribution, n: u64, ahead: u64| {
        let peer = format!("10.0.0.1:{}", 4000 + n);
        let owner = owner(&peer, n * 20, n * 20 + 10);
        let stamp = stamp(Some(&peer), n * 20 + 5 + ahead);
        known.pair(&owner, HOST, &id(&format!("{n}-{ahead}")), &stamp)
    };
    // Any offset up to the skew is possible before, and only the learnt one after.
    assert!(pair(&mut known, 50, 900));
    assert!(!pair(&mut known, 51, 1100));
    for n in 0..12 {
        assert!(pair(&mut known, n, 700));
    }
    assert!(pair(&mut known, 60, 700));
    assert!(!pair(&mut known, 61, 900));
    assert!(!pair(&mut known, 62, 300));
}

/// Two ids of which production used one, as over the edge of a second.
#[test]
fn a_document_under_one_of_several_ids_must_fit_the_request() {
    let mut known = attribution();
    let (first, _) = enter(&mut known, &owner(PEER, 0, 10));
    let (second, _) = enter(&mut known, &owner(PEER, 500, 510));
    let of_first = stamp(Some(PEER), 5);
    assert!(!known.take_named(second, &id("a"), &of_first));
    assert!(known.take_named(first, &id("a"), &of_first));
    assert!(known.take_named(first, &id("a"), &of_first), "asked again");
    assert!(
        !known.take_named(second, &id("a"), &of_first),
        "it is taken"
    );
    let unlike = Stamp {
        request: UNLIKE.into(),
        ..stamp(Some(PEER), 505)
    };
    assert!(!known.take_named(second, &id("c"), &unlike));
    assert!(!known.take_named(second, &id("d"), &stamp(Some(OTHER_PEER), 505)));
    assert!(known.take_named(second, &id("b"), &stamp(None, 505)));
}

#[test]
fn between_hosts_a_document_is_not_taken_that_a_waiting_request_may_want() {
    let mut known = attribution();
    let mut enter = |from| known.enter(&owner(PEER, from, from + 10), HOST, false, true);
    let (first, second) = (enter(0).unwrap().0, enter(500).unwrap().0);
    let (of_first, of_second) = (stamp(Some(PEER), 5), stamp(Some(PEER), 505));
    assert!(!known.take_named(first, &id("a"), &of_first));
    assert!(!known.take_named(second, &id("b"), &of_second));
    // Alone, the skew is all that is asked for.
    let (third, _) = known
        .enter(&owner(PEER, 5000, 5010), HOST, false, true)
        .unwrap();
    assert!(known.take_named(third, &id("c"), &stamp(Some(PEER), 5400)));
    let (fourth, _) = known
        .enter(&owner(PEER, 5500, 5510), HOST, false, true)
        .unwrap();
    // The third has its document, so that this one is the fourth's.
    assert!(known.take_named(fourth, &id("d"), &stamp(Some(PEER), 5800)));
}

#[test]
fn what_is_five_minutes_old_is_forgotten() {
    let mut known = attribution();
    let (number, _) = enter(&mut known, &owner(PEER, 0, 10));
    known.list(&id("a"), &stamp(Some(PEER), 5));
    enter(&mut known, &owner(PEER, 300_000, 300_000));
    assert!(owned(&mut known, number).is_some());
    enter(&mut known, &owner(PEER, 300_003, 300_003));
    assert_eq!(known.decide(number), open(None));
    assert_eq!(
        known.known.len(),
        1,
        "the document came later than the request"
    );
    enter(&mut known, &owner(PEER, 301_000, 301_000));
    assert!(known.known.is_empty() && known.documents_order.is_empty());
    assert_eq!(known.requests.len(), 3);
    // The group of the peer, and that of requests whose peer production does not tell.
    let requests: Vec<_> = known.groups.values().map(|g| g.requests.len()).collect();
    assert_eq!(requests, [3, 3]);
}

#[test]
fn a_group_is_there_as_long_as_a_request_or_a_document_of_it() {
    let mut known = attribution();
    enter(&mut known, &owner(PEER, 0, 1));
    known.list(&id("a"), &stamp(Some(PEER), 5));
    let unlike = |at| Owner {
        request: UNLIKE.into(),
        ..owner(OTHER_PEER, at, at)
    };
    let groups = |known: &Attribution| known.groups.len();
    enter(&mut known, &unlike(300_002));
    // The request is forgotten, and its document came later.
    assert_eq!((groups(&known), known.known.len()), (3, 1));
    enter(&mut known, &unlike(301_000));
    assert_eq!(groups(&known), 2);
    let mut known = attribution();
    known.list(&id("a"), &stamp(Some(PEER), 0));
    enter(&mut known, &owner(PEER, 10, 10));
    enter(&mut known, &unlike(300_005));
    // Here it is the document.
    assert_eq!((groups(&known), known.known.len()), (4, 0));
}

#[test]
fn of_too_many_the_oldest_are_forgotten() {
    let mut known = attribution();
    let numbers = [0, 20, 40].map(|at| {
        known.list(&id(&at.to_string()), &stamp(Some(PEER), at + 5));
        enter(&mut known, &owner(PEER, at, at + 10)).0
    });
    known.forget_over(3);
    assert_eq!((known.requests.len(), known.known.len()), (3, 3));
    known.forget_over(2);
    assert_eq!(owned(&mut known, numbers[0]), None);
    assert_eq!(owned(&mut known, numbers[1]).as_deref(), Some("20"));
    assert_eq!((known.requests.len(), known.known.len()), (2, 2));
}

#[test]
fn no_more_is_remembered_than_is_stated() {
    let mut known = attribution();
    for n in 0..=MAX_HOSTS {
        let host = IpAddr::V4(Ipv4Addr::from(u32::try_from(n).unwrap()));
        assert_eq!(known.hosts.len(), n);
        // One that is known needs no room.
        for host in [host, IpAddr::V4(Ipv4Addr::from(0))] {
            known.enter(&owner(PEER, 0, 10), host, false, true);
        }
    }
    assert_eq!(known.hosts.len(), 2);
}

#[test]
fn documents_of_one_moment_are_both_known() {
    let mut known = attribution();
    let (number, _) = enter(&mut known, &owner(PEER, 0, 10));
    known.list(&id("a"), &stamp(Some(PEER), 5));
    known.list(&id("b"), &stamp(Some(PEER), 5));
    assert_eq!(known.decide(number), open(Some(Doubt::SeveralFit)));
}

#[test]
fn a_doubt_says_what_it_is_about() {
    let check = |doubt: Doubt, part| assert!(doubt.text().contains(part), "{doubt:?}");
    check(Doubt::Overlap, "same connection");
    check(Doubt::Shared, "`peer`");
    check(Doubt::SeveralFit, "several snapshots");
    check(Doubt::Clocks, "clocks");
    check(Doubt::NoEnd, "end of production's response");
}

#[test]
fn with_a_peer_a_document_on_the_edge_does_not_shake_the_proven_one() {
    let mut known = attribution();
    let (number, _) = enter(&mut known, &owner(PEER, 0, 10));
    known.list(&id("a"), &stamp(Some(PEER), 5));
    let mut edge = stamp(Some(PEER), 10);
    edge.us = Some(1);
    known.list(&id("b"), &edge);
    assert_eq!(owned(&mut known, number).as_deref(), Some("a"));
}

#[test]
fn a_document_that_two_requests_are_sure_of_is_neithers() {
    let mut known = attribution();
    let (first, claim) = enter(&mut known, &owner(PEER, 0, 10));
    known.list(&id("a"), &stamp(None, 5));
    assert!(owned(&mut known, first).is_some());
    // So many hosts that the clock of the first one's is not known any more.
    for n in 0..MAX_HOSTS as u32 {
        let host = IpAddr::V4(Ipv4Addr::from(n));
        let unlike = Owner {
            request: UNLIKE.into(),
            ..owner(OTHER_PEER, 0, 10)
        };
        known.enter(&unlike, host, true, true);
    }
    let other = owner(OTHER_PEER, 0, 10);
    let (second, second_claim) = known.enter(&other, OTHER_HOST, true, true).unwrap();
    assert!(!second_claim.is_doubtful());
    assert_eq!(known.decide(second), Attributed::Never(Doubt::SeveralFit));
    assert!(claim.is_doubtful() && second_claim.is_doubtful());
}

#[test]
fn on_one_clock_a_named_document_may_be_some_milliseconds_off() {
    for (at, is_own) in [(5, true), (12, true), (17, false)] {
        let mut known = attribution();
        let (number, _) = enter(&mut known, &owner(PEER, 0, 10));
        let taken = known.take_named(number, &id("a"), &stamp(Some(PEER), at));
        assert_eq!(taken, is_own, "{at}");
    }
}

/// A request that is looked at after `learn`, which may have taught that production's clock is 700 ms ahead.
fn is_offset_known(learn: impl FnOnce(&mut Attribution)) -> bool {
    let mut known = attribution();
    learn(&mut known);
    let owner = owner("10.0.0.1:9999", 5000, 5020);
    let (number, _) = known.enter(&owner, HOST, false, true).unwrap();
    known.list(&id("last"), &stamp(Some(&owner.peer), 5710));
    owned(&mut known, number).is_some()
}

#[test]
fn documents_that_may_be_of_too_many_requests_teach_nothing() {
    let after = |requests: usize| {
        is_offset_known(|known| {
            for n in 0..requests {
                let peer = format!("10.0.0.3:{}", n + 1);
                known.enter(&owner(&peer, 0, 10), HOST, false, true);
            }
            for n in 0..12 {
                known.list(&id(&n.to_string()), &stamp(None, 705));
            }
        })
    };
    assert!(after(MAX_RANGES));
    assert!(!after(MAX_RANGES + 1));
}

#[test]
fn a_request_that_may_have_too_many_documents_teaches_nothing() {
    let after = |documents: usize| {
        is_offset_known(|known| {
            for n in 0..documents {
                known.list(&id(&n.to_string()), &stamp(None, 705));
            }
            known.enter(&owner(PEER, 0, 10), HOST, false, true);
        })
    };
    assert!(after(MAX_RANGES));
    assert!(!after(MAX_RANGES + 1));
}
