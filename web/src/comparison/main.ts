// A comparison of routers, from the data in the page.
import "../theme.css";
import "./comparison.css";
import { showPage } from "../layout.ts";
import { Comparison, type Report } from "./data.ts";
import { cost } from "./sections/cost.ts";
import { header, result } from "./sections/result.ts";
import { overTime } from "./sections/over_time.ts";

const comparison = new Comparison(JSON.parse(document.getElementById("data")!.textContent!) as Report);
showPage(`${comparison.report.name} – Witan comparison`, header(comparison), [
  result(comparison),
  ...overTime(comparison),
  cost(comparison),
]);
