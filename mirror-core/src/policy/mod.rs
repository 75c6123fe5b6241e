//! Which exchanges go on, and what of them may leave the host.
//!
//! `Policy::admit` is the only way to make an [`Envelope`] from an exchange, and the transport takes nothing else: what
//! was not judged and redacted cannot be stored or replayed.

mod envelope;
mod explain;
mod fair;
mod redact;
mod rule;
mod share;
mod wire;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use mirror_contract::HEADER_REPLAY;

use crate::exchange::{Exchange, Fault};
use crate::identity::Identity;
use crate::ledger::Outcome;
use crate::verdict::Basis;

use redact::Trace;
use rule::{Sense, View};

pub use envelope::{Access, Envelope};
pub use explain::Explanation;
pub use fair::FairRate;
pub use redact::{KeyTooShort, Mode, RedactKey, RedactRule, Redaction, Redactor};
pub use rule::Rule;
pub use share::ReplayShare;
pub use wire::WireError;

/// Methods that are safe by definition (RFC 9110 §9.2.1) and that a replay can send again.
/// TRACE is safe too, but it echoes the request, credentials included, so it stays out.
const SAFE: [&str; 3] = ["GET", "HEAD", "OPTIONS"];

crate::options! {
    /// What may be replayed, and what of it may leave the host.
    #[derive(Clone, Debug)]
    pub struct Policy("What may be replayed") {
        /// Requests that may be replayed, as in 'POST /orders' or 'POST /orders/* where host = shop.example'. GET, HEAD and
        /// OPTIONS may be anywhere, unless an --allow names the method: then only there (repeatable)
        #[option("allow", "RULE", live)]
        pub allow: Vec<Rule>,
        /// Requests that are never replayed, as in 'GET /logout', 'GET /**/delete' or "where header:user-agent ~ '^kube-probe'";
        /// it wins over --allow and --reads (repeatable)
        #[option("deny", "RULE", live)]
        pub deny: Vec<Rule>,
        /// Requests that only read though their method does not say so, as in 'POST /_search' or
        /// 'POST /graphql where graphql = query': they may be replayed, and count as reads (repeatable)
        #[option("reads", "RULE", live)]
        pub reads: Vec<Rule>,
        /// Replay writes without the snapshot of the very request: each changes the mirror's own data
        #[option("allow-unsnapshotted-writes", "", live)]
        pub allow_unsnapshotted_writes: bool,
        /// Share of the requests to replay, as in 5%, '5% by cookie:sid' or 'GET /search/** => 1% by client'; the first that is
        /// for a request decides. --sample chooses connections before it (repeatable)
        #[option("replay-share", "SHARE", live)]
        pub shares: Vec<ReplayShare>,
        /// Secret header that may go to the mirror, as in authorization; nothing stores or shows it (repeatable)
        #[option("keep-header", "NAME", live)]
        pub keep_headers: Vec<String>,
        /// What to hide in requests and in both answers, and how: remove, mask or token, as in 'json:/user/email => token',
        /// 'query:token => mask', 'header:x-user => remove', 'detect:card => mask' (repeatable)
        #[option("redact", "RULE", live)]
        pub redact: Vec<RedactRule>,
        /// File with the key of the tokens, of 16 bytes or more; the same on all hosts
        #[option("redact-key-file", "FILE")]
        pub key_file: Option<PathBuf>,
        #[not_an_option("read from the key file by whoever may read files")]
        pub key: Option<RedactKey>,
        #[not_an_option("set where the mirror's own key signs web tokens anew")]
        pub keeps_claims: bool,
        #[not_an_option("made of the rules when it is first asked for")]
        redactor: OnceLock<Arc<Redactor>>,
    }
}

/// Why an exchange goes on, and as what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    pub access: Access,
    /// The rule that decided; none for a method that is safe.
    pub rule: Option<String>,
}

/// How an exchange ends here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub outcome: Outcome,
    /// The rule that decided, or what is wrong, where more is known than the outcome says.
    pub reason: Option<String>,
}

