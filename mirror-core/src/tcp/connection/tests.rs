use std::net::SocketAddr;

use bytes::Bytes;

use super::*;
use crate::packet::{Flags, FlowKey};

const LIMITS: TcpLimits = TcpLimits {
    max_held: 100,
    patience: 200,
    unacked_patience: 3000,
};

/// `side`, time, seq, ack (0 for none), flags of "SFRU", payload.
type Row = (char, u64, u32, u32, &'static str, &'static str);

fn segment(row: Row) -> Segment {
    let (side, at, seq, ack, flags, payload) = row;
    let low: SocketAddr = "10.0.0.1:80".parse().unwrap();
    let high: SocketAddr = "10.0.0.2:80".parse().unwrap();
    let (from, to) = if side == 'l' {
        (low, high)
    } else {
        (high, low)
    };
    let (flow, side) = FlowKey::new(from, to);
    Segment {
        flow,
        side,
        at: Timestamp(at),
        origin: 0,
        seq: Seq(seq),
        ack: Seq(ack),
        flags: Flags {
            syn: flags.contains('S'),
            ack: ack != 0,
            fin: flags.contains('F'),
            rst: flags.contains('R'),
            urg: flags.contains('U'),
        },
        payload: Bytes::from_static(payload.as_bytes()),
    }
}

/// Feeds rows, then lets time pass until `end`; events as text: `l:abc`, `l:-3` for a gap, `l:Fin`.
fn check(rows: &[Row], end: u64, expect: &str) {
    let mut connection = TcpConnection::default();
    let mut events = Events::default();
    for row in rows {
        connection.expire(Timestamp(row.1), &LIMITS, &mut events);
        connection.accept(segment(*row), Timestamp(row.1), &LIMITS, &mut events);
    }
    connection.expire(Timestamp(end), &LIMITS, &mut events);
    let gaps =
        |(_, event, _): &&(Side, StreamEvent, Arrival)| *event != StreamEvent::Gap { len: 0 };
    let text: Vec<_> = events.list.iter().filter(gaps).map(text).collect();
    assert_eq!(text.join(" "), expect);
}

fn text((side, event, _): &(Side, StreamEvent, Arrival)) -> String {
    let side = if *side == Side::Low { 'l' } else { 'h' };
    match event {
        StreamEvent::Data(bytes) => format!("{side}:{}", String::from_utf8_lossy(bytes)),
        StreamEvent::Gap { len } => format!("{side}:-{len}"),
        StreamEvent::Close { reason } => format!("{side}:{reason:?}"),
    }
}

#[test]
fn handshake_data_and_close() {
    check(
        &[
            ('h', 1, 9, 0, "S", ""),
            ('l', 2, 99, 10, "S", ""),
            ('h', 3, 10, 100, "", "abc"),
            ('l', 4, 100, 13, "", "def"),
            ('h', 5, 13, 103, "F", ""),
            ('l', 6, 103, 14, "F", ""),
            ('h', 7, 10, 103, "", "abc"),
        ],
        8,
        "h:abc l:def h:Fin l:Fin",
    );
}

#[test]
fn an_acknowledged_hole_is_lost_a_few_segments_later() {
    let mut rows = vec![
        ('h', 1, 10, 5, "", "a"),
        ('h', 1, 13, 5, "", "d"),
        ('l', 1, 5, 14, "", "x"),
    ];
    rows.extend([('l', 1, 6, 14, "", ""); REORDERED as usize - 1]);
    check(&rows, 1, "h:a l:x");
    rows.push(('l', 1, 6, 14, "", ""));
    check(&rows, 1, "h:a l:x h:-2 h:d");
    // What comes before that was only captured late.
    rows[5] = ('h', 1, 11, 5, "", "bc");
    check(&rows, 1, "h:a l:x h:bc h:d");
}

#[test]
fn an_acknowledged_end_is_lost_with_nothing_behind_it() {
    let rows: &[Row] = &[('h', 1, 10, 5, "", "a"), ('l', 3, 5, 14, "", "x")];
    check(rows, 202, "h:a l:x");
    check(rows, 203, "h:a l:x h:-3");
}

#[test]
fn probes_bring_nothing() {
    // A keep-alive is a byte that was sent before; a zero window is probed with the next one.
    check(
        &[
            ('h', 1, 10, 5, "", "ab"),
            ('h', 2, 11, 5, "", "?"),
            ('l', 3, 5, 12, "", ""),
            ('h', 4, 12, 5, "", "c"),
            ('l', 5, 5, 12, "", ""),
            ('h', 6, 12, 5, "", "cde"),
            ('l', 7, 5, 15, "", "x"),
        ],
        5000,
        "h:ab h:c h:de l:x",
    );
}

