//! What can be asked of a run, and changed in it, while it goes on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::ensure;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::capture_side::Dissected;
use crate::capture::tc::TcCapture;
use crate::cli::Options;
use crate::config::Config;
use crate::report::Recorder;
use mirror_core::filter::FilterChange;
use mirror_core::filter::FilterSettings;
use mirror_core::filter::PortSet;

pub(super) struct Running {
    pub(super) recorder: Arc<Recorder>,
    pub(super) capture: Mutex<TcCapture>,
    pub(super) dissected: Dissected,
    /// Tells the readers which ports are a server's.
    pub(super) ports: watch::Sender<PortSet>,
    /// For `reload`: the command line that the configuration file is read beside.
    pub(super) flags: Options,
}

impl Running {
    pub(super) fn capture(&self) -> MutexGuard<'_, TcCapture> {
        self.capture.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For `status`.
    pub(super) fn status(&self) -> Value {
        let below = self.below();
        let mut status = self.recorder.live();
        status["pid"] = json!(std::process::id());
        let capture = self.capture();
        status["hook"] = json!(capture.hook());
        status["attached"] = capture.places().into_iter().map(attached).collect();
        status["filter"] = json!(capture.filters.settings());
        if let (Value::Object(into), Value::Object(more)) = (&mut status, below) {
            into.extend(more);
        }
        status
    }

    /// The counters below the ledger; what the kernel lost goes into it.
    pub(super) fn below(&self) -> Value {
        let capture = self.capture();
        self.recorder.lost(capture.counters.lost_requests());
        json!({
            "capture": capture.counters.read(),
            "interfaces": capture.counters.by_interface(),
            "dissect": self.dissected.show(),
            "advice": self.dissected.advice(),
        })
    }

    /// For `filter`: shows the filter, after the change if there is one.
    pub(super) fn filter(&self, change: &FilterChange) -> anyhow::Result<Value> {
        let settings = change.apply_to(self.capture().filters.settings())?;
        self.go_over_to(&settings)?;
        Ok(json!({ "filter": settings }))
    }

    /// For `reload`: reads the configuration file again and takes over filter and interfaces. When
    /// anything in it is wrong, nothing changes.
    pub(super) fn reload(&self) -> anyhow::Result<Value> {
        let config = Config::new(self.flags.clone())?;
        config.require_capture()?;
        config.filter.check()?;
        self.capture().watch(&config.interfaces)?;
        self.go_over_to(&config.filter)?;
        Ok(json!({ "filter": config.filter, "interfaces": config.interfaces }))
    }

    fn go_over_to(&self, settings: &FilterSettings) -> anyhow::Result<()> {
        ensure!(
            !settings.ports.is_empty(),
            "no port would be captured: name one, or end the agent with `mirror-agent stop`"
        );
        self.capture().filters.apply(settings)?;
        self.ports.send_replace(settings.ports.clone());
        Ok(())
    }
}

fn attached((name, how): (String, &'static str)) -> Value {
    json!({ "interface": name, "hook": how })
}
