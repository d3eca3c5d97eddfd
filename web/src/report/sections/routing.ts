// The routing while the model learned: load per expert, and how even, how sure and how lossy it was.
import { lineChart, picture, ramp, ratioLegend, strips, type Line, type Patch } from "../../charts.ts";
import { h } from "../../dom.ts";
import { list, number, percent, roundPercent, times, whole } from "../../format.ts";
import { figure, grid, smallGrid, stepper, textOf, type Section } from "../../layout.ts";
import { colours, type Colours } from "../../theme.ts";
import type { LayerCurves, Run } from "../data.ts";
import { smooth } from "../smoothing.ts";
import type { TimeAxis } from "../time_axis.ts";

// Even routing varies less than domains do, so the colours are at full strength sooner than there.
const LIMIT = 4;

function loadOverTime(run: Run, axis: TimeAxis): HTMLElement {
  const layers = run.mixtures;
  const current = () => layers[Math.min(run.layer.get(), layers.length - 1)];
  const drawn = picture("Load of each expert of the chosen layer over the course of training", (width, theme) => {
    const layer = current();
    const ends = layer.step.map((step) => axis.at(step));
    // More columns than a third of the pixels cannot be told apart.
    const together = Math.max(1, Math.ceil((3 * layer.step.length) / width));
    const patches: Patch[] = [];
    for (let from = 0; from < layer.step.length; from += together) {
      const to = Math.min(from + together, layer.step.length);
      for (let expert = 0; expert < layer.experts; ++expert) {
        const shares = layer.load.slice(from, to).map((load) => load[expert] ?? 0);
        const share = shares.reduce((a, b) => a + b, 0) / shares.length;
        patches.push({
          x1: from === 0 ? axis.at(0) : ends[from - 1],
          x2: ends[to - 1],
          row: expert,
          ratio: share * layer.experts,
          title: `Expert ${expert}\n${percent(share)} of the rows\n${times(share * layer.experts)} a fair share\n${axis.label} ${axis.format(ends[to - 1])}`,
        });
      }
    }
    return strips(width, theme, patches, layer.experts, "expert", axis.label, axis.domain, axis.format, LIMIT);
  });
  run.layer.watch(drawn.redraw);
  axis.chosen.watch(drawn.redraw);
  const key = h("div");
  colours.watch((theme) => key.replaceChildren(ratioLegend(theme, LIMIT)));
  return figure({
    title: textOf(run.layer, () => `Load per expert, layer ${current().layer}`),
    note: "One strip per expert of the chosen layer, from the first step to the last. Even routing stays plain; an expert that turns blue is starving, one that turns orange is crowded.",
    content: [key, drawn],
    wide: true,
  });
}

type Quantity = "max_over_mean" | "dropped_share" | "router_entropy" | "dead_experts" | "mean_z";

interface Panel {
  quantity: Quantity;
  title: string;
  note: string;
  format: (y: number) => string;
  tickFormat?: (y: number) => string;
  smoothed: boolean;
  whenZero?: string; // said in place of a picture of nothing
}

const PANELS: Panel[] = [
  {
    quantity: "max_over_mean",
    title: "Busiest expert",
    note: "Rows of the busiest expert over the mean: 1 is perfectly even. It cannot exceed the number of experts over how many serve a row.",
    format: times,
    tickFormat: times,
    smoothed: true,
  },
  {
    quantity: "router_entropy",
    title: "Router entropy",
    note: "How undecided the router is about a row, in nats: high at the start, falling as experts specialise.",
    format: number,
    smoothed: true,
  },
  {
    quantity: "dropped_share",
    title: "Dropped rows",
    note: "The share of assignments that found their expert full and were left out.",
    format: percent,
    tickFormat: roundPercent,
    smoothed: true,
    whenZero: "no row was dropped",
  },
  {
    quantity: "dead_experts",
    title: "Idle experts",
    note: "Experts that got no row at all in a step (the most in each stretch of steps).",
    format: number,
    smoothed: false,
    whenZero: "no expert was ever without work",
  },
  {
    quantity: "mean_z",
    title: "Size of the scores",
    note: "The mean log-sum-exp of the router's scores; one that grows without end makes the router rigid.",
    format: number,
    smoothed: true,
  },
];

const hasAny = (layers: LayerCurves[], quantity: Quantity) => layers.some((layer) => layer[quantity]);
const isZero = (layers: LayerCurves[], quantity: Quantity) =>
  layers.every((layer) => (layer[quantity] ?? []).every((value) => !value));

function layerLines(layers: LayerCurves[], axis: TimeAxis, panel: Panel, theme: Colours): Line[] {
  return layers.map((layer, i) => {
    const values = layer[panel.quantity] ?? [];
    return {
      name: `Layer ${layer.layer}`,
      colour: theme.ordered(layers.length === 1 ? 0 : i / (layers.length - 1)),
      points: axis.points(layer.step, panel.smoothed ? smooth(values) : values),
      width: 1.5,
    };
  });
}

function panelFigure(run: Run, axis: TimeAxis, panel: Panel): HTMLElement {
  const drawn = picture(`${panel.title} of each layer over the course of training`, (width, theme) =>
    lineChart(width, theme, {
      lines: layerLines(run.mixtures, axis, panel, theme),
      xFormat: axis.format,
      yFormat: panel.format,
      yTickFormat: panel.tickFormat,
      xLabel: axis.label,
      xDomain: axis.domain,
      height: 210,
      fromZero: panel.whenZero !== undefined,
    }),
  );
  axis.chosen.watch(drawn.redraw);
  return figure({ title: panel.title, note: panel.note, content: [drawn] });
}

function layerKey(layers: LayerCurves[]): HTMLElement {
  const key = h("div", { class: "line-key" });
  colours.watch((theme) => {
    const [from, to] = [layers[0], layers[layers.length - 1]];
    key.replaceChildren(ramp(theme.ordered, `layer ${from.layer}`, "", `layer ${to.layer}`));
  });
  return key;
}

export function routing(run: Run, axis: TimeAxis): Section | null {
  const layers = run.mixtures;
  if (layers.length === 0) return null;
  const shown = PANELS.filter((panel) => hasAny(layers, panel.quantity));
  const quiet = shown.filter((panel) => panel.whenZero && isZero(layers, panel.quantity));
  const calm = list(quiet.map((panel) => panel.whenZero!));
  return {
    id: "routing",
    title: "Routing over time",
    intro: `How the ${whole(layers[0].experts)} experts of each layer shared the work while they learned.${calm ? ` ${calm[0].toUpperCase()}${calm.slice(1)}.` : ""}`,
    content: [
      h("div", { class: "choices" }, stepper("Layer", layers.map((layer) => `Layer ${layer.layer}`), run.layer), axis.control()),
      grid(loadOverTime(run, axis)),
      layers.length > 1 ? layerKey(layers) : null,
      smallGrid(...shown.filter((panel) => !quiet.includes(panel)).map((panel) => panelFigure(run, axis, panel))),
    ],
  };
}
