// Drives a report in a file and a live page in headless Chromium and prints what it
// saw as JSON. Usage: node drive.mjs BROWSER < SPEC; SPEC is JSON: report and many
// (files), live and runs (addresses), picture (a file), shots (a folder).
import { chromium } from "playwright-core";
import { createRequire } from "node:module";
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { createInterface } from "node:readline";

const require = createRequire(import.meta.url);
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const spec = JSON.parse((await lines.next()).value);
const faults = [];
const facts = {};
const browser = await chromium.launch({ executablePath: process.argv[2], args: ["--no-sandbox", "--disable-gpu"] });

const screens = [
  { name: "desktop", viewport: { width: 1280, height: 900 } },
  { name: "phone", viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
];

// open loads a page and notes what it says and asks for.
async function open(where, screen, colorScheme, own) {
  const context = await browser.newContext({ viewport: screen.viewport, deviceScaleFactor: screen.deviceScaleFactor, isMobile: screen.isMobile, hasTouch: screen.hasTouch, colorScheme });
  await context.addInitScript({ content: axe });
  const page = await context.newPage();
  const name = `${own} ${screen.name} ${colorScheme}`;
  page.on("console", (m) => faults.push(`${name}: console: ${m.text()}`));
  page.on("pageerror", (e) => faults.push(`${name}: error: ${e.message}`));
  const origin = where.startsWith("http") ? new URL(where).origin : null;
  page.on("request", (r) => {
    const url = r.url();
    if (url.startsWith("data:") || url.startsWith("blob:")) return;
    if (origin ? new URL(url).origin !== origin : url !== where) faults.push(`${name}: asks for ${url}`);
  });
  await page.goto(where);
  return { page, context, name };
}

// coloured counts the pixels of an element that are not grey: axes and text are.
async function coloured(page, element) {
  await element.evaluate((e) => e.scrollIntoView({ block: "center", behavior: "instant" }));
  await page.waitForFunction((e) => e.childElementCount > 0, element, { timeout: 5000 }).catch(() => {});
  const png = (await element.screenshot()).toString("base64");
  return page.evaluate(async (png) => {
    const img = new Image();
    img.src = "data:image/png;base64," + png;
    await img.decode();
    const c = document.createElement("canvas");
    c.width = img.width;
    c.height = img.height;
    const g = c.getContext("2d");
    g.drawImage(img, 0, 0);
    const d = g.getImageData(0, 0, c.width, c.height).data;
    let n = 0;
    for (let i = 0; i < d.length; i += 4) {
      const hi = Math.max(d[i], d[i + 1], d[i + 2]), lo = Math.min(d[i], d[i + 1], d[i + 2]);
      if (hi - lo > 60) n++;
    }
    return n;
  }, png);
}

const drawn = 40; // coloured pixels of a plot that shows something

async function plots(page, name, least) {
  const list = await page.$$(".chart");
  if (list.length < least) faults.push(`${name}: ${list.length} plots, want at least ${least}`);
  for (const e of list) {
    const id = await e.getAttribute("id");
    const n = await coloured(page, e);
    if (n < drawn) faults.push(`${name}: plot ${id} is blank: ${n} coloured pixels`);
  }
  facts.plots = Math.max(facts.plots || 0, list.length);
}

async function accessible(page, name) {
  const found = await page.evaluate(async () => (await axe.run(document)).violations.map((v) => v.id + ": " + v.nodes.slice(0, 4).map((n) => n.target.join(" ") + " " + n.failureSummary.split("\n").pop()).join(" | ")));
  for (const v of found) faults.push(`${name}: axe: ${v}`);
}

async function wide(page, name) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (over > 1) faults.push(`${name}: the page is ${over} pixels wider than the screen`);
}

async function shot(page, name, full = true) {
  if (spec.shots) writeFileSync(`${spec.shots}/${name.replaceAll(" ", "-")}.png`, await page.screenshot({ fullPage: full }));
}

// card clicks a point of the front and expects its dialog.
async function card(page, name) {
  const at = await page.evaluate(() => {
    const chart = evosr.page.charts()[0], p = evosr.page.data.front[0], box = chart.getDom();
    box.scrollIntoView({ block: "center", behavior: "instant" });
    const [x, y] = chart.convertToPixel({ xAxisIndex: 0, yAxisIndex: 0 }, [p.x, p.y]), r = box.getBoundingClientRect();
    return { x: r.left + x, y: r.top + y, id: p.id };
  });
  await page.waitForTimeout(200);
  const box = await page.evaluate(() => document.getElementById("chart-front").getBoundingClientRect().toJSON());
  const again = await page.evaluate(() => {
    const chart = evosr.page.charts()[0], p = evosr.page.data.front[0];
    return chart.convertToPixel({ xAxisIndex: 0, yAxisIndex: 0 }, [p.x, p.y]);
  });
  await page.mouse.move(box.left + again[0], box.top + again[1]);
  await page.waitForTimeout(150); // the chart has to see where the pointer is
  await page.mouse.click(box.left + again[0], box.top + again[1]);
  await page.waitForSelector("dialog[open]", { timeout: 3000 }).catch(() => faults.push(`${name}: a click on a point opens no card`));
  const text = await page.textContent("#point-body");
  for (const want of [at.id, "evosr ", "evosr run "]) if (!text.includes(want)) faults.push(`${name}: the card does not say ${want}`);
  await shot(page, name + " card", false);
  await accessible(page, name + " card");
  await page.keyboard.press("Escape");
}

