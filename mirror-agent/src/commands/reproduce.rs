//! reproduce: one difference of a run, to be seen again.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
use mirror_agent::replay::{Marks, ReplayOptions, ReplayOutcome, Replayer, Target};
use mirror_agent::report::table::{Align, table, terminal_width};
use mirror_agent::report::{
    self, KeptExchange, ReportData, Reproduction, RunPath, StoredAnswers, group_title,
};
use mirror_core::compare::{Asked, CompareOptions, Comparison, Observation, compare_full};
use mirror_core::dissect::DissectLimits;
use mirror_core::options::FromText;
use mirror_core::policy::asks_for_another_method;
use serde::Serialize;
use serde_json::json;
use tokio::runtime::Builder;

use crate::terminal;

/// Whether and where the request is sent.
pub(super) struct Send<'o> {
    pub(super) target: Option<&'o str>,
    pub(super) allow_write: bool,
}

/// What came of a request that was sent.
#[derive(Serialize)]
struct Sent {
    target: String,
    status: u16,
    milliseconds: f64,
    /// Whether what production's body was is known only in part, so that bodies were not compared.
    without_bodies: bool,
    differences: Vec<Difference>,
}

#[derive(Serialize)]
struct Difference {
    place: String,
    kind: String,
    production: String,
    mirror: String,
}

pub(super) fn reproduce(
    run: &RunPath,
    group: Option<usize>,
    send: Option<Send<'_>>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let data = report::read(run)?;
    let Some(number) = group else {
        list(&data, json)?;
        return Ok(ExitCode::SUCCESS);
    };
    let stored = |number| report::answers(run, number);
    let (reproduction, answers) = Reproduction::new(&data, number, stored)?;
    let sent = match send {
        Some(send) => Some(sent(&data, answers.as_ref(), &send)?),
        None => None,
    };
    if json {
        let mut value = serde_json::to_value(&reproduction)?;
        value["sent"] = serde_json::to_value(&sent)?;
        terminal::print_json(&value)?;
    } else {
        terminal::print_report(&shown(&reproduction, sent.as_ref()))?;
    }
    let is_equal = sent.is_none_or(|sent| sent.differences.is_empty());
    Ok(ExitCode::from(u8::from(!is_equal)))
}

fn list(data: &ReportData, json: bool) -> anyhow::Result<()> {
    let groups = data.results.differences.iter().enumerate();
    if json {
        let groups = groups.map(|(index, group)| {
            json!({ "group": index + 1, "title": group_title(group), "count": group.count })
        });
        return terminal::print_json(&groups.collect::<Vec<_>>());
    }
    let rows = groups.map(|(index, group)| {
        [
            (index + 1).to_string(),
            group.count.to_string(),
            group_title(group),
        ]
    });
    let columns = [
        ("group", Align::Right),
        ("answers", Align::Right),
        ("difference", Align::Left),
    ];
    match data.results.differences.is_empty() {
        true => terminal::print("the run has no differences\n"),
        false => terminal::print(&table(terminal_width(), columns, rows)),
    }
}

fn shown(reproduction: &Reproduction, sent: Option<&Sent>) -> String {
    let Reproduction {
        group,
        title,
        count,
        example,
        production,
        candidate,
        is_bare,
    } = reproduction;
    let mut text = format!(
        "group {group}: {title}, {count} answers\n    {}\n    - {}\n    + {}\n",
        example.request, example.production, example.mirror
    );
    for (side, command) in [("production", production), ("candidate", candidate)] {
        let command = command.as_deref().unwrap_or(
            "(no command: the request was not kept whole, or has no form that curl knows)",
        );
        text += &format!("\n{side}\n{command}\n");
    }
    if *is_bare {
        text += "\nits headers and body were not kept: the commands have method and target alone; where a side is not known, set PRODUCTION or\nCANDIDATE to its address, as in http://shop:8080\n";
    }
    if let Some(sent) = sent {
        text += &sent_text(sent);
    }
    text
}

fn sent_text(sent: &Sent) -> String {
    let mut text = format!(
        "\nsent to {}: status {}, {:.1} ms; ",
        sent.target, sent.status, sent.milliseconds
    );
    text += match sent.differences.as_slice() {
        [] => "the answer is as production's was then\n",
        _ => "it differs from production's answer then\n",
    };
    for one in &sent.differences {
        text += &format!(
            "  {} ({})\n    - {}\n    + {}\n",
            one.place, one.kind, one.production, one.mirror
        );
    }
    if sent.without_bodies {
        text += "  production's body was too large to be kept whole: bodies were not compared\n";
    }
    text
}

/// Sends the request of the example, and compares the answer with production's.
fn sent(
    data: &ReportData,
    answers: Option<&StoredAnswers>,
    send: &Send<'_>,
) -> anyhow::Result<Sent> {
    let answers = answers.context(
        "nothing was sent: the answers to this group's examples were not kept, or are gone by now",
    )?;
    let kept = KeptExchange::new(answers)?;
    let is_safe = matches!(&*kept.request.method, "GET" | "HEAD" | "OPTIONS")
        && !asks_for_another_method(&kept.request);
    ensure!(
        is_safe || send.allow_write,
        "nothing was sent: a {} like this may write. Add --allow-write if it may do so on the mirror",
        &*kept.request.method
    );
    let target = target(data, send.target)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (options, limits) = (ReplayOptions::default(), DissectLimits::default());
    let outcome = runtime.block_on(async {
        let replayer = Replayer::new(target.clone(), &options, &limits, None)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let marks = Marks {
            at: u64::try_from(now?.as_millis())?,
            ..Marks::default()
        };
        let outcome = replayer.send(&kept.request, &marks, options.timeout).await;
        anyhow::Ok(outcome)
    })?;
    let (answer, latency) = match outcome {
        ReplayOutcome::Answered {
            response, latency, ..
        } => (response, latency),
        ReplayOutcome::Timeout { reason }
        | ReplayOutcome::ConnectFailed { reason }
        | ReplayOutcome::Failed { reason } => bail!("{target} did not answer: {reason}"),
    };
    let authority = target.host();
    let options = CompareOptions::default();
    let comparison = kept.compare(&answer, |request, production, mirror| {
        let asked = Asked {
            request: Some(request),
            mirror_authority: Some(&authority),
        };
        compare_full(&options, asked, production, mirror)
    });
    Ok(Sent {
        target: target.to_string(),
        status: answer.status,
        milliseconds: latency.as_secs_f64() * 1000.0,
        without_bodies: kept.is_cut,
        differences: differences(&comparison),
    })
}

fn target(data: &ReportData, given: Option<&str>) -> anyhow::Result<Target> {
    let url = given.or(data.results.run.first_target());
    let url = url.context("the run had no target: add --target URL")?;
    Target::from_text(url).map_err(|why| anyhow::anyhow!("invalid --target `{url}`: {why}"))
}

fn differences(comparison: &Comparison) -> Vec<Difference> {
    let shown = |one: &Observation| {
        let severity = one.kind.severity_at(&one.place);
        Difference {
            place: one.place.to_string(),
            kind: one.kind.with_severity(severity),
            production: one.production.clone(),
            mirror: one.mirror.clone(),
        }
    };
    comparison.observations.iter().map(shown).collect()
}
