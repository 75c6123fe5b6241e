//! The binary: parses the command line and hands over.

mod commands;
mod terminal;

use std::process::ExitCode;

use clap::Parser;
use mirror_agent::{cli::Cli, secret::scrubbed};
use mirror_core::verdict::NOT_STARTED;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refused(&error),
    };
    terminal::log();
    match commands::dispatch(cli.command) {
        Ok(code) => code,
        // As in `inspect … | head`: the reader has what it wanted.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::note(&format!("error: {}", terminal::told(&error)));
            ExitCode::from(NOT_STARTED)
        }
    }
}

/// Help and version, or what is wrong with the command line; a URL in the wrong place may hold a password.
fn refused(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && scrubbed(&error.to_string()) != error.to_string() {
        terminal::note(error.to_string().trim_end());
    } else {
        // Its reader may be gone.
        let _ = error.print();
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(NOT_STARTED))
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
