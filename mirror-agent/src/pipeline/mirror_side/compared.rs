//! The answers to one request, compared with production's.

use super::send::{Answer, Answers};
use crate::config::Config;
use mirror_core::compare::{Asked, Comparison, compare_light};
use mirror_core::exchange::{Request, Response};

/// Production's answer compared with the others.
pub(super) struct Compared {
    pub(super) mirror: Comparison,
    pub(super) control: Option<Comparison>,
}

/// `None` when one of the comparisons needs more memory.
pub(super) fn compare_all_light(
    config: &Config,
    request: &Request,
    production: &Response,
    answers: &Answers,
) -> Option<Compared> {
    let light = |answer: &Answer| {
        let asked = asked(request, &answer.authority);
        compare_light(&config.compare, asked, production, &answer.response)
    };
    Some(Compared {
        mirror: light(&answers.mirror)?,
        control: match &answers.control {
            None => None,
            Some(control) => Some(light(control)?),
        },
    })
}

pub(super) fn asked<'a>(request: &'a Request, authority: &'a str) -> Asked<'a> {
    Asked {
        request: Some(request),
        mirror_authority: Some(authority),
    }
}
