//! `cargo xtask`: every developer task of the workspace, one file per subcommand.

mod axe;
mod bench;
mod cargo;
mod ci;
mod demo;
mod ebpf;
mod failures;
mod fuzz;
mod image;
mod install;
mod java;
mod kafka;
mod kernels;
mod leave;
mod lint;
mod mutants;
mod parts;
mod pictures;
mod progress;
mod say;
mod tally;
mod test;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Developer tasks of mirror.
///
/// A task installs what it needs and is not there, with apt-get or with cargo, and says so.
#[derive(Parser)]
#[command(name = "cargo xtask", after_help = "Example: cargo xtask demo")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the kernel program's object, which is committed beside its source
    ///
    /// The object is committed with a stamp that names the sources and the tool chain. `--check` builds it anew with that
    /// tool chain and compares byte for byte.
    #[command(after_help = "Example: cargo xtask ebpf --check")]
    Ebpf(ebpf::Options),
    /// The main job in three acts: a real service, real traffic, real differences
    #[command(after_help = "Example: cargo xtask demo --service spring")]
    Demo(demo::Options),
    /// All tests: in Rust, in Java, and end to end in network namespaces
    ///
    /// As root nothing is skipped that the machine can run. Each part runs whatever became of the others. The end names each
    /// part, each skipped test with what it needs, each failed test with its message, and the counts.
    #[command(after_help = "Example: sudo -E cargo xtask test")]
    Test,
    /// What a program can say about the source without running it
    ///
    /// fmt and clippy; the build by the oldest compiler that Cargo.toml names; licences, bans, sources and duplicate versions of
    /// dependencies (deny.toml), and advisories where there is a network; the cores' dependencies; and no circles among
    /// modules.
    ///
    /// A module is a file, or a `mod name { … }` in one. It refers to what its paths lead to that begin with `crate`, `super` or
    /// `self`, in `use` and in code. A name that a module passes on by `use` counts as what it stands for. Comments, texts and
    /// items with `#[cfg(test)]` do not count. Siblings are compared with all that is below them. A circle of siblings is an
    /// error. A module and its own children may refer to each other.
    #[command(after_help = "Example: cargo xtask lint")]
    Lint,
    /// All that CI runs: lint, test, kernels, fuzz and the kernel object, side by side
    #[command(after_help = "Example: sudo -E cargo xtask ci")]
    Ci,
    /// Run the coverage-guided fuzz targets, each for a while
    ///
    /// What was found once is kept in `target/fuzz/corpus` and is where the next run begins.
    #[command(
        after_help = "Examples: cargo xtask fuzz --seconds 60 --target tcp\n          \
                            cargo xtask fuzz --target tcp --input target/fuzz/artifacts/tcp/crash-…"
    )]
    Fuzz(fuzz::Options),
    /// What the product costs; without a name, its main job under constant load
    #[command(after_help = "Example: cargo xtask bench streams --json")]
    Bench(bench::Bench),
    /// Load the programs and capture on other kernels, in virtual machines; and on this one
    #[command(after_help = "Example: cargo xtask kernels --only 5.10")]
    Kernels(kernels::Options),
    /// Take pictures of the report's page in each of its states, wide and narrow, light and dark
    ///
    /// They go to `target/pictures`, and the pages to `target/pages`.
    #[command(after_help = "Example: cargo xtask pictures --only fail")]
    Pictures(pictures::Options),
    /// Change the code of the heuristics, one place at a time, and see whether a test fails
    ///
    /// It prints a table of the files, and fails when more than 5 % of the changes that build survive, or one without a reason
    /// in `xtask/src/mutants/explained.rs`.
    #[command(
        after_help = "Examples: cargo xtask mutants mirror-core/src/http/h1\n          \
                            cargo xtask mutants --again mirror-core/src/http/h1/queue.rs"
    )]
    Mutants(mutants::Options),
    /// Build the agent as a static binary and pack it as a container image
    #[command(after_help = "Example: cargo xtask image mirror-agent.tar")]
    Image {
        /// Where to write the image, as an OCI archive for `ctr images import` or `podman load`
        out: PathBuf,
    },
}

fn main() -> ExitCode {
    cargo::remember_this_program();
    let result = leave::on_signals().and_then(|()| run(Cli::parse().task));
    leave::wait_if_leaving();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::note!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    match task {
        Task::Ebpf(options) => ebpf::run(&options),
        Task::Demo(options) => demo::run(&options),
        Task::Test => test::run(),
        Task::Lint => lint::run(),
        Task::Ci => ci::run(),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Bench(bench) => bench::run(bench),
        Task::Kernels(options) => kernels::run(&options),
        Task::Pictures(options) => pictures::run(&options),
        Task::Mutants(options) => mutants::run(&options),
        Task::Image { out } => image::run(&out),
    }
}
