// The experts' matrices in numbers: size, ranks and outliers.
import { heatMap, picture, ramp, type Cell } from "../../charts.ts";
import { h } from "../../dom.ts";
import { number, times } from "../../format.ts";
import { figure, grid, segments, type Section } from "../../layout.ts";
import { Shared } from "../../state.ts";
import { colours } from "../../theme.ts";
import type { Inspection, LayerWeights } from "../data.ts";

type Quantity = "norm" | "stable_rank" | "kurtosis" | "largest";

const LIMIT = 2;
const NAMES: Record<Quantity, string> = { norm: "Norm", stable_rank: "Stable rank", kurtosis: "Kurtosis", largest: "Largest entry" };
const NOTES: Record<Quantity, string> = {
  norm: "Frobenius norm: how large a matrix is.",
  stable_rank: "Squared norm over squared largest singular value: in how many directions a matrix works. A low one belongs to an expert of few tricks.",
  kurtosis: "Of the entries, over that of a normal distribution (0): a high one means outliers, which are hard to quantize.",
  largest: "The largest entry, without its sign.",
};
const ROUTER = "router";

const label = (layer: LayerWeights, stacks: number) => `${stacks > 1 ? layer.stack : "layer"} ${layer.layer}`;

export function weights(inspection: Inspection): Section | null {
  const layers = (inspection.report.weights ?? []).filter((layer) => layer.experts > 0);
  if (layers.length === 0) return null;
  const stacks = new Set(layers.map((layer) => layer.stack)).size;
  const names = layers[0].matrices.map((matrix) => matrix.name);
  const routers = layers.some((layer) => layer.router_norm.length > 0);
  const matrix = new Shared<string>(names[names.length - 1]);
  const quantity = new Shared<Quantity>("norm");
  const valuesOf = (layer: LayerWeights): (number | null)[] =>
    matrix.get() === ROUTER ? layer.router_norm : (layer.matrices.find((one) => one.name === matrix.get())?.[quantity.get()] ?? []);
  // Kurtosis counts from that of two equally likely values, -2, so that all are above zero.
  const size = (value: number) => (matrix.get() !== ROUTER && quantity.get() === "kurtosis" ? value + 2 : value);
  const experts = Math.max(...layers.map((layer) => layer.experts));
  const columns = Array.from({ length: experts }, (_, expert) => String(expert));
  const drawn = picture("The chosen quantity of every expert", (width, theme) => {
    const all = layers.flatMap(valuesOf).filter((value): value is number => value !== null).map(size);
    const usual = all.reduce((a, b) => a + b, 0) / Math.max(1, all.length);
    const cells: Cell[] = layers.flatMap((layer) =>
      valuesOf(layer).flatMap((value, expert) =>
        value === null
          ? []
          : [{
              column: String(expert),
              row: label(layer, stacks),
              ratio: usual > 0 ? size(value) / usual : 1,
              text: Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(2))),
              title: `${label(layer, stacks)}, expert ${expert}\n${number(value)}${size(value) === value && usual > 0 ? `\n${times(value / usual)} the mean` : ""}`,
            }],
      ),
    );
    return heatMap(width, theme, cells, columns, layers.map((layer) => label(layer, stacks)), "expert", null, LIMIT);
  });
  const note = h("p", { class: "intro" });
  const tell = () => {
    note.textContent = matrix.get() === ROUTER ? "Norm of the expert's row of the router: how strongly its score can move." : NOTES[quantity.get()];
  };
  for (const chosen of [matrix, quantity] as Shared<string>[]) {
    chosen.watch(drawn.redraw);
    chosen.watch(tell);
  }
  const key = h("div");
  colours.watch((theme) => key.replaceChildren(ramp(theme.diverging, `${LIMIT}× less`, "the mean", `${LIMIT}× more`)));
  return {
    id: "weights",
    title: "Weights",
    content: [
      h(
        "div",
        { class: "choices" },
        segments("Matrix", [...names, ...(routers ? [ROUTER] : [])].map((name): [string, string] => [name, name]), matrix),
        segments("Quantity", (Object.keys(NAMES) as Quantity[]).map((one): [Quantity, string] => [one, NAMES[one]]), quantity),
      ),
      note,
      grid(
        figure({
          title: "Every expert's matrix",
          note: "Orange: above the mean of all, blue: below. Experts that stand out were trained more, or otherwise, than the rest.",
          content: [key, drawn],
          wide: true,
          table: () => ({
            columns: ["Layer", ...columns.map((expert) => `Expert ${expert}`)],
            rows: layers.map((layer) => [label(layer, stacks), ...valuesOf(layer).map(number)]),
          }),
        }),
      ),
    ],
  };
}
