//! `cargo xtask`: every developer task of the workspace, one file per subcommand.

mod bench;
mod cargo;
mod demo;
mod ebpf;
mod fuzz;
mod image;
mod install;
mod java;
mod kernels;
mod lint;
mod test;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Developer tasks of mirror.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the kernel program's object, which is committed beside its source
    Ebpf {
        /// Build nothing; fail when the committed object does not belong to the committed source
        #[arg(long)]
        check: bool,
        /// Build one with log lines, beside it, for an agent with the feature `ebpf-log`
        #[arg(long)]
        log: bool,
    },
    /// The main job in three acts: a real service, real traffic, real differences
    Demo(demo::Options),
    /// All tests, the end-to-end ones in network namespaces, and those of the SDK in Java; as root nothing is skipped
    Test,
    /// fmt, clippy, the purity of the cores, and the kernel object's belonging to its source
    Lint,
    /// Mutated input for everything that reads traffic, each target for a while
    Fuzz {
        /// For each target
        #[arg(long, default_value_t = 20)]
        seconds: u32,
        /// One that was printed before; the time by default
        #[arg(long)]
        seed: Option<u64>,
    },
    /// What the product costs; without a name, its main job under constant load
    Bench(bench::Bench),
    /// Load the programs and capture on other kernels, in virtual machines; and on this one
    Kernels(kernels::Options),
    /// Build the agent as a static binary and pack it as a container image
    Image {
        /// Where to write the image, as an OCI archive for `ctr images import` or `podman load`
        out: PathBuf,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    match task {
        Task::Ebpf { check, log } => ebpf::run(check, log),
        Task::Demo(options) => demo::run(&options),
        Task::Test => test::run(),
        Task::Lint => lint::run(),
        Task::Fuzz { seconds, seed } => fuzz::run(seconds, seed),
        Task::Bench(bench) => bench::run(bench),
        Task::Kernels(options) => kernels::run(&options),
        Task::Image { out } => image::run(&out),
    }
}
