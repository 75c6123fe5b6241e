//! `cargo xtask bench page`: what the report's page costs its reader, in Chromium: time until it can be used, memory, elements; and how
//! long the reader waits for a filter, a sort and an open difference.

use anyhow::{Context, Result, bail};
use clap::Args;
use mirror_tests::browser::{Browser, Scheme};
use mirror_tests::scratch::Scratch;
use serde_json::{Value, json};

use crate::install::{self, CHROMEDRIVER, CHROMIUM, CURL};
use crate::pictures;
use crate::say::say;

/// Pages that are opened: 9 groups, and 10,000 over 2,000 routes.
const PAGES: [&str; 2] = ["fail", "large"];

#[derive(Args)]
pub(super) struct Options {
    /// Times that each page is opened; the medians are told
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// From the browser's own clock, in milliseconds.
const OPENED: &str = "
    const [navigation] = performance.getEntriesByType('navigation');
    const paint = performance.getEntriesByName('first-contentful-paint')[0];
    gc();
    return {
        first_paint_ms: paint ? paint.startTime : null,
        usable_ms: performance.getEntriesByName('ready')[0].startTime,
        loaded_ms: navigation.loadEventEnd,
        megabytes: performance.memory.usedJSHeapSize / 1e6,
        elements: document.querySelectorAll('*').length,
        page_megabytes: navigation.decodedBodySize / 1e6,
    }";

/// What a reader does, and how long the page takes for it, with the layout that follows.
const USED: &str = "
    const timed = (act) => {
        const began = performance.now();
        act();
        document.body.getBoundingClientRect();
        return performance.now() - began;
    };
    const input = document.getElementById('groups-search');
    const search = (text) => { input.value = text; input.dispatchEvent(new Event('input')); };
    const by = (selector) => document.querySelector(selector).click();
    return {
        filter_ms: timed(() => search('total')),
        unfilter_ms: timed(() => search('')),
        sort_ms: timed(() => by(\"#differences-drawn [data-key='sort answers']\")),
        open_ms: timed(() => by('#differences-drawn .opener')),
    }";

pub(super) fn run(options: &Options) -> Result<()> {
    for need in [CHROMIUM, CHROMEDRIVER, CURL] {
        if !need.is_there() {
            install::packages(&[need.package()])?;
        }
    }
    if options.runs == 0 {
        bail!("--runs 0: open each page at least once");
    }
    let pages = pictures::pages()?;
    let scratch = Scratch::new()?;
    let browser = Browser::start(scratch.path())?;
    browser.screen(1280, 800, Scheme::Light)?;
    let mut results = serde_json::Map::new();
    for page in PAGES {
        let url = format!("file://{}", pages.join(format!("{page}.html")).display());
        let mut runs = Vec::new();
        for _ in 0..options.runs {
            browser.open(&url)?;
            let mut figures = browser.run(OPENED)?;
            let used = browser.run(USED)?;
            let (Some(all), Some(used)) = (figures.as_object_mut(), used.as_object()) else {
                bail!("{page}: {figures} {used}");
            };
            all.extend(used.clone());
            runs.push(figures);
        }
        results.insert(page.to_owned(), medians(&runs)?);
    }
    show(&Value::Object(results), options.json)
}

/// Of each figure.
fn medians(runs: &[Value]) -> Result<Value> {
    let first = runs.first().and_then(Value::as_object).context("a run")?;
    let median = |name: &str| {
        let mut values: Vec<f64> = runs.iter().filter_map(|run| run[name].as_f64()).collect();
        values.sort_by(f64::total_cmp);
        let middle = values.get(values.len() / 2)?;
        Some((middle * 10.0).round() / 10.0)
    };
    let all = first.keys().map(|name| (name.clone(), json!(median(name))));
    Ok(Value::Object(all.collect()))
}

fn show(results: &Value, is_json: bool) -> Result<()> {
    if is_json {
        say!("{results:#}");
        return Ok(());
    }
    let first = results[PAGES[0]].as_object().context("figures")?;
    say!("{:<18}{:>12}{:>12}", "", PAGES[0], PAGES[1]);
    for name in first.keys() {
        let of = |page: &str| match results[page][name].as_f64() {
            Some(value) => value.to_string(),
            None => "–".into(),
        };
        say!("{:<18}{:>12}{:>12}", name, of(PAGES[0]), of(PAGES[1]));
    }
    Ok(())
}