impl From<Outcome> for Refusal {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            reason: None,
        }
    }
}

impl Refusal {
    fn because(outcome: Outcome, reason: impl Into<String>) -> Self {
        Self {
            outcome,
            reason: Some(reason.into()),
        }
    }
}

impl Policy {
    /// The defaults, with these rules of `--allow`.
    pub fn allowing(allow: Vec<Rule>) -> Self {
        Self {
            allow,
            ..Self::default()
        }
    }

    /// What concerns several options: rules that can never decide anything, and tokens without a key.
    pub fn check(&self) -> Result<(), String> {
        for (name, rules) in [("allow", &self.allow), ("reads", &self.reads)] {
            for rule in rules {
                if let Some(deny) = self.deny.iter().find(|deny| deny.covers(rule)) {
                    return Err(format!(
                        "--{name} `{rule}` can never decide: --deny `{deny}` wins over it. Leave one of the two out, or make --deny narrower"
                    ));
                }
            }
        }
        let is_safe = |rule: &&Rule| rule.method().is_some_and(|method| SAFE.contains(&method));
        if let Some(rule) = self.reads.iter().find(is_safe) {
            return Err(format!(
                "--reads `{rule}` changes nothing: GET, HEAD and OPTIONS only read. To replay no others of that method, use --allow; to keep them out, --deny"
            ));
        }
        if self.key.is_none() && self.redact.iter().any(RedactRule::needs_key) {
            return Err(
                "--redact with `=> token` needs --redact-key-file FILE: make the key with `head -c 32 /dev/urandom | base64 > redact.key`, and give all hosts the same".into(),
            );
        }
        let both = |name: &&String| self.redact.iter().any(|rule| rule.hides_header(name));
        if let Some(name) = self.keep_headers.iter().find(both) {
            return Err(format!(
                "--keep-header {name} and a --redact rule for it contradict each other: leave one of the two out"
            ));
        }
        Ok(())
    }

    /// The first rule that allows writes by their method.
    pub fn writes(&self) -> Option<&Rule> {
        let is_write = |method| Access::of(method) == Access::Write;
        let mut rules = self.allow.iter();
        rules.find(|rule| rule.method().is_some_and(is_write))
    }

    /// Lets an exchange through, or says how it ends. `identify` is called before anything is redacted, and only for an
    /// exchange that is not refused by a rule.
    pub fn admit(
        &self,
        host: &Arc<str>,
        exchange: Exchange,
        identify: impl FnOnce(&Exchange) -> Identity,
    ) -> Result<Envelope, Refusal> {
        let (envelope, _) = self.admit_traced(host, exchange, identify, &mut Trace::default())?;
        Ok(envelope)
    }

    fn admit_traced(
        &self,
        host: &Arc<str>,
        mut exchange: Exchange,
        identify: impl FnOnce(&Exchange) -> Identity,
        trace: &mut Trace,
    ) -> Result<(Envelope, Permission), Refusal> {
        let permission = self.judge(&exchange)?;
        let identity = self.choose(&exchange, identify)?;
        let redactor = self.redactor();
        redactor
            .redact_request(&mut exchange.request, trace)
            .map_err(|why| Refusal::because(Outcome::FilteredUnreadable, why.to_string()))?;
        if let Some(response) = &mut exchange.response {
            redactor.response(response, trace);
        }
        let envelope = Envelope {
            host: Arc::clone(host),
            exchange,
            identity,
            access: permission.access,
            kept: Arc::clone(redactor.kept()),
            snapshot: None,
        };
        Ok((envelope, permission))
    }

