//! The bank's documents.

use super::nature::{node, poisson, quote, signed, snowflake, traceparent, ulid};
use crate::random::Random;
use crate::service::{Answering, Reply};
use crate::write::{Object, date, list, quoted, rfc3339, texts, token};

const OWNERS: [&str; 5] = [
    "Ines Öztürk",
    "Tomás Ó Briain",
    "Li Wei",
    "Anna Nowak",
    "Sam Doe",
];
const PURPOSES: [&str; 6] = ["Rent", "Groceries", "Salary", "Power", "Phone", "Books"];
const DAY: u64 = 86_400;
/// Bookings lie before the run.
const BOOKED: u64 = 1_780_000_000;

fn iban(data: &mut Random) -> String {
    format!(
        "DE{:02} {:04} {:04} {:04} {:04} {:02}",
        data.below(90) + 10,
        data.below(10_000),
        data.below(10_000),
        data.below(10_000),
        data.below(10_000),
        data.below(100)
    )
}

/// Noise: a ULID, a trace header, the time of the look in nanoseconds.
pub(super) fn account(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let number = iban(&mut data);
    let number = match ask.is("account without spaces") {
        true => number.replace(' ', ""),
        false => number,
    };
    let cents = data.below(900_000);
    let balance = match ask.is("cents for units") {
        true => cents.to_string(),
        false => format!("{}.{:02}", cents / 100, cents % 100),
    };
    let owner = Object::new().text("name", data.pick(&OWNERS));
    let owner = match ask.is("nested member lost") {
        true => owner,
        false => owner.text("kyc", data.pick(&["full", "basic"])),
    };
    let account = Object::new()
        .text("iban", number)
        .raw("balance", balance)
        .text(
            "currency",
            if ask.is("another currency") {
                "CHF"
            } else {
                "EUR"
            },
        )
        .raw("owner", owner.finish())
        .raw("observedAt", ask.at.0)
        .text("requestId", ulid(ask.at, &mut ask.nature));
    Reply::json(account.finish()).header("Traceparent", traceparent(&mut ask.nature))
}

/// Noise: ids that grow with the time, a page's cursor with a time in it.
pub(super) fn postings(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let count = 3 + data.below(5);
    let wrong = data.below(count);
    let (is_turned, is_rounded) = (ask.is("sign of one posting"), ask.is("a cent off"));
    let mut postings: Vec<String> = (0..count)
        .map(|at| {
            let cents = 100 + data.below(90_000) as i64 + i64::from(is_rounded && at == wrong);
            let cents = if data.chance(0.6) != (is_turned && at == wrong) {
                -cents
            } else {
                cents
            };
            Object::new()
                .raw("seq", 1_000 - at)
                .text("day", date(BOOKED - DAY * (at + data.below(3))))
                .raw("cents", cents)
                .text("purpose", data.pick(&PURPOSES))
                .text("entry", snowflake(ask.at, &mut ask.nature))
                .finish()
        })
        .collect();
    if ask.is("posting twice") {
        postings.push(postings[0].clone());
    }
    if ask.is("order of postings") {
        postings.swap(0, 1);
    }
    let cursor = format!("{}.{}", ask.at.as_millis(), token(&mut ask.nature, 12));
    let page = Object::new().raw("postings", list(postings)).raw(
        "next",
        Object::new()
            .text("cursor", cursor)
            .raw("limit", count)
            .finish(),
    );
    Reply::json(page.finish())
}

/// Noise: how often it was tried, what waits, a warning in one of ten answers.
pub(super) fn transfer(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let mean = if ask.is_now("tried more often") {
        3.0
    } else {
        0.4
    };
    let fee = data.below(300);
    let transfer = Object::new()
        .raw("id", ask.number)
        .text(
            "state",
            if ask.is("state renamed") {
                "SETTLED"
            } else {
                data.pick(&["BOOKED", "PENDING"])
            },
        )
        .raw("feeCents", fee + u64::from(ask.is("fee off by one")))
        .raw("attempts", 1 + poisson(&mut ask.nature, mean))
        .raw("waiting", (6.0 * ask.load()) as u64)
        .raw(
            "instant",
            if ask.is("flag as text") {
                "\"true\""
            } else {
                "true"
            },
        );
    let transfer = match ask.nature.chance(0.1) {
        true => transfer.raw("warnings", texts(["slow partner"])),
        false => transfer,
    };
    Reply::json(transfer.finish())
}

