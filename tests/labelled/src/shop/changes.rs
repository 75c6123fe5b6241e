//! What version 2 of the shop changes.

use crate::changes::{Change, Shows, at, controlled, only, rule};

pub(super) const CHANGES: &[Change] = &[
    at(
        "field removed",
        "GET /orders/{id}",
        &["body /customer/email"],
    ),
    at(
        "null is missing",
        "GET /orders/{id}",
        &["body /customer/middle_name"],
    ),
    at("field added", "GET /orders/{id}", &["body /currency"]),
    at(
        "64 bits through a float",
        "GET /users/{id}",
        &["body /account"],
    ),
    only(
        1.0,
        at("another normal form", "GET /users/{id}", &["body /name"]),
    ),
    at("order of a list", "GET /users/{id}", &["body /roles"]),
    at("rounding", "GET /products/{id}", &["body /price"]),
    at(
        "element of a shuffled list lost",
        "GET /products/{id}",
        &["body /tags/*"],
    ),
    at("flag turned", "GET /products/{id}", &["body /active"]),
    at(
        "value deep in lists",
        "GET /carts/{id}",
        &["body /items/*/discounts/*/percent"],
    ),
    at("number as text", "GET /carts/{id}", &["body /total"]),
    at(
        "expires an hour later",
        "GET /carts/{id}",
        &["body /expires"],
    ),
    at("format of a date", "GET /invoices/{id}", &["body /due"]),
    at("time zone", "GET /invoices/{id}", &["body /issued"]),
    at("longer token", "GET /invoices/{id}", &["body /pdf"]),
    only(
        0.555,
        at("distribution", "GET /profiles/{id}", &["body /tier"]),
    ),
    at("letter case", "GET /profiles/{id}", &["body /bio"]),
    at("word amid noise", "GET /tickets/{id}", &["body /summary"]),
    at(
        "empty list is null",
        "GET /tickets/{id}",
        &["body /watchers"],
    ),
    at("case of an id", "GET /payments/{id}", &["body /reference"]),
    at("sign", "GET /payments/{id}", &["body /fee"]),
    at(
        "member renamed",
        "GET /payments/{id}",
        &["body /card_type", "body /cardType"],
    ),
    at(
        "attribute of a cookie",
        "GET /sessions/{id}",
        &["header set-cookie sid"],
    ),
    at("value in a list", "GET /sessions/{id}", &["body /scopes/*"]),
    only(
        1.0,
        at(
            "flag of a cached document",
            "GET /flags",
            &["body /flags/new_checkout"],
        ),
    ),
    at("value in a map", "GET /prices/{id}", &["body /prices/{*}"]),
    rule(
        "cache ratio",
        "GET /prices/{id}",
        0.5,
        ("cache-hit < -5%", &[]),
    ),
    at("range of a number", "GET /metrics/{id}", &["body /load"]),
    controlled(only(
        0.1,
        at(
            "member missing now and then",
            "GET /metrics/{id}",
            &["body /unit"],
        ),
    )),
    at(
        "last element missing",
        "GET /search/{id}",
        &["body /hits/*"],
    ),
    at("count off by one", "GET /search/{id}", &["body /total"]),
    at(
        "value beside a random list",
        "GET /recommendations/{id}",
        &["body /reason"],
    ),
    at("value in one line", "GET /events/{id}", &["body /*/level"]),
    at("one line more", "GET /events/{id}", &["body /*"]),
    at(
        "word deep in lists",
        "GET /groups/{id}",
        &["body /groups/*/members/*/roles/*"],
    ),
    at(
        "value in a shuffled list",
        "GET /inventory/{id}",
        &["body /shelves/*/quantity"],
    ),
    at("unit", "GET /inventory/{id}", &["body /unit"]),
    at(
        "value in an event",
        "GET /audit/{id}",
        &["body /*/data/who"],
    ),
    at(
        "word in a page",
        "GET /pages/{id}",
        &["body /html/body/p/*/#text"],
    ),
    at(
        "attribute of a link",
        "GET /pages/{id}",
        &["body /html/body/p/*/a/@rel"],
    ),
    at(
        "cell of a table",
        "GET /tables/{id}",
        &["body /html/body/table/tr/*/td/*"],
    ),
    at(
        "row of a table missing",
        "GET /tables/{id}",
        &["body /html/body/table/tr/*"],
    ),
    at("attribute in XML", "GET /feeds/{id}", &["body /feed/@lang"]),
    at(
        "text in XML",
        "GET /feeds/{id}",
        &["body /feed/item/*/title"],
    ),
    at(
        "element missing in XML",
        "GET /sitemaps/{id}",
        &["body /urlset/url/*/priority"],
    ),
    at(
        "column in a line",
        "GET /reports/{id}",
        &["body /*", "body /*[sku-#]"],
    ),
    at(
        "one extra line",
        "GET /reports/{id}",
        &["body /*", "body /*[total]"],
    ),
    only(
        1.0,
        at(
            "line of a static text",
            "GET /robots",
            &["body /*", "body /*[User-agent]"],
        ),
    ),
    at("path of a redirect", "GET /go/{id}", &["header location"]),
    at("status of a redirect", "GET /go/{id}", &["status"]),
    at("message of an error", "GET /missing/{id}", &["body /title"]),
    at("status of an error", "GET /missing/{id}", &["status"]),
    at(
        "directive of a header",
        "GET /downloads/{id}",
        &["header cache-control"],
    ),
    at(
        "header removed",
        "GET /downloads/{id}",
        &["header x-api-version"],
    ),
    rule(
        "slower by 40 %",
        "GET /slow/{id}",
        1.0,
        ("p50 > +5%", &["body /took_ms"]),
    ),
    rule(
        "slower in the tail",
        "GET /tails/{id}",
        0.2,
        ("p95 > +10%", &["body /took_ms"]),
    ),
    Change {
        shows: Shows::Anywhere,
        ..at("status of some requests", "GET /flaky/{id}", &[])
    },
    at(
        "write omitted",
        "POST /checkouts/{id}",
        &["effects /writes/stock/*", "effects /order"],
    ),
    at(
        "read for each line",
        "POST /checkouts/{id}",
        &["effects /reads/product/*", "effects /order"],
    ),
    at(
        "read omitted",
        "POST /checkouts/{id}",
        &["effects /reads/customer/*"],
    ),
    at(
        "written value",
        "POST /checkouts/{id}",
        &["effects /writes/order/*/totalCents"],
    ),
    at(
        "key of a read",
        "POST /returns/{id}",
        &["effects /reads/rate/*"],
    ),
    at(
        "key of a write",
        "POST /returns/{id}",
        &["effects /writes/booking/*/@key"],
    ),
    at(
        "written member missing",
        "POST /returns/{id}",
        &["effects /writes/booking/*/reason"],
    ),
    at(
        "write novel",
        "POST /returns/{id}",
        &["effects /writes/audit/*"],
    ),
    at(
        "reads in another order",
        "POST /notes/{id}",
        &["effects /order"],
    ),
    at(
        "writes in another order",
        "POST /notes/{id}",
        &["effects /order"],
    ),
];
