// What the model writes.
import { h } from "../../dom.ts";
import type { Section } from "../../layout.ts";
import type { Run } from "../data.ts";

export function samples(run: Run): Section | null {
  const all = run.report.analysis?.samples ?? [];
  if (all.length === 0) return null;
  return {
    id: "samples",
    title: "Samples",
    intro: "The model goes on from the words in bold; the rest is its own.",
    content: [
      h(
        "div",
        { class: "samples" },
        ...all.map(({ prompt, text }) => {
          const continued = text.startsWith(prompt) ? text.slice(prompt.length) : text;
          return h("blockquote", { class: "card sample", dir: "auto" }, h("b", {}, prompt), continued);
        }),
      ),
    ],
  };
}
