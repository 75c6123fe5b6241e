//! The exchanges of a capture file, as a table or as one JSON object a line.

use std::{
    io::{self, BufWriter, Write},
    process::ExitCode,
};

use mirror_agent::{
    capture::{filter::PortSet, pcap::PcapFile},
    cli::{Format, Inspect},
    config,
    dissect::{DissectLimits, Dissector},
    exchange::{Exchange, Headers},
    identity,
    policy::Policy,
};
use mirror_snapshot::{IdRules, RequestId};
use serde_json::{Value, json};

const DAMAGED: u8 = 3;

pub(crate) fn inspect(options: &Inspect) -> anyhow::Result<ExitCode> {
    let rules = config::rules(&options.rule)?;
    let policy = Policy {
        allow: config::routes(&options.allow)?,
        keep_headers: vec![],
    };
    let file = PcapFile::open(&options.file)?;
    let mut dissector = Dissector::new(DissectLimits {
        ports: PortSet::parse(&options.port)?,
        ..DissectLimits::default()
    });
    let mut lines = Lines {
        rules,
        policy,
        format: options.format,
        out: BufWriter::new(io::stdout().lock()),
    };
    lines.heading()?;
    let mut damage = None;
    for packet in file {
        match packet {
            Ok(packet) => dissector.packet(&packet),
            Err(error) => {
                damage = Some(error);
                break;
            }
        }
        lines.print_all(&mut dissector)?;
    }
    dissector.finish();
    lines.print_all(&mut dissector)?;
    lines.out.flush()?;
    match damage {
        None => Ok(ExitCode::SUCCESS),
        Some(error) => {
            eprintln!("warning: the file is damaged, what stands before is shown: {error:#}");
            Ok(ExitCode::from(DAMAGED))
        }
    }
}

struct Lines<W> {
    rules: IdRules,
    policy: Policy,
    format: Format,
    out: W,
}

impl<W: Write> Lines<W> {
    fn heading(&mut self) -> io::Result<()> {
        match self.format {
            Format::Json => Ok(()),
            Format::Table => writeln!(
                self.out,
                "{:>5} {:>4}  {:<7} {:<44} {:>6} {:>9} {:>9}  OUTCOME",
                "CONN", "NR", "METHOD", "TARGET", "STATUS", "BYTES", "MS"
            ),
        }
    }

    fn print_all(&mut self, dissector: &mut Dissector) -> io::Result<()> {
        while let Some(exchange) = dissector.poll() {
            match self.format {
                Format::Json => writeln!(self.out, "{}", self.object(&exchange))?,
                Format::Table => self.row(&exchange)?,
            }
        }
        Ok(())
    }

    fn row(&mut self, exchange: &Exchange) -> io::Result<()> {
        let response = exchange.response.as_ref();
        let dash = || "-".to_string();
        writeln!(
            self.out,
            "{:>5} {:>4}  {:<7} {:<44} {:>6} {:>9} {:>9}  {}",
            exchange.connection,
            exchange.index,
            exchange.request.method,
            shortened(&exchange.request.target, 44),
            response.map_or_else(dash, |r| r.status.to_string()),
            response.map_or_else(dash, |r| r.body.len().to_string()),
            exchange
                .latency_nanos()
                .map_or_else(dash, |nanos| format!("{:.2}", nanos as f64 / 1e6)),
            self.outcome(exchange),
        )
    }

    fn object(&self, exchange: &Exchange) -> Value {
        let request = &exchange.request;
        let candidates = identity::candidates(&self.rules, exchange, 0);
        json!({
            "connection": exchange.connection,
            "index": exchange.index,
            "captured_at": exchange.captured_at().as_millis(),
            "request": {
                "method": request.method,
                "target": request.target,
                "version": version(request.minor),
                "headers": pairs(&request.headers),
                "body_bytes": request.body.len(),
                "complete": request.fault.is_none(),
            },
            "response": exchange.response.as_ref().map(|response| json!({
                "status": response.status,
                "version": version(response.minor),
                "headers": pairs(&response.headers),
                "body_bytes": response.body.len(),
                "complete": response.fault.is_none(),
            })),
            "id": candidates.first().map(RequestId::as_str),
            "outcome": self.outcome(exchange),
        })
    }

    /// What `run` would do with it.
    fn outcome(&self, exchange: &Exchange) -> &'static str {
        match self.policy.judge(exchange) {
            Ok(()) => "replayable",
            Err(outcome) => outcome.name(),
        }
    }
}

fn pairs(headers: &Headers) -> Vec<[String; 2]> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    headers
        .iter()
        .map(|(n, v)| [n.to_string(), text(v)])
        .collect()
}

fn version(minor: u8) -> String {
    format!("HTTP/1.{minor}")
}

/// At most `width` characters, the end replaced where it is longer.
fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.into();
    }
    text.chars().take(width - 1).chain(['…']).collect()
}
