// What runs along the horizontal of a curve over time: steps, tokens read, or the clock.
import type { Point } from "../charts.ts";
import { count, duration, whole } from "../format.ts";
import { segments } from "../layout.ts";
import { Shared } from "../state.ts";
import type { Run } from "./data.ts";

export type Axis = "step" | "tokens" | "seconds";

const NAMES: Record<Axis, string> = { step: "Steps", tokens: "Tokens", seconds: "Time" };
const LABELS: Record<Axis, string> = { step: "step", tokens: "tokens", seconds: "after" };
const FORMATS: Record<Axis, (x: number) => string> = { step: whole, tokens: count, seconds: duration };

export class TimeAxis {
  readonly chosen = new Shared<Axis>("step");
  private readonly available: Axis[];

  constructor(private readonly run: Run) {
    const { tokens, seconds } = run.report.steps;
    this.available = ["step", ...(tokens ? ["tokens" as const] : []), ...(seconds ? ["seconds" as const] : [])];
  }

  control(): HTMLElement | null {
    return this.available.length < 2
      ? null
      : segments("Along the horizontal", this.available.map((axis) => [axis, NAMES[axis]]), this.chosen);
  }

  get label(): string {
    return LABELS[this.chosen.get()];
  }

  get format(): (x: number) => string {
    return FORMATS[this.chosen.get()];
  }

  // From the start to the last step, so that all curves lie above each other.
  get domain(): [number, number] {
    const { step } = this.run.report.steps;
    return [0, this.at(step[step.length - 1])];
  }

  // Where a step lies on the chosen axis: between two points of the thinned run, in proportion.
  at(step: number): number {
    const axis = this.chosen.get();
    if (axis === "step") return step;
    const steps = this.run.report.steps.step;
    const values = this.run.report.steps[axis]!;
    const after = steps.findIndex((known) => known >= step);
    if (after === -1) return values[values.length - 1] ?? 0;
    const right = values[after] ?? 0;
    const [leftStep, left] = after === 0 ? [0, 0] : [steps[after - 1], values[after - 1] ?? 0];
    return left + ((right - left) * (step - leftStep)) / Math.max(1, steps[after] - leftStep);
  }

  points(steps: number[], values: (number | null)[]): Point[] {
    return steps.flatMap((step, i) => {
      const y = values[i];
      return y === null || y === undefined ? [] : [{ x: this.at(step), y }];
    });
  }
}
