use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;

const PLAIN: Paint = Paint { has_colours: false };

fn figures() -> Figures {
    let route = |route: &str, judged, at_most| RouteLine {
        route: route.into(),
        traffic: 0.5,
        judged,
        differing: 3,
        at_most,
        limit: 0.001,
        production_p95_ms: Some(12.4),
        mirror_p95_ms: Some(1_530.0),
    };
    Figures {
        name: "canary".into(),
        host: "web-7".into(),
        elapsed: 3_723,
        place: "eth0 port 8080, to http://mirror:8080".into(),
        decision: Decision::Hold,
        reason:
            "2,192 more judged requests of POST /orders are needed (about 6 minutes); and 1 more"
                .into(),
        troubles: vec!["paused: `mirror-agent resume` goes on".into()],
        seen: 20_000,
        judged: 18_000,
        in_flight: 12,
        waiting: 4,
        rate: 512.4,
        rates: (0..200).collect(),
        send_lag_p95_ms: 4.2,
        outcomes: vec![("matched".into(), 17_000), ("differed".into(), 1_000)],
        routes: vec![
            route("POST /orders", 1_912, 0.01),
            route("GET /orders/{id}", 8_120, 0.0005),
        ],
        differences: vec![DifferenceLine {
            is_decided: true,
            severity: "value",
            differed: 40,
            judged: 1_912,
            place: "POST /orders body /total".into(),
        }],
    }
}

fn drawn(figures: &Figures, (width, height): (u16, u16), paint: Paint) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, figures, paint)).unwrap();
    terminal
}

/// The lines of the screen.
fn lines(figures: &Figures, size: (u16, u16)) -> Vec<String> {
    let screen = drawn(figures, size, PLAIN).backend().to_string();
    let lines = screen.lines();
    lines
        .map(|line| line.trim_matches('"').trim_end().to_owned())
        .collect()
}

#[track_caller]
fn check(size: (u16, u16), expect: &[&str], not: &[&str]) {
    let lines = lines(&figures(), size);
    for word in expect {
        assert!(
            lines.iter().any(|line| line.contains(word)),
            "{word}: {lines:#?}"
        );
    }
    for word in not {
        assert!(
            !lines.iter().any(|line| line.contains(word)),
            "{word}: {lines:#?}"
        );
    }
}

const ESSENTIALS: [&str; 7] = [
    "canary on web-7",
    "HOLD",
    "2,192 more",
    "paused:",
    "512/s",
    "POST /orders",
    "q leaves",
];

#[test]
fn a_wide_terminal_shows_all() {
    let all = [
        &ESSENTIALS[..],
        &[
            "1:02:03",
            "mirror p95",
            "1.5 s",
            "matched",
            "real",
            "/total",
        ],
    ];
    check((120, 40), &all.concat(), &[]);
    // The ledger is beside the routes.
    let lines = lines(&figures(), (120, 40));
    assert!(
        lines
            .iter()
            .any(|line| line.contains("POST /orders") && line.contains("matched"))
    );
}

#[test]
fn a_usual_terminal_shows_the_same_below_each_other() {
    check(
        (80, 24),
        &[&ESSENTIALS[..], &["mirror p95", "matched", "/total"]].concat(),
        &[],
    );
}

#[test]
fn a_narrow_terminal_leaves_columns_out() {
    check(
        (46, 24),
        &[&ESSENTIALS[..], &["judged", "≤ 1 %"]].concat(),
        &["mirror p95"],
    );
}

#[test]
fn a_low_terminal_leaves_tables_out() {
    check((80, 8), &["HOLD", "512/s", "route"], &["ended as"]);
}

#[test]
fn every_size_can_be_drawn() {
    let mut long = figures();
    long.reason = "word ".repeat(500);
    long.routes = (0..50).map(|_| long.routes[0].clone()).collect();
    long.differences = (0..50).map(|_| long.differences[0].clone()).collect();
    for width in [1, 2, 11, 46, 71, 72, 109, 110, 200] {
        for height in (1..10).chain([17, 18, 24, 50]) {
            drawn(&long, (width, height), PLAIN);
        }
    }
}

#[test]
fn what_is_left_of_a_long_list_leaves_room_for_the_others() {
    let mut many = figures();
    many.routes = (0..500).map(|_| many.routes[0].clone()).collect();
    many.differences = (0..500).map(|_| many.differences[0].clone()).collect();
    let lines = lines(&many, (80, 24));
    for word in ["POST /orders", "matched", "/total", "q leaves"] {
        assert!(
            lines.iter().any(|line| line.contains(word)),
            "{word}: {lines:#?}"
        );
    }
}

#[test]
fn colours_can_be_left_out() {
    let has_colour = |paint| {
        let terminal = drawn(&figures(), (80, 24), paint);
        let mut cells = terminal.backend().buffer().content().iter();
        cells.any(|cell| cell.fg != Color::Reset)
    };
    assert!(has_colour(Paint { has_colours: true }));
    assert!(!has_colour(PLAIN));
}
