//! One request: as Java's program reads it, and what that program must say.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use base64::Engine;
use mirror_snapshot::{
    Fields, IdRules, Keys, RequestId, RequestTarget, hash, peer_text, request_hash,
};
use serde_json::{Value, json};

use crate::{Wants, body::body, head, random::Random};

pub(crate) struct Request {
    method: &'static str,
    target: RequestTarget,
    headers: Vec<(&'static str, Vec<u8>)>,
    body: Option<Vec<u8>>,
    peer: Option<SocketAddr>,
    seconds: u64,
    prefix: &'static str,
    namespace: Option<String>,
}

impl Fields for Request {
    fn method(&self) -> &str {
        self.method
    }
    fn target(&self) -> Option<&RequestTarget> {
        Some(&self.target)
    }
    fn header(&self, name: &str, nth: usize) -> Option<&[u8]> {
        let mut lines = self.headers.iter().filter(|(n, _)| *n == name);
        lines.nth(nth).map(|(_, value)| value.as_slice())
    }
    fn body(&self) -> Option<&[u8]> {
        self.body.as_deref()
    }
    fn client(&self) -> Option<IpAddr> {
        self.peer.map(|peer| peer.ip())
    }
}

impl Request {
    /// As Java's program reads it: a character for each byte of a header.
    pub(crate) fn given(&self, rules: &[&str]) -> Value {
        let text = |bytes: &[u8]| bytes.iter().map(|b| char::from(*b)).collect::<String>();
        let headers: Vec<_> = self.headers.iter().map(|(n, v)| (*n, text(v))).collect();
        let body = self.body.as_ref();
        json!({
            "rules": rules, "method": self.method, "target": self.target.text(), "headers": headers,
            "bodyBase64": body.map(|body| base64::prelude::BASE64_STANDARD.encode(body)),
            "client": self.peer.map(|peer| peer.ip()), "port": self.peer.map(|peer| peer.port()),
            "seconds": self.seconds, "prefix": self.prefix, "namespace": self.namespace,
        })
    }

    /// What its program must say.
    pub(crate) fn answer(&self, rules: &IdRules) -> Value {
        let derived = rules.derive(self, None, self.seconds);
        let keys = Keys::new(self.prefix);
        let keys = match &self.namespace {
            Some(namespace) => keys.within(namespace).ok(),
            None => Some(keys),
        };
        let id = derived.as_ref().map(|(id, _)| id);
        let reads_body = rules.read_body(self.method, &self.target);
        json!({
            "id": id.map(RequestId::as_str),
            "counted": derived.as_ref().is_some_and(|(_, counted)| *counted),
            "key": keys.and_then(|keys| Some(keys.key(id?))),
            "readsBody": reads_body,
            "toldIn": rules.told_in(self.method, &self.target),
            "request": request_hash(self.method, Some(&self.target)),
            "body": self.body.as_deref().filter(|_| reads_body).map(hash),
            "peer": self.peer.map(peer_text),
        })
    }

    pub(crate) fn random(random: &mut Random, wants: Wants) -> Self {
        let (content_type, body) = body(random, wants);
        let method = random.of(&["GET", "GET", "POST", "POST", "PUT", "M-SEARCH", "get"]);
        Self {
            method,
            target: RequestTarget::parse(method, head::target(random)),
            headers: head::headers(random, content_type),
            body,
            peer: peer(random),
            seconds: seconds(random),
            prefix: random.of(&["", "shop:", "{slot}", "ä/", "snapshot:"]),
            namespace: random.sometimes(namespace),
        }
    }
}

fn namespace(random: &mut Random) -> String {
    match random.below(4) {
        0 => "x".repeat(63 + random.below(3)),
        1 => random
            .of(&["", "a:b", "a/b", "ä", "a b", "a\n", "*"])
            .into(),
        _ => random.of(&["run-7", "A.b_c", ".", "-", "0"]).into(),
    }
}

fn seconds(random: &mut Random) -> u64 {
    let bucket = [1, 7, 60, 90, 7200, 86_400][random.below(6)];
    let edge = random.below(1 << 33) as u64 / bucket * bucket;
    match random.below(4) {
        0 => random.below(3) as u64,
        1 => edge,
        2 => edge.saturating_sub(1),
        _ => edge + 1,
    }
}

fn peer(random: &mut Random) -> Option<SocketAddr> {
    let v4 = Ipv4Addr::from_bits(random.below(1 << 32) as u32);
    let ip: IpAddr = match random.below(6) {
        0 => return None,
        1 => v4.into(),
        2 => v4.to_ipv6_mapped().into(),
        3 => v4.to_ipv6_compatible().into(),
        _ => {
            let group = |random: &mut Random| random.sometimes(|r| r.below(1 << 16) as u16);
            let groups = [(); 8].map(|()| group(random).unwrap_or(0));
            Ipv6Addr::from(groups).into()
        }
    };
    Some(SocketAddr::new(ip, random.below(1 << 16) as u16))
}
