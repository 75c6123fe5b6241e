//! What can be asked of a run, and changed in it, while it goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use tokio::sync::watch;

use super::capture_side::Dissected;
use super::schedule::RunSchedule;
use crate::capture::tc::{Attachment, TcCapture};
use crate::config::{Config, Settings};
use crate::control::Order;
use crate::control::answers::{FilterAnswer, PauseAnswer, ReloadAnswer, VerdictAnswer};
use crate::report::{AttachedPlace, CaptureCounters, FORMAT, Recorder, ReportData, Status};
use mirror_core::filter::{FilterChange, FilterSettings, PortSet};
use mirror_core::options::OptionSpec;

pub(super) struct Running {
    pub(super) recorder: Arc<Recorder>,
    pub(super) schedule: Arc<RunSchedule>,
    pub(super) source: Source,
    pub(super) dissected: Dissected,
    /// In effect now.
    pub(super) settings: Mutex<Settings>,
    /// Tells the stages of options that have changed.
    pub(super) live: watch::Sender<Arc<Config>>,
    /// What the user should know of this host.
    pub(super) advice: Option<String>,
}

/// Where a run's requests come from.
pub(super) enum Source {
    /// The kernel's rings.
    Rings {
        capture: Mutex<TcCapture>,
        /// Tells the readers which ports are a server's.
        ports: watch::Sender<PortSet>,
    },
    /// A capture file.
    File {
        /// Packets of a link type that is not read.
        unread_packets: Arc<AtomicU64>,
    },
    /// Other hosts that capture.
    Fleet,
}

impl Source {
    /// `None` where nothing is captured.
    fn capture(&self) -> Option<MutexGuard<'_, TcCapture>> {
        match self {
            Self::Rings { capture, .. } => {
                Some(capture.lock().unwrap_or_else(PoisonError::into_inner))
            }
            Self::File { .. } | Self::Fleet => None,
        }
    }

    /// What a user can do about what it does not give.
    fn advice(&self) -> Option<String> {
        let Self::File { unread_packets } = self else {
            return None;
        };
        let unread = unread_packets.load(Relaxed);
        (unread > 0).then(|| format!("{unread} packets have a link type that is not read"))
    }

    /// Ends the capture.
    pub(super) fn detach(&self) {
        if let Some(mut capture) = self.capture() {
            capture.detach();
        }
    }
}

impl Running {
    /// Whether requests can come: a file has all of them.
    pub(super) fn reads_requests(&self) -> bool {
        let capture = self.source.capture();
        capture.is_none_or(|capture| !capture.attachments().is_empty())
    }

