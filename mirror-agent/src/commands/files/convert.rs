//! convert: a file of traffic as another one, or as a script. What policy does not let through is not in it.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, ensure};
use mirror_agent::cli::{Convert, ConvertTo};
use mirror_agent::traffic::{TrafficWriter, WriteError, WriteOptions, WrittenFormat};
use mirror_core::exchange::Exchange;
use mirror_core::policy::Envelope;

use super::output::OutputFile;
use super::reading::Reading;
use super::recording::RecordingOutput;
use super::source::{JudgedAgain, Source};
use super::tally::Tally;

pub(crate) fn convert(options: &Convert) -> anyhow::Result<ExitCode> {
    let to_stdout = options.output == Path::new("-");
    ensure!(
        !(to_stdout && options.json),
        "--json and OUT `-` both print: name a file"
    );
    let format = format(options)?;
    let reading = Reading::new(&options.reading)?;
    let mut source = Source::open(&options.input, &reading)?;
    let output = OutputFile::create(&options.output)?;
    let mut tally = Tally::default();
    match format {
        Some(format) => write(options, format, &mut source, output, &mut tally)?,
        None => record(&mut source, output, &mut tally)?,
    }
    tally.not_read(source.file());
    tally.print(&options.output, options.json)?;
    Ok(source.end("converted"))
}

/// As a format of others. A recording is judged by the rules in effect here, as it would be before it is sent.
fn write(
    options: &Convert,
    format: WrittenFormat,
    source: &mut Source<'_>,
    output: OutputFile,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let context = || format!("writing {}", options.output.display());
    let buffer = BufWriter::new(output);
    let mut writer = TrafficWriter::new(format, &write_options(options), buffer)?;
    while let Some(admitted) = source.next(JudgedAgain::Yes, tally)? {
        match writer.exchange(&shown(&admitted.envelope)) {
            Ok(()) => tally.written += 1,
            Err(WriteError::Unfit(why)) => tally.left_out(why),
            Err(WriteError::Io(error)) => return Err(error).with_context(context),
        }
    }
    let mut buffer = writer.finish().with_context(context)?;
    buffer.flush().with_context(context)?;
    let output = buffer.into_inner().map_err(|error| error.into_error());
    output.with_context(context)?.finish()
}

/// As a recording. What a recording holds was let through before.
fn record(source: &mut Source<'_>, output: OutputFile, tally: &mut Tally) -> anyhow::Result<()> {
    let metadata = source.metadata();
    let mut recording = RecordingOutput::new(output, &metadata, source.keys())?;
    while let Some(admitted) = source.next(JudgedAgain::No, tally)? {
        recording.push(&admitted)?;
        tally.written += 1;
    }
    recording.finish(tally)
}

/// Headers that go to the mirror and nowhere else are in no file.
fn shown(envelope: &Envelope) -> Exchange {
    let mut exchange = envelope.exchange().clone();
    let is_kept = |name: &str| {
        let mut kept = envelope.kept().iter();
        kept.any(|kept| kept.eq_ignore_ascii_case(name))
    };
    exchange.request.headers.retain(|name| !is_kept(name));
    exchange
}

/// `None` for a recording.
fn format(options: &Convert) -> anyhow::Result<Option<WrittenFormat>> {
    let name = options.output.file_name().unwrap_or_default();
    let to = options
        .to
        .or_else(|| ConvertTo::of_name(&name.to_string_lossy()));
    let to = to.with_context(|| {
        format!(
            "`{}` does not say what to write: let it end in .mrec, .har, .gor, .sh, .js or .json, or add --to",
            options.output.display()
        )
    })?;
    Ok(Some(match to {
        ConvertTo::Mrec => return Ok(None),
        ConvertTo::Har => WrittenFormat::Har,
        ConvertTo::Gor => WrittenFormat::GoReplay,
        ConvertTo::Curl => WrittenFormat::Curl,
        ConvertTo::K6 => WrittenFormat::K6,
        ConvertTo::Postman => WrittenFormat::Postman,
    }))
}

fn write_options(options: &Convert) -> WriteOptions {
    let name = options.input.file_stem().unwrap_or_default();
    WriteOptions {
        target: options.target.clone(),
        speed: options.speed,
        name: name.to_string_lossy().into_owned(),
    }
}
