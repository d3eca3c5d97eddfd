// Who reads best: held-out bits per byte of every candidate, with what came beside it.
import { barChart, picture } from "../../charts.ts";
import { count, fixed, number, percent, plural, whole } from "../../format.ts";
import { figure, pageHead, tile, type Section, type Table } from "../../layout.ts";
import type { Candidate, Comparison } from "../data.ts";

const bits = (candidate: Candidate) => {
  const { mean, deviation } = candidate.bits_per_byte;
  return `${fixed(mean, 4)}${deviation === null ? "" : ` ± ${fixed(deviation, 4)}`}`;
};

export function header(comparison: Comparison): HTMLElement {
  const { candidates, report } = comparison;
  const best = candidates[0];
  const finished = candidates.filter((candidate) => candidate.bits_per_byte.mean !== null);
  const worst = finished[finished.length - 1] as Candidate | undefined;
  return pageHead(
    "Comparison of routers",
    report.name,
    `${plural(candidates.length, "router")} in the same model, on the same text, for ${plural(comparison.lastStep, "step")}` +
      ` each${comparison.seeds > 1 ? `, with ${plural(comparison.seeds, "seed")}` : ""}; widths and numbers of experts are` +
      " chosen so that as many parameters work on a token, as far as the router allows.",
    [
      best ? tile("Best", best.label, `${bits(best)} bits per byte`) : null,
      worst && worst !== best ? tile("Last", worst.label, `${bits(worst)} bits per byte`) : null,
    ],
  );
}

function table({ candidates }: Comparison): Table {
  return {
    columns: ["Router", "Bits per byte", "Tokens per second", "Busiest / mean", "Dropped", "Entropy", "Idle experts", "Active parameters", "Routing", "Remark"],
    rows: candidates.map((candidate) => [
      candidate.label,
      bits(candidate),
      whole(candidate.tokens_per_second),
      number(candidate.load),
      percent(candidate.dropped),
      number(candidate.entropy),
      number(candidate.dead),
      count(candidate.parameters?.active),
      percent(candidate.routing_share),
      candidate.diverged.length ? `${plural(candidate.diverged.length, "run")} diverged: ${candidate.diverged[0]}` : "",
    ]),
  };
}

export function result(comparison: Comparison): Section {
  const finished = comparison.candidates.filter((candidate) => candidate.bits_per_byte.mean !== null);
  // What matters is how far apart they are, which bars from zero would hide.
  const least = finished[0]?.bits_per_byte.mean ?? 0;
  const spreads = new Map(
    finished.map(({ bits_per_byte: { mean, deviation } }) => [mean! - least, deviation === null ? "" : ` ± ${fixed(deviation, 3)}`]),
  );
  const drawn = picture("Held-out bits per byte above the best router", (width, theme) =>
    barChart(
      width,
      theme,
      finished.map((candidate, i) => ({
        name: candidate.label,
        value: candidate.bits_per_byte.mean! - least,
        colour: i === 0 ? theme.accent : theme.muted,
        strong: i === 0,
      })),
      "bits per byte above the best",
      (value) => `${fixed(least + value, 3)}${width > 600 ? spreads.get(value) ?? "" : ""}`,
    ),
  );
  return {
    id: "result",
    title: "Result",
    intro: "In the order of their loss on text that none of them was trained on.",
    content: [
      figure({
        title: "Bits per byte of held-out text",
        note:
          "Length: how much worse than the best; number: bits per byte, the mean over seeds. Differences below the spread of" +
          " seeds mean nothing.",
        content: [drawn],
        table: () => table(comparison),
        wide: true,
      }),
    ],
  };
}
