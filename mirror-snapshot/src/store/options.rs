//! A store's URL → where and how to connect.

use std::fmt;

use super::StoreError;

/// `redis://[USER:PASSWORD@]HOST[:PORT][/DB]`, `rediss://` for TLS, `redis+sentinel://HOST[,HOST…]/MASTER[/DB]`,
/// `redis+cluster://HOST[,HOST…]` (`valkey` for `redis` too). Behind a `?`: `prefix=` before every key, `ca=`, `cert=` and
/// `key=` with paths of PEM files, `sentinel-user=` and `sentinel-password=`. User and password may be percent-encoded.
#[derive(Clone)]
pub struct StoreOptions {
    pub(super) topology: Topology,
    pub(super) hosts: Vec<(String, u16)>,
    pub(super) tls: bool,
    pub(super) certificates: Certificates,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) sentinel_user: Option<String>,
    pub(super) sentinel_password: Option<String>,
    pub(super) database: i64,
    pub(super) prefix: String,
}

/// Contents of PEM files.
#[derive(Clone, Default)]
pub(super) struct Certificates {
    /// Of the authority that vouches for the store.
    pub(super) ca: Option<Vec<u8>>,
    /// Our own certificate, and its key.
    pub(super) own: Option<(Vec<u8>, Vec<u8>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Topology {
    One,
    Sentinel { master: String },
    Cluster,
}

/// Without the secrets.
impl fmt::Debug for StoreOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_string())
    }
}

impl fmt::Display for StoreOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<_> = self
            .hosts
            .iter()
            .map(|(host, port)| format!("{host}:{port}"))
            .collect();
        let scheme = if self.tls { "rediss" } else { "redis" };
        match &self.topology {
            Topology::One => write!(f, "{scheme}://{}/{}", hosts.join(","), self.database),
            Topology::Sentinel { master } => {
                write!(f, "{scheme}+sentinel://{}/{master}", hosts.join(","))
            }
            Topology::Cluster => write!(f, "{scheme}+cluster://{}", hosts.join(",")),
        }
    }
}

impl StoreOptions {
    /// What stands before every key.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Reads the PEM files that the URL names.
    pub fn parse(url: &str) -> Result<Self, StoreError> {
        parse(url).map_err(|why| StoreError::Url {
            url: without_password(url),
            why,
        })
    }
}

fn parse(url: &str) -> Result<StoreOptions, String> {
    let (scheme, rest) = url.split_once("://").ok_or("it has no scheme")?;
    let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = before.split_once('/').unwrap_or((before, ""));
    // What follows would take a part of the password for a host, and repeat it.
    let in_query = query.contains('@') && !authority.contains('@') && authority.contains(':');
    if path.contains('@') || in_query || authority.matches('@').count() > 1 {
        return Err(
            "user and password must be percent-encoded: %2F for /, %3F for ?, %23 for #, %40 for @"
                .into(),
        );
    }
    let (user_info, hosts) = match authority.rsplit_once('@') {
        Some((user_info, hosts)) => (Some(user_info), hosts),
        None => (None, authority),
    };
    let (kind, sort) = scheme.split_once('+').unwrap_or((scheme, ""));
    let tls = match kind {
        "redis" | "valkey" => false,
        "rediss" | "valkeys" => true,
        _ => return Err(format!("`{scheme}` is not known")),
    };
    require("tls", !tls || cfg!(feature = "tls"), scheme)?;
    let has_cluster = cfg!(feature = "cluster");
    require("cluster", sort != "cluster" || has_cluster, scheme)?;
    let has_sentinel = cfg!(feature = "sentinel");
    require("sentinel", sort != "sentinel" || has_sentinel, scheme)?;
    let mut steps = path.split('/').filter(|step| !step.is_empty());
    let topology = match sort {
        "" => Topology::One,
        "cluster" => Topology::Cluster,
        "sentinel" => Topology::Sentinel {
            master: steps.next().ok_or("the master's name is missing")?.into(),
        },
        _ => return Err(format!("`{scheme}` is not known")),
    };
    let database = match steps.next() {
        None => 0,
        Some(_) if topology == Topology::Cluster => return Err("a cluster has no databases".into()),
        Some(number) => number
            .parse()
            .map_err(|_| format!("`{number}` is no database: they are numbers"))?,
    };
    let default_port = if sort == "sentinel" { 26379 } else { 6379 };
    let hosts: Result<Vec<_>, _> = hosts
        .split(',')
        .map(|text| host(text, default_port))
        .collect();
    let hosts = hosts?;
    if topology == Topology::One && hosts.len() > 1 {
        return Err("several hosts are a redis+sentinel:// or a redis+cluster://".into());
    }
    let mut options = StoreOptions {
        topology,
        hosts,
        tls,
        certificates: Certificates::default(),
        user: None,
        password: None,
        sentinel_user: None,
        sentinel_password: None,
        database,
        prefix: String::new(),
    };
    if let Some(user_info) = user_info {
        let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
        let some = |text: &str| -> Result<Option<String>, String> {
            Ok(Some(decoded(text)?).filter(|text| !text.is_empty()))
        };
        options.user = some(user)?;
        options.password = some(password)?;
    }
    options.apply(query)?;
    Ok(options)
}

