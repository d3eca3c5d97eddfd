// What the experts of a model do with a text, as src/training/analysis.cc writes it, and questions about it that several
// pages ask.
import type { Shared } from "../state.ts";

export interface TopToken {
  token: string;
  count: number | null;
  lift: number | null;
}

export interface LayerAnalysis {
  layer: number;
  name?: string; // "encoder 3", where "layer 3" would not do
  experts: number;
  load: number[];
  load_by_domain: number[][]; // domains × experts: share of the domain's rows
  entropy: number | null;
  top_tokens: TopToken[][];
}

export const layerName = (layer: { layer: number; name?: string }) => layer.name ?? `layer ${layer.layer}`;

// What the sections of this folder show.
export interface Analysed {
  readonly domains: string[];
  readonly analysed: LayerAnalysis[]; // with a choice of experts
  readonly layer: Shared<number>; // index into `analysed`
}

// The share of an expert's work that each domain would have if all domains were of one size.
export function composition(layer: LayerAnalysis, expert: number): number[] {
  const shares = layer.load_by_domain.map((domain) => domain[expert]);
  const sum = shares.reduce((a, b) => a + b, 0);
  return shares.map((share) => (sum > 0 ? share / sum : 0));
}

// The domain that an expert serves most, and how much of it.
export function favourite(layer: LayerAnalysis, expert: number): { domain: number; share: number } {
  const parts = composition(layer, expert);
  const share = Math.max(...parts);
  return { domain: parts.indexOf(share), share };
}
