// Experts whose outputs have extreme entries.
import * as Plot from "@observablehq/plot";
import { layerName } from "../../analysis/data.ts";
import { picture, plot } from "../../charts.ts";
import { list, number, plural, times, whole } from "../../format.ts";
import { figure, grid, type Section } from "../../layout.ts";
import { shortName, type Inspection } from "../data.ts";

interface Dot {
  layer: string; // on the axis
  name: string;
  expert: number;
  largest: number;
  channel: number;
  token: string | null;
  found: boolean;
}

export function superExperts(inspection: Inspection): Section | null {
  const { text } = inspection.report;
  if (!text || text.super_experts.experts === 0) return null;
  const rule = text.super_experts;
  const dots: Dot[] = inspection.analysed.flatMap((layer) =>
    (layer.outputs?.rows ?? []).flatMap((rows, expert) =>
      rows > 0 && layer.outputs!.largest[expert] > 0
        ? [{
            layer: shortName(layer), name: layerName(layer), expert, largest: layer.outputs!.largest[expert], channel: layer.outputs!.largest_channel[expert],
            token: layer.outputs!.largest_token[expert],
            found: rule.found.some((one) => one.stack === layer.stack && one.layer === layer.layer && one.expert === expert),
          }]
        : [],
    ),
  );
  if (dots.length === 0) return null;
  const limits = [{ name: "99.5 % of all", y: rule.quantile ?? 0 }, { name: "a tenth of the largest", y: rule.tenth ?? 0 }].filter((limit) => limit.y > 0);
  const title = (d: Dot) => `${d.name}, expert ${d.expert}\nlargest entry ${number(d.largest)}\nin channel ${d.channel}, for “${d.token ?? ""}”`;
  const layers = [...new Set(dots.map((dot) => dot.layer))];
  const pitch = 10 + 8 * Math.max(...layers.map((name) => name.length)); // pixels that a name wants
  const drawn = picture("Largest entry of every expert's outputs", (width, theme) =>
    plot({
      width,
      height: 340,
      marginLeft: 52,
      marginRight: 24,
      marginTop: 16,
      marginBottom: 38,
      x: { type: "point", domain: layers, padding: 0.5 },
      y: { type: "log", nice: true },
      marks: [
        Plot.gridY({ ticks: 5, stroke: theme.faint, strokeOpacity: 1 }),
        Plot.axisX({ label: "layer", labelArrow: "none", labelAnchor: "center", tickSize: 0, ticks: layers.filter((_, i) => i % Math.max(1, Math.ceil((pitch * layers.length) / width)) === 0) }),
        Plot.axisY({ ticks: 5, tickFormat: (y: number) => number(y), label: null, tickSize: 0 }),
        Plot.ruleY(limits, { y: "y", stroke: theme.muted, strokeDasharray: "4 4" }),
        limits.map((limit, i) =>
          Plot.text([limit], { y: "y", text: "name", frameAnchor: i === 0 ? "right" : "left", textAnchor: i === 0 ? "end" : "start", dx: i === 0 ? -6 : 6, dy: -7, fill: theme.muted, stroke: theme.surface, strokeWidth: 4 }),
        ),
        Plot.dot(dots, { x: "layer", y: "largest", r: (d: Dot) => (d.found ? 6 : 3), fill: (d: Dot) => (d.found ? theme.category(5) : theme.accent), fillOpacity: 0.6 }),
        Plot.text(dots.filter((dot) => dot.found), { x: "layer", y: "largest", text: (d: Dot) => `expert ${d.expert}`, dy: -13, fill: theme.text, stroke: theme.surface, strokeWidth: 4 }),
        Plot.tip(dots, Plot.pointer({ x: "layer", y: "largest", title, fontSize: 12, lineHeight: 1.25 })),
      ],
      r: { type: "identity" },
    }),
  );
  const nameOf = (one: { stack: string; layer: number }) =>
    layerName(inspection.analysed.find((layer) => layer.stack === one.stack && layer.layer === one.layer) ?? one);
  const told = rule.found.slice(0, 5).map((one) => `expert ${one.expert} of ${nameOf(one)} (${times(one.largest / (rule.median || 1))} the median)`);
  const few = rule.experts < 200 && rule.found.length > 0 ? " With fewer than 200 experts the rule nearly always names one: only one far above the median means something." : "";
  return {
    id: "super",
    title: "Super experts",
    intro: `A few experts may write extreme values into the stream, on which the whole model leans (Su et al. 2025). ${
      told.length ? `Here the rule names ${plural(rule.found.length, "expert")}: ${list(told)}.` : "Here the rule names none."
    }${few}`,
    content: [
      grid(
        figure({
          title: "The largest entry of each expert's outputs",
          note: "One dot per expert that served a token, on a logarithmic scale; a super expert lies above both dashed lines.",
          content: [drawn],
          wide: true,
          table: () => ({
            columns: ["Layer and expert", "Largest entry", "Channel", "Token"],
            rows: [...dots].sort((a, b) => b.largest - a.largest).slice(0, 50).map((d) => [`${d.name}, expert ${d.expert}`, number(d.largest), whole(d.channel), d.token ?? ""]),
          }),
        }),
      ),
    ],
  };
}
