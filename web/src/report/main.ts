// The report of a training run, from the data in the page.
import "../theme.css";
import "./report.css";
import "../analysis/analysis.css";
import { experts } from "../analysis/experts.ts";
import { tokens } from "../analysis/tokens.ts";
import { showPage, type Section } from "../layout.ts";
import { Run, type Report } from "./data.ts";
import { learning } from "./sections/learning.ts";
import { routing } from "./sections/routing.ts";
import { samples } from "./sections/samples.ts";
import { settings } from "./sections/settings.ts";
import { speed } from "./sections/speed.ts";
import { header } from "./sections/summary.ts";
import { TimeAxis } from "./time_axis.ts";

const run = new Run(JSON.parse(document.getElementById("data")!.textContent!) as Report);
const axis = new TimeAxis(run);
const sections = [
  learning(run, axis),
  experts(run, "The work of the experts on held-out text, once training was over."),
  tokens(run),
  routing(run, axis),
  samples(run),
  speed(run, axis),
  settings(run),
].filter((section): section is Section => section !== null);
showPage(`${run.report.name} – Witan report`, header(run), sections);
