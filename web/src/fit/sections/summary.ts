// The head of the page: what was fitted to what, how well, and whether it is a proven maximum.
import { fixed, list, number, plural, whole } from "../../format.ts";
import { pageHead, tile } from "../../layout.ts";
import type { FitReport } from "../data.ts";

const FAMILIES: Record<string, string> = {
  gaussian: "Gaussian",
  laplace: "Laplace",
  student_t: "Student-t",
  logistic: "logistic",
  multinomial: "multinomial logistic",
  poisson: "Poisson",
  gamma: "gamma",
};

function certificate({ report }: FitReport): [string, string] {
  const { maximum, gradient_norm, reason } = report.certificate;
  if (report.degenerate) return ["Degenerate", report.degenerate_reason];
  if (maximum) return ["Maximum", `gradient ${number(gradient_norm)}, proven`];
  return [report.converged ? "Converged" : "Not converged", reason];
}

export function header(fit: FitReport): HTMLElement {
  const { report } = fit;
  const names = fit.inputNames;
  const family = FAMILIES[report.family] ?? report.family;
  const inputs = names.length === 0 ? "without inputs" : `given ${names.length <= 6 ? list(names) : plural(names.length, "input")}`;
  const lead =
    `The distribution of ${list(report.targets)} ${inputs}: a mixture of ${plural(report.experts, `${family} expert`)},` +
    ` weighed by a ${report.gate} gate, fitted to ${plural(report.rows, "record")}` +
    `${report.rows_dropped ? ` (${plural(report.rows_dropped, "row")} with missing values left out)` : ""}.`;
  const [state, detail] = certificate(fit);
  return pageHead("Mixture of experts", report.name, lead, [
    tile("Log-likelihood", fixed(report.log_likelihood, 3), plural(report.df, "parameter")),
    tile("BIC", fixed(report.bic, 2), "−2 L + df log n"),
    tile("AIC", fixed(report.aic, 2), "−2 L + 2 df"),
    tile("Experts", whole(report.experts), `${report.sizes.map((size) => whole(size)).slice(0, 6).join(", ")}${report.sizes.length > 6 ? ", …" : ""} records`),
    tile("Certificate", state, detail),
  ]);
}
