//! Which exchanges go on, and what of them may leave the host.
//!
//! `Policy::admit` is the only way to make an [`Admitted`] exchange, and the transport takes
//! nothing else: what was not judged and redacted cannot be stored or replayed.

use mirror_contract::{Candidates, HEADER_REPLAY};

use crate::{
    exchange::{Exchange, Fault, Headers},
    ledger::Outcome,
};

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

#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Routes with unsafe methods that may be replayed all the same.
    pub allow: Vec<Route>,
    /// Names out of [`SECRETS`] that are left in.
    pub keep_headers: Vec<String>,
}

/// An exchange that may leave the host: judged, and without secrets.
#[derive(Debug)]
pub struct Admitted {
    exchange: Exchange,
    candidates: Candidates,
}

impl Admitted {
    pub fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// The ids that production may have filed its snapshot under, most likely first.
    pub fn candidates(&self) -> &Candidates {
        &self.candidates
    }

    /// Bytes of traffic that it holds in memory.
    pub fn held_bytes(&self) -> usize {
        let head = |headers: &Headers| -> usize {
            headers.iter().map(|(n, v)| n.len() + v.len() + 64).sum()
        };
        let request = &self.exchange.request;
        let response = self.exchange.response.as_ref();
        request.body.len()
            + head(&request.headers)
            + response.map_or(0, |r| r.body.len() + head(&r.headers))
    }
}

impl Policy {
    /// Lets an exchange through, or says how it ends.
    pub fn admit(
        &self,
        mut exchange: Exchange,
        candidates: Candidates,
    ) -> Result<Admitted, Outcome> {
        self.judge(&exchange)?;
        self.redact(&mut exchange.request.headers);
        if let Some(response) = &mut exchange.response {
            self.redact(&mut response.headers);
        }
        Ok(Admitted {
            exchange,
            candidates,
        })
    }

    /// What `admit` decides, without consuming the exchange.
    pub fn judge(&self, exchange: &Exchange) -> Result<(), Outcome> {
        let request = &exchange.request;
        match request.fault {
            Some(Fault::Gap) => return Err(Outcome::DroppedGap),
            Some(Fault::Truncated) => return Err(Outcome::DroppedTruncated),
            Some(Fault::TooLarge) => return Err(Outcome::DroppedTooLarge),
            Some(Fault::Ambiguous) => return Err(Outcome::DroppedAmbiguous),
            None => {}
        }
        if request.headers.first(HEADER_REPLAY).is_some() {
            return Err(Outcome::FilteredReplayed);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Request, Timing};

    fn exchange(method: &str, target: &str, headers: &[(&str, &str)]) -> Exchange {
        let address = "127.0.0.1:80".parse().unwrap();
        Exchange {
            connection: 0,
            index: 0,
            client: address,
            server: address,
            origin: 0,
            timing: Timing::default(),
            request: Request {
                headers: headers.iter().copied().collect(),
                ..Request::new(method, target.to_owned())
            },
            response: None,
        }
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
    fn a_request_that_is_not_whole_is_never_replayed() {
        let mut broken = exchange("GET", "/", &[]);
        broken.request.fault = Some(Fault::Gap);
        assert_eq!(Policy::default().judge(&broken), Err(Outcome::DroppedGap));
    }

    #[test]
    fn secrets_leave_only_when_kept_by_name() {
        let headers = [("Authorization", "Bearer x"), ("Cookie", "a=b"), ("A", "b")];
        let policy = Policy {
            allow: vec![],
            keep_headers: vec!["cookie".into()],
        };
        let admitted = policy
            .admit(exchange("GET", "/", &headers), Candidates::default())
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
