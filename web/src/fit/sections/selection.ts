// Which of the models that were compared is the best, and by how much.
import * as Plot from "@observablehq/plot";
import { picture, plot } from "../../charts.ts";
import { number, whole } from "../../format.ts";
import { figure, grid, type Section } from "../../layout.ts";
import type { FitReport, Selected } from "../data.ts";

export function selection({ report }: FitReport): Section | null {
  const { selection: models, criterion } = report;
  if (models.length < 2) return null;
  const families = [...new Set(models.map((one) => one.family))];
  const value = (one: Selected) => one[criterion];
  const name = criterion.toUpperCase();
  const chosen = (one: Selected) => one.family === report.family && one.experts === report.experts;
  const title = (one: Selected) =>
    `${whole(one.experts)} ${one.family}\n${name} ${number(value(one))}\n${one.df} parameters${one.degenerate ? "\ndegenerate" : ""}`;
  const drawn = picture(`${name} of each model`, (width, theme) =>
    plot({
      width,
      height: 280,
      marginLeft: 60,
      marginRight: families.length > 1 ? 90 : 24,
      marginTop: 16,
      marginBottom: 38,
      y: { nice: true },
      marks: [
        Plot.gridY({ stroke: theme.faint, strokeOpacity: 1 }),
        Plot.axisX([...new Set(models.map((one) => one.experts))], { tickFormat: String, label: "experts", labelArrow: "none", labelAnchor: "center", tickSize: 0 }),
        Plot.axisY({ label: null, tickSize: 0, tickFormat: (y: number) => number(y) }),
        families.map((family, f) => {
          const own = models.filter((one) => one.family === family);
          return [
            Plot.lineY(own, { x: "experts", y: value, stroke: theme.category(f), strokeWidth: 1.8 }),
            Plot.dot(own, { x: "experts", y: value, r: 4, stroke: theme.category(f), strokeWidth: 1.5, fill: (one: Selected) => (one.degenerate ? theme.surface : theme.category(f)) }),
            families.length > 1
              ? Plot.text(own.slice(-1), { x: "experts", y: value, text: () => family, textAnchor: "start", dx: 9, fill: theme.category(f) })
              : null,
          ];
        }),
        Plot.dot(models.filter(chosen), { x: "experts", y: value, r: 9, stroke: theme.text, strokeWidth: 1.5 }),
        Plot.tip(models, Plot.pointer({ x: "experts", y: value, title, fontSize: 12, lineHeight: 1.25 })),
      ],
    }),
  );
  return {
    id: "selection",
    title: "Selection",
    content: [
      grid(
        figure({
          title: `${name} of every model that was tried`,
          note: "Lower is better; the ring marks the one shown here. Hollow dots are degenerate fits, which are never chosen before a sound one.",
          content: [drawn],
          table: () => ({
            columns: ["Family", "Experts", "Log-likelihood", "df", "AIC", "BIC", "ICL", ""],
            rows: models.map((one) => [
              one.family, whole(one.experts), number(one.log_likelihood), whole(one.df), number(one.aic), number(one.bic), number(one.icl),
              one.degenerate ? "degenerate" : "",
            ]),
          }),
          wide: true,
        }),
      ),
    ],
  };
}
