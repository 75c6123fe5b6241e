//! `--replay-share '5% by cookie:sid'`: the share of the requests that is replayed, chosen by a hash that is the same on
//! every host and in every run. All requests with one value of the field are in the share, or none of them, so that sessions
//! stay whole.
//!
//! `--sample` is another thing: it chooses connections in the kernel, before anything is read, and saves the most. Shares
//! multiply.

use xxhash_rust::xxh3::xxh3_64;

use crate::exchange::Exchange;
use crate::filter::Share;
use crate::identity::Identity;
use crate::options::FromText;

use super::rule::{Rule, Sense, Subject, View};

/// A share of the requests on some routes.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplayShare {
    text: String,
    /// None for all.
    routes: Option<Rule>,
    share: Share,
    by: By,
}

#[derive(Clone, Debug, PartialEq)]
enum By {
    /// The request's id; where it has none, its place in the capture.
    Id,
    Client,
    Value(Subject),
}

impl FromText for ReplayShare {
    fn from_text(text: &str) -> Result<Self, String> {
        let (routes, rest) = match text.rsplit_once("=>") {
            Some((rule, rest)) => (Some(Rule::from_text(rule)?), rest),
            None => (None, text),
        };
        let rest = rest.trim();
        let (share, by) = match rest.split_once(char::is_whitespace) {
            None => (rest, None),
            Some((share, by)) => (share, Some(by.trim())),
        };
        let remedy =
            "use a share as in 5%, '5% by cookie:sid', or 'GET /search/** => 1% by client'";
        let by = match by.map(|by| by.strip_prefix("by ").map(str::trim)) {
            None => By::Id,
            Some(Some("id")) => By::Id,
            Some(Some("client")) => By::Client,
            Some(Some(subject)) => By::Value(Subject::parse(subject)?),
            Some(None) => return Err(remedy.into()),
        };
        let share = share.parse().map_err(|_| remedy.to_owned())?;
        Ok(Self {
            text: text.trim().into(),
            routes,
            share,
            by,
        })
    }
}

impl std::fmt::Display for ReplayShare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// The first of the shares that is for this request.
pub(super) fn of<'s>(shares: &'s [ReplayShare], view: &View<'_>) -> Option<&'s ReplayShare> {
    let fits = |share: &&ReplayShare| {
        let routes = share.routes.as_ref();
        routes.is_none_or(|rule| rule.fits(view, Sense::LetIn))
    };
    shares.iter().find(fits)
}

impl ReplayShare {
    /// Whether an exchange is in it. One that it is not for is.
    pub fn chooses(&self, exchange: &Exchange, identity: &Identity) -> bool {
        let view = View::new(exchange);
        let is_for_it = of(std::slice::from_ref(self), &view).is_some();
        !is_for_it || self.takes(&view, Some(identity))
    }

    /// Whether the request's id decides.
    pub(super) fn needs_identity(&self) -> bool {
        self.by == By::Id
    }

    /// Whether the request is in it.
    pub(super) fn takes(&self, view: &View<'_>, identity: Option<&Identity>) -> bool {
        let Some(below) = self.share.below() else {
            return true;
        };
        let hash = match &self.by {
            By::Client => by_client(view),
            By::Id => {
                let ids = identity.map(|identity| identity.candidates.ids.as_slice());
                match ids.and_then(<[_]>::first) {
                    Some(id) => xxh3_64(id.as_str().as_bytes()),
                    None => by_place(view),
                }
            }
            // Without the field, as before a login, it counts by its client.
            By::Value(subject) => match subject.values(view, Sense::LetIn).first() {
                Some(value) => xxh3_64(value),
                None => by_client(view),
            },
        };
        // The upper half, as wide as the bound.
        ((hash >> 32) as u32) < below
    }
}

fn by_client(view: &View<'_>) -> u64 {
    xxh3_64(
        view.exchange()
            .client
            .ip()
            .to_canonical()
            .to_string()
            .as_bytes(),
    )
}

fn by_place(view: &View<'_>) -> u64 {
    let exchange = view.exchange();
    let place = format!(
        "{} {} {}",
        exchange.client,
        exchange.captured_at().0,
        exchange.index
    );
    xxh3_64(place.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Exchange, Request};

    fn request(client: u32, sid: Option<u32>, path: &str) -> Exchange {
        let request = Request {
            headers: sid
                .map(|sid| ("Cookie", format!("sid=s{sid}")))
                .into_iter()
                .collect(),
            ..Request::new("GET", path.to_owned())
        };
        let client =
            std::net::SocketAddr::from(([10, 0, (client >> 8) as u8, client as u8], 40_000));
        Exchange::new(client, "10.0.0.9:80".parse().unwrap(), request)
    }

    fn takes(share: &str, exchange: &Exchange) -> bool {
        let shares = [ReplayShare::from_text(share).unwrap()];
        let view = View::new(exchange);
        of(&shares, &view).is_none_or(|share| share.takes(&view, None))
    }

    #[test]
    fn a_share_is_as_large_as_it_says_and_keeps_sessions_whole() {
        let taken: Vec<bool> = (0..10_000)
            .map(|sid| takes("5% by cookie:sid", &request(1, Some(sid), "/")))
            .collect();
        let count = taken.iter().filter(|taken| **taken).count();
        assert!((400..600).contains(&count), "{count}");
        for (sid, taken) in taken.iter().enumerate().take(200) {
            for client in 2..5 {
                let other = request(client, Some(sid as u32), "/another?x=1");
                assert_eq!(takes("5% by cookie:sid", &other), *taken, "{sid}");
            }
        }
    }

    #[test]
    fn a_request_without_the_field_counts_by_its_client() {
        for client in 0..300 {
            let by_client = takes("50% by client", &request(client, None, "/"));
            assert_eq!(
                takes("50% by cookie:sid", &request(client, None, "/login")),
                by_client
            );
        }
    }

    #[test]
    fn everything_and_nothing_are_shares_and_routes_have_their_own() {
        for n in 0..100 {
            assert!(takes("100%", &request(n, None, "/")));
            assert!(!takes("0%", &request(n, None, "/")));
            assert!(takes("GET /a => 0%", &request(n, None, "/")));
            assert!(!takes("GET /a => 0%", &request(n, None, "/a")));
        }
        let shares: Vec<_> = ["GET /a where query:x => 100%", "GET /a => 0%", "100%"]
            .map(|text| ReplayShare::from_text(text).unwrap())
            .into();
        let first = |path: &str| {
            let exchange = request(1, None, path);
            of(&shares, &View::new(&exchange)).map(ToString::to_string)
        };
        assert_eq!(
            first("/a?x").as_deref(),
            Some("GET /a where query:x => 100%")
        );
        assert_eq!(first("/a").as_deref(), Some("GET /a => 0%"));
        assert_eq!(first("/b").as_deref(), Some("100%"));
    }

    #[test]
    fn what_is_no_share_says_what_to_write() {
        for bad in ["", "five", "101%", "5% cookie:sid", "GET => 5%"] {
            let error = ReplayShare::from_text(bad).unwrap_err();
            assert!(error.contains("as in"), "{bad}: {error}");
        }
        let error = ReplayShare::from_text("5% by cookie").unwrap_err();
        assert!(error.contains("cookie:NAME"), "{error}");
    }
}