impl StoreOptions {
    fn apply(&mut self, query: &str) -> Result<(), String> {
        let (mut cert, mut key) = (None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(value)?;
            match name {
                "prefix" => self.prefix = value,
                "ca" => self.certificates.ca = Some(file(&value)?),
                "cert" => cert = Some(file(&value)?),
                "key" => key = Some(file(&value)?),
                "sentinel-user" => self.sentinel_user = Some(value),
                "sentinel-password" => self.sentinel_password = Some(value),
                _ => return Err(format!("`{name}` is not known behind the `?`")),
            }
        }
        self.certificates.own = match (cert, key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            _ => return Err("cert and key go together".into()),
        };
        Ok(())
    }
}

fn require(feature: &str, is_met: bool, scheme: &str) -> Result<(), String> {
    match is_met {
        true => Ok(()),
        false => Err(format!(
            "{scheme}:// needs the feature `{feature}` of the crate mirror-snapshot, which this program was built without"
        )),
    }
}

fn host(text: &str, default_port: u16) -> Result<(String, u16), String> {
    let (host, port) = match text.strip_prefix('[').and_then(|t| t.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        None => default_port,
        Some(port) => port.parse().map_err(|_| format!("`{port}` is no port"))?,
    };
    if host.is_empty() {
        return Err("the host is missing".into());
    }
    Ok((host.into(), port))
}

fn decoded(text: &str) -> Result<String, String> {
    let text = percent_encoding::percent_decode_str(text).decode_utf8();
    Ok(text
        .map_err(|_| "what is percent-encoded is no UTF-8")?
        .into_owned())
}

fn file(path: &str) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("reading {path}: {error}"))
}

/// For messages: scheme and host. What could be a part of a password is left out, also where the URL is not well formed.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return match url.contains('@') {
            true => "…".into(),
            false => url.into(),
        };
    };
    let place = |text: &str| text.split('?').next().unwrap_or_default().to_owned();
    match rest.matches('@').count() {
        0 => format!("{scheme}://{}", place(rest)),
        1 => match rest.split_once('@') {
            Some((user, host)) if !user.contains('?') => format!("{scheme}://…@{}", place(host)),
            _ => format!("{scheme}://…"),
        },
        _ => format!("{scheme}://…"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(not(any(feature = "tls", feature = "cluster", feature = "sentinel")))]
    fn a_store_of_a_kind_that_is_not_built_in_names_the_feature() {
        for (url, feature) in [
            ("rediss://h", "`tls`"),
            ("redis+cluster://h", "`cluster`"),
            ("redis+sentinel://h/main", "`sentinel`"),
        ] {
            let error = StoreOptions::parse(url).unwrap_err().to_string();
            assert!(error.contains(feature), "{error}");
        }
        assert!(StoreOptions::parse("redis://h").is_ok());
    }

    #[test]
    #[cfg(all(feature = "tls", feature = "cluster", feature = "sentinel"))]
    fn every_form_is_read() {
        let check = |url: &str, expect: &str| {
            assert_eq!(StoreOptions::parse(url).unwrap().to_string(), expect)
        };
        check("redis://h", "redis://h:6379/0");
        check("valkeys://[::1]:7000/3", "rediss://::1:7000/3");
        check(
            "redis+sentinel://a,b:5/main/2",
            "redis+sentinel://a:26379,b:5/main",
        );
        check("redis+cluster://a,b", "redis+cluster://a:6379,b:6379");
        let options = StoreOptions::parse("redis://us%40er:p%3Aw@h?prefix=shop%3A").unwrap();
        assert_eq!(options.user.as_deref(), Some("us@er"));
        assert_eq!(options.password.as_deref(), Some("p:w"));
        assert_eq!(options.prefix, "shop:");
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for bad in [
            "h:6379",
            "http://u:secret@h",
            "redis://u:secret@h/x",
            "redis://u:secret@",
            "redis://u:secret@a,b",
            "redis+sentinel://u:secret@h",
            "redis+cluster://u:secret@h/1",
            "redis://u:secret@h?speed=1",
            "rediss://u:secret@h?ca=/none",
            "u:secret@h:6379",
            // Not percent-encoded.
            "redis://u:a/secret@h",
            "redis://u:secret/a@h",
            "redis://u:a?secret@h",
            "redis://u:secret?a@h",
            "redis://u:a@secret@h",
            "redis://u:secret@a@h",
        ] {
            let error = StoreOptions::parse(bad).unwrap_err().to_string();
            assert!(error.contains("redis+sentinel://"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
