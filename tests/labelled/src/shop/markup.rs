//! Routes that answer HTML and XML.

use crate::service::{Answering, Reply};
use crate::write::{clock, date, hex, http_date, token};

const HTML: &str = "text/html; charset=utf-8";
const XML: &str = "application/xml";
const NAMES: [&str; 4] = ["Garden", "Kitchen", "Office", "Attic"];

/// Noise: tokens in attributes, the pod and the time in the footer.
pub(super) fn page(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let (nonce, csrf) = (token(&mut ask.nature, 22), token(&mut ask.nature, 32));
    let name = data.pick(&NAMES);
    let word = if ask.is("word in a page") {
        "closed"
    } else {
        "open"
    };
    let rel = if ask.is("attribute of a link") {
        ""
    } else {
        " rel=\"nofollow\""
    };
    let (pod, time) = (ask.pod(), clock(ask.at.as_secs()));
    let number = ask.number;
    let body = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><title>{name} {number}</title>\
         <script nonce=\"{nonce}\">start({number})</script></head><body><h1>{name}</h1>\
         <p class=\"lead\">The {name} department is {word} all day.</p>\
         <form action=\"/buy\" method=\"post\"><input type=\"hidden\" name=\"csrf\" value=\"{csrf}\"></form>\
         <p><a href=\"/go/{number}\"{rel}>More</a></p>\
         <footer>Served by {pod} at {time}</footer></body></html>"
    );
    Reply::new(HTML, body)
}

/// Noise: visitors, as a number in a sentence.
pub(super) fn table(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let is_wrong = ask.is("cell of a table");
    let is_shorter = ask.is("row of a table missing");
    let rows: Vec<String> = (0..4 - u64::from(is_shorter))
        .map(|at| {
            let stock = data.below(50) + u64::from(is_wrong && at == 1);
            format!(
                "<tr><td>{} {at}</td><td>{stock}</td></tr>",
                data.pick(&NAMES)
            )
        })
        .collect();
    let visitors = 100 + ask.nature.below(900);
    let body = format!(
        "<html><body><table><tr><th>Name</th><th>Stock</th></tr>{}</table>\
         <p>{visitors} people look at this page.</p></body></html>",
        rows.concat()
    );
    Reply::new(HTML, body)
}

/// Noise: the time of the build, an id in an attribute.
pub(super) fn feed(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let lang = if ask.is("attribute in XML") {
        "en-GB"
    } else {
        "en"
    };
    let is_wrong = ask.is("text in XML");
    let items: Vec<String> = (0..3)
        .map(|at| {
            let title = data.pick(&NAMES);
            let title = if is_wrong && at == 2 { "Cellar" } else { title };
            let number = 10 * ask.number + at;
            format!("<item guid=\"{number}\"><title>{title} {at}</title><link>/items/{number}</link></item>")
        })
        .collect();
    let (built, batch) = (http_date(ask.at.as_secs()), hex(&mut ask.nature, 16));
    let body = format!(
        "<?xml version=\"1.0\"?><feed lang=\"{lang}\" batch=\"{batch}\"><lastBuildDate>{built}</lastBuildDate>{}</feed>",
        items.concat()
    );
    Reply::new(XML, body)
}

/// Noise: the elements come in any order.
pub(super) fn sitemap(ask: &mut Answering<'_>) -> Reply {
    let mut data = ask.data();
    let is_wrong = ask.is("element missing in XML");
    let mut urls: Vec<String> = (0..4)
        .map(|at| {
            let changed = date(1_760_000_000 + 86_400 * data.below(300));
            let priority = match is_wrong && at == 2 {
                true => String::new(),
                false => format!("<priority>0.{at}</priority>"),
            };
            let number = 10 * ask.number + at;
            format!("<url id=\"{number}\"><loc>/pages/{number}</loc><lastmod>{changed}</lastmod>{priority}</url>")
        })
        .collect();
    ask.nature.shuffle(&mut urls);
    Reply::new(XML, format!("<urlset>{}</urlset>", urls.concat()))
}
