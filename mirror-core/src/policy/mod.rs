//! Which exchanges go on, and what of them may leave the host.
//!
//! `Policy::admit` is the only way to make an [`Envelope`] from an exchange, and the transport takes nothing else: what
//! was not judged and redacted cannot be stored or replayed.

mod envelope;
mod wire;

use std::sync::Arc;

use mirror_contract::HEADER_REPLAY;

use crate::exchange::{Exchange, Fault, Headers};
use crate::identity::Identity;
use crate::ledger::Outcome;

pub use envelope::Envelope;
pub use wire::WireError;

pub use mirror_contract::{Route, RouteError};

/// Methods that are safe by definition (RFC 9110 §9.2.1) and that a replay can send again.
/// TRACE is safe too, but it echoes the request, credentials included, so it stays out.
const SAFE: [&str; 3] = ["GET", "HEAD", "OPTIONS"];

/// Header fields that carry secrets and are taken out unless kept by name.
pub const SECRETS: [&str; 6] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "x-api-key",
    "x-auth-token",
];

crate::options! {
    /// What may be replayed, and what of it may leave the host.
    #[derive(Clone, Debug)]
    pub struct Policy("What may be replayed") {
        /// Route with an unsafe method that may be replayed, as in 'POST /orders' (repeatable)
        #[option("allow", "ROUTE", live)]
        pub allow: Vec<Route>,
        /// Secret header that may go to the mirror, as in authorization (repeatable)
        #[option("keep-header", "NAME", live)]
        pub keep_headers: Vec<String>,
    }
}

impl Policy {
    /// Lets an exchange through, or says how it ends. `identify` is called before anything is redacted, and only for an
    /// exchange that goes on.
    pub fn admit(
        &self,
        host: &Arc<str>,
        mut exchange: Exchange,
        identify: impl FnOnce(&Exchange) -> Identity,
    ) -> Result<Envelope, Outcome> {
        self.judge(&exchange)?;
        let identity = identify(&exchange);
        self.redact(&mut exchange.request.headers);
        exchange
            .request
            .trailers
            .retain(|name| !self.is_secret(name));
        if let Some(response) = &mut exchange.response {
            self.redact(&mut response.headers);
            response.trailers.retain(|name| !self.is_secret(name));
        }
        Ok(Envelope {
            host: Arc::clone(host),
            exchange,
            identity,
            snapshot: None,
        })
    }

    /// What `admit` decides, without consuming the exchange.
    pub fn judge(&self, exchange: &Exchange) -> Result<(), Outcome> {
        let request = &exchange.request;
        match request.fault {
            Some(Fault::Gap) => return Err(Outcome::DroppedGap),
            Some(Fault::Truncated) => return Err(Outcome::DroppedTruncated),
            Some(Fault::TooLarge | Fault::HeadTooLarge) => return Err(Outcome::DroppedTooLarge),
            Some(Fault::Ambiguous(_)) => return Err(Outcome::DroppedAmbiguous),
            None => {}
        }
        if exchange.one_sided {
            return Err(Outcome::DroppedOneSide);
        }
        if request.headers.first(HEADER_REPLAY).is_some() {
            return Err(Outcome::FilteredReplayed);
        }
        if is_switch(exchange) {
            return Err(Outcome::NotReplayedUpgrade);
        }
        let safe = SAFE.contains(&request.method.as_str());
        let allowed = || {
            let mut routes = self.allow.iter();
            routes.any(|route| route.matches(&request.method, &request.target))
        };
        if safe || allowed() {
            Ok(())
        } else {
            Err(Outcome::FilteredMethod)
        }
    }

    fn redact(&self, headers: &mut Headers) {
        headers.retain(|name| !self.is_secret(name));
    }

    fn is_secret(&self, name: &str) -> bool {
        let is = |other: &str| other.eq_ignore_ascii_case(name);
        SECRETS.iter().any(|s| is(s)) && !self.keep_headers.iter().any(|k| is(k))
    }
}

