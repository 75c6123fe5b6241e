//! Routes of which the answer does not show what they did: what a request read and wrote is compared with what it did in production.

use crate::service::{Answering, Reply};
use crate::write::{Object, rfc3339_millis, uuid};

const PARTS: [&str; 3] = ["price", "stock", "tax"];

/// An order with some lines. Noise: the order's key, the time that is stored with it, a setting that is read when its cache is empty.
pub(super) fn checkout(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let (customer, lines) = (data.below(900), 2 + data.below(3));
    let is_omitted = ask.is("write omitted");
    let is_read_again = ask.is("read for each line");
    let mut total = 0;
    let key = uuid(&mut ask.nature);
    let answer = Object::new().raw("number", ask.number).text("order", &key);
    let mut reply = Reply::json(answer.finish());
    reply = match ask.is("read omitted") {
        true => reply,
        false => reply.read("customer", customer),
    };
    if ask.nature.chance(0.2) {
        reply = reply.read("setting", "currency");
    }
    for line in 0..lines {
        let (product, count, cents) = (data.below(900), 1 + data.below(4), 100 + data.below(9_000));
        total += count * cents;
        reply = reply.read("product", product);
        if is_read_again {
            reply = reply.read("product", product);
        }
        if !(is_omitted && line == 1) {
            let stock = Object::new().raw("sold", count);
            reply = reply.wrote("stock", product, &stock.finish());
        }
    }
    let total = total + u64::from(ask.is("written value"));
    let order = Object::new()
        .raw("customer", customer)
        .raw("totalCents", total)
        .text("createdAt", rfc3339_millis(ask.at));
    reply.wrote("order", key, &order.finish())
}

/// Money back. Noise: parts are read in any order, and the key of what is written is an id.
pub(super) fn refund(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let amount = 100 + data.below(9_000);
    let answer = Object::new()
        .raw("number", ask.number)
        .raw("amount", amount);
    let mut reply = Reply::json(answer.finish());
    let mut parts = PARTS;
    ask.nature.shuffle(&mut parts);
    for part in parts {
        reply = reply.read(part, ask.number);
    }
    let rate = if ask.is("key of a read") {
        "gross"
    } else {
        "net"
    };
    reply = reply.read("rate", rate);
    let account = data.below(900) + u64::from(ask.is("key of a write"));
    let booking = Object::new().raw("cents", amount);
    let booking = match ask.is("written member missing") {
        true => booking,
        false => booking.text("reason", data.pick(&["broken", "late", "other"])),
    };
    reply = reply.wrote("booking", account, &booking.finish());
    match ask.is("write novel") {
        true => reply.wrote("audit", uuid(&mut ask.nature), r#"{"what":"refund"}"#),
        false => reply,
    }
}

/// Two writes in a row. Noise: the time that is stored.
pub(super) fn note(ask: &mut Answering<'_>) -> Reply {
    let answer = Object::new().raw("number", ask.number);
    let note = Object::new()
        .raw("length", ask.data().below(900))
        .raw("at", ask.at.as_millis());
    let reply = Reply::json(answer.finish());
    let (first, second) = match ask.is("reads in another order") {
        true => (("limits", 2), ("author", 1)),
        false => (("author", 1), ("limits", 2)),
    };
    let reply = reply.read(first.0, first.1).read(second.0, second.1);
    match ask.is("writes in another order") {
        true => reply
            .wrote("index", ask.number, "{}")
            .wrote("note", ask.number, &note.finish()),
        false => reply
            .wrote("note", ask.number, &note.finish())
            .wrote("index", ask.number, "{}"),
    }
}
