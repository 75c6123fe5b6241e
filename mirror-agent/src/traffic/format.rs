//! What a format is to whoever writes exchanges.

use std::io::{self, Write};

use mirror_core::exchange::Exchange;

/// How exchanges are written. An exchange that is unfit writes nothing.
pub(super) trait Format {
    fn begin(&mut self, out: &mut dyn Write) -> io::Result<()>;
    fn exchange(&mut self, exchange: &Exchange, out: &mut dyn Write) -> Result<(), WriteError>;
    fn end(&mut self, out: &mut dyn Write) -> io::Result<()>;
}

/// Why an exchange is not in the file.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The format cannot say it.
    #[error("{0}")]
    Unfit(&'static str),
    #[error(transparent)]
    Io(#[from] io::Error),
}
