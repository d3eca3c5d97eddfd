// What they cost: tokens per second, and how much of a layer is spent on deciding.
import { barChart, picture } from "../../charts.ts";
import { count, percent } from "../../format.ts";
import { figure, grid, type Section } from "../../layout.ts";
import type { Candidate, Comparison } from "../data.ts";

function bars(comparison: Comparison, title: string, note: string, value: (candidate: Candidate) => number | null, format: (value: number) => string): HTMLElement | null {
  const known = comparison.candidates.filter((candidate) => value(candidate) !== null);
  if (known.length === 0) return null;
  const drawn = picture(title, (width, theme) =>
    barChart(width, theme, known.map((candidate) => ({ name: candidate.label, value: value(candidate)!, colour: theme.accent })), title, format),
  );
  return figure({ title, note, content: [drawn] });
}

export function cost(comparison: Comparison): Section {
  return {
    id: "cost",
    title: "Cost",
    content: [
      grid(
        bars(comparison, "Tokens per second", "In training, evaluations included; other work on the machine shows.", (candidate) => candidate.tokens_per_second, count),
        bars(comparison, "Share of routing", "Gate and router, of a mixture layer's forward pass alone.", (candidate) => candidate.routing_share, (value) => percent(value)),
      ),
    ],
  };
}
