//! Can everybody use the page? By the rules of axe-core.

use anyhow::{Context, Result};
use mirror_tests::browser::Scheme;
use mirror_tests::{axe, needs};
use serde_json::Value;

use crate::{DESKTOP, PHONE, Reader};

/// Opens a route, differences and an outcome, so that what they show is checked too.
const OPENED: &str = "
    document.querySelector('#routes-drawn .opener')?.click();
    for (const n of [0, 1]) document.querySelectorAll('#differences-drawn .opener')[n]?.click();
    document.querySelector('#requests-drawn .outcome')?.dispatchEvent(new MouseEvent('click', { bubbles: true }));
    for (const one of document.querySelectorAll('details')) one.open = true;";

const CHECK: &str = "
    return axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations.map((one) =>
        `${one.impact}: ${one.id}: ${one.help}: ${one.nodes.slice(0, 3).map((node) => node.html.slice(0, 200) + ' ' + node.failureSummary).join(' | ')}`));";

#[needs(browser, axe)]
fn axe_finds_nothing_serious() -> Result<()> {
    let script = axe::script().context("axe-core was there")?;
    let script = std::fs::read_to_string(script)?;
    let reader = Reader::new()?;
    for state in ["pass", "fail", "hold", "nothing", "invalid", "hostile"] {
        for screen in [DESKTOP, PHONE] {
            for scheme in [Scheme::Light, Scheme::Dark] {
                reader.screen(screen, scheme)?;
                reader.open(state)?;
                reader.browser.run(OPENED)?;
                // The page's policy is not asked for what the driver runs.
                reader.browser.run(&script)?;
                let found = reader.browser.run(CHECK)?;
                let found = found.as_array().context("a list")?;
                let serious: Vec<&str> = found
                    .iter()
                    .filter_map(Value::as_str)
                    .filter(|one| one.starts_with("serious") || one.starts_with("critical"))
                    .collect();
                assert!(
                    serious.is_empty(),
                    "{state} {screen:?} {scheme:?}: {serious:#?}"
                );
            }
        }
    }
    Ok(())
}
