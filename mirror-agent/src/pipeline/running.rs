//! What can be asked of a run, and changed in it, while it goes on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::capture_side::Dissected;
use crate::capture::tc::{Attachment, TcCapture};
use crate::config::{Config, Settings};
use crate::control::Order;
use crate::report::Recorder;
use mirror_core::filter::FilterChange;
use mirror_core::filter::FilterSettings;
use mirror_core::filter::PortSet;
use mirror_core::options::OptionSpec;

pub(super) struct Running {
    pub(super) recorder: Arc<Recorder>,
    pub(super) capture: Mutex<TcCapture>,
    pub(super) dissected: Dissected,
    /// Tells the readers which ports are a server's.
    pub(super) ports: watch::Sender<PortSet>,
    /// In effect now.
    pub(super) settings: Mutex<Settings>,
    /// Tells the stages of options that have changed.
    pub(super) live: watch::Sender<Arc<Config>>,
    /// What the user should know of this host.
    pub(super) advice: Option<String>,
}

impl Running {
    pub(super) fn capture(&self) -> MutexGuard<'_, TcCapture> {
        self.capture.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_attached(&self) -> bool {
        !self.capture().attachments().is_empty()
    }

    /// What an order comes to; `stop` is not for here.
    pub(super) fn answer(&self, order: Order) -> anyhow::Result<Value> {
        match order {
            Order::Status => Ok(self.status()),
            Order::Filter(change) => self.filter(&change),
            Order::Reload => self.reload(),
            Order::Stop => bail!("the run is ended by its control socket, not from here"),
        }
    }

    /// For `status`.
    pub(super) fn status(&self) -> Value {
        let below = self.below();
        let mut status = self.recorder.live();
        status["pid"] = json!(std::process::id());
        let capture = self.capture();
        status["hook"] = json!(capture.hook());
        status["attached"] = capture.attachments().into_iter().map(attached).collect();
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
        let dissected = self.dissected.sum();
        let mut advice = dissected.advice();
        advice.extend(capture.advice());
        advice.extend(self.advice.clone());
        json!({
            "capture": capture.counters.read(),
            "interfaces": capture.counters.by_interface(),
            "dissect": dissected,
            "blind_times": capture.blind_times(),
            "advice": advice,
        })
    }

    /// For `filter`: shows the filter, after the change if there is one.
    pub(super) fn filter(&self, change: &FilterChange) -> anyhow::Result<Value> {
        let settings = change.apply_to(self.capture().filters.settings())?;
        self.switch_filter(&settings)?;
        Ok(json!({ "filter": settings }))
    }

    /// For `reload`: reads the configuration file again. What has changed is applied as a whole; when anything is wrong,
    /// or cannot change while the agent runs, nothing is.
    pub(super) fn reload(&self) -> anyhow::Result<Value> {
        let mut settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = settings.reload()?;
        let config = &wanted.config;
        config.require_capture()?;
        let changed = settings.changed(&wanted);
        refuse_restart(&changed)?;
        let before = &settings.config.capture.interfaces;
        self.capture().watch(&config.capture.interfaces)?;
        if let Err(error) = self.switch_filter(&config.capture.filter) {
            self.capture()
                .watch(before)
                .context("restoring the interfaces")?;
            return Err(error);
        }
        self.live.send_replace(Arc::new(config.clone()));
        let answer = json!({
            "changed": changed.iter().map(|spec| spec.key).collect::<Vec<_>>(),
            "filter": config.capture.filter,
            "interfaces": config.capture.interfaces,
        });
        *settings = wanted;
        Ok(answer)
    }

    fn switch_filter(&self, settings: &FilterSettings) -> anyhow::Result<()> {
        ensure!(
            !settings.ports.is_empty(),
            "no port would be captured: name one, or end the agent with `mirror-agent stop`"
        );
        self.capture().filters.apply(settings)?;
        self.ports.send_replace(settings.ports.clone());
        Ok(())
    }
}

/// Names every option that only a new start can change.
fn refuse_restart(changed: &[OptionSpec]) -> anyhow::Result<()> {
    let fixed = changed.iter().filter(|spec| !spec.is_live);
    let fixed: Vec<_> = fixed.map(|spec| spec.key).collect();
    ensure!(
        fixed.is_empty(),
        "nothing was changed: {} cannot change while the agent runs: stop it and start it again, or take {} back",
        fixed.join(", "),
        if fixed.len() == 1 { "it" } else { "them" }
    );
    Ok(())
}

fn attached(place: Attachment) -> Value {
    json!({ "interface": place.interface, "hook": place.how })
}
