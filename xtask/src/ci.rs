//! `cargo xtask ci`: all that CI runs, side by side where one does not need the other.
//!
//! Two things take long: the tests in Java, and the build with the end-to-end tests after it. What waits little and computes much
//! (fuzzing, other kernels, the kernel object) runs beside them with what they leave of the processor.

use anyhow::Result;
use mirror_tests::scratch::Scratch;

use crate::cargo::this_program;
use crate::parts::{self, Part};
use crate::tally::Counts;
use crate::test::{self, BUILD};
use crate::{fuzz, kernels};

/// Of each fuzz target.
const FUZZ_SECONDS: &str = "10";

pub(crate) fn run() -> Result<()> {
    // Here and not in the parts, which would wait for each other's package manager.
    test::install_needs()?;
    if mirror_tests::is_root() {
        kernels::install_needs()?;
        fuzz::install_needs()?;
    }
    let scratch = Scratch::new()?;
    let mut parts = test::parts(&scratch)?;
    parts.push(task("lint", &["lint"])?.after(&[BUILD]));
    parts.push(task("kernel object", &["ebpf", "--check"])?.in_background());
    parts.push(task("fuzz", &["fuzz", "--seconds", FUZZ_SECONDS])?.in_background());
    let kernels = ["running", "5.10", "6.1"];
    let only = kernels.iter().flat_map(|kernel| ["--only", kernel]);
    let args: Vec<&str> = ["kernels"].into_iter().chain(only).collect();
    parts.push(if mirror_tests::is_root() {
        task("kernels", &args)?.after(&[BUILD]).in_background()
    } else {
        Part::skipped("kernels", "needs root, for network namespaces and eBPF")
    });
    parts::run(parts)
}

/// Another task of this program, which ends with a closing line of its own.
fn task(name: &'static str, args: &[&str]) -> Result<Part> {
    let mut command = this_program()?;
    command.args(args);
    Ok(Part::new(name, Counts::Closing, vec![command]))
}
