//! `cargo xtask lint`: formatting, clippy, the kernel object, and the purity of the cores: what is
//! computed from a capture depends on the capture alone, so the stages between capture and
//! transport, and the diff, know no runtime, socket, file or clock.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use mirror_tests::workspace;

use crate::cargo::{cargo, check};
use crate::ebpf;

/// Crates whose code must be pure.
const CORES: [&str; 2] = ["mirror-contract/src", "mirror-core/src"];

const FORBIDDEN: [&str; 10] = [
    "tokio",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "std::fs",
    "std::thread",
    "SystemTime::now",
    "Instant::now",
    "thread_rng",
    "std::env",
];

pub(crate) fn run() -> Result<()> {
    check(cargo().args(["fmt", "--all", "--check"]))?;
    check(cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    check_purity()?;
    ebpf::run(true, false)?;
    eprintln!("lint: all clean");
    Ok(())
}

fn check_purity() -> Result<()> {
    let mut files = Vec::new();
    for core in CORES {
        rust_files(&workspace::root().join(core), &mut files)?;
    }
    let mut found = Vec::new();
    for file in &files {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        let shown = file
            .strip_prefix(workspace::root())
            .unwrap_or(file)
            .display();
        found.extend(
            impurities(&text)
                .map(|(line, word)| format!("{shown}:{line}: `{word}` in a pure core")),
        );
    }
    if !found.is_empty() {
        bail!(
            "the cores take bytes and time as arguments:\n{}",
            found.join("\n")
        );
    }
    eprintln!("purity: {} files of the cores are clean", files.len());
    Ok(())
}

/// Line numbers and forbidden words of the code before the tests, comments left out.
fn impurities(text: &str) -> impl Iterator<Item = (usize, &'static str)> {
    text.lines()
        .take_while(|line| line.trim() != "#[cfg(test)]")
        .enumerate()
        .filter_map(|(index, line)| {
            let code = line.split("//").next().unwrap_or(line);
            let word = FORBIDDEN.into_iter().find(|word| code.contains(word))?;
            Some((index + 1, word))
        })
}

/// The Rust files at or below `path`; a room that is not built yet has none.
fn rust_files(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_dir() {
        let entries =
            std::fs::read_dir(path).with_context(|| format!("listing {}", path.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("listing {}", path.display()))?;
            rust_files(&entry.path(), files)?;
        }
    } else if path.is_file() && path.extension().is_some_and(|ext| ext == "rs") {
        files.push(path.to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::impurities;

    #[test]
    fn impurities_are_found_in_code_only() {
        let check = |text: &str, expected: &[(usize, &str)]| {
            assert_eq!(impurities(text).collect::<Vec<_>>(), expected, "{text}");
        };
        check(
            "fn f() {}\nlet t = Instant::now();\n",
            &[(2, "Instant::now")],
        );
        check("// no tokio here\n", &[]);
        check("fn f() {}\n#[cfg(test)]\nmod tests { use std::fs; }\n", &[]);
        check("use std::net::SocketAddr;\n", &[]);
    }
}
