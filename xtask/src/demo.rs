//! `cargo xtask demo`: the main job in three acts on three hosts, with the programs a user has.
//!
//! 1. same version, no snapshots: the false differences people suffer today
//! 2. same version, with snapshots: none
//! 3. version 2, with snapshots: exactly the planted mistake

mod act;
mod story;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};
use mirror_tests::net::{self, Network};
use mirror_tests::redis::Redis;
use mirror_tests::scratch::{self, Scratch};
use mirror_tests::workspace::{self, Profile};

use crate::cargo::build_programs;
use crate::install::{self, CURL, IP, REDIS, SETPRIV};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

pub(crate) fn run(json: bool) -> Result<()> {
    install::ensure(&[IP, CURL, SETPRIV, REDIS])?;
    build_programs(Profile::Release)?;
    clean_up_on_interrupt()?;
    let played = play(json);
    while INTERRUPTED.load(Ordering::SeqCst) {
        // What failed is what the handler took away; it ends this process when all is gone.
        std::thread::park();
    }
    if !played? {
        bail!("not every act came out as it should");
    }
    Ok(())
}

/// All three acts; true when each came out as it should.
fn play(json: bool) -> Result<bool> {
    let (network, scratch) = (Network::new()?, Scratch::new()?);
    let _redis = Redis::start(&network, &scratch)?;
    let mut results = Vec::new();
    for act in &act::ACTS {
        if !json {
            story::announce(act);
        }
        let result = act::play(act, &network).with_context(|| format!("act {}", act.number))?;
        if !json {
            story::tell(&result);
        }
        results.push(result);
    }
    if json {
        println!("{:#}", story::json(&results));
    } else {
        story::close(&results);
    }
    Ok(results.iter().all(|result| result.as_expected()))
}

/// Where an act's report stays when the demo is over.
fn report_dir(act: u32) -> Result<PathBuf> {
    Ok(workspace::target_dir()?
        .join("demo")
        .join(format!("act-{act}")))
}

/// Ctrl-C and SIGTERM take the hosts away, with all that runs on them.
fn clean_up_on_interrupt() -> Result<()> {
    ctrlc::set_handler(|| {
        INTERRUPTED.store(true, Ordering::SeqCst);
        eprintln!("\ninterrupted: removing the namespaces and what runs in them");
        net::remove_mine();
        scratch::remove_mine();
        std::process::exit(130);
    })
    .context("handling Ctrl-C")
}