    /// For orders that change what is captured.
    fn capture(&self) -> anyhow::Result<MutexGuard<'_, TcCapture>> {
        let capture = self.source.capture();
        capture.context(
            "nothing is captured here: only status, top, wait, pause, resume and stop reach it",
        )
    }

    /// What an order comes to; `stop` is not for here.
    pub(super) fn answer(&self, order: Order) -> anyhow::Result<Value> {
        Ok(match order {
            Order::Status => serde_json::to_value(self.status())?,
            Order::Verdict => serde_json::to_value(self.verdict())?,
            Order::Filter(change) => serde_json::to_value(self.filter(&change)?)?,
            Order::Reload => serde_json::to_value(self.reload()?)?,
            Order::Pause => serde_json::to_value(self.pause(true))?,
            Order::Resume => serde_json::to_value(self.pause(false))?,
            Order::Stop => bail!("the run is ended by its control socket, not from here"),
        })
    }

    fn verdict(&self) -> VerdictAnswer {
        VerdictAnswer::of(&self.recorder.results(self.counters()))
    }

    /// For `pause` and `resume`.
    pub(super) fn pause(&self, is_paused: bool) -> PauseAnswer {
        self.schedule.pause(is_paused);
        PauseAnswer { paused: is_paused }
    }

    /// Of the run so far, as if it ended now.
    pub(super) fn report(&self) -> ReportData {
        let mut report = self.recorder.finish(self.counters());
        report.results.schedule = self.schedule.data();
        report
    }

    /// For `status`, and metrics.
    pub(super) fn status(&self) -> Status {
        let mut results = self.recorder.results(self.counters());
        results.schedule = self.schedule.data();
        let capture = self.source.capture();
        let attachments = capture.as_ref().map(|capture| capture.attachments());
        let attachments = attachments.unwrap_or_default().into_iter();
        let filter = match &capture {
            Some(capture) => capture.filters.settings(),
            None => self.live.borrow().capture.filter.clone(),
        };
        Status {
            format: FORMAT,
            name: self.recorder.name().into(),
            host: self.recorder.host().into(),
            kept: self.recorder.kept(),
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            started_at: self.recorder.started_at(),
            hook: capture.map_or_else(String::new, |capture| capture.hook()),
            attached: attachments.map(attached).collect(),
            filter,
            results,
        }
    }

    /// The counters below the ledger; what the kernel lost goes into it.
    pub(super) fn counters(&self) -> CaptureCounters {
        let dissect = self.dissected.sum();
        let mut counters = CaptureCounters {
            dissect,
            advice: dissect.advice(),
            ..CaptureCounters::default()
        };
        if let Some(capture) = self.source.capture() {
            self.recorder.lost(capture.counters.lost_requests());
            counters.capture = named(capture.counters.read());
            let interfaces = capture.counters.by_interface().into_iter();
            counters.interfaces = interfaces
                .map(|(interface, counts)| (interface, named(counts)))
                .collect();
            counters.blind_times = capture.blind_times();
            counters.advice.extend(capture.advice());
        }
        counters.advice.extend(self.source.advice());
        counters.advice.extend(self.advice.clone());
        counters
    }

    /// For `filter`: shows the filter, after the change if there is one.
    pub(super) fn filter(&self, change: &FilterChange) -> anyhow::Result<FilterAnswer> {
        let settings = change.apply_to(self.capture()?.filters.settings())?;
        self.switch_filter(&settings)?;
        Ok(FilterAnswer { filter: settings })
    }

    /// For `reload`: reads the configuration file again. What has changed is applied as a whole; when anything is wrong,
    /// or cannot change while the agent runs, nothing is.
    pub(super) fn reload(&self) -> anyhow::Result<ReloadAnswer> {
        let filtered = self.capture()?.filters.settings();
        let mut settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = settings.reload()?;
        let config = &wanted.config;
        config.require_capture()?;
        let changed = settings.changed(&wanted);
        refuse_restart(&changed)?;
        // What `filter` has changed meanwhile is as the file says again.
        let filtered = filtered.differing(&config.capture.filter);
        let before = &settings.config.capture.interfaces;
        self.capture()?.watch(&config.capture.interfaces)?;
        if let Err(error) = self.switch_filter(&config.capture.filter) {
            self.capture()?
                .watch(before)
                .context("restoring the interfaces")?;
            return Err(error);
        }
        self.recorder.decide_by(&config.verdict, &config.compare);
        self.live.send_replace(Arc::new(config.clone()));
        let keys = changed.iter().map(|spec| spec.key).chain(filtered);
        let keys: BTreeSet<&str> = keys.collect();
        let answer = ReloadAnswer {
            changed: keys.into_iter().map(str::to_owned).collect(),
            filter: config.capture.filter.clone(),
            interfaces: config.capture.interfaces.clone(),
        };
        *settings = wanted;
        Ok(answer)
    }

    fn switch_filter(&self, settings: &FilterSettings) -> anyhow::Result<()> {
        ensure!(
            !settings.ports.is_empty(),
            "no port would be captured: name one, or end the agent with `mirror-agent stop`"
        );
        self.capture()?.filters.apply(settings)?;
        if let Source::Rings { ports, .. } = &self.source {
            ports.send_replace(settings.ports.clone());
        }
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

fn named(counts: BTreeMap<&'static str, u64>) -> BTreeMap<String, u64> {
    let counts = counts.into_iter();
    counts
        .map(|(name, count)| (name.to_owned(), count))
        .collect()
}

fn attached(place: Attachment) -> AttachedPlace {
    AttachedPlace {
        interface: place.interface,
        hook: place.how.into(),
    }
}
