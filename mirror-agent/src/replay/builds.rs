//! Which build answers, asked at a URL: `http://shop:8080/version`, or `http://shop:8080/info#/build/commit` for a member of JSON.
//!
//! The questions go out like replays, so that capture leaves them out: from sockets that the kernel knows as the agent's own, with
//! the marks of a replay.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use http::Uri;
use mirror_core::dissect::DissectLimits;
use mirror_core::exchange::{Headers, Request, Response};
use mirror_core::options::FromText;
use mirror_core::verdict::Side;
use serde_json::Value;

use super::{Marks, OwnSockets, ReplayOptions, ReplayOutcome, Replayer, Target};
use crate::clock::wall_clock;
use crate::secret::redacted;

/// Characters of a build's name.
const MAX_NAME: usize = 200;

mirror_core::options! {
    /// Where the sides say what they run.
    #[derive(Clone, Debug)]
    pub struct BuildUrls("Verdict") {
        /// URL that says which build production runs, as in http://shop:8080/version, or http://shop:8080/info#/build/commit for a
        /// member of JSON; asked at the start and every --build-interval. A change makes the run invalid
        #[option("production-build-url", "URL")]
        pub production: Option<BuildUrl>,
        /// The same for the mirror; one for each of several targets (repeatable)
        #[option("candidate-build-url", "URL")]
        pub candidate: Vec<BuildUrl>,
        /// The same for the control
        #[option("control-build-url", "URL")]
        pub control: Option<BuildUrl>,
        /// Time between two questions to the URLs that say which build runs
        #[option("build-interval", "TIME", default = "30s")]
        pub interval: Duration,
    }
}

/// A URL, and the member of its answer that names the build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildUrl {
    target: Target,
    /// Path and query.
    path: String,
    /// A JSON pointer.
    member: Option<String>,
}

impl FromText for BuildUrl {
    /// It may hold a password by mistake.
    const IS_SECRET: bool = true;

    fn from_text(text: &str) -> Result<Self, String> {
        let (url, member) = match text.split_once('#') {
            Some((url, member)) => (url, Some(member)),
            None => (text, None),
        };
        let remedy = |wrong: &str| {
            format!(
                "{wrong}: use a URL as in http://shop:8080/version, or http://shop:8080/info#/build/commit for a member of JSON"
            )
        };
        if member.is_some_and(|pointer| !pointer.starts_with('/')) {
            return Err(remedy("what follows `#` is not a JSON pointer"));
        }
        let uri: Uri = url.parse().map_err(|_| remedy("it is not a URL"))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(remedy("it names no host"));
        };
        let target = Target::from_text(&format!("{scheme}://{authority}"))?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self {
            target,
            path: path.into(),
            member: member.map(Into::into),
        })
    }

    fn shown(url: &str) -> String {
        redacted(url)
    }
}

impl BuildUrl {
    /// What an answer says.
    fn name(&self, answer: &Response) -> anyhow::Result<String> {
        ensure!(answer.status == 200, "it answered {}", answer.status);
        let body = answer.body.bytes();
        let document = || {
            let document: Value = serde_json::from_slice(body).context("its answer is not JSON")?;
            anyhow::Ok(document)
        };
        let name = match &self.member {
            Some(pointer) => {
                let document = document()?;
                let member = document.pointer(pointer);
                text(member.with_context(|| format!("its answer has no {pointer}"))?)
            }
            None => match document() {
                Ok(document) => text(&document),
                Err(_) => Some(String::from_utf8_lossy(body).trim().to_owned()),
            },
        };
        let name = name.context(
            "its answer is an object or a list: say which member names the build, as in URL#/build/commit",
        )?;
        ensure!(!name.is_empty(), "its answer is empty");
        let is_name = name.chars().count() <= MAX_NAME && !name.contains('\n');
        ensure!(is_name, "its answer is a text and not a name");
        Ok(name)
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Array(_) | Value::Object(_) => None,
        Value::String(text) => Some(text.trim().to_owned()),
        value => Some(value.to_string()),
    }
}

/// Asks one URL.
struct BuildSource {
    side: Side,
    url: BuildUrl,
    replayer: Replayer,
    /// For the whole answer.
    timeout: Duration,
}

/// Asks all URLs that are given.
pub struct BuildSources(Vec<BuildSource>);