    /// What rules decide of an exchange, without consuming it.
    pub fn judge(&self, exchange: &Exchange) -> Result<Permission, Refusal> {
        let request = &exchange.request;
        match request.fault {
            Some(Fault::Gap) => return Err(Outcome::DroppedGap.into()),
            Some(Fault::Truncated) => return Err(Outcome::DroppedTruncated.into()),
            Some(Fault::TooLarge | Fault::HeadTooLarge) => {
                return Err(Outcome::DroppedTooLarge.into());
            }
            Some(Fault::Ambiguous(_)) => return Err(Outcome::DroppedAmbiguous.into()),
            None => {}
        }
        if exchange.one_sided {
            return Err(Outcome::DroppedOneSide.into());
        }
        if request.headers.first(HEADER_REPLAY).is_some() {
            return Err(Outcome::FilteredReplayed.into());
        }
        if is_switch(exchange) {
            return Err(Outcome::NotReplayedUpgrade.into());
        }
        self.access(&View::new(exchange))
    }

    /// Rules in their order: what is denied is out, then what only reads is in, then what is allowed by name, then safe
    /// methods that no rule names.
    fn access(&self, view: &View<'_>) -> Result<Permission, Refusal> {
        if let Some(rule) = self
            .deny
            .iter()
            .find(|rule| rule.fits(view, Sense::KeepOut))
        {
            return Err(Refusal::because(
                Outcome::FilteredRule,
                format!("--deny {rule}"),
            ));
        }
        let by = |access, name, rule: &Rule| Permission {
            access,
            rule: Some(format!("--{name} {rule}")),
        };
        if let Some(rule) = self.reads.iter().find(|rule| rule.fits(view, Sense::LetIn)) {
            return Ok(by(Access::Read, "reads", rule));
        }
        let method = view.exchange().request.method.as_str();
        let access = Access::of(method);
        if let Some(rule) = self.allow.iter().find(|rule| rule.fits(view, Sense::LetIn)) {
            return Ok(by(access, "allow", rule));
        }
        if access == Access::Write {
            return Err(Outcome::FilteredMethod.into());
        }
        if self.allow.iter().any(|rule| rule.method() == Some(method)) {
            let reason = format!("no --allow for {method} fits");
            return Err(Refusal::because(Outcome::FilteredRule, reason));
        }
        Ok(Permission { access, rule: None })
    }

    /// The identity of an exchange that is in the share that is replayed.
    fn choose(
        &self,
        exchange: &Exchange,
        identify: impl FnOnce(&Exchange) -> Identity,
    ) -> Result<Identity, Refusal> {
        let view = View::new(exchange);
        let Some(share) = share::of(&self.shares, &view) else {
            return Ok(identify(exchange));
        };
        let refusal =
            || Refusal::because(Outcome::FilteredSample, format!("--replay-share {share}"));
        if share.needs_identity() {
            let identity = identify(exchange);
            return share
                .takes(&view, Some(&identity))
                .then_some(identity)
                .ok_or_else(refusal);
        }
        if !share.takes(&view, None) {
            return Err(refusal());
        }
        Ok(identify(exchange))
    }

    /// Whether an exchange may be replayed with the data that was found for it: a write needs the snapshot of the very
    /// request.
    pub fn may_write(&self, envelope: &Envelope, basis: Basis) -> Result<(), Outcome> {
        let has_snapshot = basis == Basis::Snapshot;
        match envelope.access {
            Access::Write if !has_snapshot && !self.allow_unsnapshotted_writes => {
                Err(Outcome::FilteredWrite)
            }
            _ => Ok(()),
        }
    }

