//! A real browser, driven by its own driver as a reader drives it: Chromium and chromedriver, of the distribution.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine;
use serde_json::{Value, json};

use crate::process::{Process, Signal, signal_to};

pub const NEEDS: &str = "chromium, chromium-driver and curl";

/// How WebDriver names an element in JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
const START: Duration = Duration::from_secs(30);
/// Longest answer to one command, in seconds.
const MAX_WAIT: &str = "90";

pub fn is_installed() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there =
        |program: &&str| std::env::split_paths(&path).any(|dir| dir.join(program).is_file());
    ["chromium", "chromedriver", "curl"].iter().all(is_there)
}

/// Colours that a reader prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Light,
    Dark,
}

impl Scheme {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// A browser of its own, with a profile of its own.
#[derive(Debug)]
pub struct Browser {
    driver: Process,
    /// The driver's address, with the session.
    session: String,
}

impl Browser {
    /// `directory` is for the profile and the driver's log.
    pub fn start(directory: &Path) -> Result<Self> {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0");
        let mut driver = Process::spawn("chromedriver", command, directory)?;
        driver.wait_ready("chromedriver", START, |driver| {
            port(&driver.log()).is_some()
        })?;
        let port = port(&driver.log()).context("chromedriver says its port")?;
        let base = format!("http://127.0.0.1:{port}/session");
        let profile = directory.join("profile");
        let started = request("POST", &base, Some(&capabilities(&profile)))?;
        let id = started["sessionId"]
            .as_str()
            .context("a session has an id")?;
        Ok(Self {
            session: format!("{base}/{id}"),
            driver,
        })
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value> {
        request("POST", &format!("{}/{path}", self.session), Some(body))
            .with_context(|| path.to_owned())
    }

    pub fn open(&self, url: &str) -> Result<()> {
        self.post("url", &json!({ "url": url })).map(drop)
    }

    /// The body of a function, and what it returns.
    pub fn run(&self, script: &str) -> Result<Value> {
        self.post("execute/sync", &json!({ "script": script, "args": [] }))
    }

    pub fn text(&self, script: &str) -> Result<String> {
        let value = self.run(script)?;
        Ok(value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned))
    }

    /// A real click on the first element that fits, which must be visible and not covered. It is scrolled to first.
    pub fn click(&self, selector: &str) -> Result<()> {
        let element = self.element(selector)?;
        let script = "arguments[0].scrollIntoView({ block: 'center', behavior: 'instant' })";
        let scroll = json!({ "script": script, "args": [{ ELEMENT: element }] });
        self.post("execute/sync", &scroll)?;
        self.post(&format!("element/{element}/click"), &json!({}))
            .map(drop)
    }

    /// Keys to the first element that fits.
    pub fn write(&self, selector: &str, text: &str) -> Result<()> {
        let element = self.element(selector)?;
        let body = json!({ "text": text });
        self.post(&format!("element/{element}/value"), &body)
            .map(drop)
    }

