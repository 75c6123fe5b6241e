//! The asking side of an agent's admin side, perhaps on another host.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::StatusCode;
use serde::de::DeserializeOwned;

use super::answers::VerdictAnswer;
use super::http::read_token;
use crate::web::{WebClient, WebUrl};

/// For an answer to one question.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// An agent that is asked over HTTP.
pub struct RemoteAgent(WebClient);

impl RemoteAgent {
    /// With the token of a file, and certificates of another that may have signed the agent's.
    pub fn new(
        url: WebUrl,
        token_file: Option<&Path>,
        certificates: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let client = WebClient::new(url, ("--admin-ca", certificates), ANSWER_TIMEOUT)?;
        let Some(path) = token_file else {
            return Ok(Self(client));
        };
        let token = read_token(path)?;
        let bearer = format!("Bearer {}", token.expose());
        Ok(Self(client.with_secret("authorization", &bearer)?))
    }

    pub async fn verdict(&self) -> anyhow::Result<VerdictAnswer> {
        self.json("/verdict").await
    }

    /// Whether it does its work; the reason if not.
    pub async fn ready(&self) -> anyhow::Result<Result<(), String>> {
        let answer = self.0.get("/readyz").await?;
        Ok(match answer.status {
            StatusCode::OK => Ok(()),
            _ => Err(line(&answer.body)),
        })
    }

    async fn json<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let answer = self.0.get(path).await?;
        if answer.status != StatusCode::OK {
            bail!(
                "{}{path} answered {}: {}",
                self.0.url(),
                answer.status.as_u16(),
                line(&answer.body)
            );
        }
        serde_json::from_slice(&answer.body)
            .with_context(|| format!("reading what {}{path} answered", self.0.url()))
    }
}

/// The first line of an answer, as far as a person reads it.
fn line(body: &Bytes) -> String {
    const MAX: usize = 300;
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * MAX)]);
    text.lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(MAX)
        .collect()
}
