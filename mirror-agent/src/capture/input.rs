//! The bytes of a file of traffic: from a file or standard input, plain or compressed.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use flate2::read::MultiGzDecoder;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// A file header is not to be read in parts, which a pipe may give.
const HEADER: usize = 64;
/// Bytes read ahead, as they are in the file and decompressed.
const RAW_BUFFER: usize = 256 << 10;
const BUFFER: usize = 64 << 10;

/// Bytes read so far, as they are in the file, and how many there are if that is known.
#[derive(Clone, Debug)]
pub struct Progress {
    read: Arc<AtomicU64>,
    pub length: Option<u64>,
}

impl Progress {
    pub fn read(&self) -> u64 {
        self.read.load(Relaxed)
    }
}

/// Why reading ended early, if it did.
#[derive(Clone, Default)]
pub(crate) struct Trouble(Arc<Mutex<Option<String>>>);

impl Trouble {
    pub(crate) fn told(&self) -> Option<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn tell(&self, error: &io::Error) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
    }
}

/// Bytes that are read once. What they begin with can be looked at before, by `fill_buf`: a whole header, unless there is less.
pub(crate) type Bytes = BufReader<Box<dyn Read + Send>>;

/// A file that is open.
pub(crate) struct Input {
    pub(crate) bytes: Bytes,
    pub(crate) progress: Progress,
    pub(crate) trouble: Trouble,
}

impl Input {
    /// Opens a file, or standard input for `-`.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let (source, length): (Box<dyn Read + Send>, _) = if path == Path::new("-") {
            (Box::new(io::stdin()), None)
        } else {
            let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
            let length = file.metadata().ok().filter(std::fs::Metadata::is_file);
            (Box::new(file), length.map(|metadata| metadata.len()))
        };
        let read = Arc::new(AtomicU64::new(0));
        let counted = Counted {
            source,
            read: Arc::clone(&read),
        };
        let mut raw = BufReader::with_capacity(RAW_BUFFER, counted);
        let start = raw
            .fill_buf()
            .with_context(|| format!("reading {}", path.display()))?;
        let plain: Box<dyn Read + Send> = if start.starts_with(&GZIP) {
            Box::new(MultiGzDecoder::new(raw))
        } else if start.starts_with(&ZSTD) {
            Box::new(zstd::Decoder::with_buffer(raw).context("starting to decompress")?)
        } else {
            Box::new(raw)
        };
        let trouble = Trouble::default();
        let watched = Watched {
            source: plain,
            reads: 0,
            trouble: trouble.clone(),
            failed: None,
        };
        Ok(Self {
            bytes: BufReader::with_capacity(BUFFER, Box::new(watched)),
            progress: Progress { read, length },
            trouble,
        })
    }
}

struct Counted<R> {
    source: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.source.read(buffer)?;
        self.read.fetch_add(size as u64, Relaxed);
        Ok(size)
    }
}

/// Gives a whole header at first, and keeps the reason of a failure, which the parser does not hand on.
struct Watched {
    source: Box<dyn Read + Send>,
    reads: u32,
    trouble: Trouble,
    failed: Option<io::Error>,
}

impl Watched {
    /// At least `wanted` bytes, unless the file ends or fails before.
    fn fill(&mut self, buffer: &mut [u8], wanted: usize) -> usize {
        let mut filled = 0;
        while filled < wanted.min(buffer.len()) {
            match self.source.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(size) => filled += size,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.trouble.tell(&error);
                    self.failed = Some(error);
                    break;
                }
            }
        }
        filled
    }
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reads = self.reads.saturating_add(1);
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let wanted = if self.reads == 1 { HEADER } else { 1 };
        let filled = self.fill(buffer, wanted);
        // The parser reads twice before it looks for packets, and would give up on a failure there: these come first.
        if filled == 0
            && self.reads > 2
            && let Some(error) = self.failed.take()
        {
            return Err(error);
        }
        Ok(filled)
    }
}