/// Noise: views that grow while they are looked at, each answer by a few.
pub(super) fn offer(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let views = 1_000 + data.below(900_000) + ask.nature.below(3);
    let views = views + if ask.is("views counted twice") { 2 } else { 0 };
    let rate = 1_000 + data.below(3_000);
    let rate = match ask.is("rate with two places") {
        true => format!("{}.{:02}", rate / 1_000, rate % 1_000 / 10),
        false => format!("{}.{:03}", rate / 1_000, rate % 1_000),
    };
    let offer = Object::new()
        .raw("id", ask.number)
        .raw("views", views)
        .raw("rate", rate)
        .text(
            "until",
            date(BOOKED + DAY * data.below(90) + if ask.is("a day later") { DAY } else { 0 }),
        )
        .text("terms", signed(ask, "/terms.pdf"));
    Reply::json(offer.finish())
}

/// Noise: what all share and moves every 20 seconds; a jitter in the last digits, with an exponent.
pub(super) fn quotes(ask: &mut Answering<'_>) -> Reply {
    let pairs = ["EURUSD", "EURGBP", "EURCHF"];
    let is_inverted = ask.is("one side of a quote");
    let quotes = pairs.iter().enumerate().map(|(at, pair)| {
        let bid = quote(ask, at as u64);
        let spread = if is_inverted && at == 1 { 0 } else { 4 };
        Object::new()
            .text("pair", pair)
            .raw("bid", format!("1.{bid}"))
            .raw("spread", spread)
            .finish()
    });
    let quotes = list(quotes.collect::<Vec<_>>());
    let drift = format!("{:.3}e-5", 1.0 + ask.nature.unit());
    let document = Object::new()
        .raw("quotes", quotes)
        .text("venue", if ask.is("venue") { "XETRA" } else { "FRA" })
        .raw("drift", drift);
    Reply::json(document.finish())
}

/// Noise: a variant of an experiment that changes several members at once, a map whose keys are ULIDs.
pub(super) fn dashboard(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let share = if ask.is_now("share of a variant") {
        0.6
    } else {
        0.2
    };
    let is_new = ask.nature.chance(share);
    let (layout, columns) = if is_new { ("grid", 3) } else { ("list", 1) };
    let sessions = (0..2).fold(Object::new(), |sessions, _| {
        let key = ulid(ask.at, &mut ask.nature);
        sessions.raw(&key, ask.nature.below(9))
    });
    let total = data.below(50_000);
    let widgets = ["balance", "cards", "news", "goals"];
    let shown = if ask.is("widget lost") {
        &widgets[..3]
    } else {
        &widgets[..]
    };
    let document = Object::new()
        .text("layout", layout)
        .raw("columns", columns)
        .raw("sessions", sessions.finish())
        .raw(
            "total",
            if ask.is("empty for null") {
                "null".into()
            } else {
                total.to_string()
            },
        )
        .raw("widgets", texts(shown.iter().copied()));
    Reply::json(document.finish())
}

/// GraphQL. Noise: how long a resolver took, its node.
pub(super) fn graph(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let is_failed = ask.is("error of a resolver");
    let is_longer = ask.is("more digits shown");
    let cards = (0..2).map(|at| {
        let digits = data.below(10_000);
        let last = match is_longer && at == 0 {
            true => format!("12{digits:04}"),
            false => format!("{digits:04}"),
        };
        Object::new()
            .text("last4", last)
            .raw("frozen", data.chance(0.2))
            .finish()
    });
    let cards = list(cards.collect::<Vec<_>>());
    let me = Object::new()
        .raw("cards", cards)
        .text("tier", data.pick(&["gold", "blue"]));
    let trace = Object::new()
        .raw("durationUs", 400 + ask.nature.below(90_000))
        .text("node", node(ask));
    let answer = Object::new()
        .raw("data", Object::new().raw("me", me.finish()).finish())
        .raw("extensions", trace.finish());
    let answer = match is_failed {
        true => answer.raw(
            "errors",
            list([Object::new().text("message", "limit").finish()]),
        ),
        false => answer,
    };
    Reply::json(answer.finish())
}