    /// Keys to whatever has the focus.
    pub fn press(&self, keys: &str) -> Result<()> {
        let strokes = keys.chars().flat_map(|key| {
            ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key.to_string() }))
        });
        let strokes: Vec<Value> = strokes.collect();
        let actions =
            json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": strokes }] });
        self.post("actions", &actions).map(drop)
    }

    fn element(&self, selector: &str) -> Result<String> {
        let body = json!({ "using": "css selector", "value": selector });
        let found = self
            .post("element", &body)
            .with_context(|| selector.to_owned())?;
        let id = found[ELEMENT].as_str().context("an element has an id")?;
        Ok(id.to_owned())
    }

    /// A command of the DevTools.
    pub fn devtools(&self, command: &str, parameters: Value) -> Result<Value> {
        let body = json!({ "cmd": command, "params": parameters });
        self.post("goog/cdp/execute", &body)
            .with_context(|| command.to_owned())
    }

    /// What was logged since the last call: `browser` is the console, `performance` holds the network's events.
    pub fn log(&self, kind: &str) -> Result<Vec<Value>> {
        let entries = self.post("se/log", &json!({ "type": kind }))?;
        Ok(entries.as_array().cloned().unwrap_or_default())
    }

    /// Addresses that were asked for since the last call.
    pub fn requests(&self) -> Result<Vec<String>> {
        let mut asked = Vec::new();
        for entry in self.log("performance")? {
            let message = entry["message"].as_str().unwrap_or_default();
            let event: Value = serde_json::from_str(message).context("an event is JSON")?;
            let event = &event["message"];
            if event["method"] == "Network.requestWillBeSent" {
                let url = event["params"]["request"]["url"].as_str();
                asked.extend(url.map(str::to_owned));
            }
        }
        Ok(asked)
    }

    /// As on a screen of this width, with these colours.
    pub fn screen(&self, width: u32, height: u32, scheme: Scheme) -> Result<()> {
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics)?;
        let colours = json!({
            "features": [{ "name": "prefers-color-scheme", "value": scheme.name() }],
        });
        self.devtools("Emulation.setEmulatedMedia", colours)
            .map(drop)
    }

    /// A picture of the page, as PNG; of `height` pixels at most.
    pub fn picture(&self, width: u32, height: u32) -> Result<Vec<u8>> {
        let area = json!({
            "format": "png",
            "captureBeyondViewport": true,
            "clip": { "x": 0, "y": 0, "width": width, "height": height, "scale": 1 },
        });
        let picture = self.devtools("Page.captureScreenshot", area)?;
        let data = picture["data"].as_str().context("a picture has data")?;
        let engine = base64::engine::general_purpose::STANDARD;
        engine.decode(data).context("a picture is in base64")
    }
}

impl Drop for Browser {
    /// The driver ends the browser with the session. What is left of its group is ended after it.
    fn drop(&mut self) {
        let _ = request("DELETE", &self.session, None);
        signal_to(self.driver.id(), true, Signal::KILL);
    }
}

fn port(log: &str) -> Option<u16> {
    let (_, after) = log.split_once("started successfully on port ")?;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn capabilities(profile: &Path) -> Value {
    let arguments = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
        "--hide-scrollbars",
        "--enable-precise-memory-info",
        "--js-flags=--expose-gc",
    ];
    let mut arguments: Vec<String> = arguments.map(str::to_owned).to_vec();
    arguments.push(format!("--user-data-dir={}", profile.display()));
    json!({ "capabilities": { "alwaysMatch": {
        "browserName": "chrome",
        "goog:chromeOptions": { "binary": "/usr/bin/chromium", "args": arguments },
        "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
    } } })
}

/// One command of WebDriver.
fn request(method: &str, url: &str, body: Option<&Value>) -> Result<Value> {
    use std::io::Write;
    let mut curl = Command::new("curl");
    curl.args([
        "--silent",
        "--show-error",
        "--max-time",
        MAX_WAIT,
        "--noproxy",
        "*",
        "-X",
        method,
    ]);
    if body.is_some() {
        curl.args([
            "--header",
            "Content-Type: application/json",
            "--data-binary",
            "@-",
        ]);
    }
    let mut child = curl
        .arg(url)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("running curl")?;
    if let (Some(mut input), Some(body)) = (child.stdin.take(), body) {
        let text = body.to_string();
        input
            .write_all(text.as_bytes())
            .context("writing to curl")?;
    }
    let output = child.wait_with_output().context("waiting for curl")?;
    if !output.status.success() {
        bail!(
            "{method} {url}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let answer: Value =
        serde_json::from_slice(&output.stdout).context("the driver answers in JSON")?;
    let value = &answer["value"];
    if let Some(error) = value["error"].as_str() {
        bail!("{error}: {}", value["message"].as_str().unwrap_or_default());
    }
    Ok(value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_says_its_port() {
        let log =
            "Starting ChromeDriver 1.2\nChromeDriver was started successfully on port 41327.\n";
        assert_eq!(port(log), Some(41_327));
        assert_eq!(port("Starting ChromeDriver 1.2 on port 0"), None);
    }
}
