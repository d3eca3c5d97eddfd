// node tokenizer.mjs PACKAGES TOKENIZER.json TEXT: the speed of npm's `tokenizers` (Hugging Face's Rust library) on one
// thread, by the thread's processor time, for bench/tokenizer.cc to be compared with. PACKAGES: a folder with that package
// installed, such as build/release/tokenizers/packages.
import {createRequire} from 'node:module';
import {readFileSync} from 'node:fs';
import {join, resolve} from 'node:path';

process.env.RAYON_NUM_THREADS = '1';
process.env.TOKENIZERS_PARALLELISM = 'false';
const [packages, file, text] = process.argv.slice(2);
const {Tokenizer} = createRequire(join(resolve(packages), 'package.json'))('tokenizers');
const tokenizer = Tokenizer.fromFile(file);
const content = readFileSync(text, 'utf8');
const bytes = Buffer.byteLength(content);
const rates = [];
for (let round = 0; round < 5; ++round) {
  const before = process.cpuUsage();
  await tokenizer.encode(content, null, {addSpecialTokens: false});
  const {user, system} = process.cpuUsage(before);
  rates.push(bytes / (user + system));
}
rates.sort((a, b) => a - b);
console.log(`whole: ${rates[2].toFixed(2)} MB/s (median of five, ${rates[0].toFixed(2)} to ${rates[4].toFixed(2)})`);
