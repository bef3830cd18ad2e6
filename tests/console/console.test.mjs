// The console in a browser, as an administrator and an auditor use it, against a simulated tenant.
// Environment: OPENARCHIVER_PROGRAM, OPENARCHIVER_GRAPH_SIMULATOR, OPENARCHIVER_BROWSER;
// OPENARCHIVER_SCREENSHOTS=FOLDER keeps pictures of what it saw.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync, openSync, closeSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSocket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";

const PROGRAM = process.env.OPENARCHIVER_PROGRAM;
const SIMULATOR = process.env.OPENARCHIVER_GRAPH_SIMULATOR;
const PICTURES = process.env.OPENARCHIVER_SCREENSHOTS;
const TENANT = "6f1c2d34-8a5b-4c6d-9e7f-0a1b2c3d4e5f";
const CLIENT = "c0ffee00-1111-4222-8333-444455556666";
const SECRET = "simulated-secret-value";
const MAIL = 40;

let folder, simulator, service, browser, tracker, base, setupSecret, admin, auditor;
const tracked = [];

const freePort = () => new Promise((resolve) => {
  const probe = createSocket().listen(0, "127.0.0.1", () => {
    const { port } = probe.address();
    probe.close(() => resolve(port));
  });
});

async function waitFor(what, condition, seconds = 60) {
  const end = Date.now() + seconds * 1000;
  while (Date.now() < end) {
    const value = await condition();
    if (value) {
      return value;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`in vain: ${what}`);
}

const program = (...args) => execFileSync(PROGRAM, ["--profile", join(folder, "profile.json"), ...args],
  { encoding: "utf8" });
const log = () => readFileSync(join(folder, "service.log"), "utf8");

function startService() {
  const out = openSync(join(folder, "service.log"), "a");
  service = spawn(PROGRAM, ["--profile", join(folder, "profile.json"), "serve"], { stdio: ["ignore", out, out] });
  closeSync(out);
}

/** Mail that tries what it can: to run, to tell somebody that it was read, to go elsewhere. */
function evilMail(there) {
  const html = `<!doctype html><html><head><title>x</title>
<link rel="stylesheet" href="${there}/style.css"><link rel="dns-prefetch" href="${there}">
<meta http-equiv="refresh" content="0;url=${there}/refresh"><base href="${there}/">
<style>@import "${there}/import.css"; body { background: url(${there}/css.png); color: #123456 }
@font-face { font-family: f; src: url("${there}/font.woff2") } p { font-family: f }</style>
<script>top.owned = parent.owned = window.owned = 1; new Image().src = "${there}/script.png"</script></head>
<body background="${there}/background.png" onload="top.owned = 1">
<p id="harmless">Nothing to see here.</p>
<img src="${there}/pixel.gif" width="1" height="1"><img srcset="${there}/set.png 1x" alt="s">
<img src="x" onerror="top.owned = 1; fetch('${there}/onerror')"><img src="cid:logo@example.org" alt="logo">
<iframe src="${there}/frame"></iframe><object data="${there}/object"></object><embed src="${there}/embed">
<video src="${there}/video" poster="${there}/poster" autoplay></video><audio src="${there}/audio" autoplay></audio>
<svg><script>top.owned = 1</script><image href="${there}/svg.png"/><use href="${there}/use.svg#x"/></svg>
<form action="${there}/form"><input name="a" autofocus onfocus="top.owned = 1"><button>Send</button></form>
<a href="${there}/link" ping="${there}/ping" target="_top">a link</a> <a href="javascript:top.owned = 1">another</a>
<p style="background-image: url(${there}/inline.png)">styled</p><table background="${there}/table.png"><tr><td>t</td></tr></table>
</body></html>`;
  const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
  return ["From: =?utf-8?Q?M=C3=A4llory?= <mallory@evil.example>", "To: anna.kos@contoso.example",
    "Subject: Totally harmless zebra newsletter", "Date: Mon, 28 Sep 2026 10:00:00 +0000",
    "Message-ID: <evil@evil.example>", "MIME-Version: 1.0", 'Content-Type: multipart/related; boundary="b"', "",
    "--b", "Content-Type: text/html; charset=utf-8", "", html, "--b", "Content-Type: image/png",
    "Content-ID: <logo@example.org>", "Content-Transfer-Encoding: base64", "", pixel, "--b--", ""].join("\r\n");
}

function plainMail(number) {
  return [`From: Person ${number} <person${number}@example.org>`, "To: anna.kos@contoso.example",
    `Subject: Quarterly report ${number}`, `Date: Mon, ${1 + (number % 27)} Sep 2026 09:00:00 +0000`,
    `Message-ID: <m${number}@example.org>`, "MIME-Version: 1.0", 'Content-Type: multipart/mixed; boundary="b"', "",
    "--b", "Content-Type: text/plain; charset=utf-8", "",
    number === 7 ? "The wombat budget was approved." : `The figures of part ${number}.`, "--b",
    `Content-Type: text/csv; name="figures-${number}.csv"`,
    `Content-Disposition: attachment; filename="figures-${number}.csv"`, "Content-Transfer-Encoding: base64", "",
    Buffer.from(`a,b\r\n1,${number}\r\n`).toString("base64"), "--b--", ""].join("\r\n");
}

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "openarchiver-console-"));
  if (PICTURES) {
    mkdirSync(PICTURES, { recursive: true });
  }
  tracker = createServer((request, response) => {
    tracked.push(request.url);
    response.end();
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => tracker.once("listening", resolve));
  mkdirSync(join(folder, "mail"));
  for (let number = 0; number < MAIL - 1; number += 1) {
    writeFileSync(join(folder, "mail", `m${String(number).padStart(2, "0")}.eml`), plainMail(number));
  }
  mkdirSync(join(folder, "old"));
  writeFileSync(join(folder, "old", "old.eml"), plainMail(0).replaceAll("Quarterly report 0", "Ancient news"));
  utimesSync(join(folder, "old", "old.eml"), 1e9, 1e9);
  writeFileSync(join(folder, "mail", "evil.eml"), evilMail(`http://127.0.0.1:${tracker.address().port}`));
  simulator = spawn(SIMULATOR, ["--http", "0", "--die-with-parent", "--users", "3", "--mail", join(folder, "mail"),
    "--latency-ms", "40"], { stdio: ["ignore", "pipe", "inherit"] });
  const ready = await new Promise((resolve) => simulator.stdout.once("data", resolve));
  simulator.url = JSON.parse(ready.toString()).http;
  const port = await freePort();
  base = `http://127.0.0.1:${port}/`;
  writeFileSync(join(folder, "profile.json"), JSON.stringify({
    version: 1,
    archive: { storage: { backend: "filesystem", config: { root: "./archive" } }, free_space_floor: "16MiB",
      retention: [{ id: "ancient", sources: ["old-files"], keep: "5y" }, { id: "all-mail", keep: "100y" }],
      second_person: ["hold_release", "disposal", "forget"] },
    service: { listen: `127.0.0.1:${port}` },
  }));
  startService();
  setupSecret = (await waitFor("the setup credential", () => log().match(/oa_[0-9a-f]{64}/)))[0];
  browser = await chromium.launch({
    executablePath: process.env.OPENARCHIVER_BROWSER,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"],
  });
});

