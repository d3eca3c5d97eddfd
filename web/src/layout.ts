// The shell of a page and the blocks it is made of: bar, sections, figures, choices.
import { h, type Child } from "./dom.ts";
import { Shared } from "./state.ts";
import { followTheme, themeSwitch } from "./theme.ts";

// The sign of Witan: a ring of seats, two of them speaking.
function sign(): SVGElement {
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  svg.setAttribute("viewBox", "-12 -12 24 24");
  svg.setAttribute("class", "sign");
  svg.setAttribute("aria-hidden", "true");
  for (let seat = 0; seat < 8; ++seat) {
    const angle = (Math.PI * (seat + 0.5)) / 4;
    const dot = document.createElementNS(ns, "circle");
    dot.setAttribute("cx", (8.2 * Math.sin(angle)).toFixed(2));
    dot.setAttribute("cy", (-8.2 * Math.cos(angle)).toFixed(2));
    dot.setAttribute("r", "2.6");
    if (seat === 1 || seat === 6) dot.setAttribute("class", "active");
    svg.append(dot);
  }
  return svg;
}

export interface Section {
  id: string;
  title: string;
  intro?: string;
  content: Child[];
}

export function section({ id, title, intro, content }: Section): HTMLElement {
  return h(
    "section",
    { id, "aria-labelledby": `${id}-title` },
    h("h2", { id: `${id}-title` }, title),
    intro ? h("p", { class: "intro" }, intro) : null,
    ...content,
  );
}

// Puts the page together and marks, in the bar, the section being read.
export function showPage(title: string, header: HTMLElement, sections: Section[]): void {
  followTheme();
  document.title = title;
  const links = sections.map(({ id, title: text }) => h("a", { href: `#${id}` }, text));
  const elements = sections.map(section);
  document.body.append(
    h("a", { class: "skip", href: "#content" }, "Skip to the content"),
    h(
      "div",
      { class: "bar" },
      h("a", { class: "brand", href: "#top", "aria-label": "Witan: to the top" }, sign(), h("span", {}, "Witan")),
      h("nav", { "aria-label": "Sections" }, ...links),
      themeSwitch(),
    ),
    h("main", { id: "content" }, header, ...elements),
  );
  const watcher = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        const link = links[elements.indexOf(entry.target as HTMLElement)];
        link.toggleAttribute("data-current", entry.isIntersecting);
      }
    },
    { rootMargin: "-30% 0px -60% 0px" },
  );
  for (const element of elements) watcher.observe(element);
}

// One figure of the head of a page.
export const tile = (label: string, value: string, detail = ""): HTMLElement =>
  h("div", {}, h("dt", {}, label), h("dd", {}, h("strong", {}, value), detail ? h("small", {}, detail) : null));

// The head of a page: what it is of, its name, a paragraph and a row of figures.
export const pageHead = (eyebrow: string, name: string, lead: string, tiles: Child[]): HTMLElement =>
  h(
    "header",
    { id: "top" },
    h("p", { class: "eyebrow" }, eyebrow),
    h("h1", {}, name),
    h("p", { class: "lead" }, lead),
    h("dl", { class: "tiles" }, ...tiles),
  );

export interface Table {
  columns: string[];
  rows: string[][];
}

export function tableElement({ columns, rows }: Table): HTMLElement {
  const head = h("tr", {}, ...columns.map((column) => h("th", { scope: "col" }, column)));
  const body = rows.map((cells) =>
    h("tr", {}, ...cells.map((cell, i) => (i === 0 ? h("th", { scope: "row" }, cell) : h("td", {}, cell)))),
  );
  return h("div", { class: "scroll" }, h("table", { class: "numbers" }, h("thead", {}, head), h("tbody", {}, ...body)));
}

export interface Figure {
  title: Child;
  note: string; // what it shows and how to read it
  content: Child[];
  table?: () => Table; // the same numbers for readers who do not see the picture; made when opened
  wide?: boolean;
}

export function figure({ title, note, content, table, wide }: Figure): HTMLElement {
  let details: HTMLElement | null = null;
  if (table) {
    const place = h("div");
    details = h(
      "details",
      { class: "as-table", ontoggle: () => place.replaceChildren(tableElement(table())) },
      h("summary", {}, "Numbers"),
      place,
    );
  }
  return h(
    "figure",
    { class: wide ? "card wide" : "card" },
    h("h3", {}, title),
    ...content,
    h("figcaption", {}, note),
    details,
  );
}

// Cards side by side as far as the width allows: at most two, or four small ones.
export const grid = (...children: Child[]) => h("div", { class: "grid" }, ...children);
export const smallGrid = (...children: Child[]) => h("div", { class: "grid small" }, ...children);
// One large card with smaller ones beside it.
export function pairedGrid(lead: HTMLElement | null, beside: HTMLElement[]): HTMLElement {
  if (!lead || beside.length === 0) return grid(lead, ...beside);
  return h("div", { class: "grid paired" }, lead, h("div", { class: "stack" }, ...beside));
}

// A text that follows a choice.
export function textOf<T>(chosen: Shared<T>, text: (value: T) => string): HTMLElement {
  const element = h("span");
  chosen.watch((value) => (element.textContent = text(value)));
  return element;
}

// The names of colours, for pictures with several lines.
export function legend(entries: { name: string; colour: string; kind?: "line" | "dot" | "faint" }[]): HTMLElement {
  return h(
    "ul",
    { class: "legend" },
    ...entries.map(({ name, colour, kind }) =>
      h("li", {}, h("span", { class: `key ${kind ?? "dot"}`, style: `--key: ${colour}` }), name),
    ),
  );
}

// One of a few: a row of radio buttons.
export function segments<T extends string>(name: string, options: [T, string][], chosen: Shared<T>): HTMLElement {
  const group = `${name}-${Math.random().toString(36).slice(2)}`;
  const inputs = options.map(([value]) =>
    h("input", { type: "radio", name: group, value, onchange: () => chosen.set(value) }),
  );
  chosen.watch((value) => {
    for (const input of inputs) input.checked = input.value === value;
  });
  return h(
    "fieldset",
    { class: "segments" },
    h("legend", {}, name),
    ...options.map(([, text], i) => h("label", {}, inputs[i], h("span", {}, text))),
  );
}

// One of many in an order: a list with a button to either side.
export function stepper(name: string, options: string[], chosen: Shared<number>): HTMLElement {
  const select = h(
    "select",
    { "aria-label": name, onchange: () => chosen.set(select.selectedIndex) },
    ...options.map((text) => h("option", {}, text)),
  );
  const move = (by: number) => chosen.set(Math.min(options.length - 1, Math.max(0, chosen.get() + by)));
  const back = h("button", { type: "button", "aria-label": `Previous ${name.toLowerCase()}`, onclick: () => move(-1) }, "‹");
  const forth = h("button", { type: "button", "aria-label": `Next ${name.toLowerCase()}`, onclick: () => move(1) }, "›");
  chosen.watch((index) => {
    select.selectedIndex = index;
    back.disabled = index === 0;
    forth.disabled = index === options.length - 1;
  });
  return h("div", { class: "stepper" }, back, select, forth);
}
