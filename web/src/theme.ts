// Light and dark: which one is shown, and the colours that pictures take from it. The colours of text and surfaces are
// in theme.css.
import { interpolateLab, piecewise } from "d3-interpolate";
import { h } from "./dom.ts";
import { Shared } from "./state.ts";

export type Choice = "auto" | "light" | "dark";
export type Scheme = "light" | "dark";

// Categories keep their colour through the whole page. Okabe and Ito's palette for colour-blind readers, ordered so
// that neighbours differ in lightness too, with the dark scheme's entries lifted and yellow replaced: it vanishes on
// white.
const CATEGORIES: Record<Scheme, string[]> = {
  light: ["#0072b2", "#e08e00", "#009e73", "#c25a92", "#56b4e9", "#c24a00", "#6a51a3", "#8a9a1f", "#a3123f", "#7a4a1e"],
  dark: ["#4ea3e0", "#f0ab33", "#2fc194", "#e08dbd", "#8fd0f7", "#f07a3c", "#a893e6", "#bccb55", "#f0708f", "#c39468"],
};

// From less than a fair share over a fair one to more; readable with every kind of colour blindness.
const DIVERGING: Record<Scheme, string[]> = {
  light: ["#4878b4", "#a5c1e2", "#f4f4f1", "#f0a860", "#a64a00"],
  dark: ["#4a7cbd", "#304d70", "#262b34", "#a9682a", "#ffb066"],
};

// From the first layer to the last.
const ORDERED: Record<Scheme, string[]> = {
  light: ["#3b2a7a", "#2a788e", "#35a06b", "#b3b41d"],
  dark: ["#9a86f0", "#4fb3c8", "#6fd39a", "#f2e46a"],
};

export interface Colours {
  scheme: Scheme;
  category: (index: number) => string;
  diverging: (t: number) => string;
  ordered: (t: number) => string;
  accent: string;
  faint: string;
  text: string;
  muted: string;
  surface: string;
}

export function coloursOf(scheme: Scheme): Colours {
  const categories = CATEGORIES[scheme];
  return {
    scheme,
    // Where there are more categories than colours the further rounds are darker, or paler on dark.
    category: (index) => {
      const round = Math.floor(index / categories.length);
      const colour = categories[index % categories.length];
      return round === 0 ? colour : interpolateLab(colour, scheme === "light" ? "#000000" : "#ffffff")(1 - 0.55 ** round);
    },
    diverging: piecewise(interpolateLab, DIVERGING[scheme]),
    ordered: piecewise(interpolateLab, ORDERED[scheme]),
    ...(scheme === "light"
      ? { accent: "#0b6b5d", faint: "#d9dde3", text: "#1a1f27", muted: "#59636f", surface: "#ffffff" }
      : { accent: "#58c9b1", faint: "#2f3743", text: "#e8ebf0", muted: "#9aa5b3", surface: "#191d24" }),
  };
}

// Black or white, whichever reads better on the colour ("rgb(1, 2, 3)" or "#010203").
export function inkOn(colour: string): string {
  const [r, g, b] = colour.startsWith("#")
    ? [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16))
    : (colour.match(/[\d.]+/g) ?? ["0", "0", "0"]).map(Number);
  const linear = (part: number) => ((part / 255 + 0.055) / 1.055) ** 2.4;
  return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b) > 0.19 ? "#10141a" : "#ffffff";
}

const STORE = "witan-theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const paper = matchMedia("print");

// The address may force a scheme (?theme=dark); a click on the switch is remembered where the browser allows it.
function initialChoice(): Choice {
  const asked = new URLSearchParams(location.search).get("theme");
  if (asked === "light" || asked === "dark") return asked;
  try {
    const kept = localStorage.getItem(STORE);
    if (kept === "light" || kept === "dark") return kept;
  } catch {
    // Pages opened from a file may have no storage.
  }
  return "auto";
}

const choice = new Shared<Choice>(initialChoice());
export const colours = new Shared<Colours>(coloursOf("light"));

function apply(): void {
  const wanted = choice.get();
  // On paper always light: a dark page wastes ink and prints badly.
  const scheme: Scheme = paper.matches ? "light" : wanted === "auto" ? (system.matches ? "dark" : "light") : wanted;
  document.documentElement.dataset.theme = scheme;
  if (colours.get().scheme !== scheme) colours.set(coloursOf(scheme));
}

export function followTheme(): void {
  choice.watch(apply);
  system.addEventListener("change", apply);
  paper.addEventListener("change", apply);
}

const LABELS: Record<Choice, string> = { auto: "Auto", light: "Light", dark: "Dark" };

export function themeSwitch(): HTMLElement {
  const button = h("button", {
    type: "button",
    class: "theme-switch",
    onclick: () => {
      const next: Choice = choice.get() === "auto" ? "light" : choice.get() === "light" ? "dark" : "auto";
      choice.set(next);
      try {
        localStorage.setItem(STORE, next);
      } catch {
        // See above: then the choice lasts as long as the page is open.
      }
    },
  });
  choice.watch((value) => {
    button.textContent = LABELS[value];
    button.dataset.choice = value;
    button.setAttribute("aria-label", `Colours: ${LABELS[value]}. Press to change.`);
  });
  return button;
}
