// node browser.js record URL HAR: opens URL in Chromium, and writes what it sent as an archive.
// node browser.js serve URL HAR: opens URL in Chromium, where all answers come from the archive; prints what the page came to.
const { chromium } = require("playwright-core");

async function main(verb, url, har) {
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  });
  const record = { recordHar: { path: har, content: "embed" } };
  const context = await browser.newContext(verb === "record" ? record : {});
  if (verb === "serve") {
    await context.routeFromHAR(har, { notFound: "abort" });
  }
  const page = await context.newPage();
  await page.goto(url);
  await page.waitForFunction(() => document.title.startsWith("done"));
  console.log(await page.title());
  await context.close();
  await browser.close();
}

main(...process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
