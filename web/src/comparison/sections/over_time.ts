// What happened while they learned: one line per candidate, one of them in colour.
import { lineChart, picture, type Point } from "../../charts.ts";
import { h } from "../../dom.ts";
import { fixed, number, percent, roundPercent, times, whole } from "../../format.ts";
import { figure, grid, stepper, type Section } from "../../layout.ts";
import type { Candidate, Comparison, Curves } from "../data.ts";

interface Panel {
  title: string;
  note: string;
  points: (curves: Curves) => Point[];
  format: (y: number) => string;
  tickFormat?: (y: number) => string;
  fromZero?: boolean;
}

type Quantity = "load" | "dropped" | "entropy" | "dead";

const along = (curves: Curves, values: (number | null)[]): Point[] =>
  curves.step.flatMap((x, i) => (x === null || values[i] == null ? [] : [{ x, y: values[i]! }]));

const series = (quantity: Quantity) => (curves: Curves) => along(curves, curves[quantity]);

const LEARNING: Panel = {
  title: "Held-out bits per byte",
  note: "Evaluations along the way, of the first seed. The last one reads all held-out text, the others a part of it.",
  points: (curves) => (curves.evals ?? []).flatMap(({ step, bits_per_byte: y }) => (y === null ? [] : [{ x: step, y }])),
  format: (y) => fixed(y, 3),
};

const ROUTING: Panel[] = [
  {
    title: "Busiest expert over the mean",
    note: "Mean over the layers: 1 is perfectly even.",
    points: series("load"),
    format: times,
    tickFormat: times,
  },
  { title: "Router entropy", note: "How undecided the router is about a row, in nats; 0 where it has no probabilities.", points: series("entropy"), format: number, fromZero: true },
  {
    title: "Dropped rows",
    note: "The share of assignments that found their expert full.",
    points: series("dropped"),
    format: percent,
    tickFormat: roundPercent,
    fromZero: true,
  },
  { title: "Idle experts", note: "Experts per layer that no row asked for in a step.", points: series("dead"), format: number, fromZero: true },
];

function panel(comparison: Comparison, { title, note, points, format, tickFormat, fromZero }: Panel): HTMLElement | null {
  const shown = comparison.candidates.filter((candidate) => candidate.curves && points(candidate.curves).length > 0);
  if (shown.length === 0) return null;
  const drawn = picture(`${title} over the steps, one line per router`, (width, theme) => {
    const chosen = comparison.candidates[comparison.chosen.get()];
    const line = (candidate: Candidate, front: boolean) => ({
      name: candidate.label,
      colour: front ? theme.accent : theme.muted,
      points: points(candidate.curves!),
      width: front ? 2.6 : 1.1,
      opacity: front ? 1 : 0.45,
    });
    return lineChart(width, theme, {
      lines: [
        ...shown.filter((candidate) => candidate !== chosen).map((candidate) => line(candidate, false)),
        ...shown.filter((candidate) => candidate === chosen).map((candidate) => line(candidate, true)),
      ],
      xFormat: whole,
      yFormat: format,
      yTickFormat: tickFormat,
      xLabel: "step",
      xDomain: [0, comparison.lastStep],
      height: 240,
      fromZero,
    });
  });
  comparison.chosen.watch(drawn.redraw);
  return figure({ title, note, content: [drawn] });
}

export function overTime(comparison: Comparison): Section[] {
  if (comparison.candidates.length === 0) return [];
  const control = () =>
    h("div", { class: "choices" }, stepper("Router", comparison.candidates.map((candidate) => candidate.label), comparison.chosen));
  return [
    { id: "learning", title: "Learning", intro: "One line per router; the chosen one is in colour.", content: [control(), grid(panel(comparison, LEARNING))] },
    { id: "routing", title: "Routing", content: [control(), grid(...ROUTING.map((one) => panel(comparison, one)))] },
  ];
}