impl BuildSources {
    pub fn new(
        urls: &BuildUrls,
        options: &ReplayOptions,
        limits: &DissectLimits,
        own_sockets: Option<&Arc<dyn OwnSockets>>,
    ) -> anyhow::Result<Self> {
        let candidate = urls.candidate.iter().map(|url| (Side::Candidate, url));
        let production = urls.production.iter().map(|url| (Side::Production, url));
        let control = urls.control.iter().map(|url| (Side::Control, url));
        let source = |(side, url): (Side, &BuildUrl)| {
            let options = options_for(&url.target, options);
            let (target, own) = (url.target.clone(), own_sockets.cloned());
            anyhow::Ok(BuildSource {
                side,
                url: url.clone(),
                replayer: Replayer::new(target, &options, limits, own)?,
                timeout: options.timeout,
            })
        };
        let all = production.chain(candidate).chain(control).map(source);
        Ok(Self(all.collect::<anyhow::Result<_>>()?))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What each says now, or why it says nothing.
    pub async fn ask(&self) -> Vec<(Side, anyhow::Result<String>)> {
        let mut all = Vec::new();
        for source in &self.0 {
            let what = format!(
                "asking {}{} for its build",
                source.url.target, source.url.path
            );
            all.push((source.side, source.ask().await.context(what)));
        }
        all
    }
}

impl BuildSource {
    async fn ask(&self) -> anyhow::Result<String> {
        let mut request = Request::new("GET", self.url.path.clone());
        let host = self.url.target.host();
        request.headers = Headers::from_iter([("host", &*host), ("accept", "*/*")]);
        let marks = Marks {
            at: wall_clock().as_millis(),
            ..Marks::default()
        };
        let sent = self.replayer.send(&request, &marks, self.timeout);
        match sent.await {
            ReplayOutcome::Answered { response, .. } => self.url.name(&response),
            ReplayOutcome::Timeout { reason }
            | ReplayOutcome::ConnectFailed { reason }
            | ReplayOutcome::Failed { reason } => Err(anyhow!(reason)),
        }
    }
}

/// How the targets are spoken to holds for those of their hosts only.
fn options_for(target: &Target, options: &ReplayOptions) -> ReplayOptions {
    let mut targets = options.targets.iter();
    let is_theirs = targets.any(|one| one.target.host() == target.host());
    let target_name = options.target_name.clone().filter(|_| is_theirs);
    ReplayOptions {
        http2: options.http2 && is_theirs,
        target_name,
        ..options.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> BuildUrl {
        BuildUrl::from_text(text).unwrap()
    }

    fn answer(status: u16, body: &str) -> Response {
        Response {
            body: bytes::Bytes::from(body.to_owned()).into(),
            ..Response::new(status)
        }
    }

    #[test]
    fn a_build_is_a_text_or_a_member_of_json() {
        let check = |text: &str, body: &str, expect: &str| {
            let name = url(text).name(&answer(200, body)).unwrap();
            assert_eq!(name, expect, "{body}");
        };
        check("http://h/version", "v1.4\n", "v1.4");
        check("http://h/version", "\"v1.4\"", "v1.4");
        check("http://h/version", "17", "17");
        let info = r#"{"build":{"commit":"3f2a","number":7}}"#;
        check("http://h/info#/build/commit", info, "3f2a");
        check("http://h/info#/build/number", info, "7");
    }

    #[test]
    fn what_names_no_build_is_told_with_the_remedy() {
        let check = |text: &str, status, body: &str, word: &str| {
            let error = url(text).name(&answer(status, body)).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        };
        check("http://h/v", 404, "v1", "404");
        check("http://h/v", 200, "", "empty");
        check("http://h/v", 200, "{\"a\":1}", "#/build/commit");
        check("http://h/v", 200, "<html>\n</html>", "not a name");
        check("http://h/v#/b", 200, "{\"a\":1}", "no /b");
        check("http://h/v#/b", 200, "v1", "not JSON");
    }

    #[test]
    fn a_url_keeps_its_path_and_query() {
        let read = url("https://h:8443/info?short=1#/build");
        assert_eq!(
            (&*read.path, read.member.as_deref()),
            ("/info?short=1", Some("/build"))
        );
        assert_eq!(url("http://h").path, "/");
        for wrong in [
            "",
            "h/version",
            "ftp://h/v",
            "http://u:p@h/v",
            "http://h/v#build",
        ] {
            assert!(BuildUrl::from_text(wrong).is_err(), "{wrong}");
        }
    }
}
