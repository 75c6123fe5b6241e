//! cut: the part of a recording that is wanted.

use std::process::ExitCode;

use mirror_agent::cli::Cut;

use super::output::OutputFile;
use super::reading::Reading;
use super::recording::RecordingOutput;
use super::selection::Selection;
use super::source::{JudgedAgain, Source};
use super::tally::Tally;

pub(crate) fn cut(options: &Cut) -> anyhow::Result<ExitCode> {
    let reading = Reading::new(&options.reading)?;
    let mut source = Source::open(&options.input, &reading)?;
    let first = source.peek().unwrap_or_default();
    let mut selection = Selection::new(&options.selection, first);
    let output = OutputFile::create(&options.output)?;
    let metadata = source.metadata();
    let mut recording = RecordingOutput::new(output, &metadata)?;
    let mut tally = Tally::default();
    while let Some(admitted) = source.next(JudgedAgain::No, &mut tally)? {
        if let Err(why) = selection.take(&admitted.envelope) {
            tally.left_out(why);
            continue;
        }
        recording.push(&admitted)?;
        tally.written += 1;
    }
    recording.finish(&tally)?;
    tally.not_read(source.file());
    tally.print(&options.output, options.json)?;
    Ok(source.end("cut"))
}
