// Which experts are alike: by their weights, by their neurons in any order, and by what they say.
import { picture, ramp } from "../../charts.ts";
import { h } from "../../dom.ts";
import { fixed, whole } from "../../format.ts";
import { figure, grid, segments, stepper, textOf, type Section } from "../../layout.ts";
import { Shared } from "../../state.ts";
import type { Inspection, Mixture, Pairs } from "../data.ts";
import { pairPicture, pairTable } from "./pairs.ts";

type Measure = "outputs" | "cosine" | "matched";

const NAMES: Record<Measure, string> = { outputs: "What they say", cosine: "Weights", matched: "Neurons" };
const NOTES: Record<Measure, string> = {
  outputs: "The cosine of what two experts say of a token, over a sample of tokens that every expert was asked about.",
  cosine: "The cosine of all weights of two experts, entry by entry: large where both began as copies of one network.",
  matched:
    "Each neuron of one expert meets the neuron of the other that is most like it, whatever their order: the mean of these cosines.",
};

function pairsOf(mixture: Mixture, measure: Measure): Pairs | null {
  if (measure === "outputs") return mixture.text?.outputs?.sampled_rows ? mixture.text.outputs.cosine : null;
  return mixture.weights?.[measure] ?? null;
}

// The strongest of all pairs, so that colours tell differences even where all are small.
function reach(pairs: Pairs): number {
  const values = pairs.matrix
    ? pairs.matrix.flatMap((row, a) => row.filter((_, b) => a !== b).map((value) => Math.abs(value ?? 0)))
    : pairs.strongest.map((pair) => Math.abs(pair.value ?? 0));
  return Math.min(1, Math.max(0.05, Math.ceil(20 * Math.max(0, ...values)) / 20));
}

export function likeness(inspection: Inspection): Section | null {
  const measures = (["outputs", "cosine", "matched"] as Measure[]).filter((measure) =>
    inspection.mixtures.some((mixture) => (pairsOf(mixture, measure)?.strongest.length ?? 0) > 0),
  );
  if (measures.length === 0) return null;
  const measure = new Shared<Measure>(measures[0]);
  const current = () => pairsOf(inspection.chosen, measure.get());
  const key = h("div");
  const drawn = picture("How alike the experts of the chosen layer are", (width, theme) => {
    const pairs = current();
    if (!pairs) return h("p", { class: "kindly" }, "Not known for this layer: matching its neurons would take too long.");
    const limit = reach(pairs);
    key.replaceChildren(pairs.matrix ? ramp(theme.diverging, fixed(-limit, 2), "0", fixed(limit, 2)) : "");
    return pairPicture(width, theme, pairs, {
      ratio: (value) => 2 ** (value / limit),
      limit: 2,
      text: (value) => fixed(value, 2).replace("0.", "."),
      format: (value) => fixed(value, 3),
      title: (value, a, b) => `experts ${a} and ${b}\ncosine ${fixed(value, 4)}`,
      diagonal: false,
    });
  });
  inspection.layer.watch(drawn.redraw);
  measure.watch(drawn.redraw);
  const remark = () => {
    const { weights } = inspection.chosen;
    if (measure.get() !== "matched" || !weights || !weights.matched) return "";
    return ` Random directions would reach ${fixed(weights.matched_by_chance, 2)}; ${whole(weights.matched_neurons)} neurons of each expert were looked at.`;
  };
  const note = h("p", { class: "intro" });
  const tell = () => {
    const mean = current()?.mean;
    note.textContent = `${NOTES[measure.get()]}${remark()}${mean == null ? "" : ` Mean of all pairs: ${fixed(mean, 3)}.`}`;
  };
  inspection.layer.watch(tell);
  measure.watch(tell);
  return {
    id: "likeness",
    title: "Who is like whom",
    content: [
      h(
        "div",
        { class: "choices" },
        stepper("Layer", inspection.mixtures.map((mixture) => mixture.name), inspection.layer),
        measures.length > 1 ? segments("Likeness by", measures.map((one): [Measure, string] => [one, NAMES[one]]), measure) : null,
      ),
      note,
      grid(
        figure({
          title: textOf(inspection.layer, () => `Pairs of experts, ${inspection.chosen.name.toLowerCase()}`),
          note: "Cosines of pairs: orange is alike, blue opposite, and the scale reaches as far as the strongest pair. With more than 64 experts the strongest pairs.",
          content: [key, drawn],
          wide: true,
          table: () => {
            const pairs = current();
            return pairs ? pairTable(pairs, (value) => fixed(value, 4)) : { columns: [], rows: [] };
          },
        }),
      ),
    ],
  };
}
