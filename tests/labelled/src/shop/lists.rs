//! Routes whose answers are lists: documents with lists, lines, events.

use crate::service::{Answering, Reply};
use crate::write::{Object, hex, list, quoted, rfc3339_millis, token};

const PLACES: [&str; 12] = [
    "Oslo", "Rome", "Bern", "Kyiv", "Riga", "Graz", "Lyon", "Cork", "Bari", "Turku", "Vigo",
    "Ghent",
];

/// Noise: scores that the last digits of vary, a token for the next page, a duration.
pub(super) fn search(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let count = 4 + data.below(4);
    let shown = count - u64::from(ask.is("last element missing"));
    let hits: Vec<String> = (0..shown)
        .map(|at| {
            let score = 9.5 - at as f64 + 1e-6 * ask.nature.unit();
            Object::new()
                .raw("id", 100 * ask.number + at)
                .text("title", format!("A hit in {}", data.pick(&PLACES)))
                .raw("score", format!("{score:.9}"))
                .finish()
        })
        .collect();
    let total = 20 + ask.data().below(500) + u64::from(ask.is("count off by one"));
    let result = Object::new()
        .raw("total", total)
        .raw("hits", list(hits))
        .text("next", token(&mut ask.nature, 28))
        .raw("took", 1 + ask.nature.below(40));
    Reply::json(result.finish())
}

/// Noise: some of many elements, chosen anew for each answer.
pub(super) fn recommendations(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let mut places = PLACES.to_vec();
    ask.nature.shuffle(&mut places);
    let count = 3 + ask.nature.below(3) as usize;
    let items = places[..count].iter().map(|place| quoted(place));
    let reason = match ask.is("value beside a random list") {
        true => "popular",
        false => data.pick(&["bought together", "seen together"]),
    };
    let document = Object::new()
        .raw("items", list(items))
        .text("reason", reason)
        .raw("for", ask.number);
    Reply::json(document.finish())
}

/// JSON lines. Noise: a clock and an id in each.
pub(super) fn events(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let count = 3 + data.below(3);
    let is_wrong = ask.is("value in one line");
    let is_longer = ask.is("one line more");
    let mut lines = String::new();
    for at in 0..count + u64::from(is_longer) {
        let level = data.pick(&["info", "warn"]);
        let level = if is_wrong && at == 1 { "debug" } else { level };
        let line = Object::new()
            .raw("seq", at)
            .text("level", level)
            .text("at", rfc3339_millis(ask.at))
            .text("span", hex(&mut ask.nature, 16));
        lines.push_str(&line.finish());
        lines.push('\n');
    }
    Reply::new("application/x-ndjson", lines)
}

/// Lists in lists in lists. Noise: a clock in the middle of them.
pub(super) fn groups(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let is_deep = ask.is("word deep in lists");
    let groups: Vec<String> = (0..3)
        .map(|group| {
            let members = (0..2).map(|member| {
                let role = data.pick(&["owner", "guest", "staff"]);
                let role = if is_deep && group == 1 && member == 1 {
                    "owners"
                } else {
                    role
                };
                Object::new()
                    .raw("id", 10 * group + member)
                    .raw("roles", list([quoted(role), quoted("member")]))
                    .finish()
            });
            let members = list(members.collect::<Vec<_>>());
            Object::new()
                .raw("id", group)
                .raw("members", members)
                .raw("checked_at", ask.at.as_secs())
                .finish()
        })
        .collect();
    Reply::json(Object::new().raw("groups", list(groups)).finish())
}

/// Noise: objects in any order, a count of half a percent.
pub(super) fn inventory(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let is_wrong = ask.is("value in a shuffled list");
    let mut shelves: Vec<String> = (0..5)
        .map(|at| {
            let quantity = data.below(90) + u64::from(is_wrong && at == 3);
            Object::new()
                .text("shelf", format!("s-{at}"))
                .raw("quantity", quantity)
                .text("place", data.pick(&PLACES))
                .finish()
        })
        .collect();
    ask.nature.shuffle(&mut shelves);
    let recounts = u64::from(ask.nature.chance(0.005));
    let unit = if ask.is("unit") { "pcs" } else { "pieces" };
    let document = Object::new()
        .raw("shelves", list(shelves))
        .text("unit", unit)
        .raw("recounts", recounts);
    Reply::json(document.finish())
}

/// Server-sent events. Noise: the id and the time of each.
pub(super) fn audit(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let is_wrong = ask.is("value in an event");
    let mut events = String::new();
    for at in 0..3 {
        let who = data.pick(&PLACES);
        let who = if is_wrong && at == 2 { "nobody" } else { who };
        let event = Object::new()
            .text("who", who)
            .text("what", data.pick(&["login", "logout"]))
            .raw("at", ask.at.as_millis());
        let id = hex(&mut ask.nature, 12);
        events.push_str(&format!(
            "id: {id}\nevent: audit\ndata: {}\n\n",
            event.finish()
        ));
    }
    Reply::new("text/event-stream", events)
}
