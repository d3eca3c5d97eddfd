// Opens reports in a real browser and fails unless they hold together: `node check.mjs WITAN` has the program make the
// page of every kind of sample run and looks at each, narrow and wide, light and dark. Exits with 77 (skipped) where
// there is no Chromium.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { browserPath, startBrowser } from "./tools/browser.mjs";

const EVERY_SECTION = ["learning", "experts", "tokens", "routing", "samples", "speed", "settings"];
const SECTIONS = {
  mixture: EVERY_SECTION,
  large: EVERY_SECTION,
  dense: ["learning", "speed", "settings"],
  short: ["learning", "routing", "speed", "settings"],
  hostile: EVERY_SECTION,
};

const COMPARISON = ["result", "learning", "routing", "cost"];
const FITS = {
  numbers: ["model", "coefficients", "residuals", "calibration", "selection", "search"],
  classes: ["model", "coefficients", "calibration", "search"],
};

const MODEL = ["model", "experts", "tokens", "together", "outputs", "super", "likeness", "weights"];
const SWITCH = join(dirname(fileURLToPath(import.meta.url)), "..", "tests", "golden", "checkpoints", "switch_transformers");

const [witan] = process.argv.slice(2);
if (!witan) {
  console.error("usage: node check.mjs WITAN");
  process.exit(2);
}
if (browserPath() === null) {
  console.log("no Chromium on this machine: skipped");
  process.exit(77);
}

let failures = 0;
function expect(holds, message) {
  if (holds) return;
  failures += 1;
  console.error(`FAILED ${message}`);
}

async function withPage(browser, file, options, look) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const where = `${file} ${options.viewport.width} ${options.colorScheme}`;
  page.on("console", (message) => expect(message.type() !== "error", `${where}: console: ${message.text()}`));
  page.on("pageerror", (error) => expect(false, `${where}: ${error}`));
  page.on("dialog", (dialog) => {
    expect(false, `${where}: a text of the run was executed: ${dialog.message()}`);
    return dialog.dismiss();
  });
  page.on("request", (request) =>
    expect(request.url().startsWith("file:") || request.url().startsWith("data:"), `${where}: asks for ${request.url()}`),
  );
  await page.goto(pathToFileURL(file).href);
  await page.waitForFunction(() => [...document.querySelectorAll(".picture")].every((place) => place.firstChild));
  await look(page, where);
  await context.close();
}

// What must be true of every page, however it is shown.
async function checkLayout(page, where, sections) {
  const seen = await page.$$eval("section", (all) => all.map((section) => section.id));
  expect(seen.join() === sections.join(), `${where}: sections ${seen}, expected ${sections}`);
  const faults = await page.evaluate(() => {
    const found = [];
    if (document.documentElement.scrollWidth > innerWidth) found.push(`scrolls sideways: ${document.documentElement.scrollWidth}`);
    for (const figure of document.querySelectorAll("figure.card")) {
      const title = figure.querySelector("h3").textContent;
      if (!figure.querySelector("figcaption")?.textContent) found.push(`"${title}" has no explanation`);
      const svg = figure.querySelector(".picture svg");
      if (!svg?.querySelector("path, rect, circle")) found.push(`"${title}" is empty`);
      if (/NaN|undefined/.test(svg?.outerHTML ?? "")) found.push(`"${title}" holds NaN or undefined`);
    }
    const words = document.querySelector("main").innerText;
    for (const word of ["NaN", "undefined", "[object"]) if (words.includes(word)) found.push(`the text says ${word}`);
    const unnamed = [...document.querySelectorAll("button, select, input")].filter(
      (control) => !control.ariaLabel && !control.textContent && !control.closest("label"),
    );
    if (unnamed.length) found.push(`${unnamed.length} controls without a name`);
    return found;
  });
  for (const fault of faults) expect(false, `${where}: ${fault}`);
}