after(async () => {
  await browser?.close();
  for (const process of [service, simulator]) {
    process?.kill("SIGTERM");
  }
  tracker?.close();
  await waitFor("the service stops", () => !service || service.exitCode !== null || service.signalCode !== null);
  rmSync(folder, { recursive: true, force: true });
});

/** A page that tells of errors of the console, and of each request that leaves it. */
async function open(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20000);
  page.errors = [];
  page.on("pageerror", (error) => page.errors.push(String(error)));
  page.on("console", (message) => {
    // What the policy refused to mail is told there, too: that it was is the point.
    if (message.type() === "error" && !/status of 4|Content Security Policy|sandboxed/.test(message.text())) {
      page.errors.push(message.text());
    }
  });
  page.elsewhere = [];
  page.on("request", (request) => {
    if (!request.url().startsWith(base) && !/^(data|blob|about):/.test(request.url())) {
      page.elsewhere.push(request.url());
    }
  });
  await page.goto(base);
  return page;
}

async function signIn(page, secret) {
  await page.getByLabel("Credential").fill(secret);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("navigation").waitFor();
}

async function picture(page, name) {
  if (PICTURES) {
    await page.evaluate(() => document.activeElement?.blur());
    await page.screenshot({ path: join(PICTURES, `${name}.png`) });
  }
}

