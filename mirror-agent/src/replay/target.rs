//! Where replays go: `http://host:port` or `https://host:port`, with a path in front of every target if given.

use std::{borrow::Cow, fmt, net::SocketAddr};

use http::Uri;
use mirror_core::exchange::{RequestTarget, TargetForm};
use mirror_core::options::FromText;

use crate::secret::redacted;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    is_tls: bool,
    /// As it stands in a URL: an address of IPv6 in brackets.
    host: String,
    port: u16,
    base: String,
}

/// A user or a password in it is refused: the agent has no use for them, and nothing may be lost in silence.
impl FromText for Target {
    /// It may hold a password by mistake.
    const IS_SECRET: bool = true;

    fn from_text(url: &str) -> Result<Self, String> {
        let remedy = |wrong| format!("{wrong}: use a URL as in http://mirror:8080");
        let uri: Uri = url.parse().map_err(|_| remedy("it is not a URL"))?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(remedy("it begins with neither http:// nor https://")),
        };
        if uri
            .authority()
            .is_some_and(|text| text.as_str().contains('@'))
        {
            return Err(
                "it holds a user or a password, which are not sent: take them out; --keep-header authorization sends what production's clients sent"
                    .into(),
            );
        }
        if uri.query().is_some() {
            return Err(remedy("it has a query"));
        }
        let host = uri
            .host()
            .filter(|h| !h.is_empty())
            .ok_or_else(|| remedy("it names no host"))?;
        let port = uri.port_u16().unwrap_or(usual_port(is_tls));
        if port == 0 {
            return Err(remedy("port 0 is not a port"));
        }
        Ok(Self {
            is_tls,
            host: host.into(),
            port,
            base: uri.path().trim_end_matches('/').into(),
        })
    }

    fn shown(url: &str) -> String {
        redacted(url)
    }
}

impl Target {
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// What a Host field says of it.
    pub fn host(&self) -> Cow<'_, str> {
        match self.port == usual_port(self.is_tls) {
            true => self.host.as_str().into(),
            false => format!("{}:{}", self.host, self.port).into(),
        }
    }

    /// The host alone, an address of IPv6 without brackets.
    pub fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Writes what stands in the request line for a captured target; an absolute one loses its own scheme and host.
    pub fn write_path(&self, target: &RequestTarget, line: &mut Vec<u8>) {
        line.extend_from_slice(self.base.as_bytes());
        if self.base.is_empty() || target.form() != TargetForm::Asterisk {
            line.extend_from_slice(&target.local_part());
        }
    }

    /// Every address that its host name has.
    pub async fn resolve(&self) -> std::io::Result<Vec<SocketAddr>> {
        let host = self.bare_host();
        Ok(tokio::net::lookup_host((host, self.port)).await?.collect())
    }
}

fn usual_port(is_tls: bool) -> u16 {
    if is_tls { 443 } else { 80 }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}{}", self.host, self.port, self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_target_follows_the_base() {
        let check = |url, sent: &'static str, expect: &str| {
            let target = Target::from_text(url).unwrap();
            let mut path = Vec::new();
            target.write_path(&RequestTarget::parse("GET", sent), &mut path);
            assert_eq!(String::from_utf8(path).unwrap(), expect);
        };
        let base = "http://mirror:8080/v2/";
        check(base, "/a?b", "/v2/a?b");
        check(base, "http://shop/a", "/v2/a");
        check(base, "/a?b=http://c/d", "/v2/a?b=http://c/d");
        check(base, "/q?中<b>#c", "/v2/q?中<b>#c");
        check(base, "*", "/v2");
        check("http://mirror:8080", "*", "*");
        check("http://mirror:8080", "http://shop?a", "/?a");
    }

    #[test]
    fn the_usual_port_is_not_said() {
        let check = |url: &str, host: &str, shown: &str| {
            let target = Target::from_text(url).unwrap();
            assert_eq!((&*target.host(), &*target.to_string()), (host, shown));
        };
        check("http://mirror", "mirror", "http://mirror:80");
        check("http://mirror:443", "mirror:443", "http://mirror:443");
        check("https://mirror/a/", "mirror", "https://mirror:443/a");
        check("https://[::1]:80", "[::1]:80", "https://[::1]:80");
    }

    #[test]
    fn what_is_no_target_is_told_how_to_write_one() {
        for bad in [
            "",
            "mirror:8080",
            "ftp://mirror",
            "http://",
            "http://mirror:0",
            "http://mirror/?a=b",
        ] {
            let error = Target::from_text(bad).unwrap_err();
            assert!(error.contains("http://mirror:8080"), "{error}");
        }
    }

    #[test]
    fn a_user_in_a_target_is_refused_and_not_repeated() {
        for url in ["http://u:hunter2@mirror", "http://hunter2@mirror:8080/a"] {
            let error = Target::from_text(url).unwrap_err();
            assert!(error.contains("user or a password"), "{error}");
            assert!(!Target::shown(url).contains("hunter2"));
        }
    }
}
