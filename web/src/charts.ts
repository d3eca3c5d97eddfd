// Pictures that any page can use: each is drawn by Observable Plot, follows the width of its place and the theme, and
// answers the pointer. What the numbers mean is the caller's business.
import * as Plot from "@observablehq/plot";
import { h } from "./dom.ts";
import { colours, inkOn, type Colours } from "./theme.ts";

type Draw = (width: number, colours: Colours) => Element;

// An element that holds the picture and draws it again when its width or the theme changes. A picture that would be
// unreadable below `minWidth` pixels scrolls sideways instead.
export function picture(label: string, draw: Draw, minWidth = 0): HTMLElement & { redraw: () => void } {
  const place = h("div", { class: "picture", role: "img", "aria-label": label });
  let width = 0;
  const redraw = () => {
    if (width === 0) return;
    const drawn = draw(Math.max(width, minWidth), colours.get());
    drawn.setAttribute("aria-hidden", "true");
    place.replaceChildren(drawn);
  };
  new ResizeObserver(([entry]) => {
    const now = Math.floor(entry.contentRect.width);
    if (now === width || now === 0) return;
    width = now;
    redraw();
  }).observe(place);
  colours.watch(redraw);
  return Object.assign(place, { redraw });
}

// What all plots share.
export function plot(options: Plot.PlotOptions): Element {
  return Plot.plot({
    style: { fontSize: "12px", fontFamily: "inherit", background: "transparent", overflow: "visible" },
    ...options,
  });
}

export interface Point {
  x: number;
  y: number;
}

export interface Line {
  name: string;
  colour: string;
  points: Point[];
  width?: number;
  opacity?: number;
  dots?: boolean;
}

export interface Level {
  name: string;
  y: number;
}

export interface LineChart {
  lines: Line[];
  levels?: Level[]; // dashed horizontals to compare with
  band?: { x: number; low: number; high: number }[];
  xFormat: (x: number) => string;
  yFormat: (y: number) => string;
  xLabel: string;
  height?: number;
  fromZero?: boolean;
  yDomain?: [number, number];
}

// Of a plot's ticks as many as fit.
const ticksFor = (width: number, each: number) => Math.max(2, Math.floor(width / each));

export function lineChart(width: number, theme: Colours, chart: LineChart): Element {
  const height = chart.height ?? 220;
  const hovered = chart.lines.flatMap((line) => line.points.map((point) => ({ ...point, line })));
  const title = (d: Point & { line: Line }) =>
    `${chart.lines.length > 1 ? `${d.line.name}\n` : ""}${chart.yFormat(d.y)}\n${chart.xLabel} ${chart.xFormat(d.x)}`;
  const levels = chart.levels ?? [];
  return plot({
    width,
    height,
    marginLeft: 46,
    marginRight: 14,
    marginTop: 12,
    marginBottom: 34,
    x: { label: chart.xLabel, ticks: ticksFor(width, 90), tickFormat: chart.xFormat, labelArrow: "none" },
    y: {
      ticks: ticksFor(height, 45),
      tickFormat: chart.yFormat,
      label: null,
      nice: chart.yDomain === undefined,
      zero: chart.fromZero ?? false,
      domain: chart.yDomain,
    },
    marks: [
      Plot.gridY({ ticks: ticksFor(height, 45), stroke: theme.faint, strokeOpacity: 1 }),
      Plot.axisX({ ticks: ticksFor(width, 90), tickFormat: chart.xFormat, label: chart.xLabel, labelArrow: "none", tickSize: 0 }),
      Plot.axisY({ ticks: ticksFor(height, 45), tickFormat: chart.yFormat, label: null, tickSize: 0 }),
      chart.band
        ? Plot.areaY(chart.band, { x: "x", y1: "low", y2: "high", fill: chart.lines[0]?.colour ?? theme.accent, fillOpacity: 0.14, clip: true })
        : null,
      levels.length
        ? [
            Plot.ruleY(levels, { y: "y", stroke: theme.muted, strokeDasharray: "4 4" }),
            Plot.text(levels, {
              y: "y",
              text: "name",
              frameAnchor: "right",
              textAnchor: "end",
              dy: -7,
              fill: theme.muted,
              stroke: theme.surface,
              strokeWidth: 4,
            }),
          ]
        : null,
      ...chart.lines.map((line) =>
        Plot.lineY(line.points, {
          x: "x",
          y: "y",
          stroke: line.colour,
          strokeWidth: line.width ?? 1.8,
          strokeOpacity: line.opacity ?? 1,
          strokeLinejoin: "round",
          clip: true,
        }),
      ),
      ...chart.lines
        .filter((line) => line.dots || line.points.length === 1)
        .map((line) => Plot.dot(line.points, { x: "x", y: "y", r: 3, fill: line.colour, stroke: theme.surface, strokeWidth: 1 })),
      Plot.dot(hovered, Plot.pointer({ x: "x", y: "y", r: 4.5, fill: (d) => d.line.colour, stroke: theme.surface, strokeWidth: 1.5 })),
      Plot.tip(hovered, Plot.pointer({ x: "x", y: "y", title, fontSize: 12, lineHeight: 1.25 })),
    ],
  });
}

