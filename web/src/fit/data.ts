// The data in the page, as apps/witan/fit.cc writes it (the same as `witan fit --json`).
import { Shared } from "../state.ts";

type Value = number | null;

export interface Parameter {
  part: string;
  target: string;
  term: string;
  estimate: Value;
  standard_error: Value;
  z: Value;
  p_value: Value;
  reason?: string;
  odds_ratio?: Value;
}

export interface Input {
  name: string;
  levels: string[]; // of a category; none: numbers
  low: number;
  high: number;
  usual: number;
}

export interface Profile {
  input: number;
  at: number[];
  gate: Value[][];
  means: Value[][];
  experts: Value[][];
  quantiles: Value[][];
  influence: number;
}

export interface GateMap {
  x: number;
  y: number;
  at_x: number[];
  at_y: number[];
  gate: Value[][];
}

export interface SeenRow {
  inputs: number[];
  target: number;
  mean: Value;
  deviation: Value;
  pit: Value;
  residual: Value;
  posterior: number[];
}

export interface Calibration {
  rows: number;
  nll: Value;
  rmse?: Value;
  crps?: Value;
  crps_reason?: string;
  pit?: { low: number; high: number; share: Value }[];
  coverage?: { level: number; share: Value }[];
  accuracy?: number;
  brier?: number;
  ece?: number;
  reliability?: { low: number; high: number; weight: number; confidence: Value; accuracy: Value }[];
}

export interface Selected {
  family: string;
  experts: number;
  log_likelihood: number;
  df: number;
  aic: number;
  bic: number;
  icl: number;
  degenerate: boolean;
}

export interface Restart {
  number: number;
  start: string;
  objective: Value;
  iterations: number;
  finished: boolean;
  degenerate: boolean;
  note: string;
}

export interface Report {
  name: string;
  family: string;
  experts: number;
  gate: string;
  rows: number;
  rows_dropped: number;
  log_likelihood: Value;
  df: number;
  aic: Value;
  bic: Value;
  icl: Value;
  sizes: number[];
  members: number[];
  converged: boolean;
  degenerate: boolean;
  degenerate_reason: string;
  notes: string[];
  parameters: Parameter[];
  restarts: Restart[];
  certificate: { maximum: boolean; gradient_norm: Value; smallest_eigenvalue: Value; monotone: boolean; reason: string };
  history: Value[];
  criterion: "aic" | "bic" | "icl";
  targets: string[];
  classes: string[];
  calibration: Calibration;
  figures: {
    inputs: Input[];
    profiles: Profile[];
    maps: GateMap[];
    rows: SeenRow[];
    of_rows: number;
    band_levels: number[];
  };
  selection: Selected[];
}

export class FitReport {
  // Number of the profile that is looked at.
  readonly chosen = new Shared(0);

  constructor(readonly report: Report) {}

  get isClass(): boolean {
    return this.report.classes.length > 0;
  }

  input(profile: Profile): Input {
    return this.report.figures.inputs[profile.input];
  }

  get inputNames(): string[] {
    return this.report.figures.profiles.map((profile) => this.input(profile).name);
  }

  // Points of a curve, without the holes.
  points(profile: Profile, values: Value[]): { x: number; y: number }[] {
    return profile.at.flatMap((x, i) => (values[i] === null ? [] : [{ x, y: values[i]! }]));
  }
}

export const expertName = (index: number) => `Expert ${index + 1}`;

// The expert with the largest posterior.
export const ownerOf = (row: SeenRow) => row.posterior.indexOf(Math.max(...row.posterior));
