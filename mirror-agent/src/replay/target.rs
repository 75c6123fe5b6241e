//! Where replays go: `http://host:port`, with a path in front of every target if given.

use std::{fmt, net::SocketAddr};

use mirror_core::exchange::{RequestTarget, TargetForm};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    host: String,
    port: u16,
    base: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{url}` is no target: {wrong}. Write it as in http://mirror:8080")]
pub struct TargetError {
    url: String,
    wrong: &'static str,
}

impl Target {
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        let error = |wrong| TargetError {
            url: url.into(),
            wrong,
        };
        let uri: hyper::Uri = url.parse().map_err(|_| error("it is not a URL"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err(error("TLS to the mirror is not supported")),
            _ => return Err(error("it does not begin with http://")),
        }
        let host = uri
            .host()
            .filter(|h| !h.is_empty())
            .ok_or_else(|| error("it names no host"))?;
        let port = uri.port_u16().unwrap_or(80);
        if port == 0 {
            return Err(error("port 0 is no port"));
        }
        Ok(Self {
            host: host.into(),
            port,
            base: uri.path().trim_end_matches('/').into(),
        })
    }

    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The URL of a captured request target; an absolute one loses its own scheme and host.
    pub fn uri(&self, target: &RequestTarget) -> Vec<u8> {
        let local = match target.form() {
            TargetForm::Asterisk => b"/".into(),
            _ => target.local_part(),
        };
        [self.to_string().as_bytes(), &local].concat()
    }

    /// Every address that its host name has.
    pub async fn resolve(&self) -> std::io::Result<Vec<SocketAddr>> {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        Ok(tokio::net::lookup_host((host, self.port)).await?.collect())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}{}", self.host, self.port, self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_target_goes_behind_the_base() {
        let target = Target::parse("http://mirror:8080/v2/").unwrap();
        let check = |sent: &'static str, expect: &str| {
            let uri = target.uri(&RequestTarget::parse("GET", sent));
            assert_eq!(String::from_utf8(uri).unwrap(), expect);
        };
        check("/a?b", "http://mirror:8080/v2/a?b");
        check("http://shop/a", "http://mirror:8080/v2/a");
        check("/a?b=http://c/d", "http://mirror:8080/v2/a?b=http://c/d");
        check("/q?中", "http://mirror:8080/v2/q?中");
    }

    #[test]
    fn what_is_no_target_is_told_how_to_write_one() {
        for bad in [
            "",
            "mirror:8080",
            "https://mirror",
            "http://",
            "http://mirror:0",
        ] {
            let error = Target::parse(bad).unwrap_err().to_string();
            assert!(error.contains("http://mirror:8080"), "{error}");
        }
    }
}
