// Pictures that any page can use: each is drawn by Observable Plot, follows the width of its place and the theme, and
// answers the pointer. What the numbers mean is the caller's business.
import * as Plot from "@observablehq/plot";
import { tickStep } from "d3-array";
import { h } from "./dom.ts";
import { fixed, number } from "./format.ts";
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
  yTickFormat?: (y: number) => string; // plain numbers unless given
  xLabel: string;
  xDomain: [number, number];
  height?: number;
  fromZero?: boolean;
  yDomain?: [number, number];
}

// As many ticks as fit.
const ticksFor = (width: number, each: number) => Math.max(2, Math.floor(width / each));

// The same along the horizontal, but no fractions of a step, token or second.
const ticksAlong = (width: number, [from, to]: [number, number]) => Math.max(1, Math.min(ticksFor(width, 70), to - from));

// As many decimals as neighbouring ticks need to differ.
function plainTicks(values: number[], ticks: number): (y: number) => string {
  const [from, to] = values.length ? [Math.min(...values), Math.max(...values)] : [0, 1];
  if (from === to) return number;
  // Rounded, because the logarithm of 0.001 is not quite -3.
  const decimals = Math.max(0, -Math.floor(Math.log10(tickStep(from, to, ticks)) + 1e-9));
  return decimals > 3 ? number : (y) => fixed(y, decimals);
}

// A name that has room for so many letters.
const shorten = (name: string, letters: number) =>
  name.length <= letters ? name : `${name.slice(0, Math.max(1, letters - 1)).trimEnd()}…`;

// Pixels to move a level's name to the left, past the names of levels that are too close for one above the other.
function namesBeside(levels: Level[], index: number, height: number, domain: [number, number] | undefined): number {
  const pixels = (height - 46) / (domain ? domain[1] - domain[0] : 1);
  return levels
    .slice(0, index)
    .filter((other) => Math.abs(other.y - levels[index].y) * pixels < 15)
    .reduce((sum, other) => sum + 7 * (other.name.length + 2), 0);
}

