//! A route as people write it: `POST /orders`, `* /search`, `PUT /users/*/address`.

use std::str::FromStr;

/// A method and a path pattern; `*` stands for any method, or for one whole path segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    method: String,
    segments: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a route: write METHOD /path, for example 'POST /orders' or 'PUT /users/*'")]
pub struct RouteError(String);

impl FromStr for Route {
    type Err = RouteError;

    fn from_str(text: &str) -> Result<Self, RouteError> {
        let (method, path) = text
            .trim()
            .split_once(char::is_whitespace)
            .ok_or_else(|| RouteError(text.into()))?;
        let path = path.trim();
        let named = method == "*" || method.bytes().all(|b| b.is_ascii_uppercase());
        if !named || !path.starts_with('/') || path.contains(char::is_whitespace) {
            return Err(RouteError(text.into()));
        }
        Ok(Self {
            method: method.into(),
            segments: path.split('/').map(String::from).collect(),
        })
    }
}

impl Route {
    /// Whether a request of `method` for `path` (no query) is on this route.
    pub fn matches(&self, method: &str, path: &str) -> bool {
        if self.method != "*" && self.method != method {
            return false;
        }
        let mut theirs = path.split('/');
        let all = self
            .segments
            .iter()
            .all(|ours| theirs.next().is_some_and(|s| ours == "*" || ours == s));
        all && theirs.next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_route_is_refused_with_an_example() {
        for bad in [
            "",
            "POST",
            "/orders",
            "post /orders",
            "POST orders",
            "POST /a b",
        ] {
            let error = bad.parse::<Route>().unwrap_err().to_string();
            assert!(error.contains("for example"), "{bad}: {error}");
        }
    }

    #[test]
    fn a_star_is_one_segment() {
        let route: Route = "PUT /users/*/address".parse().unwrap();
        assert!(route.matches("PUT", "/users/7/address"));
        assert!(!route.matches("PUT", "/users/7/8/address"));
        assert!(!route.matches("PUT", "/users/address"));
    }
}