/** What a screen reader would have no name for. */
const nameless = (page) => page.evaluate(() => Array.from(
  document.querySelectorAll("button, a[href], input, select, textarea, progress, iframe, dialog"))
  .filter((one) => one.checkVisibility())
  .filter((one) => !(one.labels?.length || one.getAttribute("aria-label") || one.getAttribute("aria-labelledby")
    || one.title || one.textContent.trim()))
  .map((one) => one.outerHTML));

const tooWide = (page) => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

async function well(page) {
  assert.deepEqual(page.errors, []);
  assert.deepEqual(page.elsewhere, []);
  assert.deepEqual(await nameless(page), []);
  assert.ok(await tooWide(page) <= 0, "the page is wider than its window");
  assert.equal(await page.locator("h1").count(), 1);
}

test("the setup credential makes the administrator's, once", async () => {
  const page = await open();
  await picture(page, "sign-in");
  await page.getByLabel("Credential").fill("oa_wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("Nobody has this credential").waitFor();
  await page.getByLabel("Credential").fill(setupSecret);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByLabel("Name").fill("root");
  await page.getByRole("button", { name: "Make the credential" }).click();
  admin = await page.getByLabel("Secret").inputValue();
  assert.match(admin, /^oa_[0-9a-f]{64}$/);
  await well(page);
  await page.getByRole("button", { name: "I have kept it" }).click();
  await signIn(page, admin);
  await page.getByText("There is no source yet").waitFor();
  await page.context().close();
});

test("from Create New to Active", async () => {
  const page = await open();
  await signIn(page, admin);
  await page.getByRole("link", { name: "Create New" }).click();
  await page.getByRole("heading", { name: "Create New Ingestion Source" }).waitFor();
  await page.getByLabel("Name").fill("Microsoft 365 Archive");
  await page.getByLabel("Provider").selectOption({ label: "Microsoft 365" });
  // Exactly what the guide says, and its expiry date.
  assert.deepEqual(await page.locator("form.sheet > .field > label").evaluateAll(
    (labels) => labels.map((label) => label.childNodes[0].textContent)),
  ["Name", "Provider", "Application (Client) ID", "Directory (Tenant) ID", "Client Secret Value",
    "Client Secret Expires", "Sync every"]);
  await page.getByLabel("Application (Client) ID").fill("not-an-id");
  await page.getByLabel("Directory (Tenant) ID").fill(TENANT);
  await page.getByLabel("Client Secret Value").fill("wrong-value");
  await page.getByLabel("Client Secret Expires").fill("2031-01-31");
  await page.getByText("More settings").click();
  await page.getByLabel("Authority URL").fill(simulator.url);
  await page.getByLabel("Graph URL").fill(simulator.url);
  await page.getByLabel("Sync every").fill("2s");
  await page.getByRole("button", { name: "Check" }).click();
  // The field that is wrong has the keyboard, and says what is wrong.
  await page.locator("input[aria-invalid=true]").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.name), "/client_id");
  await page.getByLabel("Application (Client) ID").fill(CLIENT);
  await page.getByRole("button", { name: "Check" }).click();
  await page.getByText("The source can't be read yet").waitFor();
  await page.getByText("Failed").first().waitFor();
  await well(page);
  await picture(page, "create-new-check-failed");
  await page.getByLabel("Client Secret Value").fill(SECRET);
  await page.getByRole("button", { name: "Check" }).click();
  await page.getByText("The source can be read.").waitFor();
  await page.getByText("More settings").click();
  await page.evaluate(() => scrollTo(0, 0));
  await picture(page, "create-new");
  await page.getByRole("button", { name: "Save changes" }).click();
  await page.getByText("Discovery and import begin now").waitFor();
  await page.getByRole("heading", { name: "Microsoft 365 Archive" }).waitFor();
  // Nobody reloads: the page follows.
  await page.locator("main > p > .status-active").waitFor({ timeout: 60000 });
  await page.getByRole("rowheader", { name: /anna.kos@contoso.example/ }).waitFor();
  await page.getByRole("button", { name: "Show folders of anna.kos@contoso.example" }).click();
  await page.getByRole("rowheader", { name: "Inbox", exact: true }).waitFor();
  const totals = page.locator("tfoot td");
  await waitFor("everything is archived", async () => {
    const [upstream, archived, excluded, failed, pending, unexplained] = await totals.allInnerTexts();
    return Number(archived) + Number(excluded) === Number(upstream) && archived !== "0"
      && [failed, pending, unexplained].every((one) => one === "0");
  });
  await well(page);
  await picture(page, "source");
  await page.getByRole("link", { name: "Ingestion Sources" }).click();
  const row = page.getByRole("row", { name: /Microsoft 365 Archive/ });
  await row.getByText("Active").waitFor();
  assert.match(await row.innerText(), /40 of 40 items|40 items/);
  await well(page);
  await picture(page, "sources");
  assert.equal(await page.evaluate(() => localStorage.length + document.cookie.length), 0);
  await page.context().close();
});

