// What the mixture says: its distribution over the data along an input, and who answers where.
import * as Plot from "@observablehq/plot";
import { picture, plot } from "../../charts.ts";
import { h } from "../../dom.ts";
import { count, number, percent, roundPercent, whole } from "../../format.ts";
import { figure, grid, legend, stepper, textOf, type Section } from "../../layout.ts";
import { colours, type Colours } from "../../theme.ts";
import { expertName, ownerOf, type FitReport, type GateMap, type Input, type Profile } from "../data.ts";

const pairs = <A, B>(a: A[], b: B[]) => a.map((x, i) => [x, b[i]] as const);

// The horizontal of an input: numbers, or the names of levels.
function across(input: Input, width: number) {
  const names = input.levels.length > 0;
  return {
    scale: names ? { domain: [-0.5, input.levels.length - 0.5] } : { domain: [input.low, input.high] },
    axis: Plot.axisX({
      ticks: names ? input.levels.map((_, i) => i) : Math.max(2, Math.floor(width / 80)),
      tickFormat: names ? (i: number) => input.levels[i] : (x: number) => number(x),
      label: input.name,
      labelArrow: "none",
      labelAnchor: "center",
      tickSize: 0,
    }),
  };
}

const margins = { marginLeft: 52, marginRight: 20, marginTop: 12, marginBottom: 38 };

function bands(fit: FitReport, theme: Colours, width: number, profile: Profile): Element {
  const input = fit.input(profile);
  const { scale, axis } = across(input, width);
  const experts = profile.experts.map((values, k) => ({ k, points: fit.points(profile, values) }));
  const area = (low: number, high: number) =>
    pairs(profile.at, pairs(profile.quantiles[low], profile.quantiles[high])).flatMap(([x, [y1, y2]]) =>
      y1 === null || y2 === null ? [] : [{ x, y1, y2 }],
    );
  const rows = fit.report.figures.rows.map((row) => ({ x: row.inputs[profile.input], y: row.target, owner: ownerOf(row) }));
  const title = (d: { x: number; y: number; owner: number }) =>
    `${input.name} ${input.levels[d.x] ?? number(d.x)}\n${fit.report.targets[0]} ${number(d.y)}\n${expertName(d.owner)}`;
  const few = input.levels.length > 0;
  // Experts' lines leave the picture where they have nothing to say.
  const heights = [...rows.map((row) => row.y), ...area(0, 4).flatMap(({ y1, y2 }) => [y1, y2])];
  const margin = 0.04 * (Math.max(...heights) - Math.min(...heights));
  return plot({
    width,
    height: Math.max(280, Math.min(420, width * 0.5)),
    ...margins,
    x: scale,
    y: { domain: [Math.min(...heights) - margin, Math.max(...heights) + margin] },
    marks: [
      Plot.gridY({ stroke: theme.faint, strokeOpacity: 1 }),
      axis,
      Plot.axisY({ label: null, tickSize: 0, tickFormat: (y: number) => (Math.abs(y) >= 1e4 ? count(y) : number(y)) }),
      few
        ? [
            Plot.ruleX(area(0, 4), { x: "x", y1: "y1", y2: "y2", stroke: theme.accent, strokeOpacity: 0.3, strokeWidth: 10 }),
            Plot.ruleX(area(1, 3), { x: "x", y1: "y1", y2: "y2", stroke: theme.accent, strokeOpacity: 0.5, strokeWidth: 10 }),
          ]
        : [
            Plot.areaY(area(0, 4), { x: "x", y1: "y1", y2: "y2", fill: theme.accent, fillOpacity: 0.13 }),
            Plot.areaY(area(1, 3), { x: "x", y1: "y1", y2: "y2", fill: theme.accent, fillOpacity: 0.2 }),
          ],
      Plot.dot(rows, { x: few ? (d) => d.x + 0.12 : "x", y: "y", r: rows.length > 600 ? 1.6 : 2.6, fill: (d) => theme.category(d.owner), fillOpacity: rows.length > 600 ? 0.5 : 0.75 }),
      few
        ? experts.map(({ k, points }) => Plot.dot(points, { x: "x", y: "y", r: 5, stroke: theme.category(k), strokeWidth: 2, fill: theme.surface }))
        : experts.map(({ k, points }) => Plot.lineY(points, { x: "x", y: "y", stroke: theme.category(k), strokeWidth: 1.4, strokeDasharray: "5 3", clip: true })),
      few
        ? Plot.dot(fit.points(profile, profile.means[0]), { x: "x", y: "y", r: 5, fill: theme.text })
        : Plot.lineY(fit.points(profile, profile.means[0]), { x: "x", y: "y", stroke: theme.text, strokeWidth: 2.2 }),
      Plot.tip(rows, Plot.pointer({ x: "x", y: "y", title, fontSize: 12, lineHeight: 1.25 })),
    ],
  });
}

