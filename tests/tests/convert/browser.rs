//! Archives in a browser: what it has written is read, and what we write is served back to a page in the place of the server.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use mirror_tests::peers::playwright;
use mirror_tests::scratch::Scratch;
use mirror_tests::witness::{Witness, Witnessed};
use mirror_tests::{needs, workspace};
use serde_json::Value;

use super::{WRITES, agent, convert, told};

/// A page that sends a form and bytes, and tells by its title what it was answered.
const PAGE: &str = r#"<!DOCTYPE html><title>waits</title><link rel="icon" href="data:,"><script>
(async () => {
  const form = await fetch("/orders", { method: "POST", body: new URLSearchParams({ product: "17 é", amount: "2" }) });
  const stock = await fetch("/products/17?a=b%20c", { headers: { "X-Note": "one" } });
  const picture = new Uint8Array(await (await fetch("/picture")).arrayBuffer());
  document.title = `done ${form.status} ${(await stock.json()).stock} ${picture.join(",")}`;
})();
</script>"#;
const DONE: &str = "done 201 7 137,80,78,71,0,255";

fn answer(request: &Witnessed) -> (u16, &'static str, Vec<u8>) {
    match &*request.target {
        "/" => (200, "text/html", PAGE.into()),
        "/orders" => (201, "application/json", b"{}".to_vec()),
        "/picture" => (200, "image/png", b"\x89PNG\0\xff".to_vec()),
        _ => (200, "application/json", b"{\"stock\":7}".to_vec()),
    }
}

fn browser(verb: &str, url: &str, archive: &Path) -> Result<String> {
    let script = workspace::root().join("tests/tests/convert/browser.js");
    let output = Command::new("node")
        .env("NODE_PATH", playwright().context("playwright-core")?)
        .arg(script)
        .args([verb, url])
        .arg(archive)
        .output()
        .context("running node")?;
    ensure!(output.status.success(), "{output:?}");
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

#[needs(playwright)]
fn what_a_browser_has_written_is_read_and_ours_is_served_back() -> Result<()> {
    let scratch = Scratch::new()?;
    let (theirs, ours) = (scratch.join("theirs.har"), scratch.join("ours.har"));
    let witness = Witness::start(answer)?;
    let url = witness.url() + "/";
    assert_eq!(browser("record", &url, &theirs)?, DONE);
    let sent = witness.take();
    let summary = convert(&theirs, &ours, &WRITES)?;
    assert_eq!(summary["left_out"], serde_json::json!({}));
    assert_eq!(summary["written"], sent.len());
    // Now as a script, to see that nothing was lost of what the server was sent.
    let script = scratch.join("ours.sh");
    convert(&ours, &script, &WRITES)?;
    let again = Witness::start(answer)?;
    let mut sh = Command::new("sh");
    sh.arg(&script).env("TARGET", again.url());
    let output = sh.output()?;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(told(&again.take()), told(&sent));
    // The server is not asked any more: all that the page gets is in our archive.
    assert_eq!(browser("serve", &url, &ours)?, DONE);
    assert_eq!(witness.count(), 0);
    Ok(())
}

#[needs(playwright)]
fn an_archive_of_a_browser_is_inspected_with_its_times() -> Result<()> {
    let scratch = Scratch::new()?;
    let archive = scratch.join("theirs.har");
    let witness = Witness::start(answer)?;
    browser("record", &(witness.url() + "/"), &archive)?;
    let path = archive.display().to_string();
    let output = agent(&["inspect", &path, "--format", "json"])?;
    assert!(output.status.success(), "{output:?}");
    let lines = String::from_utf8(output.stdout)?;
    let exchanges: Vec<Value> = lines
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    let targets: Vec<_> = exchanges
        .iter()
        .map(|one| &one["request"]["target"])
        .collect();
    assert_eq!(
        targets,
        ["/", "/orders", "/products/17?a=b%20c", "/picture"]
    );
    let mut last = 0;
    for exchange in &exchanges {
        let began = exchange["timing"]["request_first_us"].as_u64();
        let began = began.context("a time")?;
        assert!(began >= last && began > 0, "{exchange}");
        last = began;
    }
    Ok(())
}
