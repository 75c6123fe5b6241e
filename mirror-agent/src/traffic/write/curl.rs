//! A script for any POSIX shell, with a command of curl for each request.

use std::io::{self, Write};
use std::time::{Duration, UNIX_EPOCH};

use mirror_core::exchange::Exchange;

use super::WriteOptions;
use super::sent::Sent;
use crate::report::{CurlRequest, quoted};
use crate::traffic::format::{Format, WriteError};

/// A word of the shell.
const TARGET: &str = "\"$TARGET\"";

pub(super) struct Curl {
    target: Option<String>,
}

impl Curl {
    pub(super) fn new(options: &WriteOptions) -> Self {
        Self {
            target: options.target.clone(),
        }
    }
}

impl Format for Curl {
    fn begin(&mut self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "#!/bin/sh\n# TARGET is where the requests go.")?;
        match &self.target {
            Some(url) => writeln!(out, "[ -n {TARGET} ] || TARGET={}", quoted(url)),
            None => writeln!(
                out,
                ": \"${{TARGET:?set it to an address, as in TARGET=http://mirror:8080}}\""
            ),
        }
    }

    fn exchange(&mut self, exchange: &Exchange, out: &mut dyn Write) -> Result<(), WriteError> {
        let sent = Sent::new(exchange)?;
        let request = CurlRequest {
            method: sent.method,
            target: &sent.target,
            headers: sent.headers,
            body: sent.body,
            is_decoded: false,
        };
        let command = request
            .to(TARGET)
            .ok_or(WriteError::Unfit("curl would send it otherwise"))?;
        let at = UNIX_EPOCH + Duration::from_nanos(exchange.captured_at().0);
        let at = humantime::format_rfc3339_micros(at);
        let answer = match &exchange.response {
            Some(answer) => format!("production answered {}", answer.status),
            None => "production's answer is not known".to_owned(),
        };
        writeln!(out, "\n# {at}: {answer}\n{command}")?;
        Ok(())
    }

    fn end(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}
