//! What goes to the terminal: logs, notes and progress on standard error, results on standard output. Nothing from traffic
//! or from a server reaches it unescaped, and no password does.

use std::{
    io::{self, IsTerminal, Write},
    sync::OnceLock,
};

use indicatif::{MultiProgress, ProgressDrawTarget};
use mirror_agent::{
    printable::{printable, printable_json, printable_lines},
    report::painted,
    secret::scrubbed,
};
use serde::Serialize;
use tracing_subscriber::{
    EnvFilter,
    field::RecordFields,
    fmt::{
        FormatFields, MakeWriter,
        format::{DefaultFields, Writer},
    },
};

/// Sets up logging, by `MIRROR_LOG`.
pub(crate) fn log() {
    let wanted = std::env::var("MIRROR_LOG").unwrap_or_default();
    let wanted = if wanted.is_empty() { "info" } else { &wanted };
    let filter = EnvFilter::try_new(wanted).unwrap_or_else(|error| {
        note(&format!(
            "warning: invalid MIRROR_LOG `{wanted}` ({error}): use error, warn, info, debug or trace"
        ));
        EnvFilter::new("info")
    });
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(has_colours(&io::stderr()))
        .fmt_fields(PrintableFields)
        .with_writer(Stderr)
        .init();
}

/// Whether a stream shows colours (<https://no-color.org>).
fn has_colours(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// The progress line, when there is one.
pub(crate) fn bars() -> &'static MultiProgress {
    static BARS: OnceLock<MultiProgress> = OnceLock::new();
    BARS.get_or_init(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()))
}

/// A line for whoever watches.
pub(crate) fn note(text: &str) {
    let line = format!("{}\n", printable_lines(&scrubbed(text)));
    // Nobody watches any more: nothing is lost.
    let _ = bars().suspend(|| io::stderr().write_all(line.as_bytes()));
}

/// An error and its causes in one line, each said once and none with a password.
pub(crate) fn told(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        // Some errors repeat their cause.
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    scrubbed(&text)
}

/// A result, as text. Ends with a newline.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let text = printable_lines(text);
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// A report or a status, with colours where they are shown.
pub(crate) fn print_report(text: &str) -> anyhow::Result<()> {
    let text = printable_lines(text);
    let mut out = io::stdout().lock();
    match has_colours(&out) {
        true => out.write_all(painted(&text).as_bytes())?,
        false => out.write_all(text.as_bytes())?,
    }
    Ok(out.flush()?)
}

/// A result, for programs.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let json = serde_json::to_string_pretty(value)? + "\n";
    let mut out = io::stdout().lock();
    out.write_all(printable_json(&json).as_bytes())?;
    Ok(out.flush()?)
}

/// One of many results, for programs that read while it goes on.
pub(crate) fn print_json_line(value: &impl Serialize) -> anyhow::Result<()> {
    let json = serde_json::to_string(value)? + "\n";
    let mut out = io::stdout().lock();
    out.write_all(printable_json(&json).as_bytes())?;
    Ok(out.flush()?)
}

/// Fields of an event, whose values may come from anywhere.
struct PrintableFields;

impl<'w> FormatFields<'w> for PrintableFields {
    fn format_fields<R: RecordFields>(
        &self,
        mut writer: Writer<'w>,
        fields: R,
    ) -> std::fmt::Result {
        let mut text = String::new();
        DefaultFields::new().format_fields(Writer::new(&mut text), fields)?;
        writer.write_str(&printable(&scrubbed(&text)))
    }
}

/// Writes above the progress line.
struct Stderr;

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        bars().suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// With colours too: they are the log's own.
    #[test]
    fn a_log_line_obeys_nobody_and_tells_no_password() {
        for ansi in [false, true] {
            let kept = Kept::default();
            let written = kept.clone();
            let subscriber = tracing_subscriber::fmt()
                .with_ansi(ansi)
                .fmt_fields(PrintableFields)
                .with_writer(move || written.clone())
                .finish();
            tracing::subscriber::with_default(subscriber, || {
                let error = "\u{9b}2J\x1b]0;t\x07\r\nforged redis://u:hunter2@h";
                tracing::warn!(%error, ?error, text = error, "a store says {error}");
            });
            let line = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
            assert!(
                line.contains("forged") && line.contains("redis://…@h"),
                "{line}"
            );
            assert!(!line.contains("hunter2"), "{line}");
            assert_eq!(line.matches('\n').count(), 1, "{line}");
            for c in ['\u{9b}', '\x07', '\r'] {
                assert!(!line.contains(c), "{line:?}");
            }
            assert!(!line.contains("\x1b]"), "{line:?}");
        }
    }

    #[test]
    fn an_error_says_each_cause_once() {
        use anyhow::Context;
        let cause = Err::<(), _>(anyhow::anyhow!("refused"));
        let error = cause
            .context("asking: refused")
            .context("doctor")
            .unwrap_err();
        assert_eq!(told(&error), "doctor: asking: refused");
    }
}