// Controls do what they say, by keyboard alone.
async function checkControls(page, where) {
  const heatMap = page.locator("#experts figure").nth(1).locator("svg");
  const before = await heatMap.innerHTML();
  // The layer that the page begins with may be the first or the last.
  await page.locator("#routing .stepper button:enabled").first().press("Enter");
  expect((await heatMap.innerHTML()) !== before, `${where}: another layer leaves the experts as they were`);
  const chosen = await page.$$eval(".stepper select", (all) => all.map((select) => select.value));
  expect(new Set(chosen).size === 1, `${where}: the choices of a layer disagree: ${chosen}`);

  const curve = page.locator("#learning svg").first();
  const bySteps = await curve.innerHTML();
  await page.locator("#learning .segments input").first().press("ArrowRight");
  expect((await page.locator("#learning svg").first().innerHTML()) !== bySteps, `${where}: tokens look like steps`);

  await page.fill("#settings input", "num experts");
  const left = await page.locator("#settings dl > div:visible").count();
  expect(left === 2, `${where}: "num experts" finds ${left} settings, expected 2`);

  await page.fill("#tokens input", "の");
  expect((await page.locator(".chip.hit").count()) > 0, `${where}: a token that is there is not found`);

  const scheme = () => page.evaluate(() => document.documentElement.dataset.theme);
  await page.locator(".theme-switch").press("Enter");
  expect((await scheme()) === "light", `${where}: the switch does not go to light`);
  await page.locator(".theme-switch").press("Enter");
  expect((await scheme()) === "dark", `${where}: the switch does not go to dark`);
}

