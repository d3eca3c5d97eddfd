// Which experts serve the same tokens.
import { layerName } from "../../analysis/data.ts";
import { picture, ramp } from "../../charts.ts";
import { h } from "../../dom.ts";
import { percent, times } from "../../format.ts";
import { figure, grid, stepper, textOf, type Section } from "../../layout.ts";
import type { Inspection, TextLayer } from "../data.ts";
import { pairPicture, pairTable } from "./pairs.ts";

const LIMIT = 4;

// What the share of pair (a, b) would be if the other experts that serve a token of `a` went by their loads alone.
function byLoad(layer: TextLayer, a: number, b: number): number {
  const others = layer.load.reduce((sum, load, expert) => sum + (expert === a ? 0 : load), 0);
  const company = (layer.together?.matrix?.[a] ?? []).reduce<number>((sum, share, expert) => sum + (expert === a ? 0 : (share ?? 0)), 0);
  return others > 0 ? (company * layer.load[b]) / others : 0;
}

export function together(inspection: Inspection): Section | null {
  if (!inspection.analysed.some((layer) => (layer.together?.mean ?? 0) > 0)) return null;
  const current = () => inspection.chosen.text!;
  const key = h("div");
  const drawn = picture("Which experts serve the same tokens, in the chosen layer", (width, theme) => {
    const layer = current();
    const against = (value: number, a: number, b: number) => {
      const fair = byLoad(layer, a, b);
      return fair > 0 ? value / fair : 1;
    };
    key.replaceChildren(layer.together!.matrix ? ramp(theme.diverging, `${LIMIT}× less often`, "by load alone", `${LIMIT}× more often`) : "");
    return pairPicture(width, theme, layer.together!, {
      ratio: against,
      limit: LIMIT,
      text: (value) => (value < 0.0005 ? "" : (100 * value).toFixed(0)),
      format: percent,
      title: (value, a, b) =>
        `of the tokens of expert ${a}, ${percent(value)} also went to expert ${b}\n${times(against(value, a, b))} what their loads would make it`,
      diagonal: false,
    });
  });
  inspection.layer.watch(drawn.redraw);
  return {
    id: "together",
    title: "Working together",
    intro: "Experts that are called for the same tokens: those that often meet have learned to add to each other.",
    content: [
      h("div", { class: "choices" }, stepper("Layer", inspection.mixtures.map((mixture) => mixture.name), inspection.layer)),
      grid(
        figure({
          title: textOf(inspection.layer, () => `Served together, ${layerName(current())}`),
          note:
            "Of the tokens of the expert of a row, how many percent went to the expert of a column too. Orange: more often than their loads alone would make it, blue: less often." +
            " With more than 64 experts the pairs that meet most often.",
          content: [key, drawn],
          wide: true,
          table: () => pairTable(current().together!, percent),
        }),
      ),
    ],
  };
}
