// The head of the page: what this is, how well it reads, and what it cost, in a paragraph and a row of figures.
import { bytes, count, countInWords, date, duration, fixed, list, percent, plural, whole } from "../../format.ts";
import { pageHead, tile } from "../../layout.ts";
import { last, type Run } from "../data.ts";

function modelSentence(run: Run): string {
  const layers = run.settingNumber("num_hidden_layers");
  const experts = Math.max(0, ...run.report.layers.map((layer) => layer.experts));
  const active = run.settingNumber("num_experts_per_tok");
  const { total, active: activeParameters } = run.report.run.parameters ?? {};
  const sizes = [
    total ? `${countInWords(total)} parameters` : null,
    total && activeParameters && activeParameters < total ? `${countInWords(activeParameters)} of them at work on any one token` : null,
  ].filter(Boolean);
  const kind =
    experts > 1
      ? `A sparse mixture of ${plural(experts, "expert")} per layer${active ? `, ${active} for each token` : ""}`
      : "A dense transformer";
  return `${kind}${layers ? `, ${plural(layers, "layer")} deep` : ""}${sizes.length ? `: ${sizes.join(", ")}` : ""}.`;
}

function trainingSentence(run: Run): string {
  const { steps, run: about } = run.report;
  const tokens = last(steps.tokens);
  const seconds = last(steps.seconds);
  const text = [
    about.train_bytes ? `on ${bytes(about.train_bytes)} of text` : "",
    run.domains.length > 1
      ? ` in ${plural(run.domains.length, "domain")}${run.domains.length <= 8 ? ` (${list(run.domains)})` : ""}`
      : "",
  ].join("");
  const effort = [
    plural(last(steps.step) ?? 0, "step"),
    tokens ? `${countInWords(tokens)} tokens` : null,
    seconds ? duration(seconds) : null,
    about.threads ? `${plural(about.threads, "thread")}` : null,
  ].filter(Boolean) as string[];
  const resumed = about.resumed ? `, resumed ${about.resumed === 1 ? "once" : `${about.resumed} times`}` : "";
  return `Trained ${text ? `${text}, ` : ""}for ${effort.join(", ")}${resumed}.`;
}

function resultSentence(run: Run): string {
  const bits = run.bitsPerByte;
  if (bits === null) return "";
  const where = run.finalEvaluation ? "text it never saw" : "the text it was trained on";
  const rivals = Object.entries(run.report.analysis?.compressors ?? {}).sort((a, b) => a[1] - b[1]);
  const against = rivals.length
    ? (() => {
        const [name, rival] = rivals[0];
        const gain = 1 - bits / rival;
        return gain > 0
          ? `, ${percent(gain, 0)} fewer than ${name} (${fixed(rival, 3)})`
          : `; ${name} needs fewer: ${fixed(rival, 3)}`;
      })()
    : "";
  return ` It needs ${fixed(bits, 3)} bits for a byte of ${where}${against}.`;
}

export function header(run: Run): HTMLElement {
  const { steps, run: about } = run.report;
  const { total, active } = about.parameters ?? {};
  const final = run.finalEvaluation;
  const speed = last(steps.tokens) && last(steps.seconds) ? last(steps.tokens)! / last(steps.seconds)! : last(steps.tokens_per_second);
  const tiles = [
    run.bitsPerByte !== null ? tile("Bits per byte", fixed(run.bitsPerByte, 3), final ? "held-out" : "training") : null,
    final?.loss != null ? tile("Loss", fixed(final.loss, 3), "nats per token") : null,
    total ? tile("Parameters", count(total), active && active < total ? `${count(active)} active` : "") : null,
    last(steps.tokens) ? tile("Tokens read", count(last(steps.tokens)), plural(last(steps.step) ?? 0, "step")) : null,
    speed ? tile("Speed", whole(speed), "tokens per second") : null,
    last(steps.seconds) ? tile("Time", duration(last(steps.seconds))) : null,
    last(steps.peak_memory_bytes) ? tile("Peak memory", bytes(last(steps.peak_memory_bytes))) : null,
  ];
  const eyebrow = `Training run${about.started ? ` of ${date(about.started)}` : ""}`;
  return pageHead(eyebrow, run.report.name, `${modelSentence(run)} ${trainingSentence(run)}${resultSentence(run)}`, tiles);
}
