//! Golden captures: `cargo run -p mirror-agent --example golden` writes them and what is to be read of them to `tests/data`.
//! The test of the same name holds both to what is there. Look at the difference before you commit it.

mod capture;
mod cases;
mod told;

use std::path::Path;

use anyhow::{Context, Result};

fn main() -> Result<()> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data");
    for case in cases::CASES {
        let folder = data.join(case.name);
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let mut capture = capture::Capture::default();
        (case.make)(&mut capture);
        let input = folder.join("input.pcap");
        std::fs::write(&input, capture.file()).with_context(|| input.display().to_string())?;
        let expected = serde_json::to_string_pretty(&told::told(&input)?)?;
        std::fs::write(folder.join("expected.json"), expected + "\n")?;
        std::fs::write(folder.join("README.md"), told::readme(case))?;
        println!("{}", case.name);
    }
    Ok(())
}
