// The data of a report as src/report/ writes it into the page, and questions about it that several sections ask.
// Lists along time have one entry per point; null where a quantity was not finite.
import type { Analysed, LayerAnalysis } from "../analysis/data.ts";
import { Shared } from "../state.ts";

type Curve = (number | null)[];
export type Setting = string | number | boolean | null | (string | number | boolean | null)[];

export interface Score {
  loss: number | null; // nats per token
  bits_per_byte: number | null;
}

export interface Evaluation extends Score {
  step: number;
  domains: Record<string, Score>;
}

export interface Steps {
  step: number[];
  tokens?: Curve;
  seconds?: Curve;
  loss?: Curve;
  loss_min?: Curve;
  loss_max?: Curve;
  bits_per_byte?: Curve;
  learning_rate?: Curve;
  gradient_norm?: Curve;
  gradient_norm_max?: Curve;
  tokens_per_second?: Curve;
  peak_memory_bytes?: Curve;
  balance: Record<string, Curve>;
}

export interface LayerCurves {
  layer: number;
  experts: number;
  step: number[];
  load: (number | null)[][]; // points × experts: share of the rows
  max_over_mean?: Curve;
  dropped_share?: Curve;
  router_entropy?: Curve;
  dead_experts?: Curve;
  mean_z?: Curve;
}

export interface Analysis {
  domains: string[];
  layers: LayerAnalysis[];
  samples: { prompt: string; text: string }[];
  compressors: Record<string, number>;
}

export interface Report {
  name: string;
  run: {
    settings: Record<string, Setting>;
    resumed: number;
    parameters?: { total?: number; active?: number };
    domains?: string[];
    train_bytes?: number | null;
    heldout_bytes?: number | null;
    threads?: number | null;
    started?: string;
  };
  steps: Steps;
  layers: LayerCurves[];
  evals: Evaluation[];
  analysis: Analysis | null;
}

export const last = (curve: Curve | undefined) => curve?.filter((value) => value !== null).pop() ?? null;
export const first = (curve: Curve | undefined) => curve?.find((value) => value !== null) ?? null;

export class Run implements Analysed {
  readonly domains: string[];
  // Index into the layers that have a mixture, shared by every picture of one layer.
  readonly layer: Shared<number>;

  constructor(readonly report: Report) {
    this.domains = report.analysis?.domains.length ? report.analysis.domains : (report.run.domains ?? []);
    this.layer = new Shared(Math.floor((report.analysis?.layers.length || report.layers.length) / 2));
  }

  // Routing says something only where there is a choice.
  get mixtures(): LayerCurves[] {
    return this.report.layers.filter((layer) => layer.experts > 1);
  }

  get analysed(): LayerAnalysis[] {
    return (this.report.analysis?.layers ?? []).filter((layer) => layer.experts > 1);
  }

  // Colours go by the place in this list, so that a domain looks the same everywhere.
  domainIndex(name: string): number {
    return Math.max(0, this.domains.indexOf(name));
  }

  // A setting by its own name, wherever it is nested: "num_experts" finds "model.num_experts".
  setting(name: string): Setting | undefined {
    const key = Object.keys(this.report.run.settings).find((key) => key === name || key.endsWith(`.${name}`));
    return key === undefined ? undefined : this.report.run.settings[key];
  }

  settingNumber(name: string): number | undefined {
    const value = this.setting(name);
    return typeof value === "number" ? value : undefined;
  }

  get finalEvaluation(): Evaluation | undefined {
    return this.report.evals[this.report.evals.length - 1];
  }

  // Held-out where there is such text, else of the last steps.
  get bitsPerByte(): number | null {
    return this.finalEvaluation?.bits_per_byte ?? last(this.report.steps.bits_per_byte);
  }
}
