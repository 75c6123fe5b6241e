//! cut: the part of a recording that is wanted.

use std::process::ExitCode;

use mirror_agent::cli::Cut;
use mirror_agent::report::RunPath;

use super::output::OutputFile;
use super::pin::Pins;
use super::reading::Reading;
use super::recording::RecordingOutput;
use super::selection::Selection;
use super::source::{JudgedAgain, Source};
use super::tally::Tally;

/// `run` is the one that `--pin-noise` names.
pub(crate) fn cut(options: &Cut, run: Option<&RunPath>) -> anyhow::Result<ExitCode> {
    let pins = options
        .pinning
        .pin
        .then(|| Pins::new(&options.pinning, run));
    let pins = pins.transpose()?;
    let reading = Reading::new(&options.reading)?;
    let mut source = Source::open(&options.input, &reading)?;
    let first = source.peek().unwrap_or_default();
    let mut selection = Selection::new(&options.selection, first);
    let output = OutputFile::create(&options.output)?;
    let metadata = source.metadata();
    let mut recording = RecordingOutput::new(output, &metadata, &reading.keys)?;
    let mut tally = Tally::default();
    while let Some(mut admitted) = source.next(JudgedAgain::No, &mut tally)? {
        if let Err(why) = selection.take(&admitted.envelope) {
            tally.left_out(why);
            continue;
        }
        if let Some(pins) = &pins
            && let Err(why) = pins.pin(&mut admitted)?
        {
            tally.left_out(why);
            continue;
        }
        recording.push(&admitted)?;
        tally.written += 1;
    }
    recording.finish(&tally)?;
    tally.not_read(source.file());
    tally.pinned_rules = pins.map(|pins| pins.rules().to_vec());
    tally.print(&options.output, options.json)?;
    Ok(source.end("cut"))
}
