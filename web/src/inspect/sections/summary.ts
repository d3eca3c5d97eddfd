// The head of the page: what the model is, in a paragraph and a row of figures.
import { bytes, count, countInWords, fixed, percent, plural, whole } from "../../format.ts";
import { pageHead, tile } from "../../layout.ts";
import type { Inspection } from "../data.ts";

export function header({ report }: Inspection): HTMLElement {
  const { parameters, layers, memory, storage, text } = report;
  const mixtures = layers.filter((layer) => layer.experts > 0);
  const most = Math.max(0, ...mixtures.map((layer) => layer.experts));
  const perToken = Math.max(0, ...mixtures.map((layer) => layer.experts_per_token));
  const kind = report.kind === "decoder" ? "decoder" : "encoder-decoder";
  const experts = mixtures.length
    ? `${plural(mixtures.length, "layer")} of ${whole(layers.length)} ${mixtures.length === 1 ? "has" : "have"} a mixture of ${plural(most, "expert")}, ${whole(perToken)} of which serve a token`
    : `all ${plural(layers.length, "layer")} are dense`;
  const active =
    parameters.active < parameters.total
      ? `, of which ${countInWords(parameters.active)} (${percent(parameters.active / parameters.total, 0)}) work on a token`
      : "";
  const read = text
    ? ` ${countInWords(text.tokens)} tokens of text were read${text.bits_per_byte === null ? "" : `, at ${fixed(text.bits_per_byte, 3)} bits for a byte`}.`
    : "";
  return pageHead(
    `Model of the architecture ${report.architecture}`,
    report.name,
    `A ${kind} of ${countInWords(parameters.total)} parameters${active}; ${experts}.${read}`,
    [
      tile("Parameters", count(parameters.total), parameters.active < parameters.total ? `${count(parameters.active)} active` : ""),
      mixtures.length ? tile("Experts", whole(most), `${whole(perToken)} for each token`) : null,
      tile("Layers", whole(layers.length), mixtures.length ? `${whole(mixtures.length)} with a mixture` : "dense"),
      report.context > 0 ? tile("Context", whole(report.context), "positions") : null,
      storage ? tile("On disk", bytes(storage.bytes), storage.dtypes[0]?.dtype ?? "") : null,
      tile("Memory", bytes(memory.weights), `for weights as ${memory.held_as}`),
    ],
  );
}
