// How the loss fell, on the text of the training and on text that was held out.
import { barChart, lineChart, picture, type Level, type Line } from "../../charts.ts";
import { fixed, number, whole } from "../../format.ts";
import { figure, grid, pairedGrid, legend, smallGrid, type Section } from "../../layout.ts";
import { h } from "../../dom.ts";
import { colours, type Colours } from "../../theme.ts";
import type { Run } from "../data.ts";
import { fallingDomain, smooth } from "../smoothing.ts";
import type { TimeAxis } from "../time_axis.ts";

const HELD_OUT = 5; // the category colour of held-out text: vermilion stands out from every training curve

const BALANCE: Record<string, { title: string; note: string }> = {
  load_balance: {
    title: "Load balance loss",
    note: "How unevenly rows and router probabilities fall on the experts, before its coefficient: 1 is even.",
  },
  router_z: {
    title: "Router z-loss",
    note: "The size of the router's scores, squared, before its coefficient: held small so that the router stays flexible.",
  },
};

type Measure = "bits_per_byte" | "loss";

function curveLines(run: Run, axis: TimeAxis, measure: Measure, theme: Colours): Line[] {
  const { steps, evals } = run.report;
  const values = steps[measure] ?? [];
  return [
    { name: "training, each step", colour: theme.accent, points: axis.points(steps.step, values), width: 1, opacity: 0.3 },
    { name: "training, smoothed", colour: theme.accent, points: axis.points(steps.step, smooth(values)), width: 2.2 },
    {
      name: "held-out",
      colour: theme.category(HELD_OUT),
      points: axis.points(evals.map((e) => e.step), evals.map((e) => e[measure])),
      width: 1.6,
      dots: true,
    },
  ].filter((line) => line.points.length > 0);
}

interface CurveCard {
  title: string;
  note: string;
  levels: Level[];
  height: number;
}

function curve(run: Run, axis: TimeAxis, measure: Measure, { title, note, levels, height }: CurveCard): HTMLElement {
  const drawn = picture(`${title} over the course of training`, (width, theme) => {
    const lines = curveLines(run, axis, measure, theme);
    return lineChart(width, theme, {
      lines,
      levels,
      xFormat: axis.format,
      yFormat: (y) => fixed(y, 2),
      xLabel: axis.label,
      xDomain: axis.domain,
      height: Math.min(height, 0.55 * width + 130),
      yDomain: fallingDomain(lines, levels.map((level) => level.y)),
    });
  });
  axis.chosen.watch(drawn.redraw);
  const key = h("div");
  colours.watch((theme) =>
    key.replaceChildren(
      legend(
        curveLines(run, axis, measure, theme).map((line) => ({
          name: line.name,
          colour: line.colour,
          kind: line.dots ? "dot" : line.width === 1 ? "faint" : "line",
        })),
      ),
    ),
  );
  const table = () => ({
    columns: ["Step", "Held-out"],
    rows: run.report.evals.map((e) => [whole(e.step), fixed(e[measure], 4)]),
  });
  return figure({ title, note, content: [key, drawn], table: run.report.evals.length ? table : undefined });
}

function compressorBars(run: Run): HTMLElement | null {
  const rivals = Object.entries(run.report.analysis?.compressors ?? {});
  const bits = run.bitsPerByte;
  if (rivals.length === 0 || bits === null) return null;
  const drawn = picture("Bits per byte of this model and of file compressors", (width, theme) =>
    barChart(
      width,
      theme,
      [
        { name: "this model", value: bits, colour: theme.accent, strong: true },
        ...rivals.sort((a, b) => a[1] - b[1]).map(([name, value]) => ({ name, value, colour: theme.scheme === "light" ? "#b4bcc7" : "#4d5866" })),
      ],
      "bits per byte",
      (value) => fixed(value, 3),
    ),
  );
  return figure({
    title: "Against file compressors",
    note: "Bits needed for one byte of the held-out text: shorter is better. A model that predicts text well could compress it this far.",
    content: [drawn],
  });
}

function domainBars(run: Run): HTMLElement | null {
  const scores = Object.entries(run.finalEvaluation?.domains ?? {}).filter(([, score]) => score.bits_per_byte !== null);
  if (scores.length < 2) return null;
  scores.sort((a, b) => a[1].bits_per_byte! - b[1].bits_per_byte!);
  const drawn = picture("Held-out bits per byte of each domain", (width, theme) =>
    barChart(
      width,
      theme,
      scores.map(([name, score]) => ({ name, value: score.bits_per_byte!, colour: theme.category(run.domainIndex(name)) })),
      "bits per byte",
      (value) => fixed(value, 3),
    ),
  );
  return figure({
    title: "By domain, at the end",
    note: "The same measure for each kind of text: shorter is better. Scripts that need several bytes for a letter come out low.",
    content: [drawn],
    table: () => ({
      columns: ["Domain", "Bits per byte", "Loss"],
      rows: scores.map(([name, score]) => [name, fixed(score.bits_per_byte, 4), fixed(score.loss, 4)]),
    }),
  });
}

