//! `cargo xtask pictures`: the report's page as people see it, for each state that a run may end in.

use std::path::Path;

use anyhow::{Context, Result};
use clap::Args;
use mirror_tests::browser::{Browser, Scheme};
use mirror_tests::scratch::Scratch;
use mirror_tests::workspace;

use crate::cargo::{cargo, check};
use crate::install::{self, CHROMEDRIVER, CHROMIUM, CURL};
use crate::say::{note, say};

/// A desktop and a phone.
const SCREENS: [(u32, u32); 2] = [(1280, 800), (390, 844)];
/// Pixels of a picture; longer pages are cut.
const MAX_HEIGHT: u32 = 9_000;

/// What a picture is taken of: a page, and what a reader has done there.
const STATES: [(&str, &str, &str); 9] = [
    ("pass", "pass", ""),
    ("fail", "fail", ""),
    ("fail-opened", "fail", OPENED),
    ("hold", "hold", ""),
    ("nothing", "nothing", ""),
    ("invalid", "invalid", ""),
    ("large", "large", ""),
    ("hostile", "hostile", ""),
    ("hostile-opened", "hostile", OPENED),
];

/// Opens a route, the first differences and an outcome.
const OPENED: &str = "
    document.querySelector('#routes-drawn .opener').click();
    for (const n of [0, 1, 2, 3]) document.querySelectorAll('#differences-drawn .opener')[n]?.click();
    document.querySelector('#requests-drawn .outcome').dispatchEvent(new MouseEvent('click', { bubbles: true }));";

#[derive(Args)]
pub(crate) struct Options {
    /// Only states whose name begins so
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    for need in [CHROMIUM, CHROMEDRIVER, CURL] {
        if !need.is_there() {
            install::packages(&[need.package()])?;
        }
    }
    let pages = pages()?;
    let pictures = workspace::target_dir()?.join("pictures");
    std::fs::create_dir_all(&pictures)
        .with_context(|| format!("creating {}", pictures.display()))?;
    let scratch = Scratch::new()?;
    let browser = Browser::start(scratch.path())?;
    for (state, page, actions) in STATES {
        let is_wanted = options
            .only
            .as_deref()
            .is_none_or(|only| state.starts_with(only));
        if is_wanted {
            for scheme in [Scheme::Light, Scheme::Dark] {
                for screen in SCREENS {
                    let file = pages.join(format!("{page}.html"));
                    let name = format!("{state}-{}-{}.png", screen.0, scheme.name());
                    let picture = picture(&browser, &file, (screen, scheme), actions)?;
                    let path = pictures.join(name);
                    std::fs::write(&path, picture)
                        .with_context(|| format!("writing {}", path.display()))?;
                    note!("{}", path.display());
                }
            }
        }
    }
    say!("{}", pictures.display());
    Ok(())
}

/// The pages of the example program, made anew.
pub(crate) fn pages() -> Result<std::path::PathBuf> {
    let pages = workspace::target_dir()?.join("pages");
    let mut make = cargo();
    make.args([
        "run",
        "--quiet",
        "--package",
        "mirror-agent",
        "--example",
        "pages",
        "--",
    ]);
    make.arg(&pages);
    check(&mut make)?;
    Ok(pages)
}

fn picture(
    browser: &Browser,
    page: &Path,
    ((width, height), scheme): ((u32, u32), Scheme),
    actions: &str,
) -> Result<Vec<u8>> {
    browser.screen(width, height, scheme)?;
    browser.open(&format!("file://{}", page.display()))?;
    browser.run(actions)?;
    let length = browser.run("return Math.ceil(document.documentElement.scrollHeight)")?;
    let length = length.as_u64().unwrap_or(0) as u32;
    browser.picture(width, length.clamp(height, MAX_HEIGHT))
}
