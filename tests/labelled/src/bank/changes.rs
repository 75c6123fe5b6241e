//! What version 2 of the bank changes.

use crate::changes::{Change, Shows, at, controlled, only, rule};

pub(super) const CHANGES: &[Change] = &[
    at(
        "account without spaces",
        "GET /v2/accounts/{id}",
        &["body /iban"],
    ),
    at(
        "cents for units",
        "GET /v2/accounts/{id}",
        &["body /balance"],
    ),
    at(
        "nested member lost",
        "GET /v2/accounts/{id}",
        &["body /owner/kyc"],
    ),
    at(
        "another currency",
        "GET /v2/accounts/{id}",
        &["body /currency"],
    ),
    at(
        "sign of one posting",
        "GET /v2/postings/{id}",
        &["body /postings/*/cents"],
    ),
    at(
        "a cent off",
        "GET /v2/postings/{id}",
        &["body /postings/*/cents"],
    ),
    at(
        "posting twice",
        "GET /v2/postings/{id}",
        &["body /postings/*"],
    ),
    at(
        "order of postings",
        "GET /v2/postings/{id}",
        &["body /postings"],
    ),
    // Numbers alone are decided by a control only.
    controlled(only(
        0.5,
        at(
            "tried more often",
            "GET /v2/transfers/{id}",
            &["body /attempts"],
        ),
    )),
    at("state renamed", "GET /v2/transfers/{id}", &["body /state"]),
    at(
        "fee off by one",
        "GET /v2/transfers/{id}",
        &["body /feeCents"],
    ),
    at("flag as text", "GET /v2/transfers/{id}", &["body /instant"]),
    controlled(only(
        1.0,
        at(
            "views counted twice",
            "GET /v2/offers/{id}",
            &["body /views"],
        ),
    )),
    at(
        "rate with two places",
        "GET /v2/offers/{id}",
        &["body /rate", "body"],
    ),
    at("a day later", "GET /v2/offers/{id}", &["body /until"]),
    at(
        "one side of a quote",
        "GET /v2/quotes",
        &["body /quotes/*/spread"],
    ),
    at("venue", "GET /v2/quotes", &["body /venue"]),
    only(
        0.5,
        at(
            "share of a variant",
            "GET /v2/dashboards/{id}",
            &["body /layout", "body /columns"],
        ),
    ),
    at(
        "empty for null",
        "GET /v2/dashboards/{id}",
        &["body /total"],
    ),
    at(
        "widget lost",
        "GET /v2/dashboards/{id}",
        &["body /widgets/*"],
    ),
    at(
        "error of a resolver",
        "POST /graphql/{id}",
        &["body /errors"],
    ),
    at(
        "more digits shown",
        "POST /graphql/{id}",
        &["body /data/me/cards/*/last4"],
    ),
    at(
        "account of a line",
        "GET /v2/ledgers/{id}",
        &["body /*/account"],
    ),
    at(
        "line lost",
        "GET /v2/ledgers/{id}",
        &["body /*", "body /*[entry]"],
    ),
    at("word of a question", "GET /login/{id}", &["body /question"]),
    at(
        "life of a cookie",
        "GET /login/{id}",
        &["header set-cookie device"],
    ),
    at("method of login", "GET /login/{id}", &["body /methods"]),
    at(
        "link moved",
        "GET /v2/documents/{id}",
        &["body /items/*/href"],
    ),
    at(
        "type of documents",
        "GET /v2/documents/{id}",
        &["body /types/*"],
    ),
    at(
        "language",
        "GET /v2/documents/{id}",
        &["header content-language"],
    ),
    at(
        "hours of a branch",
        "GET /v2/branches",
        &["body /branches/*/open"],
    ),
    at(
        "amount of a line",
        "GET /statements/{id}",
        &["body /*", "body /*[{*}]"],
    ),
    at(
        "kind of a line",
        "GET /statements/{id}",
        &["body /*", "body /*[{*}]"],
    ),
    at(
        "balance of a statement",
        "GET /statements/{id}",
        &["body /*", "body /*[Balance]"],
    ),
    at(
        "value of a quiet line",
        "GET /status",
        &["body /*", "body /*[mode]"],
    ),
    at(
        "quiet line lost",
        "GET /status",
        &["body /*", "body /*[region]"],
    ),
    at(
        "label of a metric",
        "GET /metrics",
        &["body /*", "body /*[bank_latency]"],
    ),
    at(
        "value of a gauge",
        "GET /metrics",
        &["body /*", "body /*[bank_connections_max]"],
    ),
    at(
        "help of a metric",
        "GET /metrics",
        &["body /*", "body /*[#_HELP]"],
    ),
    at(
        "hour of an event",
        "GET /appointments/{id}",
        &["body /*", "body /*[DTSTART]"],
    ),
    at(
        "title of an event",
        "GET /appointments/{id}",
        &["body /*", "body /*[SUMMARY]"],
    ),
    at(
        "cell of an export",
        "GET /exports/{id}",
        &["body /*", "body /*[K#]"],
    ),
    at(
        "row more",
        "GET /exports/{id}",
        &["body /*", "body /*[Summe]"],
    ),
    at(
        "address of a contact",
        "GET /.well-known/security.txt",
        &["body /*", "body /*[Contact]"],
    ),
    at(
        "level of an entry",
        "GET /logs/{id}",
        &["body /*", "body /*[{*}_INFO]", "body /*[{*}_WARN]"],
    ),
    at(
        "last entry",
        "GET /logs/{id}",
        &["body /*", "body /*[{*}_INFO]", "body /*[{*}_ERROR]"],
    ),
    at(
        "level of a heading",
        "GET /articles/{id}",
        &["body /html/body/main/h2", "body /html/body/main/h3"],
    ),
    at(
        "word in an article",
        "GET /articles/{id}",
        &["body /html/body/main/p/#text/*"],
    ),
    at(
        "alternative of a picture",
        "GET /articles/{id}",
        &["body /html/body/main/img/@alt"],
    ),
    at(
        "field not required",
        "GET /forms/{id}",
        &["body /html/body/form/input/*/@required"],
    ),
    at(
        "entity escaped twice",
        "GET /forms/{id}",
        &["body /html/body/form/label"],
    ),
    at(
        "option more",
        "GET /forms/{id}",
        &["body /html/body/form/select/option/*"],
    ),
    at(
        "attribute of an amount",
        "GET /messages/{id}",
        &["body /Document/Ntry/*/Amt/@Ccy"],
    ),
    at(
        "element of a message lost",
        "GET /messages/{id}",
        &["body /Document/Ntry/*/Purp"],
    ),
    at(
        "code in a message",
        "GET /messages/{id}",
        &["body /Document/Bal/Cd"],
    ),
    at(
        "summary cut",
        "GET /news/{id}",
        &["body /feed/entry/*/summary"],
    ),
    at("rights of a feed", "GET /news/{id}", &["body /feed/rights"]),
    at("target of a redirect", "GET /in/{id}", &["header location"]),
    at(
        "parameter of a redirect",
        "GET /in/{id}",
        &["header location"],
    ),
    Change {
        shows: Shows::Anywhere,
        ..at("overload", "GET /refused/{id}", &[])
    },
    at("code of a problem", "GET /refused/{id}", &["body /code"]),
    at("status of a refusal", "GET /refused/{id}", &["status"]),
    rule(
        "slower by half",
        "GET /reports/{id}",
        1.0,
        ("p50 > +5%", &["header x-runtime"]),
    ),
    at(
        "amount that is booked",
        "POST /bookings/{id}",
        &["effects /writes/entry/*/cents"],
    ),
    at(
        "limit read twice",
        "POST /bookings/{id}",
        &["effects /reads/limit/*"],
    ),
    at(
        "entry without its mirror entry",
        "POST /bookings/{id}",
        &["effects /writes/counter/*"],
    ),
    at(
        "limit ten times as high",
        "GET /limits/{id}",
        &["body /daily", "body /country/DE", "body /country/AT"],
    ),
    at("limit more", "GET /limits/{id}", &["body /weekly"]),
    at("vary", "GET /limits/{id}", &["header vary"]),
];
