// How large the experts' outputs are, and whether the router picks the experts with the largest.
import * as Plot from "@observablehq/plot";
import { heatMap, lineChart, picture, plot, ramp, type Cell, type Line } from "../../charts.ts";
import { layerName } from "../../analysis/data.ts";
import { h } from "../../dom.ts";
import { fixed, number, percent, times, whole } from "../../format.ts";
import { figure, grid, legend, stepper, textOf, type Section } from "../../layout.ts";
import { colours } from "../../theme.ts";
import { shortName, type Inspection, type TextLayer } from "../data.ts";

const LIMIT = 4;

const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / Math.max(1, values.length);
const servedNorms = (layer: TextLayer) => layer.outputs!.norm.filter((_, expert) => layer.outputs!.rows[expert] > 0);

function choice(layers: TextLayer[]): HTMLElement | null {
  const sampled = layers.filter((layer) => layer.outputs!.sampled_rows > 0);
  if (sampled.length === 0) return null;
  // Two stacks stand one behind the other.
  const place = (layer: TextLayer) => (layer.name ? sampled.indexOf(layer) : layer.layer);
  const points = (value: (layer: TextLayer) => number | null) =>
    sampled.flatMap((layer) => {
      const y = value(layer);
      return y === null ? [] : [{ x: place(layer), y }];
    });
  const series = [
    { name: "rank correlation", points: points((layer) => layer.outputs!.rank_correlation) },
    { name: "largest among the chosen", points: points((layer) => layer.outputs!.largest_chosen) },
  ].filter((line) => line.points.length > 0);
  const chance = mean(sampled.map((layer) => layer.outputs!.chosen_by_chance ?? 0));
  const key = h("div");
  colours.watch((theme) => key.replaceChildren(legend(series.map((line, i) => ({ name: line.name, colour: theme.category(i), kind: "line" as const })))));
  const low = Math.min(0, ...series.flatMap((line) => line.points.map((point) => point.y)));
  const [from, to] = [place(sampled[0]), place(sampled[sampled.length - 1])];
  return figure({
    title: "Does the router pick the loudest experts?",
    note:
      "Of a sample of tokens that every expert was asked about. Rank correlation: between the router's probabilities and the norms of the experts' outputs (1: it orders experts by how much they have to say, 0: without regard to it)." +
      " Largest among the chosen: the share of the chosen experts that are among as many with the largest outputs.",
    content: [
      key,
      picture("Rank correlation and share of largest outputs among the chosen, by layer", (width, theme) =>
        lineChart(width, theme, {
          lines: series.map((line, i): Line => ({ ...line, colour: theme.category(i), dots: true })),
          levels: [{ name: "largest, by chance", y: chance }],
          xFormat: (x) => sampled.filter((layer) => place(layer) === x).map(shortName).join(),
          yFormat: (y) => fixed(y, 3),
          xLabel: "layer",
          xDomain: from === to ? [from - 0.5, to + 0.5] : [from, to],
          yDomain: [Math.floor(5 * low) / 5, 1],
          height: 280,
        }),
      ),
    ],
    table: () => ({
      columns: ["Layer", "Rank correlation", "Largest among the chosen", "By chance", "Tokens"],
      rows: sampled.map((layer) => ({ name: shortName(layer), outputs: layer.outputs })).map(({ name, outputs }) => [
        name, fixed(outputs!.rank_correlation, 3), percent(outputs!.largest_chosen), percent(outputs!.chosen_by_chance), whole(outputs!.sampled_rows),
      ]),
    }),
  });
}

interface Dot {
  expert: number;
  weight: number;
  norm: number;
  rows: number;
}

