// Of what the model is made: parameters by their task, bytes by their type, layers, and what running it takes.
import { barChart, picture, type Bar } from "../../charts.ts";
import { h } from "../../dom.ts";
import { bytes, count, percent, plural, whole } from "../../format.ts";
import { figure, grid, tableElement, type Section, type Table } from "../../layout.ts";
import type { Inspection, ModelLayer, Report } from "../data.ts";

const PARTS: [keyof Report["parameters"], string][] = [
  ["experts", "routed experts"],
  ["shared", "shared experts"],
  ["dense", "dense networks"],
  ["attention", "attention, norms"],
  ["routing", "routers"],
  ["outside", "embedding, head"],
];

function parameters({ parameters }: Report): HTMLElement {
  const parts = PARTS.filter(([key]) => parameters[key] > 0);
  return figure({
    title: "Where the parameters are",
    note: `Of ${count(parameters.total)} parameters, by what they are for. ${percent(parameters.active / parameters.total, 0)} of all work on any one token.`,
    content: [
      picture("Parameters by their task", (width, theme) => {
        const bars: Bar[] = parts.map(([key, name]) => ({ name, value: parameters[key], colour: theme.accent }));
        return barChart(width, theme, bars, "parameters", (value) => `${count(value)} (${percent(value / parameters.total)})`);
      }),
    ],
    table: () => ({
      columns: ["Part", "Parameters"],
      rows: parts.map(([key, name]) => [name, whole(parameters[key])]),
    }),
  });
}

function storage({ storage }: Report): HTMLElement | null {
  if (!storage) return null;
  return figure({
    title: "How the weights are stored",
    note: `${bytes(storage.bytes)} in ${plural(storage.files, "file")} and ${plural(storage.tensors, "tensor")}, by the type of number.`,
    content: [
      picture("Bytes by type of number", (width, theme) =>
        barChart(width, theme, storage.dtypes.map((kind) => ({ name: kind.dtype, value: kind.bytes, colour: theme.accent })), "bytes", bytes),
      ),
    ],
    table: () => ({
      columns: ["Type", "Tensors", "Bytes"],
      rows: storage.dtypes.map((kind) => [kind.dtype, whole(kind.tensors), whole(kind.bytes)]),
    }),
  });
}

const alike = (a: ModelLayer, b: ModelLayer) =>
  a.stack === b.stack && a.experts === b.experts && a.width === b.width && a.shared_width === b.shared_width && a.window === b.window;

function layerTable({ layers }: Report): Table {
  const rows: string[][] = [];
  const orDash = (value: number) => (value === 0 ? "–" : whole(value));
  for (let first = 0; first < layers.length; ) {
    let last = first;
    while (last + 1 < layers.length && alike(layers[first], layers[last + 1])) last += 1;
    const one = layers[first];
    rows.push([
      `${one.stack} ${one.layer}${last > first ? ` to ${layers[last].layer}` : ""}`,
      one.experts === 0 ? "dense" : whole(one.experts), orDash(one.experts_per_token), whole(one.width),
      orDash(one.shared_width), orDash(one.window), count(one.parameters), count(one.active),
    ]);
    first = last + 1;
  }
  return { columns: ["Layers", "Experts", "Per token", "Width", "Shared", "Window", "Parameters of one", "Active"], rows };
}

function facts(report: Report): HTMLElement {
  const { memory, tokenizer } = report;
  const entries: [string, string][] = [
    ["Architecture", `${report.architecture}: ${report.summary}`],
    ...(report.routing ? [["Routing", report.routing] as [string, string]] : []),
    ["Attention", report.attention],
    ["Width", `${whole(report.hidden_size)}; ${plural(report.vocab_size, "token")}, ${report.tied_embeddings ? "one table for input and output" : "a table each for input and output"}`],
    ["Context", report.context > 0 ? plural(report.context, "position") : "no end, as far as memory goes"],
    [
      "Memory",
      `${bytes(memory.weights)} for weights as ${memory.held_as}, ${bytes(memory.per_position)} for each position${memory.whole_context > 0 ? ` (${bytes(memory.whole_context)} for the whole context)` : ""}; ${bytes(memory.read_per_token)} read per token`,
    ],
    [
      "Tokenizer",
      tokenizer
        ? `${plural(tokenizer.vocab_size, "token")} (${tokenizer.files.join(", ")}), ${tokenizer.chat_template ? "with a chat template" : "no chat template"}`
        : "none in the folder",
    ],
  ];
  return h("dl", { class: "facts" }, ...entries.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

export function anatomy({ report }: Inspection): Section {
  return {
    id: "model",
    title: "Anatomy",
    intro: "What the folder holds, from its config, the headers of its weights and its tokenizer.",
    content: [
      report.notes.length ? h("ul", { class: "remarks" }, ...report.notes.map((note) => h("li", {}, note))) : null,
      grid(h("div", { class: "card wide" }, h("h3", {}, "At a glance"), facts(report))),
      grid(parameters(report), storage(report)),
      grid(h("div", { class: "card wide" }, h("h3", {}, "Layers"), tableElement(layerTable(report)))),
    ],
  };
}
