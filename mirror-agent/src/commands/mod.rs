//! One file per family of commands.

mod doctor;
mod inspect;
mod live;

use std::io::{self, Write};
use std::process::ExitCode;

use mirror_agent::{cli::Command, config::Config, report};

pub(crate) fn dispatch(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run(options) => live::run(Config::new(options)?),
        Command::Start(options) => live::start(Config::new(options)?),
        Command::Status { json, socket } => live::status(&socket.socket, json),
        Command::Stop { json, socket } => live::stop(&socket.socket, json),
        Command::Filter {
            filter,
            json,
            socket,
        } => live::filter(&socket.socket, filter, json),
        Command::Reload { socket } => live::reload(&socket.socket),
        Command::Inspect(options) => inspect::inspect(&options),
        Command::Doctor { options, fix, json } => doctor::doctor(&Config::new(options)?, fix, json),
        Command::Report { directory, json } => {
            let data = report::read(&directory)?;
            print_report(&data, json)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn print_report(data: &report::ReportData, json: bool) -> anyhow::Result<()> {
    let text = if json {
        serde_json::to_string_pretty(data)? + "\n"
    } else {
        report::text(data)
    };
    Ok(io::stdout().write_all(text.as_bytes())?)
}
