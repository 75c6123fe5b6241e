//! Exchanges → records, which GoReplay replays.

use std::io::{self, Write};

use mirror_core::exchange::{Body, Exchange, Headers, Request, Response, Trailers, Version};
use mirror_core::schedule::ByTime;
use mirror_core::time::Timestamp;

use super::super::format::{Format, WriteError};
use super::SEPARATOR;

/// Answers that wait for their place in the order of time.
const MAX_WAITING: usize = 10_000;

#[derive(Default)]
pub(in crate::traffic) struct GorWriter {
    answers: ByTime<Vec<u8>>,
}

impl Format for GorWriter {
    fn begin(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn exchange(&mut self, exchange: &Exchange, out: &mut dyn Write) -> Result<(), WriteError> {
        let id = format!("{:016x}{:08x}", exchange.connection, exchange.index);
        let timing = &exchange.timing;
        let began = exchange.captured_at();
        let request = record('1', &id, (began, timing.request_last), |out| {
            request(&exchange.request, out);
        })?;
        while self.answers.first().is_some_and(|at| at < began) || self.answers.len() > MAX_WAITING
        {
            self.next_answer(out)?;
        }
        out.write_all(&request)?;
        let whole = exchange.response.as_deref();
        if let Some(answer) = whole.filter(|answer| answer.fault.is_none()) {
            let first = timing.response_first.unwrap_or(timing.request_last);
            let last = timing.response_last.unwrap_or(first);
            let is_bodiless = exchange.request.method == "HEAD";
            let answer = record('2', &id, (first, last), |out| {
                response(answer, is_bodiless, out)
            });
            // A request without its answer is worth something.
            if let Ok(answer) = answer {
                self.answers.push(first, answer);
            }
        }
        Ok(())
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        while !self.answers.is_empty() {
            self.next_answer(out)?;
        }
        Ok(())
    }
}

impl GorWriter {
    fn next_answer(&mut self, out: &mut dyn Write) -> io::Result<()> {
        match self.answers.pop() {
            Some(answer) => out.write_all(&answer),
            None => Ok(()),
        }
    }
}

fn record(
    kind: char,
    id: &str,
    (first, last): (Timestamp, Timestamp),
    message: impl FnOnce(&mut Vec<u8>),
) -> Result<Vec<u8>, WriteError> {
    let took = last.nanos_since(first);
    let mut record = format!("{kind} {id} {} {took}\n", first.0).into_bytes();
    message(&mut record);
    if record
        .windows(SEPARATOR.len())
        .any(|bytes| bytes == SEPARATOR)
    {
        return Err(WriteError::Unfit(
            "it holds what separates GoReplay's records",
        ));
    }
    record.extend(SEPARATOR);
    Ok(record)
}

fn request(request: &Request, out: &mut Vec<u8>) {
    out.extend(request.method.as_bytes());
    out.push(b' ');
    out.extend(&request.target.as_bytes()[..]);
    out.extend(format!(" {}\r\n", version(request.version)).bytes());
    rest(&request.headers, &request.body, &request.trailers, out);
}

fn response(response: &Response, is_bodiless: bool, out: &mut Vec<u8>) {
    let status = http::StatusCode::from_u16(response.status).ok();
    let reason = status
        .and_then(|status| status.canonical_reason())
        .unwrap_or_default();
    out.extend(
        format!(
            "{} {} {reason}\r\n",
            version(response.version),
            response.status
        )
        .bytes(),
    );
    match is_bodiless {
        true => head(&response.headers, out),
        false => rest(&response.headers, &response.body, &response.trailers, out),
    }
}

/// What was sent in HTTP/2 is written in HTTP/1.1.
fn version(version: Version) -> &'static str {
    match version {
        Version::Http10 => "HTTP/1.0",
        Version::Http11 | Version::Http2 => "HTTP/1.1",
    }
}

fn head(headers: &Headers, out: &mut Vec<u8>) {
    for (name, value) in headers.iter() {
        out.extend(name.as_bytes());
        out.extend(b": ");
        out.extend(value);
        out.extend(b"\r\n");
    }
    out.extend(b"\r\n");
}

/// Fields and body, chunked again where it was.
fn rest(headers: &Headers, body: &Body, trailers: &Trailers, out: &mut Vec<u8>) {
    head(headers, out);
    if headers.first("transfer-encoding").is_none() {
        out.extend(&body[..]);
        return;
    }
    if !body.is_empty() {
        out.extend(format!("{:x}\r\n", body.len()).bytes());
        out.extend(&body[..]);
        out.extend(b"\r\n");
    }
    out.extend(b"0\r\n");
    head(trailers, out);
}
