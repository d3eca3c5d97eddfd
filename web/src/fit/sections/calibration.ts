// Whether the probabilities can be believed.
import * as Plot from "@observablehq/plot";
import { picture, plot } from "../../charts.ts";
import { h } from "../../dom.ts";
import { fixed, number, percent, roundPercent, whole } from "../../format.ts";
import { figure, grid, tile, type Section } from "../../layout.ts";
import type { Colours } from "../../theme.ts";
import type { Calibration, FitReport } from "../data.ts";

const shares = { ticks: 5, tickFormat: (v: number) => roundPercent(v), labelArrow: "none", tickSize: 0 } as const;
const shareAxisX = (label: string) => Plot.axisX({ ...shares, label, labelAnchor: "center" });
const shareAxisY = () => Plot.axisY({ ...shares, label: null });

function pitChart(width: number, theme: Colours, bins: NonNullable<Calibration["pit"]>): Element {
  const even = 1 / bins.length;
  return plot({
    width,
    height: 240,
    marginLeft: 46,
    marginRight: 20,
    marginTop: 12,
    marginBottom: 38,
    y: { domain: [0, Math.max(2 * even, ...bins.map((bin) => bin.share ?? 0))] },
    marks: [
      Plot.gridY({ stroke: theme.faint, strokeOpacity: 1 }),
      Plot.axisX({ ticks: 5, label: "F(y | x)", labelArrow: "none", labelAnchor: "center", tickSize: 0 }),
      shareAxisY(),
      Plot.rect(bins, { x1: "low", x2: "high", y1: 0, y2: "share", fill: theme.accent, fillOpacity: 0.75, insetLeft: 1, insetRight: 1 }),
      Plot.ruleY([even], { stroke: theme.muted, strokeDasharray: "4 4" }),
      Plot.tip(bins, Plot.pointer({ x: (bin) => (bin.low + bin.high) / 2, y: "share", title: (bin) => `${percent(bin.share)}\nF from ${number(bin.low)} to ${number(bin.high)}`, fontSize: 12 })),
    ],
  });
}

// Observed against promised, on a square that both share.
function against(width: number, theme: Colours, dots: { x: number; y: number; title: string; weight: number }[], xLabel: string, low: number): Element {
  return plot({
    width,
    height: 240,
    marginLeft: 46,
    marginRight: 20,
    marginTop: 12,
    marginBottom: 38,
    x: { domain: [low, 1] },
    y: { domain: [Math.min(low, ...dots.map((dot) => dot.y)), 1] },
    r: { range: [3, 9] },
    marks: [
      Plot.gridY({ stroke: theme.faint, strokeOpacity: 1 }),
      shareAxisX(xLabel),
      shareAxisY(),
      Plot.line([[low, low], [1, 1]], { stroke: theme.muted, strokeDasharray: "4 4" }),
      Plot.lineY(dots, { x: "x", y: "y", stroke: theme.accent, strokeWidth: 1.8 }),
      Plot.dot(dots, { x: "x", y: "y", r: "weight", fill: theme.accent, stroke: theme.surface }),
      Plot.tip(dots, Plot.pointer({ x: "x", y: "y", title: "title", fontSize: 12, lineHeight: 1.25 })),
    ],
  });
}

function scores({ report }: FitReport): HTMLElement {
  const { calibration } = report;
  const tiles = [
    tile("Negative log-likelihood", fixed(calibration.nll, 4), "nats per record"),
    calibration.rmse != null ? tile("RMSE", number(calibration.rmse), `of the mean, in units of ${report.targets[0]}`) : null,
    calibration.rmse != null ? tile("CRPS", number(calibration.crps), calibration.crps == null ? calibration.crps_reason ?? "" : `in units of ${report.targets[0]}`) : null,
    calibration.accuracy != null ? tile("Accuracy", percent(calibration.accuracy)) : null,
    calibration.brier != null ? tile("Brier score", fixed(calibration.brier, 4), "0 is perfect") : null,
    calibration.ece != null ? tile("Calibration error", fixed(calibration.ece, 4), "ECE over 15 bins") : null,
  ];
  return h("dl", { class: "tiles" }, ...tiles);
}

export function calibration(fit: FitReport): Section {
  const { calibration: all, targets } = fit.report;
  const pit = all.pit
    ? figure({
        title: "Where targets fall in their distributions",
        note:
          "The probability integral transform: even bars (dashed line) when the distributions are right; a hill when they are too" +
          " wide, a valley when they are too narrow, a slope when they are off to one side.",
        content: [picture("Histogram of the probability integral transform", (width, theme) => pitChart(width, theme, all.pit!))],
        table: () => ({ columns: ["from", "to", "share"], rows: all.pit!.map((bin) => [fixed(bin.low, 2), fixed(bin.high, 2), percent(bin.share, 2)]) }),
      })
    : null;
  const coverage = all.coverage
    ? figure({
        title: "Coverage of the central intervals",
        note: "How many targets lie in the intervals that promise to hold 50, 80, 90 and 95 % of them; on the dashed line when they keep it.",
        content: [
          picture("Coverage against promised probability", (width, theme) =>
            against(
              width,
              theme,
              all.coverage!.flatMap((one) => (one.share === null ? [] : [{ x: one.level, y: one.share, weight: 1, title: `promised ${percent(one.level, 0)}\nheld ${percent(one.share)}` }])),
              "promised",
              0.4,
            ),
          ),
        ],
        table: () => ({ columns: ["promised", "held"], rows: all.coverage!.map((one) => [percent(one.level, 0), percent(one.share, 2)]) }),
      })
    : null;
  const reliability = all.reliability
    ? figure({
        title: "Reliability",
        note: "Of records whose likeliest class had about this probability, how many were of that class; on the dashed line when probabilities mean what they say. Area: how many records.",
        content: [
          picture("Reliability diagram", (width, theme) =>
            against(
              width,
              theme,
              all.reliability!.flatMap((bin) =>
                bin.confidence === null || bin.accuracy === null
                  ? []
                  : [{ x: bin.confidence, y: bin.accuracy, weight: bin.weight, title: `said ${percent(bin.confidence)}\nwas ${percent(bin.accuracy)}\n${whole(bin.weight)} records` }],
              ),
              "probability of the likeliest class",
              Math.min(...all.reliability!.map((bin) => bin.confidence ?? 1)) - 0.02,
            ),
          ),
        ],
        table: () => ({
          columns: ["from", "to", "records", "said", "was"],
          rows: all.reliability!.map((bin) => [fixed(bin.low, 3), fixed(bin.high, 3), whole(bin.weight), percent(bin.confidence), percent(bin.accuracy)]),
        }),
        wide: true,
      })
    : null;
  const several = targets.length > 1 ? ` All but the likelihood are of ${targets[0]}.` : "";
  return {
    id: "calibration",
    title: "Calibration",
    intro: `On the ${whole(all.rows)} records it was fitted to, so a little kinder than on new ones.${several}`,
    content: [scores(fit), grid(pit, coverage, reliability)],
  };
}