#[test]
fn both_sides_may_open_and_one_may_close_first() {
    check(
        &[
            ('h', 1, 9, 0, "S", ""),
            ('l', 1, 99, 0, "S", ""),
            ('h', 2, 9, 100, "S", ""),
            ('l', 2, 99, 10, "S", ""),
            ('h', 3, 10, 100, "F", "abc"),
            ('l', 4, 100, 14, "", "def"),
            ('l', 5, 103, 14, "F", "g"),
        ],
        5000,
        "h:abc h:Fin l:def l:g l:Fin",
    );
}

#[test]
fn an_acknowledged_hole_is_lost_after_patience() {
    let rows: &[Row] = &[
        ('h', 1, 10, 5, "", "a"),
        ('h', 2, 13, 5, "", "d"),
        ('l', 3, 5, 14, "", "x"),
    ];
    check(rows, 202, "h:a l:x");
    check(rows, 203, "h:a l:x h:-2 h:d");
}

#[test]
fn an_unacknowledged_hole_waits_longer() {
    let rows: &[Row] = &[
        ('h', 1, 10, 5, "", "a"),
        ('h', 2, 13, 5, "", "d"),
        ('l', 3, 5, 11, "", "x"),
    ];
    check(rows, 3001, "h:a l:x");
    check(rows, 3002, "h:a l:x h:-2 h:d");
}

#[test]
fn with_one_direction_captured_patience_is_enough() {
    check(
        &[('h', 1, 10, 5, "", "a"), ('h', 2, 13, 5, "", "d")],
        202,
        "h:a h:-2 h:d",
    );
}

#[test]
fn data_after_the_reset_in_the_capture_still_counts() {
    check(
        &[
            ('h', 1, 10, 5, "", "a"),
            ('l', 2, 5, 11, "R", ""),
            ('h', 3, 11, 5, "", "b"),
        ],
        202,
        "h:a h:b l:Reset h:Reset",
    );
}

#[test]
fn keep_alive_probes_change_nothing() {
    check(
        &[
            ('h', 1, 10, 5, "", "ab"),
            ('h', 2, 11, 5, "", "\0"),
            ('h', 3, 12, 5, "", "c"),
        ],
        9,
        "h:ab h:c",
    );
}

#[test]
fn a_fin_behind_a_hole_waits_for_it() {
    let rows: &[Row] = &[
        ('h', 1, 10, 5, "", "a"),
        ('h', 2, 13, 5, "F", ""),
        ('l', 3, 5, 14, "", "x"),
    ];
    check(rows, 100, "h:a l:x");
    check(rows, 203, "h:a l:x h:-2 h:Fin");
}

#[test]
fn the_cap_gives_the_hole_up() {
    let big = "0123456789012345678901234567890123456789012345678901234567890123456789";
    let rows: &[Row] = &[
        ('h', 1, 10, 5, "", "a"),
        ('h', 2, 13, 5, "", big),
        ('h', 3, 13 + 70, 5, "", big),
    ];
    check(rows, 3, &format!("h:a h:-2 h:{big} h:{big}"));
}

#[test]
fn a_syn_with_another_number_begins_another_connection() {
    let mut connection = TcpConnection::default();
    let mut events = Events::default();
    connection.accept(
        segment(('h', 1, 9, 0, "S", "")),
        Timestamp(1),
        &LIMITS,
        &mut events,
    );
    let reused = |row| connection.is_reused_by(&segment(row), Timestamp(2));
    assert!(!reused(('h', 2, 9, 0, "S", "")));
    assert!(reused(('h', 2, 5009, 0, "S", "")));
    assert!(!reused(('l', 2, 5009, 10, "S", "")));
}

#[test]
fn urgent_data_marks_the_bytes_it_came_with() {
    let mut connection = TcpConnection::default();
    let mut events = Events::default();
    let rows: [Row; 4] = [
        ('h', 1, 10, 5, "", "a"),
        ('h', 2, 11, 5, "U", "b"),
        ('h', 3, 12, 5, "U", ""),
        ('h', 4, 12, 5, "", "c"),
    ];
    for row in rows {
        let (segment, at) = (segment(row), Timestamp(row.1));
        connection.accept(segment, at, &LIMITS, &mut events);
    }
    let urgent: Vec<_> = events
        .list
        .iter()
        .filter(|(_, event, _)| matches!(event, StreamEvent::Data(_)))
        .map(|(_, _, arrival)| arrival.urgent)
        .collect();
    assert_eq!(urgent, [false, true, true]);
}

#[test]
fn a_reset_is_no_sign_of_the_other_side() {
    let mut connection = TcpConnection::default();
    let mut events = Events::default();
    let mut accept = |row: Row| {
        connection.accept(segment(row), Timestamp(row.1), &LIMITS, &mut events);
        (
            connection.has_heard(Side::Low),
            connection.has_heard(Side::High),
        )
    };
    assert_eq!(accept(('h', 1, 10, 5, "", "a")), (false, true));
    assert_eq!(accept(('l', 2, 5, 11, "R", "")), (false, true));
    assert_eq!(accept(('l', 2, 5, 11, "", "")), (true, true));
}
