//! Which requests keep their order: those of one lane.

use xxhash_rust::xxh3::Xxh3Default;

use crate::exchange::{Exchange, Headers};
use crate::options::FromText;

/// Requests with an equal key leave one after the other, in the order in which they came. Equal lanes have equal keys on all hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LaneKey(pub u64);

/// What makes a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// A connection of production's is a lane.
    Connection,
    /// A session is a lane over all its connections. Requests without the field stay in their connection's lane.
    Session(SessionField),
    /// Each request leaves as soon as it can.
    None,
}

/// Where a request names its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionField {
    Cookie(String),
    Header(String),
}

impl Order {
    /// The lane of an exchange that `host` captured; `None` if it keeps no order. It must be asked before the exchange is
    /// redacted, because a session's name is a secret. `number` makes a number of such a name, the same on all hosts.
    pub fn lane(
        &self,
        host: &str,
        exchange: &Exchange,
        number: impl FnOnce(&[u8]) -> u64,
    ) -> Option<LaneKey> {
        let session = match self {
            Self::None => return None,
            Self::Connection => None,
            Self::Session(field) => field.value(&exchange.request.headers),
        };
        Some(match session {
            Some(value) => LaneKey(number(value)),
            None => LaneKey::of_connection(host, exchange.connection),
        })
    }
}

impl LaneKey {
    /// A connection has a number on its host only.
    fn of_connection(host: &str, connection: u64) -> Self {
        let mut hash = Xxh3Default::new();
        hash.update(&connection.to_le_bytes());
        hash.update(host.as_bytes());
        Self(hash.digest())
    }
}

impl SessionField {
    fn value<'h>(&self, headers: &'h Headers) -> Option<&'h [u8]> {
        match self {
            Self::Header(name) => headers.first(name),
            Self::Cookie(name) => {
                let pairs = headers.all("cookie");
                let mut pairs = pairs.flat_map(|line| line.split(|byte| *byte == b';'));
                pairs.find_map(|pair| {
                    let pair = pair.trim_ascii();
                    let value = pair.strip_prefix(name.as_bytes())?;
                    value.strip_prefix(b"=")
                })
            }
        }
    }
}

impl FromText for Order {
    fn from_text(text: &str) -> Result<Self, String> {
        let field = match text {
            "connection" => return Ok(Self::Connection),
            "none" => return Ok(Self::None),
            _ => text.strip_prefix("session:"),
        };
        let field = match field.and_then(|field| field.split_once(':')) {
            Some((_, "")) | None => None,
            Some(("cookie", name)) => Some(SessionField::Cookie(name.into())),
            Some(("header", name)) => Some(SessionField::Header(name.into())),
            Some(_) => None,
        };
        field.map(Self::Session).ok_or_else(|| {
            "use connection, session:cookie:NAME, session:header:NAME or none".into()
        })
    }
}

#[cfg(test)]
mod tests {
    use xxhash_rust::xxh3::xxh3_64;

    use super::*;
    use crate::exchange::Request;

    fn lane(order: &str, connection: u64, headers: &[(&str, &str)]) -> Option<LaneKey> {
        let address = "127.0.0.1:80".parse().unwrap();
        let mut exchange = Exchange::new(address, address, Request::new("GET", "/"));
        exchange.connection = connection;
        exchange.request.headers = headers.iter().copied().collect();
        let order = Order::from_text(order).unwrap();
        order.lane("host", &exchange, xxh3_64)
    }

    #[test]
    fn a_connection_is_a_lane() {
        assert_eq!(lane("connection", 1, &[]), lane("connection", 1, &[]));
        assert_ne!(lane("connection", 1, &[]), lane("connection", 2, &[]));
    }

    #[test]
    fn a_lane_is_the_same_on_every_host_and_in_every_release() {
        let known = LaneKey(8_212_868_730_859_184_745);
        assert_eq!(lane("connection", 1, &[]), Some(known));
    }

    #[test]
    fn a_session_is_a_lane_over_all_its_connections() {
        let by_cookie =
            |connection, cookie| lane("session:cookie:sid", connection, &[("Cookie", cookie)]);
        assert_eq!(by_cookie(1, "a=b; sid=7"), by_cookie(2, "sid=7;c=d"));
        assert_ne!(by_cookie(1, "sid=7"), by_cookie(1, "sid=8"));
        // `xsid` is another cookie: both are in their connections' lanes.
        assert_ne!(by_cookie(1, "xsid=7"), by_cookie(2, "xsid=7"));
        let by_header =
            |connection, value| lane("session:header:x-user", connection, &[("X-User", value)]);
        assert_eq!(by_header(1, "7"), by_header(2, "7"));
    }

    #[test]
    fn without_order_there_is_no_lane() {
        assert_eq!(lane("none", 1, &[]), None);
    }

    #[test]
    fn what_is_not_an_order_is_refused_with_the_remedy() {
        for text in [
            "",
            "session",
            "session:sid",
            "session:cookie:",
            "session:path:x",
        ] {
            let remedy = Order::from_text(text).unwrap_err();
            assert!(remedy.contains("session:cookie:NAME"), "{text}: {remedy}");
        }
    }
}