export function lineChart(width: number, theme: Colours, chart: LineChart): Element {
  const height = chart.height ?? 220;
  const hovered = chart.lines.flatMap((line) => line.points.map((point) => ({ ...point, line })));
  const title = (d: Point & { line: Line }) =>
    `${chart.lines.length > 1 ? `${d.line.name}\n` : ""}${chart.yFormat(d.y)}\n${chart.xLabel} ${chart.xFormat(d.x)}`;
  const levels = chart.levels ?? [];
  const yTicks = ticksFor(height, 30 + height / 12);
  const seen = chart.yDomain ?? [...hovered.map((point) => point.y), ...(chart.fromZero ? [0] : [])];
  const yTickFormat = chart.yTickFormat ?? plainTicks(seen, yTicks);
  return plot({
    width,
    height,
    marginLeft: 46,
    marginRight: 24,
    marginTop: 12,
    marginBottom: 34,
    x: { domain: chart.xDomain },
    y: { nice: chart.yDomain === undefined, zero: chart.fromZero ?? false, domain: chart.yDomain },
    marks: [
      Plot.gridY({ ticks: yTicks, stroke: theme.faint, strokeOpacity: 1 }),
      Plot.axisX({ ticks: ticksAlong(width, chart.xDomain), tickFormat: chart.xFormat, label: chart.xLabel, labelArrow: "none", labelAnchor: "center", tickSize: 0 }),
      Plot.axisY({ ticks: yTicks, tickFormat: yTickFormat, label: null, tickSize: 0 }),
      chart.band
        ? Plot.areaY(chart.band, { x: "x", y1: "low", y2: "high", fill: chart.lines[0]?.colour ?? theme.accent, fillOpacity: 0.14, clip: true })
        : null,
      Plot.ruleY(levels, { y: "y", stroke: theme.muted, strokeDasharray: "4 4" }),
      levels.map((level, i) =>
        Plot.text([level], {
          y: "y",
          text: "name",
          frameAnchor: "right",
          textAnchor: "end",
          dx: -6 - namesBeside(levels, i, height, chart.yDomain),
          dy: -7,
          fill: theme.muted,
          stroke: theme.surface,
          strokeWidth: 4,
        }),
      ),
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
  const letters = Math.min(Math.max(...bars.map((bar) => bar.name.length)), Math.floor((0.4 * width) / 7.2));
  const room = Math.max(6, ...bars.map((bar) => format(bar.value).length)); // letters of the longest value
  return plot({
    width,
    height: 8 + 30 * bars.length,
    marginLeft: 16 + 7.2 * letters,
    marginRight: 14 + 7 * room,
    marginTop: 4,
    marginBottom: 4,
    x: { axis: null, zero: true, label },
    y: { label: null, domain: bars.map((bar) => bar.name), padding: 0.28 },
    marks: [
      Plot.axisY({ tickSize: 0, label: null, fill: theme.text, tickFormat: (name: string) => shorten(name, letters) }),
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

// The colour of a ratio to a fair share: neutral at 1, full strength at `limit` times more or less.
export const ratioColour = (theme: Colours, limit: number) => (ratio: number) => {
  const octaves = Math.log2(Math.min(limit, Math.max(1 / limit, ratio || 0)));
  return theme.diverging(0.5 + octaves / (2 * Math.log2(limit)));
};

// A strip of colours with a name at each end and in the middle.
export function ramp(colour: (t: number) => string, low: string, middle: string, high: string): HTMLElement {
  const stops = Array.from({ length: 25 }, (_, i) => colour(i / 24));
  return h(
    "div",
    { class: "ramp" },
    h("span", {}, low),
    h("span", { class: "ramp-bar", style: `background: linear-gradient(to right, ${stops.join(", ")})` }),
    h("span", {}, high),
    middle ? h("span", { class: "ramp-middle" }, middle) : null,
  );
}

// The key to ratioColour.
export const ratioLegend = (theme: Colours, limit: number) =>
  ramp(theme.diverging, `${limit}× less`, "a fair share", `${limit}× more`);

// A table of coloured cells with their numbers, as far as these fit.
export function heatMap(
  width: number,
  theme: Colours,
  cells: Cell[],
  columns: string[],
  rows: string[],
  columnLabel: string | null,
  rowLabel: string | null,
  limit: number,
): Element {
  const rowLetters = Math.min(Math.max(...rows.map((row) => row.length)), Math.floor((0.32 * width) / 7));
  const columnLetters = Math.min(Math.max(...columns.map((column) => column.length)), width < 500 ? 10 : 16);
  const marginLeft = 14 + 7 * rowLetters;
  const tilted = (width - marginLeft - 2) / columns.length < 7 * columnLetters + 4 && columnLetters > 3;
  const marginRight = tilted ? 4 + 3 * columnLetters : 2;
  const marginTop = tilted ? 20 + 5 * columnLetters : 36;
  const cellWidth = (width - marginLeft - marginRight) / columns.length;
  const cellHeight = rows.length > 20 ? 20 : 30;
  const colour = ratioColour(theme, limit);
  const everySo = Math.max(1, Math.ceil((tilted ? 14 : 20) / cellWidth));
  return plot({
    width,
    height: rows.length * cellHeight + marginTop + 4,
    marginLeft,
    marginRight,
    marginTop,
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
        labelArrow: "right",
        ticks: columns.filter((_, i) => i % everySo === 0),
        tickRotate: tilted ? -40 : 0,
        tickFormat: (column: string) => shorten(column, columnLetters),
        fill: theme.text,
      }),
      Plot.axisY({ tickSize: 0, label: rowLabel, labelAnchor: "top", labelArrow: "down", fill: theme.text, tickFormat: (row: string) => shorten(row, rowLetters) }),
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
  xDomain: [number, number],
  xFormat: (x: number) => string,
  limit: number,
): Element {
  const stripHeight = Math.max(7, Math.min(22, 360 / rows));
  const everySo = Math.max(1, Math.ceil(13 / stripHeight));
  const colour = ratioColour(theme, limit);
  const marks = Array.from({ length: rows }, (_, row) => row).filter((row) => row % everySo === 0);
  return plot({
    width,
    height: rows * stripHeight + 62,
    marginLeft: 46,
    marginRight: 24,
    marginTop: 26,
    marginBottom: 36,
    x: { domain: xDomain },
    y: { domain: [rows - 0.5, -0.5], label: null },
    marks: [
      Plot.axisX({ ticks: ticksAlong(width, xDomain), tickFormat: xFormat, label: xLabel, labelArrow: "none", labelAnchor: "center", tickSize: 0 }),
      Plot.axisY(marks, { tickFormat: (row: number) => String(row), label: rowLabel, labelArrow: "down", tickSize: 0 }),
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
  chosenRow: string,
  columnLabel: string,
  onRow: (row: string) => void,
): Element {
  const marginLeft = Math.max(62, 14 + 7 * Math.max(...rows.map((row) => row.length)));
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
        { anchor: "top", tickSize: 0, label: columnLabel, labelAnchor: "left", labelArrow: "right", tickFormat: String, fill: theme.text },
      ),
      Plot.axisY({ tickSize: 0, label: null, fill: theme.text }),
      Plot.barX([chosenRow], { x1: -0.5, x2: columns - 0.5, y: (row: string) => row, fill: theme.accent, fillOpacity: 0.09, rx: 6 }),
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
