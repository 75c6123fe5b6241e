//! The report's page in a real browser: what a reader does there, with the mouse, with keys, on a phone, without JavaScript, and while a
//! run goes on. The pages are those of `mirror-agent/examples/pages`.

mod access;
mod live;
mod reading;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use mirror_tests::browser::{Browser, Scheme};
use mirror_tests::scratch::Scratch;
use mirror_tests::{testing, workspace};

/// All states of a page.
const STATES: [&str; 7] = [
    "pass", "fail", "hold", "nothing", "invalid", "large", "hostile",
];
const DESKTOP: (u32, u32) = (1280, 800);
const PHONE: (u32, u32) = (390, 844);

fn main() -> ExitCode {
    testing::main()
}

/// A browser, and the pages that it opens.
struct Reader {
    browser: Browser,
    pages: PathBuf,
    _scratch: Scratch,
}

impl Reader {
    fn new() -> Result<Self> {
        let scratch = Scratch::new()?;
        let pages = scratch.join("pages");
        make_pages(&pages)?;
        Ok(Self {
            browser: Browser::start(scratch.path())?,
            pages,
            _scratch: scratch,
        })
    }

    fn screen(&self, (width, height): (u32, u32), scheme: Scheme) -> Result<()> {
        self.browser.screen(width, height, scheme)
    }

    fn open(&self, state: &str) -> Result<()> {
        let file = self.pages.join(format!("{state}.html"));
        self.browser.open(&format!("file://{}", file.display()))?;
        let is_ready = self
            .browser
            .run("return document.documentElement.dataset.ready !== undefined")?;
        ensure!(
            is_ready == true,
            "{state}: the script did not end: {:#?}",
            self.browser.log("browser")?
        );
        Ok(())
    }

    fn number(&self, script: &str) -> Result<u64> {
        let value = self.browser.run(script)?;
        value.as_u64().with_context(|| format!("{script}: {value}"))
    }

    /// What stands in a column of a table, from top to bottom.
    fn column(&self, table: &str, column: &str) -> Result<Vec<String>> {
        let script = format!(
            "return [...document.querySelectorAll('#{table}-drawn tbody [data-label=\"{column}\"]')].map((cell) => cell.innerText)"
        );
        let cells = self.browser.run(&script)?;
        let cells = cells.as_array().context("a list")?.iter();
        Ok(cells
            .filter_map(|cell| cell.as_str().map(str::to_owned))
            .collect())
    }
}

fn make_pages(directory: &std::path::Path) -> Result<()> {
    let program = workspace::target_dir()?.join("debug/examples/pages");
    ensure!(
        program.is_file(),
        "{} is not built: run `cargo xtask test`, or `cargo build -p mirror-agent --example pages`",
        program.display()
    );
    let output = Command::new(program)
        .arg(directory)
        .output()
        .context("making pages")?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
