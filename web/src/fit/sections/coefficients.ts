// The parameters in the user's units, a table for the gate and one for each expert.
import { h } from "../../dom.ts";
import { number } from "../../format.ts";
import { tableElement, type Section } from "../../layout.ts";
import type { FitReport, Parameter } from "../data.ts";

const termOf = (one: Parameter) => (one.target ? `${one.target}: ${one.term}` : one.term);

// Two digits say enough about a probability; below a ten-thousandth only that it is.
const pText = (p: number | null) => (p === null ? "" : p < 1e-4 ? "< 0.0001" : p.toPrecision(2));

function card(title: string, parameters: Parameter[]): HTMLElement {
  const odds = parameters.some((one) => one.odds_ratio != null);
  const table = tableElement({
    columns: ["Term", "Estimate", "Std. error", "z", "p", ...(odds ? ["Odds ratio"] : [])],
    rows: parameters.map((one) => [
      termOf(one),
      number(one.estimate),
      one.standard_error === null ? "NA" : number(one.standard_error),
      one.z === null ? "" : one.z.toFixed(2),
      pText(one.p_value),
      ...(odds ? [one.odds_ratio == null ? "" : number(one.odds_ratio)] : []),
    ]),
  });
  const reason = parameters.find((one) => one.reason)?.reason;
  return h("div", { class: "card coefficients" }, h("h3", {}, title), table, reason ? h("p", { class: "kindly" }, `NA: ${reason}.`) : null);
}

export function coefficients({ report }: FitReport): Section | null {
  if (report.parameters.length === 0) return null;
  const parts = [...new Set(report.parameters.map((one) => one.part))];
  return {
    id: "coefficients",
    title: "Coefficients",
    intro:
      "In the units of the table. Standard errors come from the observed information at the maximum; the gate's odds are" +
      " against expert 1, or against the first child of a node.",
    content: [
      h(
        "div",
        { class: "grid" },
        ...parts.map((part) =>
          card(
            part === "gate" ? "Gate" : part.replace(/^e/, "E"),
            report.parameters.filter((one) => one.part === part),
          ),
        ),
      ),
    ],
  };
}
