//! What a reader does with a page.

use anyhow::{Context, Result};
use mirror_tests::browser::Scheme;
use mirror_tests::needs;
use serde_json::{Value, json};

use crate::{DESKTOP, PHONE, Reader, STATES};

/// Elements of a page, however much is in its report.
const MAX_ELEMENTS: u64 = 4_000;

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";
const SPACE: &str = " ";

#[needs(browser)]
fn each_state_opens_without_an_error_and_asks_for_nothing() -> Result<()> {
    let reader = Reader::new()?;
    for state in STATES {
        for (screen, scheme) in [(DESKTOP, Scheme::Light), (PHONE, Scheme::Dark)] {
            reader.screen(screen, scheme)?;
            reader.browser.requests()?;
            reader.open(state)?;
            let errors = reader.browser.log("browser")?;
            assert!(errors.is_empty(), "{state}: {errors:#?}");
            let asked = reader.browser.requests()?;
            let from_elsewhere = asked.iter().filter(|url| !url.starts_with("data:"));
            let from_elsewhere: Vec<_> = from_elsewhere.collect();
            assert_eq!(from_elsewhere.len(), 1, "{state}: {from_elsewhere:?}");
            let elements = reader.number("return document.querySelectorAll('*').length")?;
            assert!(elements < MAX_ELEMENTS, "{state}: {elements} elements");
            let wide = reader.number("return document.documentElement.scrollWidth")?;
            assert!(wide <= u64::from(screen.0), "{state}: {wide} pixels wide");
            let hacked = reader.browser.run("return window.hacked === undefined && document.querySelector('pre, iframe, img') === null")?;
            assert_eq!(hacked, true, "{state}");
        }
    }
    Ok(())
}

#[needs(browser)]
fn texts_of_strangers_stay_texts_where_they_are_opened() -> Result<()> {
    let reader = Reader::new()?;
    reader.screen(DESKTOP, Scheme::Light)?;
    reader.open("hostile")?;
    let open_all = "for (const opener of document.querySelectorAll('.opener, details > summary, .fold button')) opener.click();
        for (const outcome of document.querySelectorAll('.outcome')) outcome.dispatchEvent(new MouseEvent('click', { bubbles: true }));
        for (const button of document.querySelectorAll('.fold button')) button.click();";
    reader.browser.run(open_all)?;
    let errors = reader.browser.log("browser")?;
    assert!(errors.is_empty(), "{errors:#?}");
    let is_harmless = "return window.hacked === undefined
        && document.querySelector('img, iframe, b, script:not([type=module])') === null
        && Object.prototype.a === undefined
        && !/[\\u202e\\u2066\\u001b]/.test(document.body.innerText)";
    assert_eq!(reader.browser.run(is_harmless)?, true);
    let shown = reader
        .browser
        .text("return document.querySelector('#differences-drawn .inside').innerText")?;
    assert!(shown.contains("\\u{202e}evil"), "{shown}");
    // Markup that a script adds cannot run anything either: the policy forbids it.
    let added = "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.hacked=1\"><a id=bad onclick=\"window.hacked=1\">a</a>');
        document.getElementById('bad').click();
        return window.hacked === undefined";
    assert_eq!(reader.browser.run(added)?, true);
    let refused = reader.browser.log("browser")?;
    let refused = Value::from(refused).to_string();
    assert!(refused.contains("Content Security Policy"), "{refused}");
    Ok(())
}

