// What was found in a model, from the data in the page.
import "../theme.css";
import "../analysis/analysis.css";
import "./inspect.css";
import { experts } from "../analysis/experts.ts";
import { tokens } from "../analysis/tokens.ts";
import { layerName } from "../analysis/data.ts";
import { capital, count, list, percent } from "../format.ts";
import { showPage, type Section } from "../layout.ts";
import { Inspection, type Report } from "./data.ts";
import { anatomy } from "./sections/anatomy.ts";
import { likeness } from "./sections/likeness.ts";
import { outputs } from "./sections/outputs.ts";
import { header } from "./sections/summary.ts";
import { superExperts } from "./sections/super_experts.ts";
import { together } from "./sections/together.ts";
import { weights } from "./sections/weights.ts";

const inspection = new Inspection(JSON.parse(document.getElementById("data")!.textContent!) as Report);
const text = inspection.report.text;
const dropped = inspection.analysed.filter((layer) => layer.dropped > 0);
const work = [
  `The work of the experts on ${count(text?.tokens)} tokens of the text.`,
  text?.reading ? `${capital(text.reading)}.` : "",
  dropped.length ? `Choices that found no room with their expert: ${list(dropped.map((layer) => `${percent(layer.dropped)} in ${layerName(layer)}`))}.` : "",
].join(" ");
const sections = [
  anatomy(inspection),
  experts(inspection, work),
  tokens(inspection),
  together(inspection),
  outputs(inspection),
  superExperts(inspection),
  likeness(inspection),
  weights(inspection),
].filter((section): section is Section => section !== null);
showPage(`${inspection.report.name} – Witan inspect`, header(inspection), sections);
