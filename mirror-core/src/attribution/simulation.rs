//! Attribution against simulated histories of which the truth is known: identical requests on some connections, with delays,
//! losses on both sides, several processes and two clocks. No wrong document is ever given to a request.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use mirror_contract::{RequestId, Stamp, peer_text};

use super::{Attributed, Attribution, Claim, RequestNumber};
use crate::identity::Owner;
use crate::time::Timestamp;

const US: u64 = 1_000;
const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;
const BEGAN: u64 = 1_700_000_000 * SECOND;
const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
/// As the gate does: how long a request waits for its document, and how long an answer is held.
const WAIT: u64 = 2 * SECOND;
const HELD: u64 = SECOND;
const POLL: u64 = 100 * MS;

/// Numbers that are random enough, and the same for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 11) % end.max(1)
    }

    fn within(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from)
    }

    fn percent(&mut self, share: u64) -> bool {
        self.below(100) < share
    }
}

/// What a history is like.
#[derive(Clone, Copy, Debug)]
struct World {
    connections: u64,
    requests: u64,
    /// Between requests of one connection; in a rhythm if both are the same.
    pause: (u64, u64),
    /// From the first byte to the stamp, and from there to the last byte.
    takes: (u64, u64),
    /// Until a document is listed.
    delay: (u64, u64),
    /// Production's clock is ahead by so much.
    offset: i64,
    is_one_clock: bool,
    has_peer: bool,
    has_micros: bool,
    /// Percent of requests that the capture loses, of documents that the store never gets, of requests that are sent before
    /// the one before is answered.
    lost_requests: u64,
    lost_documents: u64,
    pipelined: u64,
}

const CALM: World = World {
    connections: 1,
    requests: 30,
    pause: (5 * MS, 30 * MS),
    takes: (100 * US, 2 * MS),
    delay: (MS, 20 * MS),
    offset: 0,
    is_one_clock: true,
    has_peer: true,
    has_micros: true,
    lost_requests: 0,
    lost_documents: 0,
    pipelined: 0,
};

enum Event {
    Captured { truth: RequestId, owner: Owner },
    Listed { id: RequestId, stamp: Stamp },
}

/// What became of the captured requests.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Answers {
    captured: usize,
    proven: usize,
    wrong: usize,
}

fn history(world: World, random: &mut Random) -> Vec<(u64, Event)> {
    let mut events = Vec::new();
    for connection in 0..world.connections {
        let port = 40_000 + u16::try_from(connection).expect("few connections");
        let peer = SocketAddr::from(([10, 0, 0, 1], port));
        let mut at = BEGAN + random.below(world.pause.1);
        for n in 0..world.requests {
            let first = at;
            let stamped = first + random.within(world.takes.0, world.takes.1);
            let last = stamped + random.within(world.takes.0, world.takes.1);
            let pause = random.within(world.pause.0, world.pause.1 + 1);
            at = match random.percent(world.pipelined) {
                true => random.within(first, last),
                false => last + pause,
            };
            let id = RequestId::new(&format!("{connection}.{n}")).expect("an id");
            let owner = Owner {
                request: "0123456789abcdef".into(),
                body: None,
                peer: peer_text(peer),
                began: Timestamp(first),
                ended: Timestamp(last),
            };
            if !random.percent(world.lost_requests) {
                let truth = id.clone();
                events.push((last + random.below(MS), Event::Captured { truth, owner }));
            }
            if !random.percent(world.lost_documents) {
                let moment = stamped.saturating_add_signed(world.offset);
                let stamp = Stamp {
                    at: moment / MS,
                    us: world.has_micros.then_some((moment / US % 1000) as u16),
                    request: "0123456789abcdef".into(),
                    peer: world.has_peer.then(|| peer_text(peer)),
                    ..Stamp::default()
                };
                let listed = stamped + random.within(world.delay.0, world.delay.1);
                events.push((listed, Event::Listed { id, stamp }));
            }
        }
    }
    events.sort_by_key(|(at, _)| *at);
    events
}

/// A history as the gate sees it.
struct Gate {
    attribution: Attribution,
    waiting: Vec<Waiting>,
    held: Vec<Held>,
    answers: Answers,
}

struct Waiting {
    until: u64,
    number: RequestNumber,
    claim: Claim,
    truth: RequestId,
}

struct Held {
    until: u64,
    claim: Claim,
    is_right: bool,
}

impl Gate {
    fn take(&mut self, now: u64, event: Event, is_one_clock: bool) {
        match event {
            Event::Captured { truth, owner } => {
                self.answers.captured += 1;
                let entered = self.attribution.enter(&owner, HOST, is_one_clock, true);
                let (number, claim) = entered.expect("it has a peer");
                let until = now + WAIT;
                self.waiting.push(Waiting {
                    until,
                    number,
                    claim,
                    truth,
                });
            }
            Event::Listed { id, stamp } => self.attribution.list(&id, &stamp),
        }
    }

    /// Asks for all that wait, and takes the answers that were held long enough.
    fn tick(&mut self, now: u64) {
        let (attribution, held) = (&mut self.attribution, &mut self.held);
        self.waiting
            .retain(|waiting| match attribution.decide(waiting.number) {
                Attributed::Own { id, .. } => {
                    held.push(Held {
                        until: now + HELD,
                        claim: waiting.claim.clone(),
                        is_right: id == waiting.truth,
                    });
                    false
                }
                Attributed::Never(_) => false,
                Attributed::Open { .. } => waiting.until > now,
            });
        let answers = &mut self.answers;
        held.retain(|held| {
            let is_over = held.until <= now;
            if is_over && !held.claim.is_doubtful() {
                answers.proven += 1;
                answers.wrong += usize::from(!held.is_right);
            }
            !is_over
        });
    }
}

