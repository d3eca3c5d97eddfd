// What the run cost: tokens per second and memory.
import { lineChart, picture, type Line } from "../../charts.ts";
import { h } from "../../dom.ts";
import { count, number } from "../../format.ts";
import { figure, grid, type Section } from "../../layout.ts";
import type { Colours } from "../../theme.ts";
import type { Run } from "../data.ts";
import { smooth } from "../smoothing.ts";
import type { TimeAxis } from "../time_axis.ts";

export function speed(run: Run, axis: TimeAxis): Section | null {
  const { steps } = run.report;
  const chart = (title: string, note: string, values: (number | null)[], format: (y: number) => string, tickFormat: ((y: number) => string) | undefined, fine: boolean) => {
    const lines = (theme: Colours): Line[] => [
      ...(fine ? [{ name: "each step", colour: theme.accent, points: axis.points(steps.step, values), width: 1, opacity: 0.3 }] : []),
      { name: fine ? "smoothed" : title, colour: theme.accent, points: axis.points(steps.step, fine ? smooth(values) : values), width: 2 },
    ];
    const drawn = picture(`${title} over the course of training`, (width, theme) =>
      lineChart(width, theme, {
        lines: lines(theme),
        xFormat: axis.format,
        yFormat: format,
        yTickFormat: tickFormat,
        xLabel: axis.label,
        xDomain: axis.domain,
        height: 210,
        fromZero: true,
      }),
    );
    axis.chosen.watch(drawn.redraw);
    return figure({ title, note, content: [drawn] });
  };
  if (!steps.tokens_per_second && !steps.peak_memory_bytes) return null;
  return {
    id: "speed",
    title: "Speed and memory",
    content: [
      h("div", { class: "choices" }, axis.control()),
      grid(
        steps.tokens_per_second
          ? chart("Tokens per second", "Training speed, without evaluations and checkpoints; dips are other work on the machine.", steps.tokens_per_second, count, count, true)
          : null,
        steps.peak_memory_bytes
          ? chart("Peak memory", "The most memory held at once so far, in MB. It should be flat: nothing is allocated after the first step.", steps.peak_memory_bytes.map((bytes) => bytes && bytes / 1e6), (y) => `${number(y)} MB`, undefined, false)
          : null,
      ),
    ],
  };
}
