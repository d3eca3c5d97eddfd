// Pictures of a page to look at: `node tools/screenshot.mjs PAGE.html FOLDER [WIDTH...]` writes FOLDER/WIDTH-SCHEME.png
// (the whole page) and FOLDER/WIDTH-SCHEME-SECTION.png for each width and both schemes.
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { startBrowser } from "./browser.mjs";

const [page, folder, ...widths] = process.argv.slice(2);
if (!page || !folder) {
  console.error("usage: node tools/screenshot.mjs PAGE.html FOLDER [WIDTH...]");
  process.exit(2);
}
mkdirSync(folder, { recursive: true });
const browser = await startBrowser();
for (const width of widths.length ? widths.map(Number) : [390, 1440]) {
  for (const colorScheme of ["light", "dark"]) {
    const tab = await browser.newPage({ viewport: { width, height: 900 }, colorScheme, deviceScaleFactor: 1 });
    await tab.goto(pathToFileURL(resolve(page)).href);
    await tab.waitForTimeout(300);
    const name = join(folder, `${width}-${colorScheme}`);
    await tab.screenshot({ path: `${name}.png`, fullPage: true });
    // The bar stays in view and would hide part of every section.
    await tab.addStyleTag({ content: ".bar { display: none !important }" });
    for (const section of await tab.locator("header, section").all()) {
      await section.screenshot({ path: `${name}-${(await section.getAttribute("id")) ?? "head"}.png` });
    }
    await tab.close();
  }
}
await browser.close();
