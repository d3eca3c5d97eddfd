// Every setting of the run, to look one up and to repeat the run.
import { h } from "../../dom.ts";
import { plural } from "../../format.ts";
import type { Section } from "../../layout.ts";
import type { Run, Setting } from "../data.ts";

const text = (value: Setting): string =>
  Array.isArray(value) ? value.map(text).join(", ") : value === null ? "none" : typeof value === "boolean" ? (value ? "yes" : "no") : String(value);

export function settings(run: Run): Section | null {
  const all = Object.entries(run.report.run.settings);
  if (all.length === 0) return null;
  const rows = all.map(([name, value]) =>
    h("div", { "data-text": `${name} ${text(value)}`.toLowerCase() }, h("dt", {}, name), h("dd", {}, text(value) || "–")),
  );
  const shown = h("output", { class: "found" }, plural(all.length, "setting"));
  const search = h("input", {
    type: "search",
    placeholder: "Find a setting",
    "aria-label": "Find a setting",
    oninput: () => {
      const wanted = search.value.toLowerCase().replaceAll(" ", "_");
      for (const row of rows) row.hidden = !row.dataset.text!.replaceAll(" ", "_").includes(wanted);
      const left = rows.filter((row) => !row.hidden).length;
      shown.textContent = left === all.length ? plural(all.length, "setting") : `${left} of ${plural(all.length, "setting")}`;
    },
  });
  return {
    id: "settings",
    title: "Settings",
    intro: "All that the run was started with.",
    content: [
      h(
        "details",
        { class: "card settings", open: true },
        h("summary", {}, "Show or hide"),
        h("div", { class: "choices" }, search, shown),
        h("dl", {}, ...rows),
      ),
    ],
  };
}