function weightAndNorm(inspection: Inspection): HTMLElement {
  const current = () => inspection.chosen.text!;
  const drawn = picture("Mean weight and mean output norm of each expert of the chosen layer", (width, theme) => {
    const { outputs } = current();
    const dots: Dot[] = outputs!.rows.flatMap((rows, expert) =>
      rows > 0 ? [{ expert, weight: outputs!.weight[expert], norm: outputs!.norm[expert], rows }] : [],
    );
    const title = (d: Dot) => `expert ${d.expert}\nmean weight ${number(d.weight)}\nmean norm ${number(d.norm)}\n${whole(d.rows)} tokens`;
    return plot({
      width,
      height: 280,
      marginLeft: 52,
      marginRight: 24,
      marginTop: 24,
      marginBottom: 38,
      x: { nice: true },
      y: { nice: true },
      marks: [
        Plot.gridY({ stroke: theme.faint, strokeOpacity: 1 }),
        Plot.axisX({ ticks: Math.max(2, Math.floor(width / 90)), tickFormat: (x: number) => number(x), label: "mean weight", labelArrow: "none", labelAnchor: "center", tickSize: 0 }),
        Plot.axisY({ ticks: 5, tickFormat: (y: number) => number(y), label: "mean norm of the output", labelArrow: "none", tickSize: 0 }),
        Plot.dot(dots, { x: "weight", y: "norm", r: 5, fill: theme.accent, fillOpacity: 0.55, stroke: theme.accent }),
        dots.length <= 32 ? Plot.text(dots, { x: "weight", y: "norm", text: (d: Dot) => String(d.expert), dy: -11, fill: theme.text }) : null,
        Plot.tip(dots, Plot.pointer({ x: "weight", y: "norm", title, fontSize: 12, lineHeight: 1.25 })),
      ],
    });
  });
  inspection.layer.watch(drawn.redraw);
  return figure({
    title: textOf(inspection.layer, () => `Weight and size, ${layerName(current())}`),
    note: "One dot per expert, by the mean weight that the router gives it and the mean norm of what it says, over the tokens it served.",
    content: [drawn],
    table: () => ({
      columns: ["Expert", "Tokens", "Mean weight", "Mean norm", "Mean weighted norm"],
      rows: current().outputs!.rows.map((rows, expert) => {
        const { weight, norm, weighted_norm } = current().outputs!;
        return [whole(expert), whole(rows), number(weight[expert]), number(norm[expert]), number(weighted_norm[expert])];
      }),
    }),
  });
}

function norms(layers: TextLayer[]): HTMLElement {
  const experts = Math.max(...layers.map((layer) => layer.experts));
  const columns = Array.from({ length: experts }, (_, expert) => String(expert));
  const key = h("div");
  colours.watch((theme) => key.replaceChildren(ramp(theme.diverging, `${LIMIT}× quieter`, "the layer's mean", `${LIMIT}× louder`)));
  const cells: Cell[] = layers.flatMap((layer) => {
    const usual = mean(servedNorms(layer));
    return layer.outputs!.norm.flatMap((norm, expert) =>
      layer.outputs!.rows[expert] > 0
        ? [{ column: String(expert), row: layerName(layer), ratio: usual > 0 ? norm / usual : 1, text: norm >= 100 ? norm.toFixed(0) : norm.toPrecision(2), title: `${layerName(layer)}, expert ${expert}\nmean norm ${number(norm)}\n${times(norm / usual)} the layer's mean` }]
        : [],
    );
  });
  return figure({
    title: "Size of the outputs",
    note: "The mean norm of what each expert says of its tokens, before it is weighed. Orange: louder than the mean of its layer, blue: quieter; empty: no token.",
    content: [
      key,
      picture("Mean norm of the outputs of every expert", (width, theme) =>
        heatMap(width, theme, cells, columns, layers.map(layerName), "expert", null, LIMIT),
      ),
    ],
    wide: true,
  });
}

export function outputs(inspection: Inspection): Section | null {
  const layers = inspection.analysed.filter((layer) => layer.outputs !== null && servedNorms(layer).length > 0);
  if (layers.length === 0) return null;
  const known = layers.flatMap((layer) => layer.outputs!.rank_correlation ?? []);
  const average = mean(known);
  const verdict = known.length
    ? ` Here the router ${average > 0.3 ? "tends to pick the experts with the largest outputs" : average < -0.3 ? "tends to pass over the experts with the largest outputs" : "chooses with little regard to the size of outputs"} (mean rank correlation ${fixed(average, 2)}).`
    : "";
  return {
    id: "outputs",
    title: "What they say",
    intro: `How much experts add to the stream, and how that agrees with the router.${verdict}`,
    content: [
      h("div", { class: "choices" }, stepper("Layer", inspection.mixtures.map((mixture) => mixture.name), inspection.layer)),
      grid(choice(layers), weightAndNorm(inspection)),
      grid(norms(layers)),
    ],
  };
}