// Shares that add up to one, one above the other.
function stack(theme: Colours, width: number, input: Input, profile: Profile, shares: (number | null)[][], names: string[]): Element {
  const { scale, axis } = across(input, width);
  const layers = profile.at.flatMap((x, i) => {
    let below = 0;
    return shares.map((values, k) => {
      const y1 = below;
      below += values[i] ?? 0;
      return { x, y1, y2: below, k };
    });
  });
  const title = (d: { x: number; y1: number; y2: number; k: number }) =>
    `${names[d.k]}\n${percent(d.y2 - d.y1)}\n${input.name} ${input.levels[d.x] ?? number(d.x)}`;
  const few = input.levels.length > 0;
  return plot({
    width,
    height: 240,
    ...margins,
    x: scale,
    y: { domain: [0, 1] },
    marks: [
      axis,
      Plot.axisY({ ticks: 5, tickFormat: (y: number) => roundPercent(y), label: null, tickSize: 0 }),
      few
        ? Plot.rect(layers, { x1: (d) => d.x - 0.36, x2: (d) => d.x + 0.36, y1: "y1", y2: "y2", fill: (d) => theme.category(d.k), fillOpacity: 0.8 })
        : shares.map((_, k) => Plot.areaY(layers.filter((d) => d.k === k), { x: "x", y1: "y1", y2: "y2", fill: theme.category(k), fillOpacity: 0.8 })),
      Plot.tip(layers, Plot.pointer({ x: "x", y: (d) => (d.y1 + d.y2) / 2, title, fontSize: 12, lineHeight: 1.25 })),
    ],
  });
}

// Each cell in the colour of its likeliest expert, the paler the less likely.
function map(fit: FitReport, theme: Colours, width: number, data: GateMap): Element {
  const [x, y] = [fit.report.figures.inputs[data.x], fit.report.figures.inputs[data.y]];
  const half = (values: number[]) => (values[1] - values[0]) / 2;
  const [dx, dy] = [half(data.at_x), half(data.at_y)];
  const cells = data.at_y.flatMap((b, j) =>
    data.at_x.map((a, i) => {
      const shares = data.gate.map((values) => values[j * data.at_x.length + i] ?? 0);
      const best = shares.indexOf(Math.max(...shares));
      return { a, b, best, share: shares[best] };
    }),
  );
  const rows = fit.report.figures.rows.map((row) => ({ x: row.inputs[data.x], y: row.inputs[data.y], owner: ownerOf(row) }));
  const { axis } = across(x, width);
  const title = (d: (typeof cells)[0]) => `${expertName(d.best)}: ${percent(d.share)}\n${x.name} ${number(d.a)}\n${y.name} ${number(d.b)}`;
  return plot({
    width,
    height: Math.max(300, Math.min(460, width * 0.62)),
    ...margins,
    marginTop: 28,
    x: { domain: [x.low - dx, x.high + dx] },
    y: { domain: [y.low - dy, y.high + dy] },
    marks: [
      Plot.rect(cells, {
        x1: (d) => d.a - dx,
        x2: (d) => d.a + dx,
        y1: (d) => d.b - dy,
        y2: (d) => d.b + dy,
        fill: (d) => theme.category(d.best),
        fillOpacity: (d) => 0.08 + 0.62 * ((d.share * data.gate.length - 1) / Math.max(1, data.gate.length - 1)),
        shapeRendering: "crispEdges",
      }),
      axis,
      Plot.axisY({ label: y.name, labelArrow: "none", tickSize: 0, tickFormat: (v: number) => number(v) }),
      Plot.dot(rows, { x: "x", y: "y", r: rows.length > 600 ? 1.6 : 2.6, fill: (d) => theme.category(d.owner), stroke: theme.surface, strokeWidth: 0.5 }),
      Plot.tip(cells, Plot.pointer({ x: "a", y: "b", title, fontSize: 12, lineHeight: 1.25 })),
    ],
  });
}