    /// What hides secrets, as the rules say.
    pub fn redactor(&self) -> &Arc<Redactor> {
        self.redactor.get_or_init(|| {
            Arc::new(Redactor::new(
                &self.redact,
                &self.keep_headers,
                self.key.clone(),
                self.keeps_claims,
            ))
        })
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
    use crate::options::FromText;
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
        exchange.response = Some(Box::new(Response {
            headers: [("Content-Type", "text/plain")].into_iter().collect(),
            body: Body::from(Bytes::from_static(b"ok\xff")),
            trailers: [("Digest", "x")].into_iter().collect(),
            fault: Some(Fault::Ambiguous(Ambiguity::Chunk)),
            ..Response::new(200)
        }));
        let identity = Identity {
            candidates: Candidates {
                ids: ["a-1", "a-2"].map(|id| RequestId::new(id).unwrap()).into(),
                counted: true,
                bucket_seconds: 1,
            },
            ..Identifier::default().identify(&exchange)
        };
        let policy = Policy {
            allow: rules(&["POST /orders"]),
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

    fn rules(texts: &[&str]) -> Vec<Rule> {
        let rule = |text: &&str| Rule::from_text(text).unwrap();
        texts.iter().map(rule).collect()
    }

    fn judged(policy: &Policy, exchange: &Exchange) -> Result<(), Outcome> {
        let judged = policy.judge(exchange);
        judged.map(|_| ()).map_err(|refusal| refusal.outcome)
    }

    fn check(allow: &[&str], method: &str, target: &str, expect: Result<(), Outcome>) {
        let policy = Policy {
            allow: rules(allow),
            ..Policy::default()
        };
        let got = judged(&policy, &exchange(method, target, &[]));
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
        let got = judged(
            &Policy::default(),
            &exchange("GET", "/", &[(HEADER_REPLAY, "1")]),
        );
        assert_eq!(got, Err(Outcome::FilteredReplayed));
    }

    #[test]
    fn a_protocol_switch_is_never_replayed() {
        let check = |upgrade: &str, status: Option<u16>, expect| {
            let fields = [("Connection", "upgrade"), ("Upgrade", upgrade)];
            let mut switch = exchange("GET", "/ws", &fields);
            switch.response = status.map(Response::new).map(Box::new);
            let got = judged(&Policy::default(), &switch);
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
        assert_eq!(
            judged(&Policy::default(), &broken),
            Err(Outcome::DroppedGap)
        );
    }

    #[test]
    fn a_request_that_nobody_is_known_to_have_received_is_never_replayed() {
        let mut forged = exchange("GET", "/", &[]);
        forged.one_sided = true;
        assert_eq!(
            judged(&Policy::default(), &forged),
            Err(Outcome::DroppedOneSide)
        );
    }

    #[test]
    fn secrets_leave_only_when_kept_by_name() {
        let headers = [("Authorization", "Bearer x"), ("Cookie", "a=b"), ("A", "b")];
        let policy = Policy {
            keep_headers: vec!["cookie".into()],
            ..Policy::default()
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

    /// What a request ends with under some rules, and why.
    fn ends(policy: &Policy, method: &str, target: &str) -> (Option<Outcome>, String) {
        match policy.judge(&exchange(method, target, &[])) {
            Ok(permission) => (None, permission.rule.unwrap_or_default()),
            Err(refusal) => (Some(refusal.outcome), refusal.reason.unwrap_or_default()),
        }
    }

    #[test]
    fn deny_wins_then_the_first_rule_that_fits_decides() {
        let policy = Policy {
            deny: rules(&["GET /logout", "GET /**/delete", "POST /orders/9"]),
            allow: rules(&["POST /orders/*", "POST /**"]),
            reads: rules(&["POST /_search"]),
            ..Policy::default()
        };
        let check = |method: &str, target: &str, outcome: Option<Outcome>, why: &str| {
            let expect = (outcome, why.to_owned());
            assert_eq!(ends(&policy, method, target), expect, "{method} {target}");
        };
        let denied = Some(Outcome::FilteredRule);
        check("GET", "/logout", denied, "--deny GET /logout");
        check("GET", "/%6cogout?x", denied, "--deny GET /logout");
        check("GET", "/a/b/delete", denied, "--deny GET /**/delete");
        check("GET", "/a", None, "");
        check("POST", "/orders/9", denied, "--deny POST /orders/9");
        check("POST", "/orders/7", None, "--allow POST /orders/*");
        check("POST", "/other", None, "--allow POST /**");
        check("POST", "/_search", None, "--reads POST /_search");
        check("PUT", "/other", Some(Outcome::FilteredMethod), "");
    }

    #[test]
    fn a_method_that_is_allowed_by_name_is_replayed_there_only() {
        let policy = Policy {
            allow: rules(&["GET /api/**", "* /search"]),
            ..Policy::default()
        };
        let ends = |method: &str, target: &str| ends(&policy, method, target).0;
        assert_eq!(ends("GET", "/api/a"), None);
        assert_eq!(ends("GET", "/other"), Some(Outcome::FilteredRule));
        assert_eq!(ends("GET", "/search"), None);
        assert_eq!(ends("HEAD", "/other"), None, "no rule names it");
        assert_eq!(ends("POST", "/search"), None);
        assert_eq!(ends("POST", "/api/a"), Some(Outcome::FilteredMethod));
    }

    #[test]
    fn rules_that_decide_nothing_are_refused() {
        let key = || RedactKey::new(b"0123456789abcdef").ok();
        let redact = |text: &str| vec![RedactRule::from_text(text).unwrap()];
        let check = |policy: Policy, word: &str| {
            let error = policy.check().unwrap_err();
            assert!(error.contains(word), "{error}");
        };
        let default = Policy::default;
        check(
            Policy {
                allow: rules(&["POST /a"]),
                deny: rules(&["* /**"]),
                ..default()
            },
            "wins over it",
        );
        check(
            Policy {
                reads: rules(&["POST /a where query:x"]),
                deny: rules(&["POST /a"]),
                ..default()
            },
            "wins over it",
        );
        check(
            Policy {
                reads: rules(&["GET /a"]),
                ..default()
            },
            "changes nothing",
        );
        check(
            Policy {
                redact: redact("json:a => token"),
                ..default()
            },
            "--redact-key-file",
        );
        check(
            Policy {
                redact: redact("header:x-* => mask"),
                keep_headers: vec!["X-Api-Key".into()],
                ..default()
            },
            "contradict",
        );
        let fine = Policy {
            allow: rules(&["POST /a"]),
            deny: rules(&["POST /a where query:dry-run", "POST /a/b"]),
            redact: redact("json:a => token"),
            key: key(),
            ..default()
        };
        assert_eq!(fine.check(), Ok(()));
    }

    #[test]
    fn a_write_needs_the_snapshot_of_the_very_request() {
        let policy = |unsnapshotted| Policy {
            allow: rules(&["POST /orders"]),
            reads: rules(&["POST /_search"]),
            allow_unsnapshotted_writes: unsnapshotted,
            ..Policy::default()
        };
        let may = |unsnapshotted, method: &str, target: &str, basis| {
            let policy = policy(unsnapshotted);
            let admitted = policy.admit(&"h".into(), exchange(method, target, &[]), |_| {
                Identity::default()
            });
            policy.may_write(&admitted.unwrap(), basis)
        };
        for basis in [
            Basis::NotGated,
            Basis::Replica,
            Basis::NotRequired,
            Basis::Missing,
        ] {
            assert_eq!(
                may(false, "POST", "/orders", basis),
                Err(Outcome::FilteredWrite)
            );
            assert_eq!(may(true, "POST", "/orders", basis), Ok(()));
            assert_eq!(may(false, "POST", "/_search", basis), Ok(()));
            assert_eq!(may(false, "GET", "/orders", basis), Ok(()));
        }
        assert_eq!(may(false, "POST", "/orders", Basis::Snapshot), Ok(()));
    }

    #[test]
    fn what_is_not_in_the_share_is_filtered() {
        let policy = Policy {
            shares: vec![ReplayShare::from_text("GET /a => 0%").unwrap()],
            ..Policy::default()
        };
        let admitted = |target| {
            policy.admit(&"h".into(), exchange("GET", target, &[]), |_| {
                Identity::default()
            })
        };
        let refusal = admitted("/a").unwrap_err();
        assert_eq!(refusal.outcome, Outcome::FilteredSample);
        assert_eq!(
            refusal.reason.as_deref(),
            Some("--replay-share GET /a => 0%")
        );
        assert!(admitted("/b").is_ok());
    }
}
