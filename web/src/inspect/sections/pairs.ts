// Pictures of pairs of experts: a matrix where it can be read, else the strongest pairs as bars.
import { barChart, heatMap, type Bar, type Cell } from "../../charts.ts";
import type { Colours } from "../../theme.ts";
import type { Table } from "../../layout.ts";
import type { Pairs } from "../data.ts";

export interface PairStyle {
  // The ratio that decides the colour of a cell; 1 is neutral.
  ratio: (value: number, a: number, b: number) => number;
  limit: number;
  text: (value: number) => string; // in a cell
  format: (value: number) => string; // elsewhere
  title: (value: number, a: number, b: number) => string;
  diagonal: boolean; // whether an expert is compared with itself
}

export function pairPicture(width: number, theme: Colours, pairs: Pairs, style: PairStyle): Element {
  if (!pairs.matrix) {
    const bars: Bar[] = pairs.strongest
      .filter((pair) => pair.value !== null)
      .map((pair) => ({ name: `${pair.a} and ${pair.b}`, value: pair.value!, colour: theme.accent }));
    return barChart(width, theme, bars, "strongest pairs", style.format);
  }
  const names = pairs.matrix.map((_, expert) => String(expert));
  const cells: Cell[] = pairs.matrix.flatMap((row, a) =>
    row.flatMap((value, b) =>
      value === null || (a === b && !style.diagonal)
        ? []
        : [{ column: names[b], row: names[a], ratio: style.ratio(value, a, b), text: style.text(value), title: style.title(value, a, b) }],
    ),
  );
  return heatMap(width, theme, cells, names, names, "expert", null, style.limit);
}

export function pairTable(pairs: Pairs, format: (value: number) => string): Table {
  return {
    columns: ["Experts", "Value"],
    rows: pairs.strongest.map((pair) => [`${pair.a} and ${pair.b}`, pair.value === null ? "–" : format(pair.value)]),
  };
}
