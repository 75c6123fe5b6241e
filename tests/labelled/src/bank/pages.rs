//! The bank's pages, feeds and messages.

use super::nature::{amount, local_time, node, ulid};
use crate::service::{Answering, Reply};
use crate::write::{Object, date, hex, rfc3339_millis, token};

const HTML: &str = "text/html; charset=utf-8";
const XML: &str = "application/xml";
const TEASERS: [&str; 6] = [
    "A card for two",
    "Save for later",
    "Houses",
    "Funds",
    "Travel",
    "Young people",
];
const TOPICS: [&str; 4] = ["Interest", "Fraud", "Holidays", "Fees"];

/// An article. Noise: one to three teasers of six, a comment and an attribute with an id.
pub(super) fn article(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let topic = data.pick(&TOPICS);
    let level = if ask.is("level of a heading") {
        "h3"
    } else {
        "h2"
    };
    let word = if ask.is("word in an article") {
        "must"
    } else {
        "may"
    };
    let alt = if ask.is("alternative of a picture") {
        ""
    } else {
        " alt=\"a branch\""
    };
    let mut teasers = TEASERS.to_vec();
    ask.nature.shuffle(&mut teasers);
    let count = 1 + ask.nature.below(3) as usize;
    let teasers: Vec<String> = teasers[..count]
        .iter()
        .map(|teaser| format!("<li>{teaser}</li>"))
        .collect();
    let (node, nonce) = (node(ask), token(&mut ask.nature, 20));
    let body = format!(
        "<!doctype html><html lang=\"de\"><head><title>{topic}</title><style nonce=\"{nonce}\">p{{}}</style></head><body>\
         <!-- rendered by {node} in {} ms --><main><{level}>{topic} {}</{level}>\
         <p>Customers {word} change this until <time>{}</time>.</p><img src=\"/{}.png\"{alt}></main>\
         <aside><ul>{}</ul></aside></body></html>",
        1 + ask.nature.below(30),
        ask.number,
        date(1_790_000_000 + 86_400 * data.below(60)),
        data.below(90),
        teasers.concat()
    );
    Reply::new(HTML, body)
}

/// A form. Noise: hidden fields, a greeting that depends on the hour is not there, the time is.
pub(super) fn form(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let required = if ask.is("field not required") {
        ""
    } else {
        " required"
    };
    let label = if ask.is("entity escaped twice") {
        "Betrag &amp;amp; Zweck"
    } else {
        "Betrag &amp; Zweck"
    };
    let options: Vec<String> = (0..3 + u64::from(ask.is("option more")))
        .map(|at| {
            format!(
                "<option value=\"{at}\">{} EUR</option>",
                amount(1_000 * (at as i64 + 1))
            )
        })
        .collect();
    let body = format!(
        "<html><body><form><input type=\"hidden\" name=\"t\" value=\"{}\"><label>{label}</label>\
         <input name=\"amount\" value=\"{}\"{required}><select>{}</select></form><p>Stand: {}</p></body></html>",
        hex(&mut ask.nature, 40),
        data.below(900),
        options.concat(),
        local_time(ask.at.as_secs()),
    );
    Reply::new(HTML, body)
}

/// A message between banks. Noise: its id, its time, the order of its entries.
pub(super) fn message(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let is_wrong = ask.is("attribute of an amount");
    let is_dropped = ask.is("element of a message lost");
    let mut entries: Vec<String> = (0..3)
        .map(|at| {
            let currency = if is_wrong && at == 1 { "USD" } else { "EUR" };
            let purpose = data.pick(&["SALA", "RENT"]);
            let purpose = match is_dropped && at == 2 {
                true => String::new(),
                false => format!("<Purp>{purpose}</Purp>"),
            };
            let cents = data.below(90_000);
            format!(
                "<Ntry><Ref>R{at}</Ref><Amt Ccy=\"{currency}\">{}.{:02}</Amt>{purpose}</Ntry>",
                cents / 100,
                cents % 100
            )
        })
        .collect();
    ask.nature.shuffle(&mut entries);
    let (id, made) = (ulid(ask.at, &mut ask.nature), rfc3339_millis(ask.at));
    let code = if ask.is("code in a message") {
        "OPAV"
    } else {
        "CLBD"
    };
    let body = format!(
        "<?xml version=\"1.0\"?><Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08\">\
         <GrpHdr><MsgId>{id}</MsgId><CreDtTm>{made}</CreDtTm></GrpHdr><Bal><Cd>{code}</Cd></Bal>{}</Document>",
        entries.concat()
    );
    Reply::new(XML, body)
}