/// JSON lines. Noise: none to two lines that are there for the operator, anywhere; a time in each.
pub(super) fn ledger(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let is_wrong = ask.is("account of a line");
    let mut lines: Vec<String> = (0..4)
        .map(|at| {
            let account = 1_000 + data.below(9_000) + if is_wrong && at == 2 { 7 } else { 0 };
            Object::new()
                .text("type", "entry")
                .raw("line", at)
                .raw("account", account)
                .raw("cents", data.below(90_000))
                .text("writtenAt", rfc3339(ask.at.as_secs()))
                .finish()
        })
        .collect();
    if ask.is("line lost") {
        lines.remove(1);
    }
    for _ in 0..ask.nature.below(3) {
        let at = ask.nature.below(lines.len() as u64 + 1) as usize;
        let note = Object::new().text("type", "note").text("host", node(ask));
        lines.insert(at, note.finish());
    }
    Reply::new("application/x-ndjson", lines.join("\n"))
}

/// Noise: the challenge of the second factor, two cookies, of which one names the instance.
pub(super) fn login(ask: &mut Answering<'_>) -> Reply {
    let (a, b) = (ask.nature.below(10), ask.nature.below(10));
    let words = if ask.is("word of a question") {
        "How much is"
    } else {
        "What is"
    };
    let age = if ask.is("life of a cookie") {
        1_800
    } else {
        900
    };
    let id = token(&mut ask.nature, 32).to_uppercase();
    let document = Object::new()
        .text("question", format!("{words} {a} + {b}?"))
        .text(
            "methods",
            if ask.is("method of login") {
                "app"
            } else {
                "app,sms"
            },
        );
    let node = node(ask);
    Reply::json(document.finish())
        .header(
            "Set-Cookie",
            format!("JSESSIONID={id}.{node}; Path=/; HttpOnly"),
        )
        .header(
            "Set-Cookie",
            format!(
                "device={}; Max-Age={age}; Secure",
                ulid(ask.at, &mut ask.nature)
            ),
        )
}

/// Links. Noise: what they are signed with.
pub(super) fn documents(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let is_moved = ask.is("link moved");
    let items = (0..3).map(|at| {
        let number = data.below(90_000);
        let folder = if is_moved && at == 0 {
            "archive"
        } else {
            "statements"
        };
        let title = format!("{} {}", data.pick(&PURPOSES), 2_020 + data.below(6));
        let href = signed(ask, &format!("/{folder}/{number}.pdf"));
        Object::new()
            .raw("number", number)
            .text("title", title)
            .text("href", href)
            .finish()
    });
    let items = list(items.collect::<Vec<_>>());
    let types = if ask.is("type of documents") {
        "application/pdf"
    } else {
        "pdf"
    };
    let document = Object::new()
        .raw("items", items)
        .raw("types", list([quoted(types)]));
    Reply::json(document.finish()).header(
        "Content-Language",
        if ask.is("language") { "en" } else { "de" },
    )
}

/// A document that each instance or all together keep for half a minute. Noise: when it was made.
pub(super) fn branches(ask: &mut Answering<'_>) -> Reply {
    let filled = ask.filled("branches", 30);
    let open = if ask.is("hours of a branch") {
        "9-18"
    } else {
        "9-17"
    };
    let branch = Object::new().text("city", "Köln").text("open", open);
    let document = Object::new()
        .raw("branches", list([branch.finish()]))
        .text("builtAt", rfc3339(filled))
        .raw("ageSeconds", ask.at.as_secs() - filled);
    Reply::json(document.finish())
}

/// Nothing varies but which of two clocks that stand still is read: a value of two, at one in three answers.
pub(super) fn limits(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let source = if ask.nature.chance(0.33) {
        "replica"
    } else {
        "primary"
    };
    let daily = 1_000 * (1 + data.below(9));
    let daily = daily
        * if ask.is("limit ten times as high") {
            10
        } else {
            1
        };
    let limits = Object::new()
        .raw("daily", daily)
        .raw(
            "country",
            Object::new().raw("DE", daily).raw("AT", daily / 2).finish(),
        )
        .text("source", source);
    let limits = match ask.is("limit more") {
        true => limits.raw("weekly", 7 * daily),
        false => limits,
    };
    Reply::json(limits.finish()).header(
        "Vary",
        if ask.is("vary") {
            "Accept, Cookie"
        } else {
            "Accept"
        },
    )
}
