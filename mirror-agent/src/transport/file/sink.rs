//! A file that holds whole blocks: what a disk has taken of a block that it did not take whole is taken away again.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

pub(super) struct WholeBlocks {
    file: File,
    length: u64,
}

impl WholeBlocks {
    pub(super) fn new(file: File) -> Self {
        Self { file, length: 0 }
    }

    /// Bytes of the whole blocks.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// What was written outlasts a crash of the host.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

impl Write for WholeBlocks {
    fn write(&mut self, block: &[u8]) -> io::Result<usize> {
        let written = self.file.write_all(block);
        if written.is_err() {
            // If this fails too, a reader finds the next block behind what is torn.
            let _ = self.file.set_len(self.length);
            let _ = self.file.seek(SeekFrom::Start(self.length));
        }
        written?;
        self.length += block.len() as u64;
        Ok(block.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
