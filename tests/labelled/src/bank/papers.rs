//! The bank's texts: what is printed, exported, watched and put into calendars.

use super::nature::{amount, local_time, node, poisson};
use crate::service::{Answering, Reply};
use crate::write::{date, hex, rfc3339, uuid};

const KINDS: [&str; 4] = ["CARD", "TRANSFER", "FEE", "INTEREST"];
const DAY: u64 = 86_400;
const BOOKED: u64 = 1_780_000_000;

/// In columns. Noise: when and where it was printed, in the head and in the foot.
pub(super) fn statement(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let (is_wrong, is_named) = (ask.is("amount of a line"), ask.is("kind of a line"));
    let printed = local_time(ask.at.as_secs());
    let mut body = format!(
        "Statement {}\nPrinted: {printed}  Job: {}\n\n",
        ask.number,
        hex(&mut ask.nature, 8)
    );
    for at in 0..4 {
        let kind = data.pick(&KINDS);
        let kind = if is_named && at == 1 { "OTHER" } else { kind };
        let cents = data.below(400_000) as i64 - 200_000 + i64::from(is_wrong && at == 2);
        let day = date(BOOKED + DAY * (4 * ask.number % 700 + at));
        body.push_str(&format!("{day}  {kind:<12}{:>14}\n", amount(cents)));
    }
    let total = data.below(900_000) as i64
        + if ask.is("balance of a statement") {
            100
        } else {
            0
        };
    body.push_str(&format!(
        "\nBalance: {} EUR\nPage 1 of {}, {}\n",
        amount(total),
        1 + ask.nature.below(2),
        node(ask)
    ));
    Reply::new("text/plain; charset=utf-8", body)
}

/// `key: value`. Noise: half of the lines.
pub(super) fn status(ask: &mut Answering<'_>) -> Reply {
    let mode = if ask.is("value of a quiet line") {
        "passive"
    } else {
        "active"
    };
    let retries = poisson(&mut ask.nature, 0.5);
    let threads = 20 + (30.0 * ask.load()) as u64;
    let mut lines = vec![
        format!("mode: {mode}"),
        "version: 7.4.1".into(),
        format!("answered: {}", ask.instance.answered),
        format!("threads: {threads}"),
        format!("retries: {retries}"),
        format!("node: {}", node(ask)),
        "region: eu-central".into(),
        format!("checked: {}", rfc3339(ask.at.as_secs())),
    ];
    if ask.is("quiet line lost") {
        lines.remove(6);
    }
    Reply::new("text/plain", lines.join("\n"))
}

/// As Prometheus reads it. Noise: counters of an instance, gauges.
pub(super) fn metrics(ask: &mut Answering<'_>) -> Reply {
    let unit = if ask.is("label of a metric") {
        "ms"
    } else {
        "s"
    };
    let limit = if ask.is("value of a gauge") { 250 } else { 200 };
    let help = if ask.is("help of a metric") {
        "Requests."
    } else {
        "Requests answered."
    };
    let answered = ask.instance.answered;
    let body = format!(
        "# HELP bank_requests_total {help}\n# TYPE bank_requests_total counter\n\
         bank_requests_total{{code=\"200\"}} {answered}\n\
         bank_latency{{unit=\"{unit}\",quantile=\"0.5\"}} 0.01\n\
         bank_connections {}\nbank_connections_max {limit}\n\
         bank_seconds_total {:.3}\n",
        (90.0 * ask.load()) as u64,
        ask.at.as_millis() as f64 / 1_000.0,
    );
    Reply::new("text/plain; version=0.0.4", body)
}

/// A calendar. Noise: the stamp and the id of an event.
pub(super) fn appointment(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let hour = 9 + data.below(8) + u64::from(ask.is("hour of an event"));
    let summary = if ask.is("title of an event") {
        "Advice"
    } else {
        "Appointment"
    };
    let stamp = rfc3339(ask.at.as_secs()).replace(['-', ':'], "");
    let day = date(BOOKED + DAY * data.below(90)).replace('-', "");
    let body = format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:{}@bank.example\r\nDTSTAMP:{stamp}\r\n\
         DTSTART:{day}T{hour:02}0000Z\r\nSUMMARY:{summary} {}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        uuid(&mut ask.nature),
        ask.number,
    );
    Reply::new("text/calendar", body)
}

/// Semicolons. Noise: a comment at the end, with a time and a sum of checks.
pub(super) fn export(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let is_wrong = ask.is("cell of an export");
    let mut body = String::from("Konto;Tag;Betrag\n");
    for at in 0..5 {
        let cents = data.below(900_000) as i64 - if is_wrong && at == 3 { 1 } else { 0 };
        let day = date(BOOKED + DAY * data.below(300));
        body.push_str(&format!(
            "K{:05};{day};{}\n",
            data.below(90_000),
            amount(cents)
        ));
    }
    if ask.is("row more") {
        body.push_str("Summe;;0,00\n");
    }
    let (time, sum) = (local_time(ask.at.as_secs()), hex(&mut ask.nature, 12));
    body.push_str(&format!("# Stand {time}, Prüfsumme {sum}\n"));
    Reply::new("text/csv; charset=utf-8", body)
}

/// Nothing varies.
pub(super) fn contact(ask: &mut Answering<'_>) -> Reply {
    let mail = if ask.is("address of a contact") {
        "help"
    } else {
        "security"
    };
    let body = format!(
        "Contact: mailto:{mail}@bank.example\nExpires: 2027-12-31T00:00:00Z\nPreferred-Languages: de, en\n"
    );
    Reply::new("text/plain", body)
}

/// A log. Noise: the times, the order of two tasks, how often one is tried.
pub(super) fn log(ask: &mut Answering<'_>) -> Reply {
    let level = if ask.is("level of an entry") {
        "WARN"
    } else {
        "INFO"
    };
    let now = rfc3339(ask.at.as_secs());
    let mut lines = vec![
        format!("{now} {level} settlement {} finished", ask.number),
        format!("{now} DEBUG cache of {} warmed", node(ask)),
    ];
    ask.nature.shuffle(&mut lines);
    let retries = ask.nature.below(3);
    lines.extend((0..retries).map(|at| format!("{now} DEBUG retry {at}")));
    lines.push(format!(
        "{now} {} closing",
        if ask.is("last entry") {
            "ERROR"
        } else {
            "INFO"
        }
    ));
    Reply::new("text/plain", lines.join("\n"))
}
