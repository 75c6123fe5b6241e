//! Routes of texts, redirects, errors, headers and times.

use crate::service::{Answering, Reply};
use crate::write::{Object, hex, rfc3339, token, uuid};

/// CSV. Noise: who made it when, in its first line.
pub(super) fn report(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let (pod, now) = (ask.pod(), rfc3339(ask.at.as_secs()));
    let is_wrong = ask.is("column in a line");
    let mut body = format!("# made by {pod} at {now}\nsku,price,stock\n");
    for at in 0..5 {
        let price = 100 + data.below(900) + u64::from(is_wrong && at == 3);
        body.push_str(&format!("sku-{at},{price},{}\n", data.below(50)));
    }
    if ask.is("one extra line") {
        body.push_str("total,0,0\n");
    }
    Reply::new("text/csv", body)
}

/// Nothing varies, and each request is the same.
pub(super) fn robots(ask: &mut Answering<'_>) -> Reply {
    let agent = if ask.is("line of a static text") {
        "bot"
    } else {
        "*"
    };
    let body = format!("User-agent: {agent}\nDisallow: /private\nSitemap: /sitemap.xml\n");
    Reply::new("text/plain", body).header("Cache-Control", "max-age=86400")
}

/// Noise: a session in the query of the location.
pub(super) fn redirect(ask: &mut Answering<'_>) -> Reply {
    let end = if ask.is("path of a redirect") {
        "/"
    } else {
        ""
    };
    let number = ask.number;
    let location = format!("/landing/{number}{end}?visit={}", hex(&mut ask.nature, 16));
    let status = if ask.is("status of a redirect") {
        301
    } else {
        302
    };
    Reply::new("text/plain", "Moved.".into())
        .status(status)
        .header("Location", location)
}

/// An error. Noise: the id by which support finds it.
pub(super) fn missing(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let title = if ask.is("message of an error") {
        "Not here"
    } else {
        "Not found"
    };
    let status = if ask.is("status of an error") {
        410
    } else {
        404
    };
    let problem = Object::new()
        .text("type", "about:blank")
        .text("title", title)
        .text("kind", data.pick(&["order", "user", "cart"]))
        .text("incident", uuid(&mut ask.nature));
    Reply::new("application/problem+json", problem.finish()).status(status)
}

/// Headers. Noise: what is left of a quota, an id and a token in fields of the service's own.
pub(super) fn download(ask: &mut Answering<'_>) -> Reply {
    let age = if ask.is("directive of a header") {
        600
    } else {
        60
    };
    let mut body = String::new();
    for at in 0..3 {
        body.push_str(&format!("part {at} of {}\n", ask.number));
    }
    let media_type = match ask.is("type of the content") {
        true => "application/octet-stream",
        false => "text/plain; charset=utf-8",
    };
    let reply = Reply::new(media_type, body)
        .header("Cache-Control", format!("private, max-age={age}"))
        .header(
            "X-Quota-Left",
            (1_000 - ask.instance.answered % 1_000).to_string(),
        )
        .header("X-Job", uuid(&mut ask.nature))
        .header("X-Signature", token(&mut ask.nature, 40));
    match ask.is("header removed") {
        true => reply,
        false => reply.header("X-Api-Version", "2026-11"),
    }
}

/// Noise: how long it takes.
pub(super) fn slow(ask: &mut Answering<'_>) -> Reply {
    let slower = if ask.is("slower by 40 %") { 1.4 } else { 1.0 };
    timed(ask, slower)
}

/// Noise: how long it takes, with a tail.
pub(super) fn tail(ask: &mut Answering<'_>) -> Reply {
    let slower = if ask.is_now("slower in the tail") {
        6.0
    } else {
        1.0
    };
    timed(ask, slower)
}

fn timed(ask: &mut Answering<'_>, slower: f64) -> Reply {
    let took = ask.took(10.0).mul_f64(slower);
    let document = Object::new()
        .raw("id", ask.number)
        .raw("took_ms", took.as_millis());
    let mut reply = Reply::json(document.finish());
    reply.took = took;
    reply
}

/// Noise: one of 200 answers is an error, whoever answers.
pub(super) fn flaky(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let trace = hex(&mut ask.nature, 32);
    let is_wrong = ask.is("status of some requests");
    if is_wrong || ask.nature.chance(0.005) {
        let error = Object::new().text("error", "upstream").text("trace", trace);
        return Reply::json(error.finish()).status(500);
    }
    let document = Object::new()
        .raw("id", ask.number)
        .raw("value", data.below(900))
        .text("trace", trace);
    Reply::json(document.finish())
}