#[needs(browser)]
fn ten_thousand_groups_are_filtered_sorted_and_paged_through() -> Result<()> {
    let reader = Reader::new()?;
    reader.screen(DESKTOP, Scheme::Light)?;
    reader.open("large")?;
    let browser = &reader.browser;
    let found =
        || browser.text("return document.querySelector('#differences-drawn .found').innerText");
    assert_eq!(found()?, "10,000 in all");
    browser.write("#groups-search", "field12/ service-7/")?;
    let narrowed = found()?;
    assert!(narrowed.ends_with(" of 10,000"), "{narrowed}");
    let places = reader.column("differences", "Place")?;
    assert!(
        !places.is_empty() && places.iter().all(|place| place.contains("/field12/")),
        "{places:?}"
    );
    browser.run("const input = document.getElementById('groups-search'); input.value = ''; input.dispatchEvent(new Event('input'))")?;

    browser.click("#differences-drawn .chip[data-value=order]")?;
    let severities = reader.column("differences", "Severity")?;
    assert!(
        severities.iter().all(|one| one.starts_with("order")),
        "{severities:?}"
    );
    browser.click("#differences-drawn .chip[data-value=order]")?;

    browser.click("#differences-drawn [data-key='sort answers']")?;
    let sorted =
        "return document.querySelector('#differences-drawn th[aria-sort=descending]').innerText";
    assert!(browser.text(sorted)?.starts_with("Answers"));
    let numbers = |cells: Vec<String>| -> Vec<u64> {
        cells
            .iter()
            .filter_map(|cell| cell.replace(',', "").parse().ok())
            .collect()
    };
    let answers = numbers(reader.column("differences", "Answers")?);
    assert_eq!(answers.len(), 25);
    assert!(answers.is_sorted_by(|a, b| a >= b), "{answers:?}");
    browser.click("#differences-drawn [data-key='Next']")?;
    let next = numbers(reader.column("differences", "Answers")?);
    assert!(next[0] <= answers[24], "{answers:?} {next:?}");
    browser.click("#differences-drawn [data-key='sort answers']")?;
    let least = numbers(reader.column("differences", "Answers")?);
    assert!(least.is_sorted() && least[0] <= 2, "{least:?}");
    let elements = reader.number("return document.querySelectorAll('*').length")?;
    assert!(elements < MAX_ELEMENTS, "{elements}");
    Ok(())
}

#[needs(browser)]
fn all_of_it_works_by_keys_alone() -> Result<()> {
    let reader = Reader::new()?;
    reader.screen(DESKTOP, Scheme::Light)?;
    reader.open("fail")?;
    let browser = &reader.browser;
    let focus =
        |selector: &str| browser.run(&format!("document.querySelector(`{selector}`).focus()"));
    let focused = |what: &str| browser.text(&format!("return document.activeElement.{what}"));
    // The first key leads past the sections.
    browser.press(TAB)?;
    assert_eq!(focused("innerText")?, "Skip to the decision");

    focus("#routes-drawn [data-key='sort traffic']")?;
    browser.press(ENTER)?;
    assert_eq!(focused("dataset.key")?, "sort traffic", "the focus stays");
    assert_eq!(reader.column("routes", "Route")?[0], "GET /products/{id}");
    browser.press(SPACE)?;
    assert_eq!(
        reader.column("routes", "Route")?[0],
        "GET /invoices/{id}.pdf"
    );

    focus("#differences-drawn .opener")?;
    browser.press(ENTER)?;
    assert_eq!(focused("getAttribute('aria-expanded')")?, "true");
    let detail = "return document.querySelector('#differences-drawn .inside').innerText";
    let text = browser.text(detail)?;
    for part in [
        "412 of 22,390 answers differ",
        "\"total\": 129.90",
        "79 equal lines",
        "expect missing /total",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    focus("#differences-drawn .fold button")?;
    browser.press(ENTER)?;
    let text = browser.text(detail)?;
    assert!(text.contains("\"city\": \"Köln\""), "{text}");
    focus("#differences-drawn .opener")?;
    browser.press(SPACE)?;
    assert_eq!(focused("getAttribute('aria-expanded')")?, "false");

    focus("#requests-drawn .outcome[data-key='snapshot: missing']")?;
    browser.press(ENTER)?;
    assert_eq!(focused("getAttribute('aria-expanded')")?, "true");
    let panel = browser.text("return document.getElementById('outcome-panel').innerText")?;
    for part in [
        "612 requests",
        "no snapshot within 500 ms",
        "GET /products/4711",
        "--snapshot-wait",
    ] {
        assert!(panel.contains(part), "{part}\n{panel}");
    }
    Ok(())
}

#[needs(browser)]
fn the_difference_stands_out_and_leads_to_commands_that_are_copied() -> Result<()> {
    let reader = Reader::new()?;
    reader.screen(DESKTOP, Scheme::Light)?;
    reader.open("fail")?;
    let browser = &reader.browser;
    let writes = "#differences-drawn .opener[data-key*='/writes/book']";
    browser.click(writes)?;
    let marked = browser.run("return [...document.querySelectorAll('#differences-drawn .inside tr.changed')].map((row) => [...row.querySelectorAll('mark')].map((mark) => mark.innerText))")?;
    let marked = marked.as_array().context("rows")?;
    assert!(marked.contains(&json!(["129.90", "12.99"])), "{marked:?}");
    let warning =
        browser.text("return document.querySelector('#differences-drawn .warning').innerText")?;
    assert!(warning.contains("may write"), "{warning}");

    let allowed = json!({ "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"] });
    browser.devtools("Browser.grantPermissions", allowed)?;
    browser.click("#differences-drawn .copy[aria-label='Copy curl to candidate']")?;
    let copied = browser.text("return navigator.clipboard.readText()")?;
    let expect = "printf '{\"sku\":\"it'\\''s 7\",\"count\":2}' | curl -sS -g --path-as-is -X POST 'http://10.0.12.7:8080/orders' \\\n  -H 'Host: shop.example'";
    assert!(copied.starts_with(expect), "{copied}");
    assert_eq!(
        browser.text("return document.getElementById('announce').innerText")?,
        "Copied"
    );
    Ok(())
}