// Names on their colours; follows light and dark.
function key(names: string[]): HTMLElement {
  const place = h("div");
  colours.watch((theme) => place.replaceChildren(legend(names.map((name, i) => ({ name, colour: theme.category(i) })))));
  return place;
}

export function model(fit: FitReport): Section | null {
  const { report } = fit;
  const { profiles, inputs, rows, of_rows: ofRows, maps } = report.figures;
  if (profiles.length === 0) return null;
  const names = report.sizes.map((_, k) => expertName(k));
  const held = inputs.length > 1 ? " The other inputs are held at their median or most frequent level." : "";
  const part = rows.length < ofRows ? ` ${whole(rows.length)} of ${whole(ofRows)} records are shown.` : "";
  const chosen = () => profiles[fit.chosen.get()];
  const following = (label: string, draw: (width: number, theme: Colours) => Element) => {
    const drawn = picture(label, draw);
    fit.chosen.watch(drawn.redraw);
    return drawn;
  };
  const nameOf = (text: (name: string) => string) => textOf(fit.chosen, (i) => text(fit.inputNames[i]));
  const control = profiles.length > 1 ? h("div", { class: "choices" }, stepper("Input", fit.inputNames, fit.chosen)) : null;
  const curveTable = (curves: [string, (number | null)[]][]) => () => {
    const profile = chosen();
    const input = fit.input(profile);
    return {
      columns: [input.name, ...curves.map(([name]) => name)],
      rows: profile.at.map((x, i) => [input.levels[x] ?? number(x), ...curves.map(([, values]) => number(values[i]))]),
    };
  };
  const distribution = fit.isClass
    ? figure({
        title: nameOf((name) => `Probability of each class along ${name}`),
        note: `The share of each class that the whole mixture expects.${held}`,
        content: [
          following("Class probabilities along an input", (width, theme) =>
            stack(theme, width, fit.input(chosen()), chosen(), chosen().means, report.classes),
          ),
          key(report.classes),
        ],
        table: () => curveTable(report.classes.map((name, c) => [name, chosen().means[c]]))(),
        wide: true,
      })
    : figure({
        title: nameOf((name) => `Distribution of ${report.targets[0]} along ${name}`),
        note:
          "Dark line: the mixture's mean; dashed: each expert's mean; bands: where the mixture expects half and nine tenths of" +
          ` the records. A record has the colour of the expert that explains it best.${held}${part}`,
        content: [
          following("Density bands over the data", (width, theme) => bands(fit, theme, width, chosen())),
          key(names),
        ],
        table: () =>
          curveTable([
            ["mean", chosen().means[0]],
            ...report.figures.band_levels.map((level, q): [string, (number | null)[]] => [`quantile ${level}`, chosen().quantiles[q]]),
          ])(),
        wide: true,
      });
  const gate =
    report.experts > 1
      ? figure({
          title: nameOf((name) => `Gate along ${name}`),
          note: `How likely each expert is before the target is seen.${held}`,
          content: [
            following("Gate along an input", (width, theme) =>
              stack(theme, width, fit.input(chosen()), chosen(), chosen().gate, names),
            ),
            key(names),
          ],
          table: () => curveTable(names.map((name, k) => [name, chosen().gate[k]]))(),
          wide: maps.length === 0,
        })
      : null;
  const overTwo =
    report.experts > 1 && maps.length > 0
      ? figure({
          title: `Gate over ${inputs[maps[0].x].name} and ${inputs[maps[0].y].name}`,
          note:
            "Colour: the likeliest expert; strength: how likely it is. Records have the colour of the expert that explains them" +
            ` best.${inputs.length > 2 ? " The other inputs are held at their usual values." : ""}`,
          content: [picture("Gate over two inputs", (width, theme) => map(fit, theme, width, maps[0])), key(names)],
        })
      : null;
  return { id: "model", title: "The mixture", content: [control, grid(distribution, gate, overTwo)] };
}

