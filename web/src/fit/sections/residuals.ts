// Where the distributions miss: residuals that are standard normal when the mixture is right.
import * as Plot from "@observablehq/plot";
import { picture, plot } from "../../charts.ts";
import { number, whole } from "../../format.ts";
import { figure, grid, type Section } from "../../layout.ts";
import type { Colours } from "../../theme.ts";
import { expertName, ownerOf, type FitReport } from "../data.ts";

const LIMIT = 5; // beyond, a residual is drawn at the edge

interface Dot {
  x: number;
  y: number;
  owner: number;
}

function scatter(width: number, theme: Colours, dots: Dot[], xLabel: string, diagonal: boolean): Element {
  const shown = dots.map((dot) => ({ ...dot, y: Math.max(-LIMIT, Math.min(LIMIT, dot.y)) }));
  const reach = Math.max(3, ...shown.map((dot) => Math.abs(dot.y)));
  const title = (d: Dot) => `residual ${number(d.y)}\n${xLabel} ${number(d.x)}\n${expertName(d.owner)}`;
  return plot({
    width,
    height: 280,
    marginLeft: 40,
    marginRight: 20,
    marginTop: 12,
    marginBottom: 38,
    x: { nice: true, domain: diagonal ? [-reach, reach] : undefined },
    y: { domain: [-reach, reach] },
    marks: [
      Plot.gridY({ stroke: theme.faint, strokeOpacity: 1 }),
      Plot.axisX({ ticks: Math.max(2, Math.floor(width / 90)), tickFormat: (x: number) => number(x), label: xLabel, labelArrow: "none", labelAnchor: "center", tickSize: 0 }),
      Plot.axisY({ label: null, tickSize: 0 }),
      diagonal
        ? Plot.line([[-reach, -reach], [reach, reach]], { stroke: theme.muted, strokeDasharray: "4 4" })
        : [Plot.ruleY([0], { stroke: theme.muted }), Plot.ruleY([-1.96, 1.96], { stroke: theme.muted, strokeDasharray: "4 4" })],
      Plot.dot(shown, { x: "x", y: "y", r: shown.length > 600 ? 1.6 : 2.6, fill: (d) => theme.category(d.owner), fillOpacity: 0.65 }),
      Plot.tip(shown, Plot.pointer({ x: "x", y: "y", title, fontSize: 12, lineHeight: 1.25 })),
    ],
  });
}

// Quantiles of the standard normal (Acklam's rational approximation, good to 1e-9).
function normalQuantile(p: number): number {
  const a = [-39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716, 2.506628277459239];
  const b = [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572, 1];
  const c = [-0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968, 2.938163982698783];
  const d = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1];
  const poly = (terms: number[], x: number) => terms.reduce((sum, term) => sum * x + term, 0);
  if (p > 0.97575) return -normalQuantile(1 - p);
  if (p < 0.02425) {
    const q = Math.sqrt(-2 * Math.log(p));
    return poly(c, q) / poly(d, q);
  }
  const q = p - 0.5;
  return (q * poly(a, q * q)) / poly(b, q * q);
}

export function residuals(fit: FitReport): Section | null {
  const known = fit.report.figures.rows.filter((row) => row.residual !== null && row.mean !== null);
  if (fit.isClass || known.length === 0) return null;
  const dots = known.map((row) => ({ x: row.mean!, y: row.residual!, owner: ownerOf(row) }));
  const sorted = [...dots].sort((a, b) => a.y - b.y);
  const expected = sorted.map((dot, i) => ({ ...dot, x: normalQuantile((i + 0.5) / sorted.length) }));
  const outside = dots.filter((dot) => Math.abs(dot.y) > 1.96).length;
  return {
    id: "residuals",
    title: "Residuals",
    intro:
      "Each record's place in the distribution that the mixture gave it, as a quantile of the standard normal" +
      " (Dunn & Smyth 1996): without pattern and between the dashed lines for 95 of 100 when the mixture is right.",
    content: [
      grid(
        figure({
          title: "Against the mean",
          note: `Horizontal: the mixture's mean. ${whole(outside)} of ${whole(dots.length)} lie beyond ±1.96; ${whole(Math.round(0.05 * dots.length))} are expected.`,
          content: [picture("Residuals against the mean", (width, theme) => scatter(width, theme, dots, `mean of ${fit.report.targets[0]}`, false))],
        }),
        figure({
          title: "Against the normal distribution",
          note: "On the dashed line when the distributions are right; steeper ends mean heavier tails than the mixture has.",
          content: [picture("Residuals against normal quantiles", (width, theme) => scatter(width, theme, expected, "expected quantile", true))],
        }),
      ),
    ],
  };
}
