//! wait: holds a pipeline until a running agent has decided, or works.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use mirror_agent::cli::{Awaited, Wait};
use mirror_agent::control::answers::VerdictAnswer;
use mirror_agent::control::{Order, RemoteAgent};
use mirror_agent::report::Status;
use mirror_core::verdict::{Decision, NOT_STARTED};
use tokio::time::sleep;

use super::live::{ask, single};
use crate::terminal;

/// Between two questions.
const ASK_INTERVAL: Duration = Duration::from_secs(1);
/// Between two lines about the same.
const TELL_INTERVAL: Duration = Duration::from_secs(60);
/// How long an agent may be gone, and a run invalid, before the wait ends.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn wait(options: &Wait) -> anyhow::Result<ExitCode> {
    let agent = AwaitedAgent::new(options)?;
    single()?.block_on(async {
        match options.what {
            Awaited::Verdict => verdict(&agent, options).await,
            Awaited::Ready => ready(&agent, options).await,
        }
    })
}

/// Where it is asked.
enum AwaitedAgent<'o> {
    Here(&'o std::path::Path),
    There(RemoteAgent),
}

impl<'o> AwaitedAgent<'o> {
    fn new(options: &'o Wait) -> anyhow::Result<Self> {
        let Some(url) = &options.admin else {
            return Ok(Self::Here(&options.socket.socket));
        };
        let token = options.admin_token_file.as_deref();
        let certificates = options.admin_ca.as_deref();
        let agent = RemoteAgent::new(url.clone(), token, certificates)?;
        Ok(Self::There(agent))
    }

    async fn verdict(&self) -> anyhow::Result<VerdictAnswer> {
        match self {
            Self::Here(socket) => ask(socket, &Order::Verdict).await,
            Self::There(agent) => agent.verdict().await,
        }
    }

    /// Whether it captures; the reason if not.
    async fn ready(&self) -> anyhow::Result<Result<(), String>> {
        match self {
            Self::Here(socket) => {
                let status: Status = ask(socket, &Order::Status).await?;
                let reads_file = status.results.run.file.is_some();
                let reads = reads_file || !status.attached.is_empty();
                Ok(reads
                    .then_some(())
                    .ok_or("not attached to any interface".into()))
            }
            Self::There(agent) => agent.ready().await,
        }
    }
}

async fn ready(agent: &AwaitedAgent<'_>, options: &Wait) -> anyhow::Result<ExitCode> {
    let end = Instant::now() + options.timeout;
    loop {
        let why = match agent.ready().await {
            Ok(Ok(())) => return Ok(ExitCode::SUCCESS),
            Ok(Err(why)) => why,
            Err(error) => terminal::told(&error),
        };
        if Instant::now() >= end {
            let longest = humantime::format_duration(options.timeout);
            terminal::note(&format!("not ready within {longest}: {why}"));
            return Ok(ExitCode::from(NOT_STARTED));
        }
        sleep(ASK_INTERVAL).await;
    }
}

async fn verdict(agent: &AwaitedAgent<'_>, options: &Wait) -> anyhow::Result<ExitCode> {
    let end = Instant::now() + options.timeout;
    let mut watch = Watch::default();
    loop {
        let asked = agent.verdict().await;
        let now = Instant::now();
        if let Some(tell) = watch.heard(asked, now) {
            terminal::note(&tell);
        }
        if watch.is_over(now) || now >= end {
            break;
        }
        sleep(ASK_INTERVAL).await;
    }
    let longest = humantime::format_duration(options.timeout);
    let last = watch.last.with_context(|| {
        let error = watch.silence.map(|silence| silence.why);
        format!(
            "no agent answered within {longest}: {}",
            error.unwrap_or_default()
        )
    })?;
    if options.json {
        terminal::print_json(&last)?;
    } else {
        terminal::print(&format!("{}: {}\n", last.decision.name(), last.reason))?;
    }
    Ok(ExitCode::from(last.exit_code))
}

/// What a wait has heard so far.
#[derive(Default)]
struct Watch {
    last: Option<VerdictAnswer>,
    /// Since when the agent has not answered, and why.
    silence: Option<Silence>,
    invalid_since: Option<Instant>,
    /// When the user was told something last, and what.
    told: Option<(Instant, String)>,
}

struct Silence {
    since: Instant,
    why: String,
}

