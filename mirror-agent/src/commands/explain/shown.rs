//! One explanation, for people and for programs.

use std::fmt::Write;

use mirror_agent::printable::{printable, printable_json};
use mirror_core::compare::excerpt;
use mirror_core::exchange::{Body, Exchange, Headers, Request, Response};
use mirror_core::policy::{Access, Envelope, Explanation, Redactor};
use serde_json::{Value, json};

use super::edits::Edited;

/// Longest part of a body that is shown.
const MAX_BODY: usize = 400;

/// What names an exchange.
pub(super) struct Heading {
    connection: u64,
    index: u32,
    /// Method and path.
    request: String,
}

impl Heading {
    pub(super) fn new(redactor: &Redactor, exchange: &Exchange) -> Self {
        let target = redactor.shown_target(&exchange.request);
        Self {
            connection: exchange.connection,
            index: exchange.index,
            request: format!("{} {}", exchange.request.method, target.path_text()),
        }
    }
}

/// What is done with an exchange, and the rule that says so. A write may need its snapshot.
pub(super) fn decision(explanation: &Explanation, needs_snapshot: bool) -> String {
    match &explanation.judged {
        Ok(permission) => {
            let access = match permission.access {
                Access::Read => "replayed",
                Access::Write if needs_snapshot => "replayed as a write, if its snapshot is there",
                Access::Write => "replayed as a write, with or without a snapshot",
            };
            let rule = permission
                .rule
                .as_deref()
                .unwrap_or("its method only reads");
            format!("{access}: {rule}")
        }
        Err(refusal) => {
            let why = refusal
                .reason
                .as_deref()
                .unwrap_or_else(|| refusal.outcome.meaning());
            format!("{}: {why}", refusal.outcome.name())
        }
    }
}

pub(super) fn text(
    redactor: &Redactor,
    heading: &Heading,
    explanation: &Explanation,
    decision: &str,
    edited: Option<&Edited>,
) -> String {
    let mut out = format!(
        "── {}.{} {}\n{}\n",
        heading.connection,
        heading.index,
        printable(&heading.request),
        printable(decision),
    );
    for redaction in &explanation.redactions {
        let _ = writeln!(
            out,
            "hidden: {} ({})",
            printable(&redaction.place),
            redaction.mode.name()
        );
    }
    if let (Some(envelope), Some(edited)) = (&explanation.sent, edited) {
        for edit in &edited.edits {
            let _ = writeln!(out, "{}", printable(edit));
        }
        sent(redactor, envelope, &edited.request, &mut out);
    }
    out.push('\n');
    out
}

fn sent(redactor: &Redactor, envelope: &Envelope, request: &Request, out: &mut String) {
    let target = redactor.shown(&request.target.text()).into_owned();
    let _ = writeln!(
        out,
        "> {} {} {}",
        printable(&request.method),
        printable(&target),
        request.version.name()
    );
    message(redactor, '>', &request.headers, &request.body, out);
    let Some(response) = &envelope.exchange().response else {
        return out.push_str("< (production's answer was not captured)\n");
    };
    let _ = writeln!(out, "< {} {}", response.version.name(), response.status);
    message(redactor, '<', &response.headers, &response.body, out);
}

fn message(redactor: &Redactor, mark: char, headers: &Headers, body: &Body, out: &mut String) {
    for (name, value) in redactor.shown_headers(headers).iter() {
        let value = String::from_utf8_lossy(value);
        let _ = writeln!(out, "{mark} {}: {}", printable(name), printable(&value));
    }
    if let Some(body) = shown_body(redactor, body) {
        let _ = writeln!(out, "{mark}\n{mark} {}", printable(&body));
    }
}

/// The beginning of a body that is text.
fn shown_body(redactor: &Redactor, body: &Body) -> Option<String> {
    if body.is_empty() {
        return None;
    }
    Some(match std::str::from_utf8(body) {
        Ok(text) => excerpt(&redactor.shown(text), MAX_BODY),
        Err(_) => format!("({} bytes that are no text)", body.len()),
    })
}

pub(super) fn json(
    redactor: &Redactor,
    heading: &Heading,
    explanation: &Explanation,
    edited: Option<&Edited>,
) -> String {
    let (outcome, reason) = match &explanation.judged {
        Ok(permission) => ("replayed", permission.rule.clone()),
        Err(refusal) => (refusal.outcome.name(), refusal.reason.clone()),
    };
    let access = explanation
        .judged
        .as_ref()
        .ok()
        .map(|permission| match permission.access {
            Access::Read => "read",
            Access::Write => "write",
        });
    let hidden: Vec<_> = explanation
        .redactions
        .iter()
        .map(|redaction| json!({ "place": redaction.place, "mode": redaction.mode.name() }))
        .collect();
    let value = json!({
        "connection": heading.connection,
        "index": heading.index,
        "request": heading.request,
        "outcome": outcome,
        "access": access,
        "rule": reason,
        "hidden": hidden,
        "edits": edited.map(|edited| &edited.edits),
        "sent": explanation.sent.as_ref().zip(edited).map(|(envelope, edited)| sent_json(redactor, envelope, &edited.request)),
        "answer": explanation.sent.as_ref().and_then(|envelope| {
            envelope.exchange().response.as_ref().map(|response| answer_json(redactor, response))
        }),
    });
    printable_json(&value.to_string()).into_owned() + "\n"
}

fn sent_json(redactor: &Redactor, envelope: &Envelope, request: &Request) -> Value {
    json!({
        "method": request.method.as_str(),
        "target": redactor.shown(&request.target.text()),
        "version": request.version.name(),
        "headers": pairs(redactor, &request.headers),
        "kept": envelope.kept(),
        "body": shown_body(redactor, &request.body),
        "body_bytes": request.body.len(),
    })
}

fn answer_json(redactor: &Redactor, response: &Response) -> Value {
    json!({
        "status": response.status,
        "headers": pairs(redactor, &response.headers),
        "body": shown_body(redactor, &response.body),
        "body_bytes": response.body.len(),
    })
}

fn pairs(redactor: &Redactor, headers: &Headers) -> Vec<[String; 2]> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let shown = redactor.shown_headers(headers);
    shown
        .iter()
        .map(|(name, value)| [name.to_owned(), text(value)])
        .collect()
}