export interface Bar {
  name: string;
  value: number;
  colour: string;
  strong?: boolean;
}

// Bars from zero with their value at the end.
export function barChart(width: number, theme: Colours, bars: Bar[], label: string, format: (value: number) => string): Element {
  const longest = Math.max(...bars.map((bar) => bar.name.length));
  return plot({
    width,
    height: 26 + 30 * bars.length,
    marginLeft: Math.min(0.42 * width, 16 + 7.2 * longest),
    marginRight: 56,
    marginTop: 4,
    marginBottom: 20,
    x: { axis: null, zero: true, label },
    y: { label: null, domain: bars.map((bar) => bar.name), padding: 0.28 },
    marks: [
      Plot.axisY({ tickSize: 0, label: null, fill: theme.text, lineWidth: 14, textOverflow: "ellipsis" }),
      Plot.barX(bars, { x: "value", y: "name", fill: "colour", rx: 3 }),
      ...[true, false].map((strong) =>
        Plot.text(
          bars.filter((bar) => (bar.strong ?? false) === strong),
          {
            x: "value",
            y: "name",
            text: (bar: Bar) => format(bar.value),
            textAnchor: "start",
            dx: 7,
            fontWeight: strong ? "bold" : "normal",
            fill: theme.text,
          },
        ),
      ),
    ],
  });
}

export interface Cell {
  column: string;
  row: string;
  ratio: number; // decides the colour: 1 is neutral
  text: string;
  title: string;
}

// The colour of a ratio to a fair share: neutral at 1, full strength at 8 times more or less.
const RATIO_LIMIT = 8;
export const ratioColour = (theme: Colours) => (ratio: number) => {
  const octaves = Math.log2(Math.min(RATIO_LIMIT, Math.max(1 / RATIO_LIMIT, ratio || 0)));
  return theme.diverging(0.5 + octaves / (2 * Math.log2(RATIO_LIMIT)));
};

// The key to ratioColour.
export function ratioLegend(theme: Colours, less: string, fair: string, more: string): HTMLElement {
  const colour = ratioColour(theme);
  const stops = Array.from({ length: 25 }, (_, i) => colour(2 ** (-3 + i / 4)));
  return h(
    "div",
    { class: "ramp" },
    h("span", {}, less),
    h("span", { class: "ramp-bar", style: `background: linear-gradient(to right, ${stops.join(", ")})` }),
    h("span", {}, more),
    h("span", { class: "ramp-middle" }, fair),
  );
}

// A table of coloured cells with their numbers, as far as these fit.
export function heatMap(
  width: number,
  theme: Colours,
  cells: Cell[],
  columns: string[],
  rows: string[],
  columnLabel: string | null,
): Element {
  const longest = Math.max(...rows.map((row) => row.length));
  const marginLeft = Math.min(0.34 * width, 14 + 7 * longest);
  const cellWidth = (width - marginLeft - 2) / columns.length;
  const cellHeight = cellWidth < 24 ? 20 : 30;
  const colour = ratioColour(theme);
  const everySo = Math.max(1, Math.ceil(20 / cellWidth));
  const widestName = Math.max(...columns.map((column) => column.length));
  const tilted = cellWidth < 7 * widestName + 4 && widestName > 3;
  return plot({
    width,
    height: rows.length * cellHeight + (tilted ? 24 + 5 * Math.min(widestName, 14) : 40),
    marginLeft,
    marginRight: 2,
    marginTop: tilted ? 20 + 5 * Math.min(widestName, 14) : 36,
    marginBottom: 4,
    padding: 0.04,
    x: { domain: columns, label: null },
    y: { domain: rows, label: null },
    marks: [
      Plot.axisX({
        anchor: "top",
        tickSize: 0,
        label: columnLabel,
        labelAnchor: "left",
        labelArrow: "none",
        ticks: columns.filter((_, i) => i % everySo === 0),
        tickRotate: tilted ? -40 : 0,
        fill: theme.text,
      }),
      Plot.axisY({ tickSize: 0, label: null, fill: theme.text, lineWidth: marginLeft / 7, textOverflow: "ellipsis" }),
      Plot.cell(cells, { x: "column", y: "row", fill: (cell: Cell) => colour(cell.ratio), rx: 3 }),
      cellWidth >= 26
        ? Plot.text(cells, {
            x: "column",
            y: "row",
            text: "text",
            fill: (cell: Cell) => inkOn(colour(cell.ratio)),
            fontVariant: "tabular-nums",
            pointerEvents: "none",
          })
        : null,
      Plot.cell(cells, Plot.pointer({ x: "column", y: "row", fill: "none", stroke: theme.text, strokeWidth: 1.5, rx: 3 })),
      Plot.tip(cells, Plot.pointer({ x: "column", y: "row", title: "title", fontSize: 12, lineHeight: 1.25 })),
    ],
  });
}

