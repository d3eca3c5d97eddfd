// How the fit was found: every start with where it arrived, and the climb of the best.
import * as Plot from "@observablehq/plot";
import { lineChart, picture, plot } from "../../charts.ts";
import { h } from "../../dom.ts";
import { number, whole } from "../../format.ts";
import { figure, grid, type Section } from "../../layout.ts";
import type { FitReport, Restart } from "../data.ts";

export function search({ report }: FitReport): Section {
  const known = report.restarts.filter((one) => one.objective !== null);
  const sound = known.filter((one) => !one.degenerate);
  const best = Math.max(...(sound.length ? sound : known).map((one) => one.objective!));
  // A few hopeless starts would press all others together.
  const sorted = known.map((one) => one.objective!).sort((a, b) => a - b);
  const worst = sorted[Math.floor(0.05 * sorted.length)];
  const floor = Math.min(worst, best - 1e-6 * Math.abs(best) - 1e-9);
  const starts = [...new Set(known.map((one) => one.start))];
  // Differences, since all digits that objectives share say nothing.
  const below = (one: Restart) => Math.min(0, Math.max(floor, one.objective!) - best);
  const title = (one: Restart) =>
    `run ${one.number}, ${one.start}\n${number(one.objective)}\n${whole(one.iterations)} iterations${one.finished ? ", brought to a maximum" : ""}${one.degenerate ? "\ndegenerate" : ""}`;
  const dots = picture("Objective reached from every start", (width, theme) =>
    plot({
      width,
      height: 60 + 34 * starts.length,
      marginLeft: 90,
      marginRight: 24,
      marginTop: 10,
      marginBottom: 38,
      x: { domain: [floor - best, 0], nice: true },
      y: { domain: starts },
      marks: [
        Plot.axisX({ ticks: Math.max(2, Math.floor(width / 110)), tickFormat: (x: number) => number(x), label: "objective, against the best", labelArrow: "none", labelAnchor: "center", tickSize: 0 }),
        Plot.axisY({ label: null, tickSize: 0, fill: theme.text }),
        Plot.gridX({ stroke: theme.faint, strokeOpacity: 1, ticks: 5 }),
        Plot.dot(known, { x: below, y: "start", r: (one: Restart) => (one.finished ? 5 : 3.5), stroke: theme.accent, fill: (one: Restart) => (one.degenerate ? theme.surface : theme.accent), fillOpacity: 0.45 }),
        Plot.tip(known, Plot.pointer({ x: below, y: "start", title, fontSize: 12, lineHeight: 1.25 })),
      ],
      r: { type: "identity" },
    }),
  );
  const history = report.history.flatMap((y, x) => (y === null ? [] : [{ x, y }]));
  const summit = Math.max(...history.map((point) => point.y));
  const climb =
    history.length > 1
      ? figure({
          title: "The climb of the best run",
          note: report.certificate.monotone ? "The objective less its highest value. It rose at every step." : "The objective less its highest value. It did not rise at every step.",
          content: [
            picture("Objective over the iterations", (width, theme) =>
              lineChart(width, theme, {
                lines: [{ name: "objective", colour: theme.accent, points: history.map(({ x, y }) => ({ x, y: y - summit })) }],
                xFormat: whole,
                yFormat: number,
                xLabel: "iteration",
                xDomain: [0, history[history.length - 1].x],
                height: 240,
              }),
            ),
          ],
          table: () => ({ columns: ["iteration", "objective"], rows: history.map(({ x, y }) => [whole(x), String(y)]) }),
        })
      : null;
  return {
    id: "search",
    title: "Search",
    content: [
      report.notes.length ? h("ul", { class: "remarks" }, ...report.notes.map((note) => h("li", {}, note))) : null,
      grid(
        figure({
          title: "Every start",
          note:
            "One dot per start, by how it began; to the right is better, hollow is degenerate, large ones were brought to a maximum." +
            " Those far below are drawn at the left edge.",
          content: [dots],
          table: () => ({
            columns: ["Run", "Start", "Objective", "Iterations", "Remark"],
            rows: report.restarts.map((one) => [
              whole(one.number), one.start, one.objective === null ? "–" : String(one.objective), whole(one.iterations),
              [one.finished ? "finished" : "", one.degenerate ? "degenerate" : "", one.note].filter(Boolean).join("; "),
            ]),
          }),
        }),
        climb,
      ),
    ],
  };
}
