//! `cargo xtask bench`: what the product costs, one file per thing that is measured.

mod capture;
mod compare;
mod java;
mod machine;
mod main_job;
mod page;
mod program;
mod replay;
mod snapshot;
mod streams;
mod transport;
mod verdict;

use anyhow::Result;
use clap::{Args, Subcommand};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Bench {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    main: main_job::Load,
}

#[derive(Subcommand)]
enum What {
    /// Constant load on nginx: is every request accounted for, and at what cost (the default)
    Main(main_job::Load),
    /// Two answers in memory to observations, on one core: speed for equal, differing and large ones
    Compare(compare::Options),
    /// The price of capture, and what production notices of an agent in trouble
    Capture(capture::Trials),
    /// Full mirroring: its cost, what production's clients notice, and GoReplay beside it
    Replay(replay::Options),
    /// Packets in memory to exchanges, on one core: speed, memory, instructions, and tshark beside it
    Streams(streams::Options),
    /// Envelopes into a recording and out of it, on one core: speed, and how much smaller they are
    Transport(transport::Options),
    /// Ids a second, what production's requests pay for snapshots, thousands of waits at once
    Snapshot(snapshot::Options),
    /// What production's clients notice of snapshots in Java, and what a request pays for them
    Java(java::Options),
    /// The report's page in Chromium, with 10,000 groups: time, memory, elements
    Page(page::Options),
    /// How often the verdict is right: planted changes amid noise, the rules of others beside it, and simulations
    Verdict(verdict::Options),
}

pub(crate) fn run(bench: Bench) -> Result<()> {
    match bench.what.unwrap_or(What::Main(bench.main)) {
        What::Main(load) => main_job::run(&load),
        What::Compare(options) => compare::run(&options),
        What::Capture(trials) => capture::run(&trials),
        What::Replay(options) => replay::run(&options),
        What::Streams(options) => streams::run(&options),
        What::Transport(options) => transport::run(&options),
        What::Snapshot(options) => snapshot::run(&options),
        What::Java(options) => java::run(&options),
        What::Page(options) => page::run(&options),
        What::Verdict(options) => verdict::run(&options),
    }
}
