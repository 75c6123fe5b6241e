//! A small HTTP/1.1 client for what this program asks and tells others itself, such as an agent on another host. What is replayed
//! goes another way (`replay`).
//!
//! A connection carries one request. Its time and the size of its answer are bounded.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use http::header::HOST;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use mirror_core::options::FromText;
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::certificates::roots;
use crate::secret::redacted;

/// Bytes of an answer.
const MAX_ANSWER: usize = 16 << 20;

/// Where a server is, as in `https://host:9464/a`: without a user, a password or a query.
#[derive(Clone, PartialEq, Eq)]
pub struct WebUrl {
    is_tls: bool,
    authority: Authority,
    /// In front of every path; empty, or with a slash before and none after it.
    base: String,
}

impl fmt::Display for WebUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.base)
    }
}

impl fmt::Debug for WebUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebUrl({self})")
    }
}

impl FromText for WebUrl {
    /// It may hold a password by mistake.
    const IS_SECRET: bool = true;

    fn from_text(url: &str) -> Result<Self, String> {
        let remedy = |wrong: &str| format!("{wrong}: use a URL as in https://host:9464");
        let uri: Uri = url.parse().map_err(|_| remedy("it is not a URL"))?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(remedy("it begins with neither http:// nor https://")),
        };
        let Some(authority) = uri.authority().filter(|a| !a.host().is_empty()) else {
            return Err(remedy("it names no host"));
        };
        if authority.as_str().contains('@') {
            return Err("it holds a user or a password: give them in a file".into());
        }
        if uri.query().is_some() {
            return Err(remedy("it has a query"));
        }
        Ok(Self {
            is_tls,
            authority: authority.clone(),
            base: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    fn shown(url: &str) -> String {
        redacted(url)
    }
}

/// Asks one server.
pub struct WebClient {
    url: WebUrl,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    /// Sent with every request.
    fields: HeaderMap,
    /// For a connection and a whole answer.
    timeout: Duration,
}

/// What a server answered.
#[derive(Clone, Debug)]
pub struct WebAnswer {
    pub status: StatusCode,
    pub body: Bytes,
}

impl WebClient {
    /// `option` names a file of certificates, beside the system's, for `https://`.
    pub fn new(
        url: WebUrl,
        (option, certificates): (&str, Option<&Path>),
        timeout: Duration,
    ) -> anyhow::Result<Self> {
        let tls = match url.is_tls {
            false => None,
            true => {
                let config =
                    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                        .with_safe_default_protocol_versions()?
                        .with_root_certificates(roots(option, certificates)?)
                        .with_no_client_auth();
                let host = url.authority.host();
                let bare = host.trim_start_matches('[').trim_end_matches(']');
                let name = ServerName::try_from(bare.to_owned()).with_context(|| {
                    format!("`{bare}` is not a name that a certificate can have")
                })?;
                Some((TlsConnector::from(Arc::new(config)), name))
            }
        };
        Ok(Self {
            url,
            tls,
            fields: HeaderMap::new(),
            timeout,
        })
    }

    pub fn url(&self) -> &WebUrl {
        &self.url
    }

    /// Sends this field with every request, and shows its value nowhere.
    pub fn with_secret(mut self, name: &str, value: &str) -> anyhow::Result<Self> {
        let name = http::HeaderName::from_bytes(name.as_bytes()).context("the name of a field")?;
        // Without the value in the error.
        let mut value = HeaderValue::from_str(value).map_err(|_| {
            anyhow!("the value of the field `{name}` has characters that no field may have")
        })?;
        value.set_sensitive(true);
        self.fields.insert(name, value);
        Ok(self)
    }

    /// `path` begins with a slash.
    pub async fn get(&self, path: &str) -> anyhow::Result<WebAnswer> {
        self.send(Method::GET, path, None, Bytes::new()).await
    }

    pub async fn post(
        &self,
        path: &str,
        media_type: &'static str,
        body: Bytes,
    ) -> anyhow::Result<WebAnswer> {
        self.send(Method::POST, path, Some(media_type), body).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        media_type: Option<&'static str>,
        body: Bytes,
    ) -> anyhow::Result<WebAnswer> {
        let what = || format!("{method} {}{path}", self.url);
        let mut request = Request::builder()
            .method(method.clone())
            .uri(format!("{}{path}", self.url.base))
            .header(HOST, self.url.authority.as_str());
        if let Some(media_type) = media_type {
            request = request.header(http::header::CONTENT_TYPE, media_type);
        }
        let mut request = request.body(Full::new(body)).with_context(what)?;
        request.headers_mut().extend(self.fields.clone());
        match timeout(self.timeout, self.exchange(request)).await {
            Ok(answered) => answered.with_context(what),
            Err(_) => bail!("{}: no answer within {:?}", what(), self.timeout),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> anyhow::Result<WebAnswer> {
        let usual = if self.url.is_tls { 443 } else { 80 };
        let authority = &self.url.authority;
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        let address = (host, authority.port_u16().unwrap_or(usual));
        let stream = TcpStream::connect(address).await.context("connecting")?;
        match &self.tls {
            None => over(stream, request).await,
            Some((connector, name)) => {
                let shaken = connector.connect(name.clone(), stream).await;
                over(shaken.context("TLS handshake")?, request).await
            }
        }
    }
}

async fn over(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Full<Bytes>>,
) -> anyhow::Result<WebAnswer> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let answered = async {
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER);
        let body = body.collect().await;
        let body = body.map_err(|error| anyhow!("reading the answer: {error}"))?;
        anyhow::Ok(WebAnswer {
            status,
            body: body.to_bytes(),
        })
    };
    tokio::pin!(answered, connection);
    tokio::select! {
        answer = &mut answered => answer,
        ended = &mut connection => {
            // What it has read before its end may be the answer.
            match (answered.await, ended) {
                (Err(_), Err(error)) => Err(error.into()),
                (answer, _) => answer,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_server_and_perhaps_a_path() {
        let check = |text: &str, expect: &str| {
            assert_eq!(WebUrl::from_text(text).unwrap().to_string(), expect);
        };
        check("http://h", "http://h");
        check("https://h:9464/", "https://h:9464");
        check("https://[::1]:1/a/b/", "https://[::1]:1/a/b");
    }

    #[test]
    fn what_is_no_url_is_told_and_no_password_is_shown() {
        for wrong in ["", "h:1", "ftp://h", "http://", "http://h/?a=b"] {
            let error = WebUrl::from_text(wrong).unwrap_err();
            assert!(error.contains("https://host:9464"), "{error}");
        }
        let error = WebUrl::from_text("http://u:hunter2@h").unwrap_err();
        assert!(error.contains("in a file") && !error.contains("hunter2"));
        assert!(!WebUrl::shown("http://u:hunter2@h").contains("hunter2"));
    }

    #[test]
    fn a_secret_shows_in_no_error() {
        let client = WebClient::new(
            WebUrl::from_text("http://127.0.0.1:1").unwrap(),
            ("--ca", None),
            Duration::from_secs(1),
        )
        .unwrap();
        let error = client
            .with_secret("authorization", "Bearer hunter2\n")
            .err();
        let error = format!("{:#}", error.unwrap());
        assert!(!error.contains("hunter2"), "{error}");
    }
}
