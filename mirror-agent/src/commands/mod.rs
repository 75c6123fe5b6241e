//! One file per family of commands.

mod capture;
mod doctor;
mod explain;
mod files;
mod inspect;
mod live;
mod progress;
mod record;
mod recordings;
mod replay;
mod report;
mod reproduce;
mod rules;
mod runs;
mod top;
mod wait;

use std::process::ExitCode;

use mirror_agent::{
    cli::{Command, ReportFormat, RulesCommand, RunOptions, RunsIn},
    config::Settings,
    control::Order,
    report::{Extent, ReportData, RunPath, RunsFolder, report_text, table::terminal_width},
};

use crate::terminal;

pub(crate) fn dispatch(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run { options, json } => live::run(settings(options)?, json),
        Command::Start { options, json } => live::start(&settings(options)?.config, json),
        Command::Status { json, socket } => live::status(&socket.socket, json),
        Command::Stop { json, socket } => live::stop(&socket.socket, json),
        Command::Filter {
            change,
            json,
            socket,
        } => live::filter(&socket.socket, &change.given, json),
        Command::Pause { json, socket } => live::pause(&socket.socket, &Order::Pause, json),
        Command::Resume { json, socket } => live::pause(&socket.socket, &Order::Resume, json),
        Command::Replay {
            files,
            options,
            junit,
            json,
        } => replay::replay(settings(options)?, &files, junit.as_deref(), json),
        Command::Record {
            path,
            since,
            route,
            options,
            json,
        } => match since {
            None => record::record(settings(options)?, &path, json),
            Some(since) => record::look_back(&settings(options)?, &path, since, &route, json),
        },
        Command::Verify(options) => recordings::verify(&options),
        Command::Info(options) => recordings::info(&options),
        Command::Capture { options, json } => capture::capture(settings(options)?, json),
        Command::Reload { json, socket } => live::reload(&socket.socket, json),
        Command::Top { json, socket } => top::top(&socket.socket, json),
        Command::Wait(options) => wait::wait(&options),
        Command::Inspect(options) => inspect::inspect(&options),
        Command::Explain(options) => explain::explain(&options),
        Command::Convert(options) => files::convert(&options),
        Command::Cut(options) => {
            let run = options.pinning.pin_noise.as_deref();
            let run = run.map(|run| found(&options.runs, Some(run))).transpose()?;
            files::cut(&options, run.as_ref())
        }
        Command::Merge(options) => files::merge(&options),
        Command::Doctor { options, fix, json } => {
            doctor::doctor(&settings(options)?.config, fix, json)
        }
        Command::Rules(RulesCommand::Suggest { run, json, runs }) => {
            rules::suggest(&found(&runs, run.as_deref())?, json)
        }
        Command::Reproduce {
            run,
            group,
            send,
            target,
            allow_write,
            json,
            runs,
        } => {
            let send = send.then_some(reproduce::Send {
                target: target.as_deref(),
                allow_write,
            });
            reproduce::reproduce(&found(&runs, Some(&run))?, group, send, json)
        }
        Command::Schema { document } => {
            report::schema(document)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Report {
            run,
            compare,
            merge,
            fleet,
            group,
            details,
            json,
            format,
            runs,
        } => {
            let format = if json { ReportFormat::Json } else { format };
            if let [a, b] = compare.as_slice() {
                let [a, b] = [found(&runs, Some(a))?, found(&runs, Some(b))?];
                return report::compare(&a, &b, json);
            }
            if !merge.is_empty() {
                let all = merge.iter().map(|run| found(&runs, Some(run)));
                return report::merge(&all.collect::<Result<Vec<_>, _>>()?, format, details);
            }
            if let Some(url) = fleet {
                return report::fleet(&url, &group, format, details);
            }
            report::print(&found(&runs, run.as_deref())?, format, details)
        }
        Command::Runs {
            command,
            json,
            runs,
        } => runs::runs(command.as_ref(), json, &runs),
    }
}

/// The run that is meant.
fn found(runs: &RunsIn, run: Option<&str>) -> anyhow::Result<RunPath> {
    RunsFolder::named(runs.runs.as_deref())?.find(run)
}

/// The options in effect. Says where a password can be read by others.
fn settings(options: RunOptions) -> anyhow::Result<Settings> {
    let settings = options.sources().load()?;
    for exposed in settings.exposed_secrets() {
        terminal::note(&format!("warning: {exposed}"));
    }
    Ok(settings)
}

/// What a run prints at its end.
fn print_report(data: &ReportData, json: bool) -> anyhow::Result<()> {
    if json {
        terminal::print_json(data)
    } else {
        let text = report_text(data, Extent::Screen, terminal_width());
        terminal::print_report(&text)
    }
}
