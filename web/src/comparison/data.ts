// The data in the page, as src/report/comparison.cc writes it, and the order in which candidates are shown.
import { Shared } from "../state.ts";

type Series = (number | null)[];

export interface Curves {
  step: Series;
  bits_per_byte: Series;
  load: Series;
  dropped: Series;
  entropy: Series;
  dead: Series;
  evals?: { step: number; bits_per_byte: number | null }[];
}

export interface Candidate {
  label: string;
  seeds: number[];
  bits_per_byte: { mean: number | null; deviation: number | null; seeds?: (number | null)[] };
  loss: number | null;
  tokens_per_second: number | null;
  routing_share: number | null;
  routing_microseconds_per_row: number | null;
  parameters?: { total?: number; active?: number };
  load: number | null;
  dropped: number | null;
  entropy: number | null;
  dead: number | null;
  diverged: string[];
  curves: Curves | null;
}

export interface Report {
  name: string;
  candidates: Candidate[];
}

export class Comparison {
  // Best first; those that diverged last.
  readonly candidates: Candidate[];
  readonly chosen = new Shared(0);

  constructor(readonly report: Report) {
    const bits = (candidate: Candidate) => candidate.bits_per_byte.mean ?? Infinity;
    this.candidates = [...report.candidates].sort((a, b) => bits(a) - bits(b));
  }

  get seeds(): number {
    return Math.max(0, ...this.candidates.map((candidate) => candidate.seeds.length));
  }

  get lastStep(): number {
    return Math.max(1, ...this.candidates.map((candidate) => candidate.curves?.step[candidate.curves.step.length - 1] ?? 0));
  }
}
