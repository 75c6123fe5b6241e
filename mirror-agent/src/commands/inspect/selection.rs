//! Which exchanges are shown.

use anyhow::{Context, bail};
use glob::Pattern;
use mirror_agent::cli::Inspect;
use mirror_agent::traffic::authority;
use mirror_core::exchange::Exchange;

pub(super) struct Selection {
    methods: Vec<String>,
    paths: Vec<Pattern>,
    hosts: Vec<Pattern>,
    statuses: Vec<Statuses>,
    connection: Option<u64>,
}

/// None for no answer.
type Statuses = Option<std::ops::RangeInclusive<u16>>;

impl Selection {
    pub(super) fn new(options: &Inspect) -> anyhow::Result<Self> {
        let lower: Vec<String> = options
            .host
            .iter()
            .map(|h| h.to_ascii_lowercase())
            .collect();
        Ok(Self {
            methods: options.method.clone(),
            paths: patterns(&options.path)?,
            hosts: patterns(&lower)?,
            statuses: options
                .status
                .iter()
                .map(|text| statuses(text))
                .collect::<anyhow::Result<_>>()?,
            connection: options.follow,
        })
    }

    pub(super) fn takes(&self, exchange: &Exchange) -> bool {
        let request = &exchange.request;
        let status = exchange.response.as_ref().map(|response| response.status);
        let is = |wanted: &Statuses| match (wanted, status) {
            (Some(range), Some(status)) => range.contains(&status),
            (None, None) => true,
            _ => false,
        };
        let any = |empty: bool, mut found: bool| {
            found |= empty;
            found
        };
        let methods = &self.methods;
        self.connection
            .is_none_or(|number| number == exchange.connection)
            && any(
                methods.is_empty(),
                methods
                    .iter()
                    .any(|m| m.eq_ignore_ascii_case(&request.method)),
            )
            && any(self.statuses.is_empty(), self.statuses.iter().any(is))
            && any(
                self.paths.is_empty(),
                self.paths.iter().any(|path| path.matches(&exchange.path())),
            )
            && (self.hosts.is_empty() || self.takes_host(exchange))
    }

    fn takes_host(&self, exchange: &Exchange) -> bool {
        let host = authority(exchange).to_ascii_lowercase();
        let without_port = host
            .rsplit_once(':')
            .map_or(host.as_str(), |(name, _)| name);
        let is = |pattern: &Pattern| pattern.matches(&host) || pattern.matches(without_port);
        self.hosts.iter().any(is)
    }
}

fn patterns(texts: &[String]) -> anyhow::Result<Vec<Pattern>> {
    let parse = |text: &String| {
        Pattern::new(text).with_context(|| format!("{text:?} is no pattern: use * for anything"))
    };
    texts.iter().map(parse).collect()
}

fn statuses(text: &str) -> anyhow::Result<Statuses> {
    let digit = |c: Option<char>| c.and_then(|c| c.to_digit(10)).map(|digit| digit as u16);
    let range = match text.split_once('-') {
        _ if text == "none" => return Ok(None),
        Some((from, to)) => from.parse().ok().zip(to.parse().ok()),
        None if text.len() == 3 && text.ends_with("xx") => {
            digit(text.chars().next()).map(|class| (class * 100, class * 100 + 99))
        }
        None => text.parse().ok().map(|status| (status, status)),
    };
    match range {
        Some((from, to)) if from <= to => Ok(Some(from..=to)),
        _ => bail!("{text:?} is no status: use 404, 5xx, 200-299 or none"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_numbers_classes_and_ranges() {
        let check = |text: &str, expect: Option<Statuses>| {
            assert_eq!(statuses(text).ok(), expect, "{text}");
        };
        check("404", Some(Some(404..=404)));
        check("5xx", Some(Some(500..=599)));
        check("200-299", Some(Some(200..=299)));
        check("none", Some(None));
        for bad in ["", "xx", "axx", "299-200", "ok", "70000", "2x"] {
            check(bad, None);
        }
    }
}
