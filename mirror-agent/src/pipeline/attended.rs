//! Those who look at a run while it goes on: what keeps it, the control socket, the admin side, a collector, and whoever watches. And
//! its end: the report.

use std::{pin::pin, sync::Arc, time::Duration};

use anyhow::Context;
use serde_json::Value;
use tokio::{
    sync::watch,
    task::{JoinHandle, spawn_blocking},
    time::{sleep, timeout},
};

use super::beginning::Beginning;
use super::descriptors::Shares;
use super::ending::Ending;
use super::progress::{self, Event};
use super::running::Running;
use crate::control::http::Pages;
use crate::control::socket::Handles;
use crate::otlp::Exporting;
use crate::report::{
    self, Keeper, Metrics, Recorder, ReportData, ReportDir, RunPath, StoredAnswers, Written,
};

/// For the answers to `stop` to be sent.
const LAST_ANSWERS_TIMEOUT: Duration = Duration::from_secs(1);

/// A run that is kept, served and shown.
pub(super) struct Attended {
    running: Arc<Running>,
    report_dir: Option<ReportDir>,
    keeper: Option<Keeper>,
    serving: Option<JoinHandle<()>>,
    showing: JoinHandle<()>,
    exporting: Option<Exporting>,
    /// The final report, once there is one.
    ended: watch::Sender<Option<Value>>,
}

impl Attended {
    pub(super) fn start(
        beginning: Beginning,
        running: &Arc<Running>,
        shares: Shares,
        ending: &Ending,
        show: impl FnMut(Event) + Send + 'static,
    ) -> anyhow::Result<Self> {
        let beside = Arc::clone(running);
        let beside = move || (beside.counters(), beside.schedule.data());
        let recorder = &running.recorder;
        let new_run = beginning.new_run;
        let keeper = new_run.map(|run| run.keep(recorder, beside)).transpose()?;
        let (ended, ended_seen) = watch::channel(None);
        let orders = Arc::clone(running);
        let handles = Handles {
            order: Box::new(move |order| orders.answer(order)),
            stop: ending.stop.clone(),
            ended: ended_seen,
        };
        let control = beginning.control;
        let serving = control.map(|control| tokio::spawn(control.serve(handles, shares.control)));
        if let Some(admin) = beginning.admin {
            tokio::spawn(admin.serve(pages(running, &ending.stop), shares.http));
        }
        let showing = tokio::spawn(progress::tell(
            Arc::clone(recorder),
            ending.stop.subscribe(),
            beginning.config.transport.drain_timeout,
            show,
        ));
        let told = Arc::clone(running);
        let exporter = beginning.exporter;
        let exporting = exporter.map(|exporter| exporter.begin(move || told.status()));
        Ok(Self {
            running: Arc::clone(running),
            report_dir: beginning.report_dir,
            keeper,
            serving,
            showing,
            exporting,
            ended,
        })
    }

    /// Call it when each request has its outcome. Writes the report, and tells it to those who wait for it.
    pub(super) async fn finish(self) -> anyhow::Result<ReportData> {
        self.showing.abort();
        let _ = self.showing.await;
        let recorder = &self.running.recorder;
        let run = finish_keeping(recorder, self.keeper).await;
        let places = run.iter().chain(&self.report_dir);
        let report = write_report(recorder, places, || self.running.report());
        self.ended
            .send_replace(Some(serde_json::to_value(&report)?));
        if let Some(serving) = self.serving {
            // The answers to `stop` hold a receiver each: wait until the last of them is sent.
            serving.abort();
            let _ = timeout(LAST_ANSWERS_TIMEOUT, self.ended.closed()).await;
        }
        if let Some(exporting) = self.exporting {
            exporting.finish().await;
        }
        Ok(report)
    }
}

/// Everything is counted: what keeps the run keeps the rest of it. Returns the run's directory.
async fn finish_keeping(recorder: &Recorder, keeper: Option<Keeper>) -> Option<ReportDir> {
    let keeper = keeper?;
    let finished = spawn_blocking(|| keeper.finish()).await;
    match finished.context("keeping the run").flatten() {
        Ok(directory) => Some(directory),
        Err(error) => {
            recorder.note_kept_too(format!("the run could not be kept to its end: {error:#}"));
            None
        }
    }
}

/// Writes the report to each of its places. One that cannot be written is still printed, and answered to `stop`.
fn write_report<'d>(
    recorder: &Recorder,
    places: impl IntoIterator<Item = &'d ReportDir>,
    report: impl Fn() -> ReportData,
) -> ReportData {
    let mut finished = report();
    let answers = stored_answers(recorder, &finished);
    for directory in places {
        let write = || -> anyhow::Result<Written> {
            directory.write_noise(&recorder.noise_text()?)?;
            directory.write(&finished, &answers)
        };
        match write() {
            Ok(written) => tracing::info!(report = %written.html.display(), "report written"),
            Err(error) => {
                let why = format!("the report could not be written: {error:#}");
                tracing::warn!("{why}");
                recorder.note_kept_too(why);
                finished = report();
            }
        }
    }
    finished
}

/// What of them the page shows.
fn stored_answers(recorder: &Recorder, report: &ReportData) -> Vec<StoredAnswers> {
    let Some(path) = recorder.run_path() else {
        return Vec::new();
    };
    let stored = report::answers_of(&RunPath::new(path.to_owned()), report);
    stored.unwrap_or_else(|error| {
        tracing::warn!("the stored answers cannot be read: {error:#}");
        Vec::new()
    })
}

/// What the admin side shows, and what it may order.
fn pages(running: &Arc<Running>, stop: &watch::Sender<bool>) -> Pages {
    let of = || Arc::clone(running);
    let (counted, shown, kept, asked, told) = (of(), of(), of(), of(), of());
    let (metrics, stopping) = (Metrics::default(), stop.subscribe());
    Pages {
        metrics: Box::new(move |format| metrics.text(counted.status(), format)),
        report: Box::new(move || shown.report()),
        answers: Box::new(move |number| match kept.recorder.run_path() {
            Some(path) => report::answers(&RunPath::new(path.to_owned()), number),
            None => Ok(None),
        }),
        ready: Box::new(move || {
            if *stopping.borrow() {
                return Err("draining");
            }
            let reads = asked.reads_requests().then_some(());
            reads.ok_or("not attached to any interface")
        }),
        pause: Box::new(move |is_paused| told.pause(is_paused)),
    }
}

/// The time of the run is over; never without one.
pub(super) async fn passed(duration: Option<Duration>) {
    match duration {
        Some(duration) => sleep(duration).await,
        None => std::future::pending().await,
    }
}

pub(super) async fn stopped(mut stop: watch::Receiver<bool>) {
    // Its sender lives as long as the run.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Waits until everything has its outcome, which is when `judging` is ready; what has none when the time is over, or at an abort, ends as `interrupted`.
pub(super) async fn drain(
    judging: impl Future<Output = anyhow::Result<()>>,
    cut: &watch::Sender<bool>,
    longest: Duration,
    mut abort: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let mut judging = pin!(judging);
    tokio::select! {
        judged = &mut judging => return judged,
        () = sleep(longest) => tracing::warn!(
            "not everything could be replayed within {} (--drain-timeout): the rest ends as `interrupted`",
            humantime::format_duration(longest)
        ),
        _ = abort.wait_for(|abort| *abort) => {
            tracing::warn!("told to end at once: what is in flight ends as `interrupted`");
        }
    }
    cut.send_replace(true);
    judging.await
}