#[needs(browser)]
fn a_route_leads_to_its_differences_and_its_times() -> Result<()> {
    let reader = Reader::new()?;
    reader.screen(PHONE, Scheme::Light)?;
    reader.open("fail")?;
    let browser = &reader.browser;
    browser.click("#routes-drawn .opener[data-key='open GET /search']")?;
    browser.run("[...document.querySelectorAll('#routes-drawn .actions button')].find((one) => one.innerText === 'Show its differences').click()")?;
    let routes = reader.column("differences", "Route")?;
    assert_eq!(routes, ["GET /search"]);
    browser.run("[...document.querySelectorAll('#routes-drawn .actions button')].find((one) => one.innerText === 'Show its times').click()")?;
    let plots = browser.text("return document.querySelector('#times-drawn .plots').innerText")?;
    for part in [
        "GET /search",
        "median +28 %",
        "cold requests are left out",
        "Distribution",
        "Answers from a cache",
    ] {
        assert!(plots.contains(part), "{part}\n{plots}");
    }
    Ok(())
}

#[needs(browser)]
fn without_a_script_the_decision_the_reasons_and_the_first_rows_are_there() -> Result<()> {
    let reader = Reader::new()?;
    reader.screen(DESKTOP, Scheme::Light)?;
    reader.browser.devtools(
        "Emulation.setScriptExecutionDisabled",
        json!({ "value": true }),
    )?;
    let page = reader.pages.join("large.html");
    reader.browser.open(&format!("file://{}", page.display()))?;
    let text = reader.browser.text("return document.body.innerText")?;
    for part in [
        "FAIL",
        "731 answers really differ",
        "What fails the run",
        "The first 20 of 10,000",
        "/data/items/*/field",
        "shed: rate",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    Ok(())
}

#[needs(browser)]
fn times_are_in_utc_with_the_readers_own_on_hover() -> Result<()> {
    let reader = Reader::new()?;
    reader.screen(DESKTOP, Scheme::Light)?;
    let there = json!({ "timezoneId": "Pacific/Kiritimati" });
    reader
        .browser
        .devtools("Emulation.setTimezoneOverride", there)?;
    reader.open("pass")?;
    let shown = reader
        .browser
        .run("const time = document.querySelector('time'); return [time.innerText, time.title]")?;
    assert_eq!(shown[0], "2026-11-27 05:18:21 UTC");
    let title = shown[1].as_str().unwrap_or_default();
    assert!(
        title.contains("7:18:21") && title.ends_with("(your time)"),
        "{title}"
    );
    Ok(())
}
