//! One group of a report's differences, to be looked at again: commands that ask both sides, and the messages for a program that asks.

use anyhow::{Context, ensure};
use bytes::Bytes;
use mirror_core::compare::Comparison;
use mirror_core::exchange::{Headers, Request, Response};
use serde::Serialize;

use super::answers::{StoredAnswers, StoredMessage, without_credentials};
use super::curl::{self, ShortCurl};
use super::differences::DifferenceGroup;
use super::examples::DifferenceExample;
use super::status::ReportData;

/// A word of the shell, where a report does not say where a side is.
const PRODUCTION: &str = "\"$PRODUCTION\"";
const CANDIDATE: &str = "\"$CANDIDATE\"";

/// A group of differences, its example, and how to see it again.
#[derive(Clone, Debug, Serialize)]
pub struct Reproduction {
    /// From 1, in the order of the report.
    pub group: usize,
    /// As in `GET /orders/{id} body /total (missing, breaking)`.
    pub title: String,
    /// Answers that differ so.
    pub count: u64,
    pub example: DifferenceExample,
    /// Commands for a POSIX shell, unless the request cannot be written as one.
    pub production: Option<String>,
    pub candidate: Option<String>,
    /// Neither headers nor body of the request were kept: the commands have its method and target alone.
    pub is_bare: bool,
}

/// A request that was kept, and production's answer to it.
#[derive(Debug)]
pub struct KeptExchange {
    pub request: Request,
    pub production: Response,
    /// What of production's body was kept is only its beginning.
    pub is_cut: bool,
}

/// As in `GET /orders/{id} body /total (missing, breaking)`.
pub fn group_title(group: &DifferenceGroup) -> String {
    let kind = group.kind.with_severity(group.severity);
    format!("{} {} ({kind})", group.route, group.place)
}

impl Reproduction {
    /// Of the group with this number, by its first example whose answers were kept, or else by its first one.
    pub fn new(
        report: &ReportData,
        number: usize,
        stored: impl Fn(u64) -> anyhow::Result<Option<StoredAnswers>>,
    ) -> anyhow::Result<(Self, Option<StoredAnswers>)> {
        let groups = &report.results.differences;
        let group = number.checked_sub(1).and_then(|index| groups.get(index));
        let group = group.with_context(|| {
            format!(
                "there is no group {number}: the run has {} of them, and `mirror-agent reproduce RUN` lists them",
                groups.len()
            )
        })?;
        let mut kept = None;
        for example in &group.examples {
            if let Some(answers) = example.answers.map(&stored).transpose()?.flatten() {
                kept = Some((example, answers));
                break;
            }
        }
        let example = kept.as_ref().map(|(example, _)| *example);
        let example = example.or(group.examples.first());
        let example = example.context("the group has no example")?.clone();
        let answers = kept.map(|(_, answers)| answers);
        let [production, candidate] = commands(report, &example, answers.as_ref());
        let reproduction = Self {
            group: number,
            title: group_title(group),
            count: group.count,
            example,
            is_bare: answers.is_none(),
            production,
            candidate,
        };
        Ok((reproduction, answers))
    }
}

/// For production and the candidate.
fn commands(
    report: &ReportData,
    example: &DifferenceExample,
    answers: Option<&StoredAnswers>,
) -> [Option<String>; 2] {
    let first = report.results.run.first_target();
    let candidate = first.map_or_else(
        || CANDIDATE.into(),
        |url| curl::quoted(url.trim_end_matches('/')),
    );
    let Some(answers) = answers else {
        let short = ShortCurl::new(&example.request);
        return [PRODUCTION, &candidate].map(|address| Some(short.as_ref()?.to(address)));
    };
    let production = curl::address_of(&answers.request);
    let production = production.unwrap_or_else(|| PRODUCTION.into());
    [production, candidate].map(|address| curl::full(&answers.request, &address))
}

impl KeptExchange {
    /// An error where not enough was kept to send the request again.
    pub fn new(answers: &StoredAnswers) -> anyhow::Result<Self> {
        let StoredAnswers {
            request,
            production,
            ..
        } = answers;
        ensure!(
            !request.body.is_cut,
            "the request's body was too large to be kept whole, or holds a credential among bytes that are not text, so that it cannot be sent again"
        );
        ensure!(
            request.headers_cut == 0,
            "the request has headers that were too many or too long to be kept whole, so that it cannot be sent again"
        );
        let mut words = request.first_line.split(' ');
        let line = words.next().zip(words.next());
        let (method, target) = line.context("the request's first line was not kept whole")?;
        let mut sent = Request::new(method, target.to_owned());
        add_headers(&mut sent.headers, request);
        let body = request.body.bytes_kept()?;
        let has_length = ["content-length", "transfer-encoding"].iter().any(|name| {
            let mut fields = request.headers.iter();
            fields.any(|(field, _)| field.eq_ignore_ascii_case(name))
        });
        if has_length || !body.is_empty() {
            let length = body.len().to_string();
            sent.headers.append("Content-Length", length.as_bytes());
        }
        sent.body = Bytes::from(body).into();
        let mut answer = Response::new(production.status.context("production's status")?);
        add_headers(&mut answer.headers, production);
        answer.body = Bytes::from(production.body.bytes_kept()?).into();
        Ok(Self {
            request: sent,
            production: answer,
            is_cut: production.body.is_cut,
        })
    }

    /// How an answer that came now stands to production's, which has no credentials. Of a body that was not kept whole nothing is
    /// said.
    pub fn compare(
        &self,
        answer: &Response,
        compare: impl Fn(&Request, &Response, &Response) -> Comparison,
    ) -> Comparison {
        let hidden = without_credentials(&answer.headers, &answer.body);
        let answer = &Response {
            headers: hidden.headers,
            body: hidden.body,
            ..answer.clone()
        };
        if !self.is_cut {
            return compare(&self.request, &self.production, answer);
        }
        let without_body = |response: &Response| Response {
            body: Default::default(),
            ..response.clone()
        };
        compare(
            &self.request,
            &without_body(&self.production),
            &without_body(answer),
        )
    }
}

/// Bodies are kept without their content-coding.
fn add_headers(headers: &mut Headers, message: &StoredMessage) {
    const CODED: [&str; 3] = ["content-encoding", "content-length", "transfer-encoding"];
    for (name, value) in &message.headers {
        if !CODED.iter().any(|coded| name.eq_ignore_ascii_case(coded)) {
            headers.append(name, value.as_bytes());
        }
    }
}
