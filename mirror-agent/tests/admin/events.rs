//! `/events`: readers of all kinds, and what they cost.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use mirror_agent::control::ControlOptions;

use super::{LIMIT, Side, empty_report, status};

/// Readers that are served at a time, as the agent has it.
const READERS: usize = 16;

const QUESTION: &[u8] = b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n";

type Reader = BufReader<TcpStream>;

fn listen(admin: &Side) -> Reader {
    let mut stream = admin.connect();
    stream.write_all(QUESTION).unwrap();
    BufReader::new(stream)
}

/// The data of the next events. Each event is a line of its own, between the lines of the chunked coding.
fn events(stream: &mut Reader, count: usize) -> Vec<String> {
    let mut lines = stream.lines();
    let mut data = Vec::new();
    while data.len() < count {
        let line = lines.next().expect("it goes on").unwrap();
        data.extend(line.strip_prefix("data: ").map(str::to_owned));
    }
    data
}

/// Found in the text: to read megabytes as JSON takes long in a debug build.
fn seen(event: &str) -> u64 {
    let (_, rest) = event.split_once("\"seen\":").unwrap();
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

/// A server that serves all that may come.
fn side() -> Side {
    Side::with(&ControlOptions::default(), 2 * READERS, empty_report())
}

#[test]
fn each_event_is_the_whole_run_so_far_and_newer() {
    let admin = side();
    let mut reader = listen(&admin);
    let events = events(&mut reader, 3);
    let numbers: Vec<u64> = events.iter().map(|event| seen(event)).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
}

#[test]
fn the_readers_share_each_state_and_more_than_allowed_are_told_so() {
    let admin = side();
    let mut readers: Vec<Reader> = (0..READERS).map(|_| listen(&admin)).collect();
    let all: Vec<Vec<String>> = readers.iter_mut().map(|reader| events(reader, 2)).collect();
    let made = admin.state.reports.load(Relaxed);
    let sent: usize = all.iter().map(Vec::len).sum();
    assert!(made < sent as u64 / 2, "{made} made for {sent} sent");

    let refused = admin.get("/events");
    assert_eq!(status(&refused), "503", "{refused}");
    // One that goes makes room.
    drop(readers.pop());
    let began = Instant::now();
    loop {
        let mut again = listen(&admin);
        let mut head = [0; 12];
        again.read_exact(&mut head).unwrap();
        if &head == b"HTTP/1.1 200" {
            break;
        }
        assert!(began.elapsed() < LIMIT, "no room is made");
    }
}

/// It never reads, while the others go on and everything else is answered.
#[test]
fn a_slow_reader_misses_states_and_holds_nothing_up() {
    const STATES: usize = 8;
    let mut report = empty_report();
    // A state is half of what the sockets on both sides hold, or more.
    report.results.counters.advice = vec!["x".repeat(1000); 300];
    let admin = Side::with(&ControlOptions::default(), 2 * READERS, report);
    let mut slow = listen(&admin);
    let mut head = [0; 12];
    slow.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    let mut quick = listen(&admin);
    let last = seen(&events(&mut quick, STATES)[STATES - 1]);
    assert_eq!(status(&admin.get("/healthz")), "200");
    // What the slow one gets when it reads again: what the sockets held, what was being sent, and then the newest.
    let mut late = Vec::new();
    while late.last().is_none_or(|number| *number <= last) {
        late.push(seen(&events(&mut slow, 1)[0]));
    }
    assert!(late.len() < STATES - 1, "{late:?} {last}");
}
