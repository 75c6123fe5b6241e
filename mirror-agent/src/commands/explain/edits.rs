//! What would be done to a request after policy has let it through. The mirror's own values are not known here: what would be
//! carried is said, and keeps production's value.

use mirror_agent::cli::ExplainOptions;
use mirror_agent::replay::edited;
use mirror_core::exchange::Request;
use mirror_core::policy::Envelope;
use mirror_core::session::{Carry, CarryOrigin};

/// Stands for the target's host, which nobody has named.
const TARGET: &str = "(target)";

pub(super) struct Editor<'o> {
    options: &'o ExplainOptions,
    carry: Option<Carry>,
}

/// A request as it would be sent, but for credentials, and what was done to it.
pub(super) struct Edited {
    pub(super) request: Request,
    /// A line for each edit.
    pub(super) edits: Vec<String>,
}

impl<'o> Editor<'o> {
    pub(super) fn new(options: &'o ExplainOptions) -> Self {
        let rules = &options.carry.rules;
        let carry = || Carry::rehearsal(rules.clone());
        Self {
            options,
            carry: rules.is_on().then(carry),
        }
    }

    pub(super) fn edited(&mut self, envelope: &Envelope) -> Edited {
        let now = envelope.exchange().captured_at();
        let rewrite = &self.options.rewrite;
        let prepared = edited(
            envelope,
            self.carry.as_mut(),
            rewrite,
            || TARGET.into(),
            now,
        );
        self.rehearse(envelope);
        let carried = prepared.carried.replaced.iter().map(|replaced| {
            let (place, source) = (&replaced.place, &replaced.learnt_from);
            format!("carried: {place}, where the mirror has its own from {source}")
        });
        let dropped = prepared.conditions.dropped.iter();
        let dropped =
            dropped.map(|name| format!("dropped: {name}, which has a validator of production's"));
        let rewritten = prepared.rewritten.iter();
        let rewritten = rewritten.map(|rule| format!("rewritten: {rule}"));
        let mut edits: Vec<String> = carried.chain(dropped).chain(rewritten).collect();
        let credentials = &self.options.credentials;
        let headers = credentials.headers.iter();
        edits.extend(headers.map(|source| format!("credential: {}", source.name())));
        Edited {
            request: prepared.request,
            edits,
        }
    }

    /// Takes production's answer for the mirror's: what could be carried from it is known to the next requests.
    fn rehearse(&mut self, envelope: &Envelope) {
        let exchange = envelope.exchange();
        if let (Some(carry), Some(response)) = (&mut self.carry, &exchange.response) {
            let from = CarryOrigin {
                host: envelope.host(),
                exchange,
            };
            carry.learn(from, response, exchange.captured_at());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mirror_agent::config::keep_what_login_needs;
    use mirror_core::exchange::{Exchange, Response};
    use mirror_core::identity::Identity;
    use mirror_core::options::{Given, Options, Origin};

    use super::*;

    fn options(given: &[(&str, &str)]) -> ExplainOptions {
        let mut all = Given::default();
        for (key, text) in given {
            all.set(key, vec![(*text).into()], Origin::Flag);
        }
        let mut options = ExplainOptions::read(&all).unwrap();
        let ExplainOptions {
            policy,
            credentials,
            carry,
            ..
        } = &mut options;
        keep_what_login_needs(policy, credentials, carry).unwrap();
        options
    }

    fn exchange(asked: &[(&str, &str)], status: u16, answered: &[(&str, &str)]) -> Exchange {
        let mut request = Request::new("GET", "/page");
        request.headers = asked.iter().copied().collect();
        let mut response = Response::new(status);
        response.headers = answered.iter().copied().collect();
        let address = "127.0.0.1:80".parse().unwrap();
        let mut exchange = Exchange::new(address, address, request);
        exchange.response = Some(Box::new(response));
        exchange
    }

    fn edited(options: &ExplainOptions, exchanges: &[Exchange]) -> Vec<Edited> {
        let mut editor = Editor::new(options);
        let host: Arc<str> = "web-1".into();
        let edited = exchanges.iter().map(|exchange| {
            let admitted = options
                .policy
                .admit(&host, exchange.clone(), |_| Identity::default());
            editor.edited(&admitted.unwrap())
        });
        edited.collect()
    }

    #[test]
    fn every_edit_is_a_line() {
        let options = options(&[
            ("carry", "all"),
            ("rewrite", "GET /page => host target"),
            ("credential", "x-key: $KEY"),
        ]);
        let login = exchange(&[], 200, &[("Set-Cookie", "sid=hunter2-0123456789")]);
        let later = [
            ("Cookie", "sid=hunter2-0123456789"),
            ("If-None-Match", "\"old\""),
        ];
        let [_, later] = &edited(&options, &[login, exchange(&later, 200, &[])])[..] else {
            panic!("two were admitted");
        };
        assert_eq!(
            later.edits,
            [
                "carried: cookie:sid, where the mirror has its own from GET /page cookie:sid",
                "dropped: if-none-match, which has a validator of production's",
                "rewritten: GET /page => host target",
                "credential: x-key",
            ]
        );
        let host = later.request.headers.first("host");
        assert_eq!(host, Some(TARGET.as_bytes()));
        assert!(!format!("{:?}", later.request).contains("hunter2"));
    }

    #[test]
    fn nothing_is_said_where_nothing_is_done() {
        let sent = exchange(&[("If-None-Match", "\"a\"")], 304, &[]);
        let [edited] = &edited(&options(&[]), &[sent])[..] else {
            panic!("one was admitted");
        };
        assert!(edited.edits.is_empty(), "{:?}", edited.edits);
    }
}