const folder = mkdtempSync(join(tmpdir(), "witan-report-"));
const browser = await startBrowser();
try {
  const makeSample = join(dirname(fileURLToPath(import.meta.url)), "sample", "make_sample.mjs");
  for (const [kind, sections] of Object.entries(SECTIONS)) {
    const run = join(folder, kind);
    execFileSync(process.execPath, [makeSample, kind, run]);
    execFileSync(witan, ["report", run], { stdio: ["ignore", "ignore", "inherit"] });
    for (const [width, colorScheme] of [[390, "light"], [1440, "dark"]]) {
      await withPage(browser, join(run, "report.html"), { viewport: { width, height: 900 }, colorScheme }, async (page, where) => {
        await checkLayout(page, where, sections);
        const scheme = await page.evaluate(() => document.documentElement.dataset.theme);
        expect(scheme === colorScheme, `${where}: shown in ${scheme}`);
        if (kind === "mixture") await checkControls(page, where);
      });
    }
  }
  // Too short to learn anything, but every part of the page has something to show.
  const comparison = join(folder, "comparison");
  const text = join(folder, "text.txt");
  writeFileSync(text, Array.from({ length: 600 }, (_, i) => `line ${i} of a text about ${i * i} things\n`).join(""));
  execFileSync(
    witan,
    ["compare", text, "--output", comparison, "--preset=tiny", "--tokenizer=bytes", "--steps=6", "--eval-steps=2", "--seeds=2",
      "--routers", "top_k", "switch", "top_k:weighting=softmax_then_topk,gate=cosine,router_jitter_noise=0.1"],
    { stdio: ["ignore", "ignore", "ignore"] },
  );
  for (const [width, colorScheme] of [[390, "light"], [1440, "dark"]]) {
    await withPage(browser, join(comparison, "comparison.html"), { viewport: { width, height: 900 }, colorScheme }, async (page, where) => {
      await checkLayout(page, where, COMPARISON);
      const curve = page.locator("#learning svg").first();
      const before = await curve.innerHTML();
      // The layer that the page begins with may be the first or the last.
  await page.locator("#routing .stepper button:enabled").first().press("Enter");
      expect((await curve.innerHTML()) !== before, `${where}: another router leaves the curves as they were`);
    });
  }
  // A model of that kind, trained as little, and looked into; a folder's name may be markup too.
  const run = join(folder, "<b>run");
  execFileSync(
    witan,
    ["train", text, "--output", run, "--preset=tiny", "--tokenizer=bytes", "--steps=4", "--eval-steps=4"],
    { stdio: ["ignore", "ignore", "ignore"] },
  );
  const model = join(folder, "model.html");
  execFileSync(witan, ["inspect", run, "--data", text, "--tokens=2000", "--report", model], { stdio: ["ignore", "ignore", "ignore"] });
  for (const [width, colorScheme] of [[390, "light"], [1440, "dark"]]) {
    await withPage(browser, model, { viewport: { width, height: 900 }, colorScheme }, async (page, where) => {
      await checkLayout(page, where, MODEL);
      const pairs = page.locator("#likeness svg").first();
      const before = await pairs.innerHTML();
      await page.locator("#likeness .segments input").first().press("ArrowRight");
      expect((await pairs.innerHTML()) !== before, `${where}: another measure leaves the pairs as they were`);
      const matrix = page.locator("#weights svg").first();
      const norms = await matrix.innerHTML();
      await page.locator("#weights .segments").last().locator("input").first().press("ArrowRight");
      expect((await matrix.innerHTML()) !== norms, `${where}: another quantity leaves the weights as they were`);
    });
  }
  // An encoder-decoder with one expert for each token: nobody works together. Its tokenizer knows 256 words.
  const encoderDecoder = join(folder, "switch");
  mkdirSync(encoderDecoder);
  for (const name of ["config.json", "generation_config.json", "model.safetensors"]) copyFileSync(join(SWITCH, name), join(encoderDecoder, name));
  const words = ["<pad>", "</s>", "<unk>", ...Array.from({ length: 253 }, (_, i) => `w${i}`)];
  writeFileSync(
    join(encoderDecoder, "tokenizer.json"),
    JSON.stringify({
      added_tokens: words.slice(0, 3).map((content) => ({ content, special: true, normalized: false })),
      pre_tokenizer: { type: "WhitespaceSplit" },
      model: { type: "WordLevel", unk_token: "<unk>", vocab: Object.fromEntries(words.map((word, id) => [word, id])) },
    }),
  );
  const texts = join(folder, "texts");
  mkdirSync(texts);
  for (const [name, first] of [["low", 0], ["high", 120]]) {
    writeFileSync(join(texts, `${name}.txt`), Array.from({ length: 900 }, (_, i) => `w${first + ((i * i + (i >> 3)) % 40)}`).join(" "));
  }
  const stacks = join(folder, "stacks.html");
  execFileSync(witan, ["inspect", encoderDecoder, "--data", texts, "--sequence-length=64", "--report", stacks], { stdio: ["ignore", "ignore", "ignore"] });
  for (const [width, colorScheme] of [[390, "light"], [1440, "dark"]]) {
    await withPage(browser, stacks, { viewport: { width, height: 900 }, colorScheme }, async (page, where) => {
      await checkLayout(page, where, MODEL.filter((section) => section !== "together"));
      const layers = await page.locator("#experts .stepper select option").allTextContents();
      const named = ["Encoder ", "Decoder "].every((stack) => layers.some((layer) => layer.startsWith(stack)));
      expect(named && new Set(layers).size === layers.length, `${where}: the layers of both stacks are ${layers}`);
    });
  }
  // Two inputs and a category, whose names are markup.
  const rows = Array.from({ length: 240 }, (_, i) => {
    const [x, z, group] = [Math.sin(i), Math.cos(3 * i), ["a", "<b>b</b>", "c"][i % 3]];
    const y = (x + z > 0 ? 2 + x : -1 - 2 * z) + 0.3 * Math.sin(17 * i * i) + (i % 3 ? 0 : 1);
    return [x, z, group, y, y > 1 ? "high" : y > -1 ? "</script>" : "low"].join(",");
  });
  const table = join(folder, "table.csv");
  writeFileSync(table, `x,<img src=x>,group,y,class\n${rows.join("\n")}\n`);
  for (const [kind, sections] of Object.entries(FITS)) {
    const page = join(folder, `${kind}.html`);
    const options =
      kind === "numbers"
        ? ["--formula", "y ~ x + `<img src=x>` + group | gate ~ x + `<img src=x>`", "--experts=1..3"]
        : ["--formula", "class ~ x | gate ~ x + `<img src=x>`", "--family=multinomial"];
    execFileSync(witan, ["fit", table, ...options, "--restarts=4", "--report", page], { stdio: ["ignore", "ignore", "ignore"] });
    for (const [width, colorScheme] of [[390, "light"], [1440, "dark"]]) {
      await withPage(browser, page, { viewport: { width, height: 900 }, colorScheme }, async (tab, where) => {
        await checkLayout(tab, where, sections);
        const drawn = tab.locator("#model svg").first();
        const before = await drawn.innerHTML();
        await tab.locator("#model .stepper button").last().press("Enter");
        expect((await drawn.innerHTML()) !== before, `${where}: another input leaves the picture as it was`);
      });
    }
  }
} finally {
  await browser.close();
  rmSync(folder, { recursive: true });
}
console.log(failures ? `${failures} faults` : "all reports hold together");
process.exit(failures ? 1 : 0);
