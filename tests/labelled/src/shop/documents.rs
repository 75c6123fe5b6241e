//! Routes that answer one JSON document.

use crate::service::{Answering, Reply};
use crate::write::{
    Object, date, hex, http_date, jwt, list, rfc3339, rfc3339_millis, texts, token, uuid,
};

const NAMES: [&str; 6] = [
    "Ada Lovelace",
    "José Müller",
    "Grace Hopper",
    "Zoë Åkesson",
    "Alan Turing",
    "Renée Noël",
];
const WORDS: [&str; 6] = ["kettle", "lamp", "chair", "desk", "clock", "vase"];
/// Stored times lie before the run.
const STORED: u64 = 1_760_000_000;

/// Noise: a UUID, a pod's name, a clock in milliseconds.
pub(super) fn order(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let name = data.pick(&NAMES);
    let mut customer = Object::new().text("name", name);
    let email = format!("user{}@example.org", data.below(900));
    if !ask.is("field removed") {
        customer = customer.text("email", email);
    }
    if !ask.is("null is missing") {
        customer = customer.raw("middle_name", "null");
    }
    let mut order = Object::new()
        .raw("id", ask.number)
        .text("status", data.pick(&["open", "paid", "shipped"]))
        .raw("customer", customer.finish())
        .text("request_id", uuid(&mut ask.nature))
        .text("served_by", ask.pod())
        .text("generated_at", rfc3339_millis(ask.at));
    if ask.is("field added") {
        order = order.text("currency", "EUR");
    }
    Reply::json(order.finish())
}

/// Noise: a clock as a number, a web token.
pub(super) fn user(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let mut account = 9_007_199_254_740_993 + 2 * data.below(1_000_000);
    if ask.is("64 bits through a float") {
        account -= 1;
    }
    let mut name = format!("{} é", data.pick(&NAMES));
    if ask.is("another normal form") {
        name = name.replace('é', "e\u{301}");
    }
    let mut roles = ["admin", "buyer", "editor", "viewer"];
    if ask.is("order of a list") {
        roles.swap(1, 2);
    }
    let user = Object::new()
        .raw("account", account)
        .text("name", name)
        .raw("roles", texts(roles))
        .raw("now", ask.at.as_millis())
        .text("session", jwt(&mut ask.nature));
    Reply::json(user.finish())
}

/// Noise: a list in any order, a number of few values, an optional member.
pub(super) fn product(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let cents = 100 + 10 * data.below(9_000) + 5;
    let price = match ask.is("rounding") {
        true => format!("{}.{:02}", cents / 100, cents / 10 * 10 % 100),
        false => format!("{}.{:02}", cents / 100, cents % 100),
    };
    let mut tags = vec!["new", "sale", "gift", "eco"];
    if ask.is("element of a shuffled list lost") {
        tags.pop();
    }
    ask.nature.shuffle(&mut tags);
    let mut product = Object::new()
        .raw("id", ask.number)
        .text("name", data.pick(&WORDS))
        .raw("price", price)
        .raw("tags", texts(tags))
        .raw("active", data.chance(0.7) != ask.is("flag turned"))
        .raw("shown_rating", 3 + ask.nature.below(3));
    if ask.nature.chance(0.05) {
        product = product.text("note", "only a few left");
    }
    Reply::json(product.finish())
}

/// Noise: the order of the members, a time one hour ahead.
pub(super) fn cart(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let is_deep = ask.is("value deep in lists");
    let count = 1 + data.below(4);
    let wrong = data.below(count);
    let items = (0..count).map(|at| {
        let percent = 5 + data.below(20);
        let percent = percent + u64::from(is_deep && at == wrong);
        let discount = Object::new().text("code", "BULK").raw("percent", percent);
        Object::new()
            .text("sku", format!("sku-{at}"))
            .raw("quantity", 1 + data.below(5))
            .raw("discounts", list([discount.finish()]))
            .finish()
    });
    let items = list(items.collect::<Vec<_>>());
    let total = data.below(90_000);
    let is_text = ask.is("number as text");
    let hours = if ask.is("expires an hour later") {
        2
    } else {
        1
    };
    let cart = Object::new()
        .raw("id", ask.number)
        .raw("items", items)
        .raw(
            "total",
            if is_text {
                format!("\"{total}\"")
            } else {
                total.to_string()
            },
        )
        .raw("expires", ask.at.as_secs() + hours * 3_600);
    Reply::json(cart.shuffled(&mut ask.nature))
}

/// Noise: a hexadecimal id, a measured duration.
pub(super) fn invoice(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let due = STORED + 86_400 * data.below(300);
    let due = match ask.is("format of a date") {
        true => date(due).split('-').rev().collect::<Vec<_>>().join("."),
        false => date(due),
    };
    let issued = STORED + data.below(9_000_000);
    let issued = match ask.is("time zone") {
        true => rfc3339(issued + 3_600)
            .replace('Z', "+01:00")
            .replace("T", " "),
        false => rfc3339(issued),
    };
    let digits = if ask.is("longer token") { 34 } else { 32 };
    let invoice = Object::new()
        .raw("id", ask.number)
        .text("due", due)
        .text("issued", issued)
        .text(
            "amount",
            format!("{}.{:02}", data.below(900), data.below(100)),
        )
        .text("pdf", hex(&mut ask.nature, digits))
        .raw("took_ms", 2 + ask.nature.below(30));
    Reply::json(invoice.finish())
}

