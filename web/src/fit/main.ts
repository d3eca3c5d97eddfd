// The page of a fitted mixture, from the data in it.
import "../theme.css";
import "./fit.css";
import { showPage, type Section } from "../layout.ts";
import { FitReport, type Report } from "./data.ts";
import { calibration } from "./sections/calibration.ts";
import { coefficients } from "./sections/coefficients.ts";
import { model } from "./sections/model.ts";
import { residuals } from "./sections/residuals.ts";
import { search } from "./sections/search.ts";
import { selection } from "./sections/selection.ts";
import { header } from "./sections/summary.ts";

const fit = new FitReport(JSON.parse(document.getElementById("data")!.textContent!) as Report);
const sections = [model(fit), coefficients(fit), residuals(fit), calibration(fit), selection(fit), search(fit)];
showPage(
  `${fit.report.name} – Witan fit`,
  header(fit),
  sections.filter((section): section is Section => section !== null),
);