test("a source is paused, resumed, edited and deleted", async () => {
  const page = await open();
  await signIn(page, admin);
  await page.getByRole("link", { name: "Create New" }).click();
  await page.getByLabel("Name").fill("Old files");
  await page.getByLabel("Provider").selectOption({ label: "Mail files" });
  await page.getByLabel("Folders and files").fill(join(folder, "old"));
  await page.getByRole("button", { name: "Save changes" }).click();
  await page.locator("main > p > .status-active").waitFor({ timeout: 60000 });
  await page.getByRole("button", { name: "Pause" }).click();
  await page.locator("main > p > .status-paused").waitFor();
  await page.getByText("paused by api:root").waitFor();
  await page.getByRole("button", { name: "Resume" }).click();
  await page.locator("main > p > .status-active").waitFor();
  await page.getByRole("link", { name: "Edit" }).click();
  assert.equal(await page.getByLabel("Folders and files").inputValue(), join(folder, "old"));
  await page.getByLabel("Name").fill("Very old files");
  await page.getByRole("button", { name: "Save changes" }).click();
  await page.getByRole("heading", { name: "Very old files" }).waitFor();
  // A secret is not shown, and stays when it is left empty.
  await page.goto(`${base}#/sources/microsoft-365-archive/edit`);
  assert.equal(await page.getByLabel("Client Secret Value").inputValue(), "");
  assert.equal(await page.getByLabel("Application (Client) ID").inputValue(), CLIENT);
  await page.getByRole("button", { name: "Check" }).click();
  await page.getByText("The source can be read.").waitFor();
  await page.goto(`${base}#/sources/old-files`);
  await page.getByRole("button", { name: "Delete" }).click();
  const dialog = page.getByRole("dialog", { name: "Delete Very old files?" });
  await dialog.waitFor();
  assert.ok(await dialog.getByRole("button", { name: "Delete" }).isDisabled());
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Delete" }).click();
  await dialog.getByLabel("Id of the source").fill("old-files");
  await well(page);
  await dialog.getByRole("button", { name: "Delete" }).click();
  await page.getByText("What was archived of it stays").waitFor();
  await page.getByRole("row", { name: /Microsoft 365 Archive/ }).waitFor();
  assert.equal(await page.getByText("Very old files", { exact: true }).count(), 0);
  await well(page);
  await page.context().close();
});

