// Unit tests of the words and numbers of the pages, and of the smoothing of curves.
import assert from "node:assert/strict";
import test from "node:test";
import { build } from "esbuild";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

// Node does not read TypeScript, so the module is bundled for it first.
const folder = mkdtempSync(join(tmpdir(), "witan-web-"));
test.after(() => rmSync(folder, { recursive: true }));
async function load(name) {
  const outfile = join(folder, `${name.replace("/", "_")}.mjs`);
  const root = join(dirname(fileURLToPath(import.meta.url)), "..");
  await build({ absWorkingDir: root, entryPoints: [join("src", `${name}.ts`)], bundle: true, outfile, format: "esm" });
  return import(pathToFileURL(outfile).href);
}

const format = await load("format");
const { smooth, fallingDomain } = await load("report/smoothing");

test("numbers keep their meaning at every size", () => {
  assert.equal(format.number(0), "0");
  assert.equal(format.number(0.00031), "3.1e-4");
  assert.equal(format.number(1234.567), "1,235");
  assert.equal(format.number(null), "–");
  assert.equal(format.count(999), "999");
  assert.equal(format.count(999_999), "1 M");
  assert.equal(format.count(12_345_678), "12.3 M");
  assert.equal(format.bytes(512), "512 bytes");
  assert.equal(format.bytes(1.5e9), "1.5 GB");
  assert.equal(format.bytes(999_999), "1 MB");
  assert.equal(format.times(12.34), "12×");
});

test("small shares do not become zero", () => {
  assert.equal(format.percent(0.1234), "12.3 %");
  assert.equal(format.percent(0.00012), "0.01 %");
  assert.equal(format.percent(0), "0.0 %");
});

test("durations name their two largest units", () => {
  assert.equal(format.duration(0.53), "0.53 s");
  assert.equal(format.duration(59.7), "1 min");
  assert.equal(format.duration(3725), "1 h 2 min");
  assert.equal(format.duration(3600), "1 h");
  assert.equal(format.duration(90_061), "1 d 1 h");
});

test("dates are read, other texts are kept", () => {
  assert.equal(format.date("2026-11-22T01:02:03Z"), "22 November 2026, 01:02 UTC");
  assert.equal(format.date("yesterday"), "yesterday");
});

test("what is invisible in a token is made visible and marked", () => {
  assert.deepEqual(format.visible(" the"), [["␣", true], ["the", false]]);
  assert.deepEqual(format.visible("▁▁"), [["␣␣", true]]);
  assert.deepEqual(format.visible("a\n\t"), [["a", false], ["↵⇥", true]]);
  assert.deepEqual(format.visible("\u202ex\u0000"), [["U+202E", true], ["x", false], ["U+0000", true]]);
  assert.deepEqual(format.visible("日本"), [["日本", false]]);
  assert.deepEqual(format.visible(" ".repeat(16)), [["␣×16", true]]);
  assert.deepEqual(format.visible("x-----"), [["x-", false], ["×5", true]]);
  assert.deepEqual(format.visible("aaaa"), [["aaaa", false]]);
});

test("smoothing keeps a straight line straight and passes over gaps", () => {
  const line = Array.from({ length: 300 }, (_, i) => 2 * i);
  smooth(line)
    .slice(0, 290)
    .forEach((value, i) => assert.ok(Math.abs(value - line[i]) < 1e-9, `point ${i}: ${value}`));
  assert.deepEqual(smooth([1, null, 3]), [1, null, 3]);
  assert.deepEqual(smooth([]), []);
});

test("the vertical range leaves out the steep start but nothing that must be seen", () => {
  const points = Array.from({ length: 200 }, (_, i) => ({ x: i, y: i < 3 ? 50 : 2 }));
  const [low, high] = fallingDomain([{ points }], [3]);
  assert.ok(low < 2 && low > 1.5);
  assert.ok(high > 3 && high < 4);
  assert.equal(fallingDomain([], []), undefined);
});