/// Whether the connection switches to another protocol with this request: the server did, or a WebSocket was asked for,
/// which is not a request without its `upgrade`. A server may ignore any other wish to switch, as for h2c (RFC 9110
/// §7.8), and then it is a request like others. CONNECT is refused for its method.
fn is_switch(exchange: &Exchange) -> bool {
    let names_websocket = |value: &[u8]| {
        let mut names = value.split(|byte| *byte == b',');
        names.any(|name| name.trim_ascii().eq_ignore_ascii_case(b"websocket"))
    };
    let request = &exchange.request;
    let is_upgrade = exchange.is_upgrade() && request.method != "CONNECT";
    is_upgrade || request.upgrade().is_some_and(names_websocket)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use bytes::Bytes;
    use mirror_contract::{Candidates, IdRules, RequestId};

    use crate::exchange::{Ambiguity, Body, Request, Response, Timing};
    use crate::identity::Identifier;
    use crate::time::Timestamp;

    /// An exchange with something in every member, as policy lets it out.
    pub(crate) fn envelope() -> Envelope {
        let mut exchange = exchange("POST", "/orders?q=\u{e4}", &[("Host", "shop"), ("A", "b")]);
        exchange.connection = 7;
        exchange.index = 2;
        exchange.origin = 3;
        exchange.client = "[2001:db8::1]:40000".parse().unwrap();
        exchange.peer = "10.0.0.9:5000".parse().unwrap();
        exchange.timing = Timing {
            request_first: Timestamp(1_000_000),
            request_last: Timestamp(2_000_000),
            response_first: Some(Timestamp(3_000_000)),
            response_last: Some(Timestamp(4_000_000)),
        };
        exchange.request.body = Body::from(Bytes::from_static(b"{\"userId\":42}"));
        exchange.response = Some(Response {
            headers: [("Content-Type", "text/plain")].into_iter().collect(),
            body: Body::from(Bytes::from_static(b"ok\xff")),
            trailers: [("Digest", "x")].into_iter().collect(),
            fault: Some(Fault::Ambiguous(Ambiguity::Chunk)),
            ..Response::new(200)
        });
        let identity = Identity {
            candidates: Candidates {
                ids: ["a-1", "a-2"].map(|id| RequestId::new(id).unwrap()).into(),
                counted: true,
                bucket_seconds: 1,
            },
            ..Identifier::default().identify(&exchange)
        };
        let policy = Policy {
            allow: vec!["POST /orders".parse().unwrap()],
            ..Policy::default()
        };
        policy
            .admit(&"web-1".into(), exchange, |_| identity)
            .unwrap()
    }

    #[test]
    fn redaction_breaks_neither_the_id_nor_the_owner() {
        let identifier = Identifier {
            rules: IdRules::parse(&["md5(\"{header:authorization}\")"]).unwrap(),
            ..Identifier::default()
        };
        let sent = exchange("GET", "/", &[("Authorization", "Bearer x")]);
        let before = identifier.identify(&sent);
        let identify = |exchange: &Exchange| identifier.identify(exchange);
        let envelope = Policy::default()
            .admit(&"host".into(), sent, identify)
            .unwrap();
        assert_eq!(envelope.identity(), &before);
        assert_eq!(before.candidates.ids.len(), 1);
        assert!(envelope.exchange().request.headers.is_empty());
    }

    fn exchange(method: &str, target: &str, headers: &[(&str, &str)]) -> Exchange {
        let address = "127.0.0.1:80".parse().unwrap();
        let request = Request {
            headers: headers.iter().copied().collect(),
            ..Request::new(method, target.to_owned())
        };
        Exchange::new(address, address, request)
    }

    fn check(allow: &[&str], method: &str, target: &str, expect: Result<(), Outcome>) {
        let policy = Policy {
            allow: allow.iter().map(|r| r.parse().unwrap()).collect(),
            keep_headers: vec![],
        };
        let got = policy.judge(&exchange(method, target, &[]));
        assert_eq!(got, expect, "{method} {target} with {allow:?}");
    }

    #[test]
    fn only_safe_methods_pass_unless_a_route_is_allowed() {
        check(&[], "GET", "/", Ok(()));
        check(&[], "HEAD", "/", Ok(()));
        check(&[], "POST", "/orders", Err(Outcome::FilteredMethod));
        check(&[], "TRACE", "/", Err(Outcome::FilteredMethod));
        check(&["POST /orders"], "POST", "/orders?x=1", Ok(()));
        check(
            &["POST /orders"],
            "POST",
            "/orders/7",
            Err(Outcome::FilteredMethod),
        );
        check(&["POST /orders/*"], "POST", "/orders/7", Ok(()));
        check(
            &["POST /orders"],
            "PUT",
            "/orders",
            Err(Outcome::FilteredMethod),
        );
    }

    #[test]
    fn a_request_that_carries_the_mark_is_never_replayed() {
        let got = Policy::default().judge(&exchange("GET", "/", &[(HEADER_REPLAY, "1")]));
        assert_eq!(got, Err(Outcome::FilteredReplayed));
    }

    #[test]
    fn a_protocol_switch_is_never_replayed() {
        let check = |upgrade: &str, status: Option<u16>, expect| {
            let fields = [("Connection", "upgrade"), ("Upgrade", upgrade)];
            let mut switch = exchange("GET", "/ws", &fields);
            switch.response = status.map(Response::new);
            let got = Policy::default().judge(&switch);
            assert_eq!(got, expect, "{upgrade}, answered {status:?}");
        };
        let upgrade = Err(Outcome::NotReplayedUpgrade);
        check("websocket", Some(101), upgrade);
        check("h2c", Some(101), upgrade);
        check("h2c, WebSocket", Some(400), upgrade);
        check("websocket", None, upgrade);
        check("h2c", Some(200), Ok(()));
        check("h2c", None, Ok(()));
        check("websockets", Some(200), Ok(()));
    }

    #[test]
    fn a_request_that_is_not_whole_is_never_replayed() {
        let mut broken = exchange("GET", "/", &[]);
        broken.request.fault = Some(Fault::Gap);
        assert_eq!(Policy::default().judge(&broken), Err(Outcome::DroppedGap));
    }

    #[test]
    fn a_request_that_nobody_is_known_to_have_received_is_never_replayed() {
        let mut forged = exchange("GET", "/", &[]);
        forged.one_sided = true;
        assert_eq!(
            Policy::default().judge(&forged),
            Err(Outcome::DroppedOneSide)
        );
    }

    #[test]
    fn secrets_leave_only_when_kept_by_name() {
        let headers = [("Authorization", "Bearer x"), ("Cookie", "a=b"), ("A", "b")];
        let policy = Policy {
            allow: vec![],
            keep_headers: vec!["cookie".into()],
        };
        let admitted = policy
            .admit(&"host".into(), exchange("GET", "/", &headers), |_| {
                Identity::default()
            })
            .unwrap();
        let names: Vec<_> = admitted
            .exchange
            .request
            .headers
            .iter()
            .map(|(n, _)| n)
            .collect();
        assert_eq!(names, ["Cookie", "A"]);
    }
}