/// Noise: few values at 10 %, 1 % and a half, a bucket of an experiment in a header.
pub(super) fn profile(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    // One of ten, and six of ten where the change makes more of them.
    let is_more = ask.is_now("distribution");
    let tier = if is_more || ask.nature.chance(0.1) {
        "B"
    } else {
        "A"
    };
    let theme = if ask.nature.chance(0.5) {
        "dark"
    } else {
        "light"
    };
    let is_beta = ask.nature.chance(0.01);
    let bio = data.pick(&["likes tea", "likes coffee", "drinks water"]);
    let bio = match ask.is("letter case") {
        true => bio.to_uppercase(),
        false => bio.into(),
    };
    let profile = Object::new()
        .raw("id", ask.number)
        .text("tier", tier)
        .text("theme", theme)
        .raw("beta", is_beta)
        .text("bio", bio);
    let bucket = if ask.nature.chance(0.3) { "b" } else { "a" };
    Reply::json(profile.finish()).header("X-Experiment", bucket)
}

/// Noise within a sentence: a number, a time, an id.
pub(super) fn ticket(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let verb = if ask.is("word amid noise") {
        "closed"
    } else {
        "updated"
    };
    let summary = format!(
        "Ticket {} {verb} at {} by agent x{}k{}p",
        ask.nature.below(90_000),
        &rfc3339(ask.at.as_secs())[11..16],
        ask.nature.below(9),
        ask.nature.below(9)
    );
    let priority = match ask.is("empty list is null") {
        true => "null".into(),
        false => list(Vec::<String>::new()),
    };
    let ticket = Object::new()
        .raw("id", ask.number)
        .text("summary", summary)
        .text("queue", data.pick(&["sales", "support"]))
        .raw("watchers", priority);
    Reply::json(ticket.finish())
}

/// Noise: a UUID, a clock in microseconds, the address of a pod.
pub(super) fn payment(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let mut reference = uuid(&mut ask.nature);
    if ask.is("case of an id") {
        reference = reference.to_uppercase();
    }
    let fee = 1 + data.below(500);
    let sign = if ask.is("sign") { "-" } else { "" };
    let name = if ask.is("member renamed") {
        "cardType"
    } else {
        "card_type"
    };
    let payment = Object::new()
        .text("reference", reference)
        .raw("fee", format!("{sign}{fee}"))
        .text(name, data.pick(&["visa", "amex"]))
        .raw("at_us", ask.at.0 / 1_000)
        .text(
            "peer",
            format!("10.1.{}.{}", ask.nature.below(4), 2 + ask.nature.below(200)),
        );
    Reply::json(payment.finish())
}

/// Noise: a cookie's value, a random token, an HTTP date in a header.
pub(super) fn session(ask: &mut Answering<'_>) -> Reply {
    let flags = if ask.is("attribute of a cookie") {
        "; Secure"
    } else {
        "; Secure; HttpOnly"
    };
    let cookie = format!(
        "sid={}; Path=/; Max-Age=3600{flags}",
        token(&mut ask.nature, 24)
    );
    let scopes = if ask.is("value in a list") {
        ["read", "admin"]
    } else {
        ["read", "write"]
    };
    let session = Object::new()
        .raw("user", ask.number)
        .text("csrf", token(&mut ask.nature, 32))
        .raw("scopes", texts(scopes));
    Reply::json(session.finish())
        .header("Set-Cookie", cookie)
        .header("X-Generated", http_date(ask.at.as_secs()))
}

/// Noise: one entry of a cache in each instance, with its age and its time.
pub(super) fn flags(ask: &mut Answering<'_>) -> Reply {
    let filled = ask.filled("flags", 20);
    let is_on = !ask.is("flag of a cached document");
    let flags = Object::new()
        .raw("new_checkout", is_on)
        .raw("dark_mode", false);
    let document = Object::new()
        .raw("flags", flags.finish())
        .raw("age_s", ask.at.as_secs() - filled)
        .text("refreshed_at", rfc3339(filled));
    Reply::json(document.finish())
}

/// Noise: an entry of a cache for each of 40 keys, a map with random keys. A cache that the header names.
pub(super) fn prices(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let is_wrong = ask.is("value in a map");
    let prices = (0..4).fold(Object::new(), |prices, at| {
        let key = 1_000 + 10 * data.below(900) + at;
        let price = 100 + data.below(900) + u64::from(is_wrong && at == 2);
        prices.raw(&key.to_string(), price)
    });
    let seen = (0..2).fold(Object::new(), |seen, _| {
        seen.raw(&uuid(&mut ask.nature), 1 + ask.nature.below(3))
    });
    let filled = ask.filled(&format!("prices {}", ask.number % 40), 60);
    let is_hit = !ask.is_now("cache ratio") && ask.nature.chance(0.8);
    let document = Object::new()
        .raw("prices", prices.finish())
        .raw("sessions", seen.finish())
        .raw("age_s", ask.at.as_secs() - filled);
    Reply::json(document.finish()).header("X-Cache", if is_hit { "HIT" } else { "MISS" })
}

/// Noise: numbers that depend on the load, counters of an instance.
pub(super) fn metrics(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let load = ask.load();
    let load = if ask.is("range of a number") {
        load * 40.0
    } else {
        load
    };
    let mut metrics = Object::new()
        .raw("id", ask.number)
        .raw("load", format!("{load:.3}"))
        .raw("answered", ask.instance.answered)
        .raw("queue", (10.0 * ask.load()) as u64)
        .text("zone", data.pick(&["eu-1", "eu-2"]));
    if !ask.is_now("member missing now and then") {
        metrics = metrics.text("unit", "percent");
    }
    Reply::json(metrics.finish())
}