function domainCurves(run: Run, axis: TimeAxis): HTMLElement | null {
  const { evals } = run.report;
  const names = run.domains.filter((name) => evals.some((e) => e.domains[name]?.bits_per_byte != null));
  if (names.length < 2 || evals.length < 2) return null;
  const lines = (theme: Colours): Line[] =>
    names.map((name) => ({
      name,
      colour: theme.category(run.domainIndex(name)),
      points: axis.points(evals.map((e) => e.step), evals.map((e) => e.domains[name]?.bits_per_byte ?? null)),
      dots: evals.length < 25,
    }));
  const drawn = picture("Held-out bits per byte of each domain over the course of training", (width, theme) =>
    lineChart(width, theme, {
      lines: lines(theme),
      xFormat: axis.format,
      yFormat: (y) => fixed(y, 2),
      xLabel: axis.label,
      xDomain: axis.domain,
      height: Math.min(260, 0.5 * width + 130),
    }),
  );
  axis.chosen.watch(drawn.redraw);
  const key = h("div");
  colours.watch((theme) => key.replaceChildren(legend(lines(theme).map(({ name, colour }) => ({ name, colour })))));
  return figure({
    title: "By domain, over time",
    note: "Held-out bits per byte of each kind of text. Curves that fall together share what they learn; one that stays behind is harder or rarer.",
    content: [key, drawn],
  });
}

function small(axis: TimeAxis, title: string, note: string, pick: (theme: Colours) => Line[], fromZero: boolean) {
  const drawn = picture(`${title} over the course of training`, (width, theme) =>
    lineChart(width, theme, {
      lines: pick(theme),
      xFormat: axis.format,
      yFormat: number,
      xLabel: axis.label,
      xDomain: axis.domain,
      height: 190,
      fromZero,
    }),
  );
  axis.chosen.watch(drawn.redraw);
  return figure({ title, note, content: [drawn] });
}

export function learning(run: Run, axis: TimeAxis): Section {
  const { steps } = run.report;
  const line = (name: string, values: (number | null)[], colour: string, opacity = 1): Line => ({
    name,
    colour,
    points: axis.points(steps.step, values),
    width: 1.6,
    opacity,
  });
  const levels = Object.entries(run.report.analysis?.compressors ?? {}).map(([name, y]) => ({ name, y }));
  const beside = [compressorBars(run), domainBars(run)].filter((card) => card !== null);
  const balance = Object.entries(steps.balance).filter(([, values]) => values.some((value) => value));
  return {
    id: "learning",
    title: "Learning",
    intro:
      "How well the model predicts text as training goes on. Held-out text was never trained on, so its curve tells what was really learned.",
    content: [
      h("div", { class: "choices" }, axis.control()),
      pairedGrid(
        steps.bits_per_byte
          ? curve(run, axis, "bits_per_byte", {
              title: "Bits per byte",
              note: `Bits the model needs for one byte of text: lower is better, and comparable between tokenizers.${levels.length ? " Dashed: file compressors on the held-out text." : ""}`,
              levels,
              height: beside.length > 1 ? 520 : 360,
            })
          : null,
        beside,
      ),
      grid(
        steps.loss
          ? curve(run, axis, "loss", {
              title: "Loss",
              note: "Surprise at the next token, in nats: lower is better. Comparable only between runs with the same tokenizer.",
              levels: [],
              height: 260,
            })
          : null,
        domainCurves(run, axis),
      ),
      smallGrid(
        steps.learning_rate
          ? small(axis, "Learning rate", "How far each step moves the weights.", (theme) => [line("learning rate", steps.learning_rate!, theme.accent)], true)
          : null,
        steps.gradient_norm
          ? small(
              axis,
              "Gradient norm",
              "How strongly the weights are pulled, before clipping: calm is good, spikes are steps that went badly.",
              (theme) => [
                ...(steps.gradient_norm_max ? [line("largest", steps.gradient_norm_max, theme.accent, 0.3)] : []),
                line("mean", smooth(steps.gradient_norm!), theme.accent),
              ],
              true,
            )
          : null,
        ...balance.map(([term, values]) =>
          small(
            axis,
            BALANCE[term]?.title ?? `Balance: ${term.replaceAll("_", " ")}`,
            BALANCE[term]?.note ?? "A term added to the loss to keep the routing in shape, before its coefficient.",
            (theme) => [line(term, values, theme.accent)],
            false,
          ),
        ),
      ),
    ],
  };
}