test("an administrator reads no mail, and gives an auditor access", async () => {
  const page = await open();
  await signIn(page, admin);
  assert.equal(await page.getByRole("link", { name: "Search" }).count(), 0);
  await page.goto(`${base}#/search?q=wombat`);
  await page.getByText("may not see this").waitFor();
  await page.getByRole("link", { name: "Access" }).click();
  await page.getByRole("button", { name: "Add credential" }).click();
  await page.getByLabel("Name").fill("Ada, auditor");
  await page.getByLabel("Role").selectOption("auditor");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  auditor = await page.getByLabel("Secret").inputValue();
  await page.getByRole("button", { name: "I have kept it" }).click();
  await page.getByRole("row", { name: /Ada, auditor/ }).waitFor();
  await well(page);
  await page.getByRole("link", { name: "System Health" }).click();
  await page.getByText("Newest head").waitFor();
  await well(page);
  await picture(page, "health");
  await page.context().close();
});

test("a mail is found and read", async () => {
  const page = await open();
  await signIn(page, auditor);
  await page.getByRole("link", { name: "Search" }).click();
  await waitFor("the index has it", async () => {
    await page.goto(`${base}#/search?q=${Date.now()}`);
    await page.getByLabel("Search the archive").fill("wombat");
    await page.getByRole("button", { name: "Search" }).click();
    await page.getByRole("heading", { name: "Results" }).waitFor();
    return page.getByRole("link", { name: "Quarterly report 7" }).waitFor({ timeout: 2000 }).then(() => true, () => false);
  });
  assert.equal(await page.locator(".hit mark").first().innerText(), "wombat");
  await page.getByText("Filters").click();
  await well(page);
  await page.goto(`${base}#/search?q=quarterly`);
  await page.getByText("39 found").waitFor();
  await picture(page, "search");
  await page.getByRole("button", { name: "Show more" }).click();
  await waitFor("all of them", async () => await page.locator(".hit").count() === 39);
  await page.goto(`${base}#/search?q=wombat`);
  await page.getByRole("button", { name: "Export what was found" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Export" }).click();
  const [zip] = await Promise.all([page.waitForEvent("download"),
    page.getByRole("button", { name: "Download the zip file" }).click()]);
  assert.ok(readFileSync(await zip.path()).includes("manifest.jsonl"));
  await well(page);
  await page.getByRole("button", { name: "Close" }).click();
  await page.getByRole("link", { name: "Quarterly report 7" }).click();
  await page.getByRole("heading", { name: "Quarterly report 7" }).waitFor();
  await page.getByText("The wombat budget was approved.").waitFor();
  await page.getByText("Person 7 <person7@example.org>").waitFor();
  const [download] = await Promise.all([page.waitForEvent("download"),
    page.getByRole("button", { name: "Download: figures-7.csv" }).click()]);
  assert.equal(readFileSync(await download.path(), "utf8"), "a,b\r\n1,7\r\n");
  await well(page);
  await page.getByRole("tab", { name: "Raw source" }).click();
  const [raw] = await Promise.all([page.waitForEvent("download"),
    page.getByRole("button", { name: "Download the exact bytes" }).click()]);
  assert.ok(readFileSync(await raw.path()).equals(readFileSync(join(folder, "mail", "m07.eml"))));
  await page.getByRole("tab", { name: "Raw source" }).press("ArrowRight");
  await page.getByRole("tab", { name: "History", selected: true }).waitFor();
  await page.getByText(/archived\s+Inbox|archived .*/).first().waitFor();
  await well(page);
  await page.getByRole("tab", { name: "Proof" }).click();
  program("sync");  // signs a head
  await page.getByRole("button", { name: "Make the proof" }).click();
  const [proof] = await Promise.all([page.waitForEvent("download"),
    page.getByRole("button", { name: "Download the proof" }).click()]);
  const checked = JSON.parse(execFileSync(PROGRAM, ["--json", "prove", "--check", await proof.path(),
    "--content", join(folder, "mail", "m07.eml")], { encoding: "utf8" }));
  assert.equal(checked.proven, true);
  await page.getByRole("link", { name: "Audit Trail" }).click();
  await page.getByRole("cell", { name: "api:Ada, auditor (auditor)" }).first().waitFor();
  await page.getByRole("cell", { name: "q: wombat" }).first().waitFor();
  await well(page);
  await picture(page, "audit");
  await page.context().close();
});

test("scripts in mail don't run, and nothing that it names is fetched", async () => {
  const page = await open();
  await signIn(page, auditor);
  await page.goto(`${base}#/search?q=zebra`);
  await page.getByRole("link", { name: /zebra newsletter/ }).click();
  await page.getByRole("tab", { name: "HTML", selected: true }).waitFor();
  const frame = page.frameLocator("iframe");
  await frame.getByText("Nothing to see here.").waitFor();
  // The picture that came with the mail is shown; it was checked that it really loads.
  await waitFor("the picture", () => frame.getByAltText("logo").evaluate((image) => image.naturalWidth === 1));
  assert.equal(await frame.locator("#harmless").evaluate((one) => getComputedStyle(one).color), "rgb(18, 52, 86)");
  for (const name of ["a link", "another"]) {
    await frame.getByText(name, { exact: true }).click({ force: true });
  }
  await new Promise((resolve) => setTimeout(resolve, 1500));
  for (const one of page.frames()) {
    assert.equal(await one.evaluate(() => window.owned), undefined);
  }
  assert.deepEqual(tracked, []);
  assert.deepEqual(page.elsewhere, []);
  assert.ok(page.url().startsWith(base));
  assert.equal(await page.getByText(/remote contents were not loaded/).count(), 1);
  assert.equal(await page.locator("iframe").getAttribute("sandbox"), "");
  await picture(page, "message");
  // The policy and the frame hold by themselves, whatever the cleaning lets through.
  const there = `http://127.0.0.1:${tracker.address().port}`;
  await page.evaluate((html) => {
    const raw = document.createElement("iframe");
    raw.setAttribute("sandbox", "");
    raw.srcdoc = html;
    document.body.append(raw);
  }, evilMail(there).split("\r\n\r\n")[2]);
  await new Promise((resolve) => setTimeout(resolve, 2500));
  assert.equal(await page.evaluate(() => window.owned), undefined);
  assert.deepEqual(tracked, []);
  await page.context().close();
});

test("a hold is placed by one, and released by two", async () => {
  const ada = await open();
  await signIn(ada, auditor);
  await ada.getByRole("link", { name: "Legal Holds" }).click();
  await ada.getByText("No hold is in force.").waitFor();
  await ada.getByRole("button", { name: "Place a hold" }).click();
  const dialog = ada.getByRole("dialog", { name: "Place a hold" });
  await dialog.getByLabel("Matter").fill("Doe v. Roe");
  await dialog.getByLabel("Reason").fill("court order");
  await dialog.getByLabel("Accounts").fill("nobody@contoso.example");
  await dialog.getByRole("button", { name: "Place the hold" }).click();
  await ada.getByRole("alert").getByText(/no account has the id or address/).waitFor();
  await dialog.getByLabel("Accounts").fill("");
  await dialog.getByLabel("Found by").fill("wombat");
  await dialog.getByLabel("Received from").fill("2020-01-01");
  await well(ada);
  await picture(ada, "place-a-hold");
  await dialog.getByRole("button", { name: "Place the hold" }).click();
  const row = ada.getByRole("row", { name: /Doe v. Roe/ });
  await row.getByText("Found by: wombat").waitFor();
  assert.match(await row.locator("td.number").innerText(), /^[1-9]\d*$/);
  await row.getByText("api:Ada, auditor").waitFor();
  await well(ada);
  await picture(ada, "holds");

  await row.getByRole("button", { name: "Release: Doe v. Roe" }).click();
  const release = ada.getByRole("dialog", { name: "Release the hold for Doe v. Roe?" });
  assert.ok(await release.getByRole("button", { name: "Release" }).isDisabled());
  await release.getByLabel("Reason").fill("settled");
  await well(ada);
  await release.getByRole("button", { name: "Release" }).click();
  await ada.getByText("Nothing is done yet").waitFor();
  await row.waitFor();
  await ada.getByRole("link", { name: "Approvals" }).click();
  await ada.getByText("Yours: another person approves it.").waitFor();
  assert.equal(await ada.getByRole("button", { name: /^Approve/ }).count(), 0);
  await well(ada);

  const root = await open();
  await signIn(root, admin);
  await root.getByRole("link", { name: "Approvals" }).click();
  await root.getByRole("row", { name: /settled/ }).getByText("api:Ada, auditor").waitFor();
  await well(root);
  await picture(root, "approvals");
  await root.getByRole("button", { name: /^Approve: Release of the hold/ }).click();
  await root.getByRole("dialog").getByText("can't be taken back").waitFor();
  await well(root);
  await root.getByRole("dialog").getByRole("button", { name: "Approve" }).click();
  await root.getByText("Nothing waits for a second person.").waitFor();
  await root.getByRole("link", { name: "Legal Holds" }).click();
  await root.getByText("No hold is in force.").waitFor();
  assert.equal(await root.getByRole("button", { name: "Place a hold" }).count(), 0);
  await root.getByLabel("Show those that were released, too").check();
  await root.getByText(/Released by api:Ada, auditor, approved by api:root: settled/).waitFor();
  await well(root);
  await ada.context().close();
  await root.context().close();
});

test("retention is simulated, approved by two and applied", async () => {
  const root = await open();
  await signIn(root, admin);
  const ask = async () => {
    await root.getByRole("link", { name: "Retention" }).click();
    await root.getByText("not approved as they are now").waitFor();
    assert.equal(await root.getByRole("button", { name: "Approve and dispose" }).count(), 0);
    await root.getByRole("button", { name: "Simulate" }).click();
    await root.getByRole("row", { name: /ancient/ }).getByRole("cell", { name: "1", exact: true }).first().waitFor();
    await well(root);
    await picture(root, "retention");
    await root.getByRole("button", { name: "Approve and dispose" }).click();
    const dialog = root.getByRole("dialog", { name: "Approve and dispose" });
    await dialog.getByText("1 items are taken out of the archive, for good.").waitFor();
    await well(root);
    await dialog.getByRole("button", { name: "Approve and dispose" }).click();
    await root.getByText("Nothing is done yet").waitFor();
    await root.getByText("Nothing was disposed of yet.").waitFor();
    await root.getByRole("link", { name: "Approvals" }).click();
  };
  await ask();
  await root.getByRole("button", { name: /^Take back: Disposal by the retention policies ancient/ }).click();
  await root.getByRole("dialog").getByLabel("Reason").fill("a slip");
  await root.getByRole("dialog").getByRole("button", { name: "Take back" }).click();
  await root.getByText("Nothing waits for a second person.").waitFor();
  await ask();
  const ada = await open({ viewport: { width: 360, height: 740 }, colorScheme: "dark" });
  await signIn(ada, auditor);
  await ada.goto(`${base}#/approvals`);
  await ada.getByRole("button", { name: /^Refuse: Disposal/ }).waitFor();
  await well(ada);
  await picture(ada, "narrow-dark-approvals");
  await ada.getByRole("button", { name: /^Approve: Disposal/ }).click();
  await ada.getByRole("dialog").getByRole("button", { name: "Approve" }).click();
  await ada.getByText("Nothing waits for a second person.").waitFor();
  await ada.goto(`${base}#/retention`);
  await ada.getByText("api:root, approved by api:Ada, auditor", { exact: true }).waitFor();
  await ada.getByText(/^Approved by api:root/).waitFor();
  await ada.getByRole("button", { name: "Simulate" }).click();
  await ada.getByText("covered by no policy").waitFor();
  assert.equal(await ada.getByRole("button", { name: "Dispose now" }).count(), 0);
  await well(ada);
  await picture(ada, "narrow-dark-retention");
  await ada.goto(`${base}#/holds`);
  await ada.getByText("No hold is in force.").waitFor();
  await well(ada);
  await ada.context().close();
  await root.context().close();
});

test("the keyboard is enough", async () => {
  const page = await open();
  const focused = () => page.evaluate(() => {
    const one = document.activeElement;
    return one === document.body ? "" : (one.labels?.[0]?.textContent || one.getAttribute("aria-label") || one.textContent || "").trim();
  });
  const tabTo = async (wanted) => {
    for (let presses = 0; presses < 60; presses += 1) {
      if ((await focused()).startsWith(wanted)) {
        return;
      }
      await page.keyboard.press("Tab");
    }
    assert.fail(`the keyboard does not get to "${wanted}"`);
  };
  await tabTo("Credential");
  await page.keyboard.type(auditor);
  await page.keyboard.press("Enter");
  await page.getByRole("navigation").waitFor();
  await page.getByRole("row", { name: /Microsoft 365 Archive/ }).waitFor();
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("Tab");
  await tabTo("Skip to the content");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  await page.keyboard.press("Shift+Tab");
  await page.evaluate(() => document.querySelector(".skip").focus());
  await tabTo("Search");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Search" }).waitFor();
  await tabTo("Search the archive");
  await page.keyboard.type("wombat");
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: "Quarterly report 7" }).waitFor();
  await tabTo("Quarterly report 7");
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.notEqual(outline, "none");
  await page.keyboard.press("Enter");
  await page.getByText("The wombat budget was approved.").waitFor();
  await tabTo("Text");
  await page.keyboard.press("ArrowRight");
  await page.getByRole("tab", { name: "Raw source", selected: true }).waitFor();
  await well(page);
  await page.context().close();
});