export interface Patch {
  x1: number;
  x2: number;
  row: number;
  ratio: number;
  title: string;
}

// The same colours over time: one strip per row.
export function strips(
  width: number,
  theme: Colours,
  patches: Patch[],
  rows: number,
  rowLabel: string,
  xLabel: string,
  xFormat: (x: number) => string,
): Element {
  const stripHeight = Math.max(7, Math.min(22, 360 / rows));
  const everySo = Math.max(1, Math.ceil(13 / stripHeight));
  const colour = ratioColour(theme);
  const marks = Array.from({ length: rows }, (_, row) => row).filter((row) => row % everySo === 0);
  return plot({
    width,
    height: rows * stripHeight + 62,
    marginLeft: 46,
    marginRight: 14,
    marginTop: 26,
    marginBottom: 36,
    x: { label: null, inset: 0 },
    y: { domain: [rows - 0.5, -0.5], label: null },
    marks: [
      Plot.axisX({ ticks: ticksFor(width, 90), tickFormat: xFormat, label: xLabel, labelArrow: "none", tickSize: 0 }),
      Plot.axisY(marks, { tickFormat: (row: number) => String(row), label: rowLabel, labelArrow: "none", tickSize: 0 }),
      Plot.rect(patches, {
        x1: "x1",
        x2: "x2",
        y1: (patch: Patch) => patch.row - 0.5,
        y2: (patch: Patch) => patch.row + 0.5,
        fill: (patch: Patch) => colour(patch.ratio),
        shapeRendering: "crispEdges",
      }),
      Plot.tip(
        patches,
        Plot.pointer({
          x: (patch: Patch) => (patch.x1 + patch.x2) / 2,
          y: "row",
          title: "title",
          fontSize: 12,
          lineHeight: 1.25,
        }),
      ),
    ],
  });
}

export interface Seat {
  column: number;
  row: string;
  size: number; // area, 1 is a fair share
  colour: string;
  title: string;
}

// Circles on a grid; their areas are to be compared with the thin ring of a fair share behind each.
export function seats(
  width: number,
  theme: Colours,
  all: Seat[],
  columns: number,
  rows: string[],
  columnLabel: string,
  onRow: (row: string) => void,
): Element {
  const marginLeft = 62;
  const pitch = Math.min(56, (width - marginLeft - 8) / columns);
  // A circle of four fair shares touches its neighbours.
  const radius = (size: number) => (pitch / 4) * Math.sqrt(Math.min(size, 4));
  const everySo = Math.max(1, Math.ceil(20 / pitch));
  const element = plot({
    width: marginLeft + pitch * columns + 8,
    height: rows.length * pitch + 40,
    marginLeft,
    marginRight: 8,
    marginTop: 36,
    marginBottom: 4,
    x: { type: "linear", domain: [-0.5, columns - 0.5] },
    y: { type: "band", domain: rows, padding: 0 },
    marks: [
      Plot.axisX(
        Array.from({ length: columns }, (_, i) => i).filter((i) => i % everySo === 0),
        { anchor: "top", tickSize: 0, label: columnLabel, labelAnchor: "left", labelArrow: "none", tickFormat: String, fill: theme.text },
      ),
      Plot.axisY({ tickSize: 0, label: null, fill: theme.text }),
      Plot.dot(all, { x: "column", y: "row", r: radius(1), stroke: theme.faint, strokeWidth: 1, fill: "none" }),
      Plot.dot(all, { x: "column", y: "row", r: (seat: Seat) => radius(seat.size), fill: (seat: Seat) => seat.colour, symbol: "circle" }),
      Plot.dot(all, Plot.pointer({ x: "column", y: "row", r: (seat: Seat) => radius(seat.size) + 2, stroke: theme.text, strokeWidth: 1.5 })),
      Plot.tip(all, Plot.pointer({ x: "column", y: "row", title: "title", fontSize: 12, lineHeight: 1.25 })),
    ],
    r: { type: "identity" },
  });
  element.addEventListener("click", () => {
    const seat = (element as Element & { value?: Seat }).value;
    if (seat) onRow(seat.row);
  });
  return element;
}
