//! convert: a file of traffic as another one, or as a script. What policy does not let through is not in it.

mod output;
mod tally;

use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Error, ensure};
use mirror_agent::cli::{Convert, ConvertOptions, ConvertTo};
use mirror_agent::config::read_key;
use mirror_agent::traffic::{
    InOrder, TrafficFile, TrafficWriter, WriteError, WriteOptions, WrittenFormat,
};
use mirror_core::dissect::DissectLimits;
use mirror_core::exchange::Exchange;
use mirror_core::options::Options;
use mirror_core::policy::Envelope;

use crate::terminal;
use output::OutputFile;
use tally::Tally;

/// The input is damaged; what stands before was converted.
const DAMAGED: u8 = 3;

pub(super) fn convert(options: &Convert) -> anyhow::Result<ExitCode> {
    let to_stdout = options.output == Path::new("-");
    ensure!(
        !(to_stdout && options.json),
        "--json and OUT `-` both print: name a file"
    );
    let format = format(options)?;
    let mut reading = ConvertOptions::read(&options.reading.given)?;
    read_key(&mut reading.policy)?;
    reading.policy.check().map_err(Error::msg)?;
    let limits = DissectLimits {
        ports: reading.ports.clone(),
        ..reading.limits.clone()
    };
    let mut exchanges = InOrder::new(TrafficFile::open(&options.input, limits)?);
    let mut output = OutputFile::create(&options.output)?;
    let mut writer =
        TrafficWriter::new(format, &write_options(options), BufWriter::new(&mut output))?;
    let mut tally = Tally::default();
    let host: Arc<str> = "".into();
    for exchange in exchanges.by_ref() {
        tally.read += 1;
        let identify = |exchange: &Exchange| reading.identity.identify(exchange);
        match reading.policy.admit(&host, exchange, identify) {
            Err(refusal) => tally.refused(&refusal),
            Ok(envelope) => match writer.exchange(&shown(&envelope)) {
                Ok(()) => tally.written += 1,
                Err(WriteError::Unfit(why)) => tally.left_out(why),
                Err(WriteError::Io(error)) => return Err(error).context("writing OUT"),
            },
        }
    }
    let mut buffer = writer.finish().context("writing OUT")?;
    buffer.flush().context("writing OUT")?;
    drop(buffer);
    output.finish()?;
    tally.not_read(exchanges.file());
    report(options, &tally)?;
    let Some(error) = exchanges.damage() else {
        return Ok(ExitCode::SUCCESS);
    };
    terminal::note(&format!(
        "warning: {}: {error:#}; what stands before was converted",
        options.input.display()
    ));
    Ok(ExitCode::from(DAMAGED))
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

fn format(options: &Convert) -> anyhow::Result<WrittenFormat> {
    let name = options.output.file_name().unwrap_or_default();
    let to = options
        .to
        .or_else(|| ConvertTo::of_name(&name.to_string_lossy()));
    let to = to.with_context(|| {
        format!(
            "`{}` does not say what to write: let it end in .har, .gor, .sh, .js or .json, or add --to",
            options.output.display()
        )
    })?;
    Ok(match to {
        ConvertTo::Har => WrittenFormat::Har,
        ConvertTo::Gor => WrittenFormat::GoReplay,
        ConvertTo::Curl => WrittenFormat::Curl,
        ConvertTo::K6 => WrittenFormat::K6,
        ConvertTo::Postman => WrittenFormat::Postman,
    })
}

fn write_options(options: &Convert) -> WriteOptions {
    let name = options.input.file_stem().unwrap_or_default();
    WriteOptions {
        target: options.target.clone(),
        speed: options.speed,
        name: name.to_string_lossy().into_owned(),
    }
}

fn report(options: &Convert, tally: &Tally) -> anyhow::Result<()> {
    if options.json {
        return terminal::print_json(tally);
    }
    let text = tally.text(&options.output);
    // On standard output are the exchanges.
    match options.output == Path::new("-") {
        true => terminal::note(text.trim_end()),
        false => terminal::print(&text)?,
    }
    Ok(())
}
