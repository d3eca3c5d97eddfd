// The data in the page, as src/inspection/inspection_json.cc writes it (the same as `witan inspect --json`).
import { layerName, type Analysed, type LayerAnalysis } from "../analysis/data.ts";
import { capital } from "../format.ts";
import { Shared } from "../state.ts";

type Value = number | null;

export interface Pairs {
  mean: Value;
  strongest: { a: number; b: number; value: Value }[];
  matrix: Value[][] | null; // null where there are too many experts
}

export interface MatrixStatistics {
  name: string;
  norm: Value[];
  spectral_norm: Value[];
  stable_rank: Value[];
  kurtosis: Value[];
  largest: Value[];
}

export interface LayerWeights {
  stack: string;
  layer: number;
  experts: number;
  matrices: MatrixStatistics[];
  router_norm: Value[];
  cosine: Pairs | null;
  matched: Pairs | null;
  matched_by_chance: Value;
  matched_neurons: number;
}

export interface LayerOutputs {
  rows: number[];
  norm: number[];
  weight: number[];
  weighted_norm: number[];
  largest: number[];
  largest_channel: number[];
  largest_token: (string | null)[];
  sampled_rows: number;
  sampled_norm: number[];
  rank_correlation: Value;
  largest_chosen: Value;
  chosen_by_chance: Value;
  cosine: Pairs | null;
}

export interface TextLayer extends LayerAnalysis {
  stack: string;
  dropped: number; // share of the choices that found no room
  entropy_by_domain: number[];
  together: Pairs | null;
  outputs: LayerOutputs | null;
}

export interface Text {
  reading: string | null; // who is shown what; null for a decoder, which reads the text
  tokens: number;
  bytes: number;
  bits_per_byte: Value;
  domains: { name: string; tokens: number; bytes: number; bits_per_byte: Value }[];
  layers: TextLayer[];
  super_experts: {
    experts: number;
    median: Value;
    quantile: Value;
    tenth: Value;
    found: { stack: string; layer: number; expert: number; largest: number }[];
  };
}

export interface ModelLayer {
  stack: string;
  layer: number;
  experts: number;
  experts_per_token: number;
  width: number;
  shared_width: number;
  window: number;
  parameters: number;
  active: number;
}

export interface Report {
  name: string;
  architecture: string;
  summary: string;
  kind: string;
  hidden_size: number;
  vocab_size: number;
  context: number;
  attention: string;
  routing: string;
  tied_embeddings: boolean;
  parameters: Record<"total" | "active" | "experts" | "shared" | "dense" | "attention" | "routing" | "outside", number>;
  layers: ModelLayer[];
  storage: { files: number; tensors: number; bytes: number; dtypes: { dtype: string; tensors: number; bytes: number }[] } | null;
  memory: { held_as: string; weights: number; per_position: number; whole_context: number; read_per_token: number };
  tokenizer: { vocab_size: number; files: string[]; bos: number; eos: number; chat_template: boolean } | null;
  notes: string[];
  weights: LayerWeights[] | null;
  text: Text | null;
}

// A layer with a mixture, with all that is known of it.
export interface Mixture {
  name: string;
  experts: number;
  weights: LayerWeights | null;
  text: TextLayer | null;
}

// For an axis: "3", or "enc. 3".
export const shortName = (layer: TextLayer) => layer.name?.replace(/^(...)[a-z]*/, "$1.") ?? String(layer.layer);

export class Inspection implements Analysed {
  readonly domains: string[];
  readonly analysed: TextLayer[];
  // What the pictures of one layer choose from; the analysed layers, where there was a text.
  readonly mixtures: Mixture[];
  readonly layer: Shared<number>;

  constructor(readonly report: Report) {
    this.domains = report.text?.domains.map((domain) => domain.name) ?? [];
    const weights = (report.weights ?? []).filter((layer) => layer.experts > 1);
    const several = new Set(report.layers.map((layer) => layer.stack)).size > 1;
    const named = <T extends { stack: string; layer: number }>(layer: T) => (several ? { ...layer, name: `${layer.stack} ${layer.layer}` } : layer);
    this.analysed = (report.text?.layers ?? []).filter((layer) => layer.experts > 1).map(named);
    this.mixtures = report.text
      ? this.analysed.map((text) => ({
          name: capital(layerName(text)),
          experts: text.experts,
          weights: weights.find((layer) => layer.stack === text.stack && layer.layer === text.layer) ?? null,
          text,
        }))
      : weights.map((layer) => ({
          name: capital(layerName(named(layer))),
          experts: layer.experts,
          weights: layer,
          text: null,
        }));
    this.layer = new Shared(Math.floor(this.mixtures.length / 2));
  }

  get chosen(): Mixture {
    return this.mixtures[Math.min(this.layer.get(), this.mixtures.length - 1)];
  }
}