test("a narrow window and dark mode", async () => {
  const page = await open({ viewport: { width: 360, height: 740 }, colorScheme: "dark" });
  await signIn(page, auditor);
  const dark = await page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number));
  assert.ok(dark.every((part) => part < 60), String(dark));
  await page.getByText("Microsoft 365 Archive").waitFor();
  await well(page);
  await picture(page, "narrow-dark-sources");
  for (const [address, text] of [["sources/microsoft-365-archive", "anna.kos@contoso.example"],
    ["search?q=quarterly", "39 found"], ["failures", "Nothing failed"], ["health", "Newest head"],
    ["audit", "search"]]) {
    await page.goto(`${base}#/${address}`);
    await page.getByText(text).first().waitFor();
    await well(page);
  }
  await page.goto(`${base}#/search?q=zebra`);
  await page.getByRole("link", { name: /zebra newsletter/ }).click();
  await page.frameLocator("iframe").getByText("Nothing to see here.").waitFor();
  await well(page);
  await picture(page, "narrow-dark-message");
  await page.context().close();
});

test("a credential that ends signs out, and a lost service is told", async () => {
  const page = await open();
  await signIn(page, auditor);
  await page.getByText("Microsoft 365 Archive").waitFor();
  program("credential", "remove", "Ada, auditor");
  await page.getByRole("link", { name: "System Health" }).click();
  await page.getByText("not valid any more").waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  await signIn(page, admin);
  await page.getByRole("link", { name: "System Health" }).click();
  await page.getByText("Newest head").waitFor();
  service.kill("SIGTERM");
  await waitFor("the service stops", () => service.exitCode !== null);
  await page.getByRole("link", { name: "Failures" }).click();
  await page.getByRole("alert").getByText("That did not work").waitFor();
  await page.context().close();
});
