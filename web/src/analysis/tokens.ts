// The tokens that each expert of the chosen layer likes most.
import { h } from "../dom.ts";
import { capital, percent, times, visible, whole } from "../format.ts";
import { stepper, type Section } from "../layout.ts";
import { colours } from "../theme.ts";
import { favourite, layerName, type LayerAnalysis, type Analysed, type TopToken } from "./data.ts";

// What is typed to find a token: spaces for the stand-ins too.
const searchText = (token: string) => token.replaceAll("▁", " ").toLowerCase();

function chip({ token, count, lift }: TopToken, most: number): HTMLElement {
  const strength = Math.log2(Math.max(1, lift ?? 1)) / Math.max(1, Math.log2(Math.max(2, most)));
  const name = h(
    "bdi",
    {},
    ...visible(token).map(([text, standIn]) => (standIn ? h("span", { class: "unseen" }, text) : text)),
  );
  return h(
    "li",
    {
      class: "chip",
      style: `--strength: ${Math.round(8 + 30 * strength)}%`,
      title: `${whole(count)} times with this expert, ${times(lift)} as often as elsewhere`,
      "data-token": searchText(token),
    },
    name,
    h("span", { class: "lift" }, times(lift)),
  );
}

function card(run: Analysed, layer: LayerAnalysis, expert: number, most: number): HTMLElement {
  const several = layer.load_by_domain.length > 1;
  const { domain, share } = several ? favourite(layer, expert) : { domain: 0, share: 0 };
  const tokens = layer.top_tokens[expert];
  const dot = h("span", { class: "key dot" });
  colours.watch((theme) => dot.style.setProperty("--key", theme.category(domain)));
  return h(
    "article",
    { class: "card tokens" },
    h("h3", {}, `${capital(layerName(layer))}, expert ${expert}`),
    h(
      "p",
      {},
      layer.load.length ? `${percent(layer.load[expert])} of the rows` : "",
      several ? h("span", { class: "favourite" }, dot, `${run.domains[domain]} ${percent(share, 0)}`) : null,
    ),
    tokens.length
      ? h("ul", { class: "chips" }, ...tokens.map((token) => chip(token, most)))
      : h("p", {}, "No token often enough to tell."),
  );
}

export function tokens(run: Analysed): Section | null {
  const layers = run.analysed;
  if (!layers.some((layer) => layer.top_tokens.some((list) => list.length > 0))) return null;
  const place = h("div", { class: "token-grid" });
  const found = h("output", { class: "found" });
  const search = h("input", { type: "search", placeholder: "Find a token", "aria-label": "Find a token", oninput: () => filter() });
  const filter = () => {
    const wanted = search.value.toLowerCase();
    let hits = 0;
    for (const element of place.querySelectorAll<HTMLElement>(".chip")) {
      const hit = wanted !== "" && element.dataset.token!.includes(wanted);
      element.classList.toggle("hit", hit);
      if (hit) hits += 1;
    }
    place.classList.toggle("searching", wanted !== "");
    found.textContent = wanted === "" ? "" : hits === 0 ? "not in this layer" : `${whole(hits)} found`;
  };
  run.layer.watch((index) => {
    const layer = layers[Math.min(index, layers.length - 1)];
    const most = Math.max(2, ...layer.top_tokens.flat().map((token) => token.lift ?? 0));
    place.replaceChildren(...layer.top_tokens.map((_, expert) => card(run, layer, expert, most)));
    filter();
  });
  return {
    id: "tokens",
    title: "Favourite tokens",
    intro:
      "The tokens that most set an expert apart: 12× means twelve times as often with this expert as overall. ␣ is a space, ↵ a new line.",
    content: [
      h("div", { class: "choices" }, stepper("Layer", layers.map((layer) => capital(layerName(layer))), run.layer), search, found),
      place,
    ],
  };
}
