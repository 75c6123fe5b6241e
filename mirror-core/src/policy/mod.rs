//! Which exchanges go on, and what of them may leave the host.
//!
//! `Policy::admit` is the only way to make an [`Envelope`] from an exchange, and the transport takes nothing else: what
//! was not judged and redacted cannot be stored or replayed.

mod envelope;
mod explain;
mod fair;
mod readmit;
mod redact;
mod rule;
mod share;
mod wire;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use mirror_contract::HEADER_REPLAY;
use xxhash_rust::xxh3::xxh3_64;

use crate::exchange::{Exchange, Fault, Request};
use crate::identity::Identity;
use crate::ledger::Outcome;
use crate::verdict::Basis;

use redact::Trace;
use rule::{Sense, View};

pub use envelope::{Access, Envelope};
pub use explain::Explanation;
use fair::FairRate;
pub use fair::FairShare;
pub use redact::{HiddenValues, KeyTooShort, Mode, RedactKey, RedactRule, Redaction, Redactor};
pub use rule::{Rule, asks_for_another_method};
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
        /// Most requests a second to take for the replay; when more come, of each route the same share is taken, and the rest
        /// ends at once. With --max-rps they wait instead
        #[option("replay-rate", "N", live)]
        pub rate: Option<u32>,
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
        #[not_an_option("set where it is to be found again in what requests read and wrote")]
        pub remembers_hidden: bool,
        #[not_an_option("what has come so far, where there is a rate")]
        fair: OnceLock<Arc<Mutex<FairRate>>>,
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
        self.admit_if(host, exchange, |_| true, identify)
    }

    /// The same on a host that may be busy: of what the rules let through, an exchange that is not `taken` ends
    /// before it costs anything more.
    pub fn admit_if(
        &self,
        host: &Arc<str>,
        exchange: Exchange,
        taken: impl FnOnce(&Request) -> bool,
        identify: impl FnOnce(&Exchange) -> Identity,
    ) -> Result<Envelope, Refusal> {
        let permission = self.judge(&exchange)?;
        if !taken(&exchange.request) {
            return Err(Outcome::ShedBusyHost.into());
        }
        self.enclose(
            host,
            exchange,
            permission.access,
            identify,
            &mut match self.remembers_hidden {
                true => Trace::remembering(),
                false => Trace::default(),
            },
        )
    }

    /// What leaves the host, of an exchange that the rules let through.
    fn enclose(
        &self,
        host: &Arc<str>,
        mut exchange: Exchange,
        access: Access,
        identify: impl FnOnce(&Exchange) -> Identity,
        trace: &mut Trace,
    ) -> Result<Envelope, Refusal> {
        let identity = self.choose(&exchange, identify)?;
        self.keep_rate(&exchange)?;
        let redactor = self.redactor();
        redactor
            .redact_request(&mut exchange.request, trace)
            .map_err(|why| Refusal::because(Outcome::FilteredUnreadable, why.to_string()))?;
        if let Some(response) = &mut exchange.response {
            redactor.response(response, trace);
        }
        Ok(Envelope {
            host: Arc::clone(host),
            exchange,
            identity,
            access,
            kept: Arc::clone(redactor.kept()),
            lane: None,
            snapshot: None,
            hidden: trace.take_values().map(Box::new),
        })
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
    ///
    /// Many servers take the method from a field that names one, so a request needs what that method needs too.
    fn access(&self, view: &View<'_>) -> Result<Permission, Refusal> {
        let own = self.access_as(&view.exchange().request.method, view)?;
        let mut strictest = own;
        for (method, place) in view.other_methods() {
            let told = |refusal: Refusal| {
                let rule = refusal
                    .reason
                    .map_or_else(String::new, |rule| format!(": {rule}"));
                Refusal::because(refusal.outcome, format!("{place} asks for {method}{rule}"))
            };
            let other = self.access_as(&method, view).map_err(told)?;
            if other.access == Access::Write {
                strictest = other;
            }
        }
        Ok(strictest)
    }

    fn access_as(&self, method: &str, view: &View<'_>) -> Result<Permission, Refusal> {
        if let Some(rule) = self
            .deny
            .iter()
            .find(|rule| rule.fits_as(method, view, Sense::KeepOut))
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
        let lets_in = |rule: &&Rule| rule.fits_as(method, view, Sense::LetIn);
        if let Some(rule) = self.reads.iter().find(lets_in) {
            return Ok(by(Access::Read, "reads", rule));
        }
        let access = Access::of(method);
        if let Some(rule) = self.allow.iter().find(lets_in) {
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

    /// Lets through what the rate leaves of the route. The time is that of the capture.
    fn keep_rate(&self, exchange: &Exchange) -> Result<(), Refusal> {
        let Some(rate) = self.rate else {
            return Ok(());
        };
        let fair = self
            .fair
            .get_or_init(|| Arc::new(Mutex::new(FairRate::new(rate))));
        let route = fair::route(&exchange.request);
        // Counts stay usable after a panic elsewhere.
        let mut fair = fair.lock().unwrap_or_else(PoisonError::into_inner);
        match fair.takes(route, exchange.captured_at()) {
            true => Ok(()),
            false => Err(Outcome::ShedRate.into()),
        }
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

    /// Whether a request may also go to another target beside its own: only what reads, or has the snapshot of the very
    /// request. A write that changes the mirror's own data does so once.
    pub fn may_send_beside(envelope: &Envelope, basis: Basis) -> bool {
        envelope.access == Access::Read || basis == Basis::Snapshot
    }

    /// What a session's name becomes before it is redacted, so that its requests can keep their order: a number, the same on all
    /// hosts that have the same key. Without a key, whoever knows a name can find its number.
    pub fn number_of_session(&self, name: &[u8]) -> u64 {
        match &self.key {
            Some(key) => key.number_of_session(name),
            None => xxh3_64(name),
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
pub(crate) mod tests;