// slides moves the divider of the first comparison and expects another picture.
async function slides(page, name, where) {
  const canvas = await page.waitForSelector(`${where} canvas.compare`, { timeout: 5000 });
  const look = () => canvas.evaluate((c) => c.toDataURL());
  const range = page.locator(`${where} .divider`).first();
  const set = (v) => range.evaluate((e, v) => { e.value = v; e.dispatchEvent(new Event("input")); }, v);
  await set(0);
  const right = await look();
  await set(100);
  const left = await look();
  if (left === right) faults.push(`${name}: the divider changes nothing`);
  await range.focus();
  await page.keyboard.press("ArrowLeft");
  if ((await range.inputValue()) === "100") faults.push(`${name}: the divider does not follow the keyboard`);
  await page.locator(`${where} input[type=checkbox]`).first().check();
  const difference = await look();
  if (difference === left || difference === right) faults.push(`${name}: the difference shows a picture`);
  await page.locator(`${where} input[type=checkbox]`).first().uncheck();
  await set(50);
}

for (const screen of screens) {
  for (const scheme of ["light", "dark"]) {
    const { page, context, name } = await open(pathToFileURL(spec.report).href, screen, scheme, "report");
    await plots(page, name, 5);
    await wide(page, name);
    await accessible(page, name + " closed");
    await card(page, name);
    await slides(page, name, "#pictures");
    await page.evaluate(() => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
    await accessible(page, name + " open");
    await wide(page, name + " open");
    await shot(page, name);
    if (screen.name === "desktop" && scheme === "light") {
      const blank = page.locator("#chart-front");
      await page.evaluate(() => evosr.page.charts()[0].setOption({ series: [], legend: { show: false } }, { replaceMerge: ["series"] }));
      facts.blank = await coloured(page, await blank.elementHandle());
      if (facts.blank >= drawn) faults.push(`${name}: a plot without series counts as drawn: ${facts.blank} coloured pixels`);
    }
    await context.close();
  }
}

for (const scheme of ["light", "dark"]) {
  for (const screen of screens) {
    const { page, context, name } = await open(spec.live, screen, scheme, "live");
    await plots(page, name, 5);
    await wide(page, name);
    await accessible(page, name + " closed");
    await card(page, name);
    await page.setInputFiles("#try-file", spec.picture);
    await page.waitForSelector("#try-result canvas.compare", { timeout: 20000 }).catch(async () => faults.push(`${name}: nothing was enlarged: ${await page.textContent("#try-state")}`));
    const said = await page.textContent("#try-state");
    if (!/ms, bicubic interpolation in .* ms/.test(said)) faults.push(`${name}: no milliseconds: ${said}`);
    await slides(page, name, "#try-result");
    const before = await page.evaluate(() => evosr.page.data.evaluations.length);
    console.log("grow"); // the test adds an evaluation
    await lines.next();
    await page.waitForFunction((n) => evosr.page.data.evaluations.length === n + 1, before, { timeout: 10000 }).catch(() => faults.push(`${name}: the page does not grow`));
    await page.evaluate(() => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
    await accessible(page, name + " open");
    await shot(page, name);
    await context.close();
  }
}

{
  const { page, context, name } = await open(spec.runs, screens[0], "light", "runs");
  await page.waitForSelector("#compare table", { timeout: 10000 }).catch(() => faults.push(`${name}: no comparison`));
  await plots(page, name, 1);
  await accessible(page, name);
  await shot(page, name);
  await context.close();
}

{
  const { page, context, name } = await open(pathToFileURL(spec.many).href, screens[0], "light", "many");
  await plots(page, name, 5);
  facts.evaluations = await page.evaluate(() => evosr.page.data.evaluations.length);
  const times = [];
  for (let i = 0; i < 3; i++) {
    await page.reload();
    times.push(await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(performance.getEntriesByType("paint").length ? Math.max(performance.getEntriesByName("first-contentful-paint")[0].startTime, performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd) : performance.now()))))));
  }
  facts.paint_ms = Math.round(Math.min(...times));
  await shot(page, name, false);
  await context.close();
}

await browser.close();
console.log(JSON.stringify({ faults, facts }));
process.exit(0);