/// News. Noise: when the feed was updated, its generator's node.
pub(super) fn news(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let is_short = ask.is("summary cut");
    let entries: Vec<String> = (0..3)
        .map(|at| {
            let topic = data.pick(&TOPICS);
            let summary = if is_short && at == 0 { "What…" } else { "What is new" };
            format!("<entry><id>urn:{}:{at}</id><title>{topic}</title><summary>{summary}</summary></entry>", ask.number)
        })
        .collect();
    let rights = if ask.is("rights of a feed") {
        ""
    } else {
        "<rights>Bank</rights>"
    };
    let (updated, node) = (rfc3339_millis(ask.at), node(ask));
    let body = format!(
        "<feed><updated>{updated}</updated><generator>{node}</generator>{rights}{}</feed>",
        entries.concat()
    );
    Reply::new("application/atom+xml", body)
}

/// Noise: a ticket in the query and in a cookie.
pub(super) fn forward(ask: &mut Answering<'_>) -> Reply {
    let target = if ask.is("target of a redirect") {
        "mobile"
    } else {
        "online"
    };
    let mut location = format!(
        "https://{target}.bank.example/in/{}?ticket={}",
        ask.number,
        ulid(ask.at, &mut ask.nature)
    );
    if ask.is("parameter of a redirect") {
        location.push_str("&lang=de");
    }
    Reply::new("text/plain", String::new())
        .status(303)
        .header("Location", location)
}

/// A problem. Noise: its instance, one of 150 is an overload.
pub(super) fn refused(ask: &mut Answering<'_>) -> Reply {
    let instance = format!("urn:trace:{}", hex(&mut ask.nature, 20));
    let is_wrong = ask.is("overload");
    if is_wrong || ask.nature.chance(1.0 / 150.0) {
        let problem = Object::new()
            .text("title", "overload")
            .text("instance", instance);
        return Reply::new("application/problem+json", problem.finish())
            .status(503)
            .header("Retry-After", "5");
    }
    let code = if ask.is("code of a problem") {
        "E-17"
    } else {
        "E-11"
    };
    let problem = Object::new()
        .text("title", "refused")
        .text("code", code)
        .text("instance", instance);
    let status = if ask.is("status of a refusal") {
        403
    } else {
        422
    };
    Reply::new("application/problem+json", problem.finish()).status(status)
}

/// Noise: how long it takes, and a header that says so.
pub(super) fn report(ask: &mut Answering<'_>) -> Reply {
    let slower = if ask.is("slower by half") { 1.5 } else { 1.0 };
    let took = ask.took(25.0).mul_f64(slower);
    let document = Object::new()
        .raw("id", ask.number)
        .raw("rows", ask.data().below(900));
    let mut reply =
        Reply::json(document.finish()).header("X-Runtime", format!("{:.6}", took.as_secs_f64()));
    reply.took = took;
    reply
}

/// A booking. Noise: the key and the time of what it writes.
pub(super) fn book(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let cents = 100 + data.below(90_000);
    let answer = Object::new()
        .raw("id", ask.number)
        .text("state", "accepted");
    let booked = cents + 100 * u64::from(ask.is("amount that is booked"));
    let entry = Object::new()
        .raw("cents", booked)
        .raw("at", ask.at.as_millis());
    let mut reply = Reply::json(answer.finish())
        .read("account", data.below(900))
        .read("limit", ask.number);
    if ask.is("limit read twice") {
        reply = reply.read("limit", ask.number);
    }
    let key = ulid(ask.at, &mut ask.nature);
    reply = reply.wrote("entry", &key, &entry.finish());
    match ask.is("entry without its mirror entry") {
        true => reply,
        false => reply.wrote("counter", key, &Object::new().raw("cents", cents).finish()),
    }
}
