//! The file that a command writes: new, for its owner only, and gone again if the command fails.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use flate2::{Compression, write::GzEncoder};

pub(crate) struct OutputFile {
    sink: Sink,
    /// Taken away unless it is finished.
    unfinished: Option<PathBuf>,
}

enum Sink {
    Stdout,
    Plain(File),
    Gzip(Box<GzEncoder<File>>),
}

impl OutputFile {
    /// Standard output for `-`. Traffic is for its owner's eyes.
    pub(crate) fn create(path: &Path) -> anyhow::Result<Self> {
        if path == Path::new("-") {
            return Ok(Self {
                sink: Sink::Stdout,
                unfinished: None,
            });
        }
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .with_context(|| match path.exists() {
                true => format!(
                    "{} is there already: take another name, or remove it",
                    path.display()
                ),
                false => format!("creating {}", path.display()),
            })?;
        let is_gzip = path.extension().is_some_and(|ending| ending == "gz");
        Ok(Self {
            sink: match is_gzip {
                true => Sink::Gzip(Box::new(GzEncoder::new(file, Compression::default()))),
                false => Sink::Plain(file),
            },
            unfinished: Some(path.into()),
        })
    }

    pub(crate) fn finish(mut self) -> anyhow::Result<()> {
        let finished = match &mut self.sink {
            Sink::Gzip(encoder) => encoder.try_finish(),
            sink => sink.flush(),
        };
        finished.context("writing the end of OUT")?;
        self.unfinished = None;
        Ok(())
    }
}

impl Write for Sink {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout => io::stdout().write(buffer),
            Self::Plain(file) => file.write(buffer),
            Self::Gzip(encoder) => encoder.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout => io::stdout().flush(),
            Self::Plain(file) => file.flush(),
            Self::Gzip(encoder) => encoder.flush(),
        }
    }
}

impl Write for OutputFile {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.sink.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        if let Some(path) = &self.unfinished {
            let _ = std::fs::remove_file(path);
        }
    }
}
