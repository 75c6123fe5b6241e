//! `cargo xtask ebpf`: builds the kernel object that the agent embeds, and checks that it belongs to its source.
//!
//! The object is committed with a stamp: a digest of its sources, and the tool chain that made it. The same sources and the same
//! tool chain give the same bytes in any folder. So the check builds the object anew and compares.

mod toolchain;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use mirror_tests::workspace;
use sha2::{Digest, Sha256};

use crate::say::say;
use crate::tally::SKIPPED;
use toolchain::{Stated, Toolchain};

const OBJECT: &str = "mirror-ebpf/mirror.bpf.o";
const STAMP: &str = "mirror-ebpf/mirror.bpf.stamp";
/// The object with log lines is for debugging and not committed.
const LOG_OBJECT: &str = "mirror-ebpf/mirror-log.bpf.o";
/// What the object is made of: these files, and all in these folders.
const SOURCE_FILES: [&str; 2] = ["mirror-ebpf/Cargo.lock", "mirror-ebpf/Cargo.toml"];
const SOURCE_FOLDERS: [&str; 2] = ["mirror-common/src", "mirror-ebpf/src"];

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Build the object anew and fail when the committed one is another. Skipped where the stated tool chain cannot be had
    #[arg(long)]
    check: bool,
    /// Build one with log lines, beside it, for an agent with the feature `ebpf-log`
    #[arg(long, conflicts_with = "check")]
    log: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let root = workspace::root();
    if options.check {
        return check(root);
    }
    let toolchain = Toolchain::find_or_install()?;
    let built = toolchain.build(root, options.log)?;
    if options.log {
        fs::copy(&built, root.join(LOG_OBJECT)).context("copying the object")?;
        say!("{LOG_OBJECT} is written: build the agent with `--features ebpf-log`");
        return Ok(());
    }
    fs::copy(&built, root.join(OBJECT)).context("copying the object")?;
    let stamp = Stamp {
        sources: digest_of_sources(root)?,
        toolchain: toolchain.stated()?,
    };
    fs::write(root.join(STAMP), stamp.text()).with_context(|| format!("writing {STAMP}"))?;
    say!("{OBJECT} and its stamp are written: commit them with the source");
    Ok(())
}

fn check(root: &Path) -> Result<()> {
    let text = fs::read_to_string(root.join(STAMP)).with_context(|| format!("reading {STAMP}"))?;
    let stamp = Stamp::parse(&text)
        .with_context(|| format!("{STAMP} is not a stamp of this version: {REMEDY}"))?;
    ensure!(
        stamp.sources == digest_of_sources(root)?,
        "{OBJECT} was made of other sources than those beside it: {REMEDY}"
    );
    let toolchain = match Toolchain::find(&stamp.toolchain) {
        Ok(toolchain) => toolchain,
        Err(lack) => {
            say!("{SKIPPED}{OBJECT} is what its source gives: {lack:#}");
            say!("0 passed, 0 failed, 1 skipped");
            return Ok(());
        }
    };
    let built = toolchain.build(root, false)?;
    compare(&read(&root.join(OBJECT))?, &read(&built)?)?;
    say!("{OBJECT} is what its source gives, byte for byte");
    say!("1 passed, 0 failed, 0 skipped");
    Ok(())
}

const REMEDY: &str = "run `cargo xtask ebpf` and commit the result";

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("reading {}", path.display()))
}

fn compare(committed: &[u8], built: &[u8]) -> Result<()> {
    if committed == built {
        return Ok(());
    }
    let same = committed.iter().zip(built).take_while(|(a, b)| a == b);
    bail!(
        "{OBJECT} is not what its source gives: {} bytes instead of {}, the first difference at byte {}. {REMEDY}",
        committed.len(),
        built.len(),
        same.count()
    )
}

/// What stands beside the object.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    sources: String,
    toolchain: Stated,
}

impl Stamp {
    fn text(&self) -> String {
        let Stated { compiler, linker } = &self.toolchain;
        format!("sources {}\n{compiler}\n{linker}\n", self.sources)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let sources = lines.next()?.strip_prefix("sources ")?.to_owned();
        let toolchain = Stated {
            compiler: lines.next()?.to_owned(),
            linker: lines.next()?.to_owned(),
        };
        lines
            .next()
            .is_none()
            .then_some(Self { sources, toolchain })
    }
}

/// Names and contents of all source files.
fn digest_of_sources(root: &Path) -> Result<String> {
    let mut sources = Sha256::new();
    for path in source_paths(root)? {
        let name = path.strip_prefix(root).unwrap_or(&path);
        let bytes = read(&path)?;
        sources.update(format!("{} {}\n", name.display(), bytes.len()));
        sources.update(bytes);
    }
    let digest = sources.finalize();
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// In an order that is the same everywhere.
fn source_paths(root: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = SOURCE_FILES.map(|name| root.join(name)).to_vec();
    for folder in SOURCE_FOLDERS {
        let entries =
            fs::read_dir(root.join(folder)).with_context(|| format!("listing {folder}"))?;
        for entry in entries {
            paths.push(entry.with_context(|| format!("listing {folder}"))?.path());
        }
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flipped_byte_is_found() {
        assert!(compare(b"object", b"object").is_ok());
        let error = compare(b"obJect", b"object").unwrap_err().to_string();
        assert!(error.contains("at byte 2"), "{error}");
        assert!(compare(b"object", b"objects").is_err());
    }

    #[test]
    fn a_stamp_is_read_as_it_is_written() {
        let stamp = Stamp {
            sources: "00ff".into(),
            toolchain: Stated {
                compiler: "rustc 1.96.0 (x), LLVM 22.1.8".into(),
                linker: "bpf-linker 0.10.3".into(),
            },
        };
        assert_eq!(Stamp::parse(&stamp.text()), Some(stamp));
        assert_eq!(Stamp::parse("e68d\nc521\nrustc 1.96.0\n"), None);
    }
}
