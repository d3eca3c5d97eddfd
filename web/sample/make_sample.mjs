// Writes a run folder that looks like one of `witan train`, to look at the page and to check it: `node make_sample.mjs
// KIND FOLDER`. Its numbers are drawn, never trained; the same kind gives the same bytes.
//   mixture  six layers of eight experts, six languages and source code, with drops and a resume
//   large    24 layers of 64 experts, twelve domains, a long run
//   dense    no mixture, no analysis, one domain
//   short    two steps, of which the last diverged
//   hostile  texts that would be markup or end a script
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const LANGUAGES = {
  en: [" the", " and", " package", " system", "ing", " file", " kernel", " you", "tion", " with", " can", " install"],
  de: [" der", " und", "ung", " Sie", " nicht", "schaft", " Datei", " wird", " können", "ß", " für", "lich"],
  fr: [" les", " est", " vous", "é", " paquet", " pour", " l’", "ement", " fichier", " système", " dans", "eux"],
  it: [" il", " che", " di", "zione", " è", " per", " sono", " della", "are", " pacchetto", " può", "gli"],
  ja: ["の", "を", "は", "です", "ます", "システム", "ファイル", "パッケージ", "した", "、", "。", "カーネル"],
  pt: [" não", "ção", " para", " você", " uma", " os", " pacote", " com", "ões", " arquivo", " é", "mente"],
  code: ["\n", "\t", "    ", "();", "==", " return", " if (", "}\n", "->", " int", "#include", "/*"],
};
const MORE_DOMAINS = ["es", "nl", "pl", "ru", "wikipedia-articles-about-music"];

// Mulberry32: enough for a drawing.
function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const KINDS = {
  mixture: { layers: 6, experts: 8, active: 2, steps: 900, domains: Object.keys(LANGUAGES), analysis: true, resumeAt: 400 },
  large: { layers: 24, experts: 64, active: 8, steps: 1500, domains: [...Object.keys(LANGUAGES), ...MORE_DOMAINS], analysis: true },
  dense: { layers: 4, experts: 1, active: 1, steps: 300, domains: ["text"], analysis: false },
  short: { layers: 2, experts: 4, active: 1, steps: 2, domains: ["a", "b"], analysis: false },
  hostile: { layers: 2, experts: 4, active: 2, steps: 40, domains: ["</script><script>alert(1)</script>", "<!--", "&amp;\u2028"], analysis: true },
};

const [kind, folder] = process.argv.slice(2);
const shape = KINDS[kind];
if (!shape || !folder) {
  console.error(`usage: node make_sample.mjs ${Object.keys(KINDS).join("|")} FOLDER`);
  process.exit(2);
}
const random = generator(7);
const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
const softmax = (scores) => {
  const powers = scores.map(Math.exp);
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
};
const round = (value) => Number(value.toPrecision(6));

// How much domain d wants expert e in a layer; later layers are choosier. The domains' taste is what the analysis shows,
// and its mean over the domains the load.
const taste = Array.from({ length: shape.layers }, (_, layer) =>
  shape.domains.map(() => Array.from({ length: shape.experts }, () => normal() * (0.4 + (1.4 * layer) / shape.layers))),
);
const domainShares = taste.map((layer) => layer.map(softmax));
const finalLoad = domainShares.map((layer) =>
  Array.from({ length: shape.experts }, (_, e) => layer.reduce((sum, shares) => sum + shares[e], 0) / layer.length),
);

const TOKENS = 8 * 256;
const BITS_PER_NAT = 1 / Math.log(2) / 2.9; // 2.9 bytes a token
const lossAt = (step) => 2.75 + 5.6 * Math.exp(-step / 60) + 1.6 / (1 + step / 160);
const domainFactor = shape.domains.map((_, d) => 0.86 + 0.3 * ((d * 5) % shape.domains.length) / shape.domains.length);

function layerMetrics(layer, step) {
  const started = 1 - Math.exp(-step / (120 + 40 * layer));
  const wobble = 0.25 * Math.exp(-step / 300) + 0.05;
  const wishes = finalLoad[layer].map((load) => (1 - started) * (0.2 * normal()) + started * Math.log(load * shape.experts) + wobble * normal());
  // Early on, one expert of the second layer takes over until the balance loss pulls it back.
  if (shape.experts > 1 && layer === 1) wishes[2] += 2.2 * Math.exp(-(((step - 90) / 45) ** 2));
  const rows = TOKENS * shape.active;
  const load = softmax(wishes).map((share) => Math.round(share * rows));
  const most = Math.max(...load) / (rows / shape.experts);
  return {
    layer,
    load,
    max_over_mean: round(most),
    dropped_share: kind === "large" ? 0 : round(Math.max(0, most - 2) * 0.06),
    router_entropy: round(Math.log(shape.experts) * (0.55 + 0.43 * (1 - started)) - 0.03 * layer + 0.01 * normal()),
    dead_experts: load.filter((count) => count === 0).length,
    mean_z: round(0.4 + 2.5 * started + 0.1 * layer),
  };
}

