// Which expert serves which kind of text: over all layers at once, and one layer with its numbers.
import { heatMap, picture, ratioLegend, seats, type Cell, type Seat } from "../charts.ts";
import { interpolateLab } from "d3-interpolate";
import { h } from "../dom.ts";
import { capital, list, percent, times } from "../format.ts";
import { figure, grid, legend, stepper, textOf, type Section } from "../layout.ts";
import { colours, type Colours } from "../theme.ts";
import { composition, favourite, layerName, type LayerAnalysis, type Analysed } from "./data.ts";

// The two pictures fit beside each other up to so many experts.
const MOST_BESIDE = 9;
// Colours are at full strength where a domain sends an expert so many times more, or less, than a fair share.
const LIMIT = 8;

// An expert is said to specialise in a domain from so many fair shares on.
const KEEN = 2;

// Grey for an expert that serves all domains alike, the full colour of a domain for one that serves it alone.
function seatColour(run: Analysed, theme: Colours, layer: LayerAnalysis, expert: number): string {
  if (run.domains.length < 2 || layer.load_by_domain.length < 2) return theme.accent;
  const { domain, share } = favourite(layer, expert);
  const fair = 1 / layer.load_by_domain.length;
  const strength = Math.max(0, (share - fair) / (1 - fair)) ** 0.5;
  return interpolateLab(theme.scheme === "light" ? "#c9ced6" : "#4b5461", theme.category(domain))(Math.min(1, strength));
}

function seatTitle(run: Analysed, layer: LayerAnalysis, expert: number): string {
  const parts = composition(layer, expert)
    .map((share, domain) => ({ share, name: run.domains[domain] }))
    .sort((a, b) => b.share - a.share)
    .slice(0, 4);
  return [
    `${capital(layerName(layer))}, expert ${expert}`,
    `load ${percent(layer.load[expert])} (${times(layer.load[expert] * layer.experts)} a fair share)`,
    ...(run.domains.length > 1 ? parts.map((part) => `${percent(part.share, 0)} ${part.name}`) : []),
  ].join("\n");
}

function council(run: Analysed): HTMLElement {
  const layers = run.analysed;
  const experts = Math.max(...layers.map((layer) => layer.experts));
  const several = run.domains.length > 1;
  const drawn = picture(
    "Every expert of every layer, by load and by the domain it serves most",
    (width, theme) => {
      const all: Seat[] = layers.flatMap((layer) =>
        layer.load.map((load, expert) => ({
          column: expert,
          row: layerName(layer),
          size: load * layer.experts,
          colour: seatColour(run, theme, layer, expert),
          title: seatTitle(run, layer, expert),
        })),
      );
      return seats(width, theme, all, experts, layers.map(layerName), layerName(layers[Math.min(run.layer.get(), layers.length - 1)]), "expert", (row) =>
        run.layer.set(layers.findIndex((layer) => layerName(layer) === row)),
      );
    },
    70 + 15 * experts,
  );
  run.layer.watch(drawn.redraw);
  const key = h("div");
  if (several) {
    colours.watch((theme) =>
      key.replaceChildren(
        legend([
          ...run.domains.map((name, i) => ({ name, colour: theme.category(i) })),
          { name: "serves all alike", colour: theme.scheme === "light" ? "#c9ced6" : "#4b5461" },
        ]),
      ),
    );
  }
  return figure({
    title: "All experts at a glance",
    note: `Each circle is an expert; its area is the load it carries on this text, the thin ring a fair share.${several ? " Its colour is the domain it serves most, the stronger the more it keeps to that one (as if all domains were of one size)." : ""} Click a circle to choose its layer.`,
    content: [key, drawn],
    wide: experts > MOST_BESIDE,
  });
}