impl Watch {
    /// Takes an answer; a line for the user, if there is something new.
    fn heard(&mut self, asked: anyhow::Result<VerdictAnswer>, now: Instant) -> Option<String> {
        let line = match asked {
            Ok(answer) => {
                self.silence = None;
                let is_invalid = answer.decision == Decision::Invalid;
                let since = self.invalid_since.unwrap_or(now);
                self.invalid_since = is_invalid.then_some(since);
                let line = format!("{}: {}", answer.decision.name(), answer.reason);
                let is_open = matches!(answer.decision, Decision::Hold | Decision::Invalid);
                self.last = Some(answer);
                is_open.then_some(line)?
            }
            Err(error) => {
                let why = terminal::told(&error);
                let since = self.silence.take().map_or(now, |silence| silence.since);
                self.silence = Some(Silence {
                    since,
                    why: why.clone(),
                });
                why
            }
        };
        self.worth_telling(line, now)
    }

    /// Figures change all the time: what begins alike is told again after a while only.
    fn worth_telling(&mut self, line: String, now: Instant) -> Option<String> {
        let begin = |line: &str| line.split([':', ' ']).next().map(str::to_owned);
        let is_known = self.told.as_ref().is_some_and(|(at, told)| {
            begin(told) == begin(&line) && now.duration_since(*at) < TELL_INTERVAL
        });
        if is_known {
            return None;
        }
        self.told = Some((now, line.clone()));
        Some(line)
    }

    /// Nothing else is waited for.
    fn is_over(&self, now: Instant) -> bool {
        let is_long = |since: Instant| now.duration_since(since) >= PATIENCE;
        let Some(last) = &self.last else {
            return false;
        };
        match (&self.silence, last.decision) {
            (Some(silence), _) => is_long(silence.since),
            (None, Decision::Pass | Decision::Fail) => true,
            (None, Decision::Invalid) => self.invalid_since.is_some_and(is_long),
            (None, Decision::Hold) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;
    use mirror_agent::report::{CaptureCounters, Recorder, RunInfo};

    use super::*;

    fn answer(decision: Decision) -> anyhow::Result<VerdictAnswer> {
        let recorder = Recorder::new(RunInfo::default());
        let mut results = recorder.results(CaptureCounters::default());
        results.verdict.decision = decision;
        Ok(VerdictAnswer::of(&results))
    }

    /// What was heard, and in which second; whether the wait is over then.
    fn check<const N: usize>(heard: [(u64, anyhow::Result<VerdictAnswer>); N], is_over: bool) {
        let (mut watch, began) = (Watch::default(), Instant::now());
        let mut at = began;
        for (second, asked) in heard {
            at = began + Duration::from_secs(second);
            watch.heard(asked, at);
        }
        assert_eq!(watch.is_over(at), is_over);
    }

    #[test]
    fn a_decision_ends_the_wait_at_once_and_hold_never_does() {
        check([(0, answer(Decision::Pass))], true);
        check([(0, answer(Decision::Fail))], true);
        check(
            [(0, answer(Decision::Hold)), (3600, answer(Decision::Hold))],
            false,
        );
    }

    #[test]
    fn a_run_that_stays_invalid_ends_it() {
        let invalid = || answer(Decision::Invalid);
        check([(0, invalid()), (29, invalid())], false);
        check([(0, invalid()), (30, invalid())], true);
        check(
            [
                (0, invalid()),
                (20, answer(Decision::Hold)),
                (40, invalid()),
            ],
            false,
        );
    }

    #[test]
    fn an_agent_is_waited_for_and_one_that_is_gone_is_not() {
        let silence = || Err(anyhow!("no agent answers"));
        check([(0, silence()), (3600, silence())], false);
        let hold = || answer(Decision::Hold);
        check([(0, hold()), (1, silence()), (30, silence())], false);
        check([(0, hold()), (1, silence()), (31, silence())], true);
        check(
            [(0, hold()), (1, silence()), (20, hold()), (40, silence())],
            false,
        );
    }

    #[test]
    fn the_user_is_told_what_is_new() {
        let (mut watch, now) = (Watch::default(), Instant::now());
        let after = |seconds| now + Duration::from_secs(seconds);
        assert!(watch.heard(answer(Decision::Hold), now).is_some());
        assert!(watch.heard(answer(Decision::Hold), after(1)).is_none());
        assert!(watch.heard(answer(Decision::Invalid), after(2)).is_some());
        assert!(watch.heard(answer(Decision::Invalid), after(62)).is_some());
        assert!(watch.heard(answer(Decision::Pass), after(63)).is_none());
    }
}