/// Plays a history as the gate would, which asks for all that wait every 100 ms.
fn play(world: World, seed: u64) -> Answers {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut gate = Gate {
        attribution: Attribution::new(SECOND),
        waiting: Vec::new(),
        held: Vec::new(),
        answers: Answers::default(),
    };
    let mut next_tick = BEGAN;
    for (now, event) in history(world, &mut random) {
        while next_tick <= now {
            gate.tick(next_tick);
            next_tick += POLL;
        }
        gate.take(now, event, world.is_one_clock);
    }
    for _ in 0..=(WAIT + HELD) / POLL {
        gate.tick(next_tick);
        next_tick += POLL;
    }
    gate.answers
}

/// Plays histories of this kind; none may give a wrong document to a request. Returns the share that was proven, in percent.
fn check(histories: u64, world: World) -> usize {
    let mut sum = Answers::default();
    for seed in 1..=histories {
        let answers = play(world, seed);
        assert_eq!(answers.wrong, 0, "seed {seed}: {answers:?} of {world:?}");
        sum.captured += answers.captured;
        sum.proven += answers.proven;
    }
    100 * sum.proven / sum.captured.max(1)
}

#[test]
fn with_one_clock_and_nothing_lost_every_request_has_its_document() {
    assert_eq!(check(20, CALM), 100);
    // Late filing, a rhythm, many connections that are served by several processes.
    let late = World {
        delay: (300 * MS, 900 * MS),
        ..CALM
    };
    assert_eq!(check(20, late), 100);
    let rhythm = World {
        pause: (500 * MS, 500 * MS),
        requests: 10,
        ..late
    };
    assert_eq!(check(20, rhythm), 100);
    let many = World {
        connections: 8,
        requests: 20,
        ..late
    };
    assert_eq!(check(10, many), 100);
}

#[test]
fn two_requests_are_enough_where_the_clock_is_one() {
    let two = World {
        requests: 2,
        pause: (500 * MS, 500 * MS),
        delay: (300 * MS, 301 * MS),
        ..CALM
    };
    assert_eq!(check(25, two), 100);
}

#[test]
fn losses_and_delays_never_give_a_wrong_document() {
    for (seed, losses) in [(0, 10), (1, 30), (2, 60)] {
        let lossy = World {
            connections: 1 + seed,
            pause: (10 * US, 5 * MS),
            takes: (20 * US, MS),
            delay: (MS, 1500 * MS),
            lost_requests: losses,
            lost_documents: losses,
            ..CALM
        };
        check(25, lossy);
        let apart = World {
            offset: -3 * MS as i64,
            is_one_clock: false,
            ..lossy
        };
        check(25, apart);
        let in_rhythm = World {
            pause: (4 * MS, 4 * MS),
            takes: (300 * US, 400 * US),
            ..apart
        };
        check(25, in_rhythm);
    }
}

#[test]
fn an_offset_between_hosts_is_learnt() {
    for offset in [-800, -20, 7, 800] {
        let apart = World {
            offset: offset * MS as i64,
            is_one_clock: false,
            requests: 60,
            pause: (20 * MS, 300 * MS),
            ..CALM
        };
        let proven = check(10, apart);
        assert!(proven >= 95, "{proven} % with {offset} ms");
        // The stamps say otherwise than that the clock is one.
        let surprising = World {
            is_one_clock: true,
            ..apart
        };
        let proven = check(10, surprising);
        assert!(proven >= 90, "{proven} % with {offset} ms");
    }
}

#[test]
fn a_rhythm_between_hosts_proves_nothing() {
    let rhythm = World {
        offset: 800 * MS as i64,
        is_one_clock: false,
        pause: (100 * MS, 100 * MS),
        takes: (900 * US, 1100 * US),
        ..CALM
    };
    assert_eq!(check(10, rhythm), 0);
}

#[test]
fn pipelined_requests_are_never_evidence_of_another() {
    let pipelined = World {
        pipelined: 40,
        lost_documents: 30,
        delay: (MS, 800 * MS),
        ..CALM
    };
    let proven = check(25, pipelined);
    assert!((10..50).contains(&proven), "{proven} %");
}

#[test]
fn without_a_peer_only_requests_that_are_alone_are_proven() {
    let alone = World {
        has_peer: false,
        requests: 20,
        ..CALM
    };
    assert_eq!(check(20, alone), 100);
    let crowded = World {
        connections: 6,
        requests: 10,
        pause: (100 * US, 8 * MS),
        lost_documents: 20,
        delay: (MS, 500 * MS),
        ..alone
    };
    let proven = check(25, crowded);
    assert!((1..60).contains(&proven), "{proven} %");
}

#[test]
fn without_microseconds_short_requests_are_not_proven() {
    let coarse = World {
        has_micros: false,
        ..CALM
    };
    let proven = check(20, coarse);
    assert!(proven < 70, "{proven} %");
    let slow = World {
        takes: (3 * MS, 9 * MS),
        ..coarse
    };
    assert_eq!(check(20, slow), 100);
}