const settings = {
  model: { vocab_size: 4096, hidden_size: 256, num_hidden_layers: shape.layers, num_attention_heads: 8, num_key_value_heads: 4, num_experts: shape.experts, num_experts_per_tok: shape.active, moe_intermediate_size: 512, norm_topk_prob: true, router: "top_k", router_aux_loss_coef: 0.01, router_z_loss_coef: 0.001, capacity_factor: 1.25, tie_word_embeddings: true, rms_norm_eps: 1e-6, rope_theta: 10000 },
  training: { batch_size: 8, sequence_length: 256, learning_rate: 3e-3, schedule: "cosine", warmup_steps: 50, weight_decay: 0.1, gradient_clip: 1.0, seed: 1, steps: shape.steps, minutes: 0, tokens: 0, data: "/usr/share/debian-reference", output: folder, eval_every: Math.ceil(shape.steps / 12) },
};
const run = (started) => ({
  kind: "run",
  settings,
  parameters: { total: 1.1e6 + shape.layers * shape.experts * 393216, active: 1.1e6 + shape.layers * shape.active * 393216 },
  domains: shape.domains,
  train_bytes: 4_812_331,
  heldout_bytes: 252_114,
  threads: 2,
  started,
});

const lines = [run("2026-11-22T01:02:03Z")];
const evaluate = (step) => {
  const loss = lossAt(step) + 0.12 + 0.15 * (step / shape.steps) ** 2;
  lines.push({
    kind: "eval",
    step,
    loss: round(loss),
    bits_per_byte: round(loss * BITS_PER_NAT),
    domains: Object.fromEntries(
      shape.domains.map((name, d) => {
        const own = loss * domainFactor[d] * (1 + 0.01 * normal());
        return [name, { loss: round(own), bits_per_byte: round(own * BITS_PER_NAT), tokens: 12000 }];
      }),
    ),
  });
};
let seconds = 0;
for (let step = 1; step <= shape.steps; ++step) {
  if (step === shape.resumeAt) lines.push(run("2026-11-22T01:20:00Z"));
  const loss = kind === "short" && step === 2 ? null : lossAt(step) + 0.07 * normal();
  const rate = 7800 * (1 + 0.04 * normal()) * (step % 97 === 0 ? 0.6 : 1);
  seconds += TOKENS / rate;
  lines.push({
    kind: "step",
    step,
    tokens: step * TOKENS,
    seconds: round(seconds),
    loss: loss === null ? null : round(loss),
    bits_per_byte: loss === null ? null : round(loss * BITS_PER_NAT),
    learning_rate: round(step < 50 ? (3e-3 * step) / 50 : 3e-4 + 2.7e-3 * 0.5 * (1 + Math.cos((Math.PI * (step - 50)) / shape.steps))),
    gradient_norm: round((0.5 + 2.5 * Math.exp(-step / 80)) * Math.exp(0.18 * normal()) * (random() < 0.006 ? 4 : 1)),
    tokens_per_second: round(rate),
    balance: shape.experts > 1 ? { load_balance: round(1.02 + 0.8 * Math.exp(-(((step - 90) / 60) ** 2)) + 0.01 * random()), router_z: round(2.9 - Math.exp(-step / 150)) } : {},
    layers: shape.experts > 1 ? Array.from({ length: shape.layers }, (_, layer) => layerMetrics(layer, step)) : [],
    peak_memory_bytes: Math.round(612e6 + 40e6 * shape.layers),
  });
  if (step % settings.training.eval_every === 0 || step === shape.steps) evaluate(step);
}

function topTokens(layer, expert) {
  const pools = shape.domains.map((name) => LANGUAGES[name] ?? [`<img src=x onerror=alert(1)>`, "</script>", "\u2028", "\u202eabc", "&lt;", "\u0000"]);
  const wanted = domainShares[layer].map((shares) => shares[expert] / finalLoad[layer][expert]);
  const tokens = pools.flatMap((pool, d) => pool.map((token) => ({ token, count: Math.round(20 + 400 * random()), lift: round(wanted[d] * Math.exp(0.8 + 0.7 * normal())) })));
  return tokens.sort((a, b) => b.lift - a.lift).slice(0, 12);
}

mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, "metrics.jsonl"), lines.map((line) => JSON.stringify(line)).join("\n") + "\n");
writeFileSync(join(folder, "settings.json"), JSON.stringify(settings, null, 2));
if (shape.analysis) {
  const analysis = {
    domains: shape.domains,
    layers: taste.map((_, layer) => ({
      layer,
      experts: shape.experts,
      load_by_domain: domainShares[layer].map((shares) => shares.map(round)),
      load: finalLoad[layer].map(round),
      entropy: round(Math.log(shape.experts) * 0.56),
      top_tokens: finalLoad[layer].map((_, expert) => topTokens(layer, expert)),
    })),
    samples: [
      { prompt: "The Debian system", text: " is configured with the package management tools. You can install a package\nwith the following command:\n\n  # apt-get install foo\n\nand then the system reads the configuration file of the kernel." },
      { prompt: "Das System", text: " wird nicht mehr gestartet, wenn Sie die Datei nicht finden können. Für die Verwendung der Pakete müssen Sie zuerst die Einstellungen des Kernels prüfen." },
      { prompt: "システム", text: "の設定ファイルは、次のように変更できます。パッケージをインストールした後、カーネルを再起動します。" },
      ...(kind === "hostile" ? [{ prompt: "</script><script>alert(2)</script>", text: "<b>not bold</b> <!-- <script> \u2029" }] : []),
    ],
    compressors: { "xz -9": 2.204, "zstd -19": 2.291, "gzip -9": 2.703 },
  };
  writeFileSync(join(folder, "analysis.json"), JSON.stringify(analysis));
}
