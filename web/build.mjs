// Builds one page: `node build.mjs report OUT.html` bundles src/report/main.ts and its styles and puts both into
// src/page.html, so that the result asks for no other file. Not a development server.
import { build } from "esbuild";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(fileURLToPath(import.meta.url));
const [page, output] = process.argv.slice(2);
if (!page || !output) {
  console.error("usage: node build.mjs PAGE OUTPUT.html");
  process.exit(2);
}

const bundle = await build({
  absWorkingDir: root,
  entryPoints: [join("src", page, "main.ts")],
  outdir: "unused",
  write: false,
  bundle: true,
  minify: true,
  charset: "ascii",
  format: "iife",
  target: ["chrome100", "firefox100", "safari15.4"],
  legalComments: "none",
  logLevel: "warning",
});
const code = (suffix) => bundle.outputFiles.find((file) => file.path.endsWith(suffix)).text.trim();

// A function as replacement, because "$&" and the like would mean something in a text.
const fill = (html, gap, text) => {
  if (html.split(gap).length !== 2) throw new Error(`src/page.html must hold ${gap} exactly once`);
  return html.replace(gap, () => text);
};
let html = await readFile(join(root, "src", "page.html"), "utf8");
html = fill(html, "/*styles*/", code(".css"));
html = fill(html, "/*script*/", code(".js"));
await mkdir(dirname(resolve(output)), { recursive: true });
await writeFile(output, html);
