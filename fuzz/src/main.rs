//! `mirror-fuzz TARGET SECONDS SEED`: runs one target on mutated input until the time is over. A panic prints the seed and
//! the number of the run; the same seed gives the same runs. Without coverage guidance, because that needs another compiler.

mod input;
mod targets;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::input::Rng;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, seconds, seed] = &arguments[..] else {
        bail!(
            "mirror-fuzz TARGET SECONDS SEED; targets are {}",
            targets::names()
        );
    };
    let target = targets::find(name)
        .with_context(|| format!("no target {name}; there are {}", targets::names()))?;
    let end = Instant::now() + Duration::from_secs(seconds.parse().context("SECONDS")?);
    let seed: u64 = seed.parse().context("SEED")?;
    let mut run = 0_u64;
    while Instant::now() < end {
        let case = seed.wrapping_mul(1 << 32).wrapping_add(run);
        let caught = std::panic::catch_unwind(|| target(&mut Rng::new(case)));
        if caught.is_err() {
            bail!("{name} failed in run {run} of seed {seed}");
        }
        run += 1;
    }
    println!("{name}: {run} runs with seed {seed}, nothing found");
    Ok(())
}