function byDomain(run: Analysed): HTMLElement {
  const layers = run.analysed;
  const current = () => layers[Math.min(run.layer.get(), layers.length - 1)];
  const drawn = picture("Share of each domain that goes to each expert of the chosen layer", (width, theme) => {
    const layer = current();
    const experts = layer.load.map((_, expert) => String(expert));
    // Where the experts do not fit side by side they run downwards.
    const upright = width < 60 + 36 * layer.experts && layer.experts > layer.load_by_domain.length;
    const cells: Cell[] = layer.load_by_domain.flatMap((shares, domain) =>
      shares.map((share, expert) => {
        const name = run.domains[domain];
        return {
          column: upright ? name : experts[expert],
          row: upright ? experts[expert] : name,
          ratio: share * layer.experts,
          text: share < 0.0005 ? "" : share < 0.095 ? (100 * share).toFixed(1) : (100 * share).toFixed(0),
          title: `${name} → expert ${expert}\n${percent(share)} of the domain's rows\n${times(share * layer.experts)} a fair share`,
        };
      }),
    );
    return upright
      ? heatMap(width, theme, cells, run.domains, experts, null, "expert", LIMIT)
      : heatMap(width, theme, cells, experts, run.domains, "expert", null, LIMIT);
  });
  run.layer.watch(drawn.redraw);
  const key = h("div");
  colours.watch((theme) => key.replaceChildren(ratioLegend(theme, LIMIT)));
  return figure({
    title: textOf(run.layer, () => `Experts and domains, ${layerName(current())}`),
    note: "How many percent of a domain's rows go to each expert of the chosen layer; the percentages of a domain add up to 100. Blue: avoided, orange: preferred.",
    content: [key, drawn],
    wide: Math.max(...layers.map((layer) => layer.experts)) > MOST_BESIDE,
    table: () => ({
      columns: ["Layer and domain", ...current().load.map((_, expert) => `Expert ${expert}`)],
      rows: layers.flatMap((layer) =>
        layer.load_by_domain.map((shares, domain) => [
          `${capital(layerName(layer))}, ${run.domains[domain]}`,
          ...shares.map((share) => percent(share)),
        ]),
      ),
    }),
  });
}

// The layer whose experts tell the domains apart best: `mutual_information` of the program, so that both name the same.
function mostSpecialised(run: Analysed): LayerAnalysis {
  const score = (layer: LayerAnalysis) => {
    const domains = layer.load_by_domain.length;
    const mean = layer.load.map((_, expert) => layer.load_by_domain.reduce((sum, row) => sum + row[expert] / domains, 0));
    return layer.load_by_domain
      .flatMap((row) => row.map((share, expert) => (share > 0 ? (share / domains) * Math.log(share / mean[expert]) : 0)))
      .reduce((sum, term) => sum + term, 0);
  };
  return run.analysed.reduce((best, layer) => (score(layer) > score(best) ? layer : best));
}

// `intro` says on which text.
export function experts(run: Analysed, intro: string): Section | null {
  const layers = run.analysed.filter((layer) => layer.load.length > 0);
  if (layers.length === 0) return null;
  const several = run.domains.length > 1 && layers.every((layer) => layer.load_by_domain.length > 1);
  const findings: string[] = [];
  if (several) {
    const layer = mostSpecialised(run);
    run.layer.set(run.analysed.indexOf(layer));
    const keen = layer.load
      .map((_, expert) => ({ expert, ...favourite(layer, expert) }))
      .filter(({ share }) => share >= KEEN * (1 / layer.load_by_domain.length))
      .sort((a, b) => b.share - a.share)
      .slice(0, 3);
    findings.push(
      keen.length > 0
        ? `They specialise most in ${layerName(layer)}: ${list(keen.map((k) => `expert ${k.expert} in ${run.domains[k.domain]} (${percent(k.share, 0)} of its work)`))}.`
        : "None of them keeps to one domain: they divide the work by something else, such as kinds of words.",
    );
  }
  return {
    id: "experts",
    title: "Who does what",
    intro: `${intro} ${findings.join(" ")}`,
    content: [
      h("div", { class: "choices" }, stepper("Layer", layers.map((layer) => capital(layerName(layer))), run.layer)),
      grid(council(run), several ? byDomain(run) : null),
      several ? null : h("p", { class: "kindly" }, "The text has one domain only, so there is nothing to compare between domains."),
    ],
  };
}
