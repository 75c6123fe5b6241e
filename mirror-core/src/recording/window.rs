//! A part of a file in memory, as long as somebody needs it to be.

use std::io::{self, Read, Seek, SeekFrom};

/// Bytes that are read at once.
const STEP: u64 = 128 << 10;

#[derive(Debug)]
pub(super) struct Window<R> {
    source: R,
    buffer: Vec<u8>,
    /// Where the window begins in the buffer.
    start: usize,
    /// Where the window begins in the file.
    at: u64,
    is_over: bool,
}

impl<R: Read> Window<R> {
    pub(super) fn new(source: R) -> Self {
        Self {
            source,
            buffer: Vec::new(),
            start: 0,
            at: 0,
            is_over: false,
        }
    }

    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// The bytes that follow: at least so many, unless the file ends before. Memory grows with what is read, whatever is wanted.
    pub(super) fn peek(&mut self, wanted: usize) -> io::Result<&[u8]> {
        while !self.is_over && self.buffer.len() - self.start < wanted {
            if self.start > 0 {
                self.buffer.drain(..self.start);
                self.start = 0;
            }
            let mut step = self.source.by_ref().take(STEP);
            let read = step.read_to_end(&mut self.buffer)?;
            self.is_over = (read as u64) < STEP;
        }
        Ok(&self.buffer[self.start..])
    }

    /// The bytes that are in memory.
    pub(super) fn held(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// Leaves behind what was peeked at.
    pub(super) fn skip(&mut self, bytes: usize) {
        let bytes = bytes.min(self.buffer.len() - self.start);
        self.start += bytes;
        self.at += bytes as u64;
        if self.buffer.len() == self.start {
            self.buffer.clear();
            self.start = 0;
            // One large block does not stay in memory for all small ones after it.
            self.buffer.shrink_to(4 * STEP as usize);
        }
    }
}

impl<R: Read + Seek> Window<R> {
    pub(super) fn seek(&mut self, to: u64) -> io::Result<()> {
        self.source.seek(SeekFrom::Start(to))?;
        self.buffer.clear();
        (self.start, self.at, self.is_over) = (0, to, false);
        Ok(())
    }

    pub(super) fn length(&mut self) -> io::Result<u64> {
        let length = self.source.seek(SeekFrom::End(0))?;
        let read_to = self.at + (self.buffer.len() - self.start) as u64;
        self.source.seek(SeekFrom::Start(read_to))?;
        Ok(length)
    }
}
