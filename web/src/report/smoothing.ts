// What is drawn of a noisy curve: its course without the noise, and the range of the vertical that shows it.

// The mean of the neighbours on both sides, so that the curve does not lag behind. Long runs are smoothed over more
// points; the steep start over few, which would otherwise be flattened.
export function smooth(values: (number | null)[]): (number | null)[] {
  const widest = Math.min(24, values.length / 30);
  return values.map((value, i) => {
    if (value === null) return null;
    const reach = Math.floor(Math.min(widest, i / 4));
    const near = values.slice(i - reach, i + reach + 1).filter((other): other is number => other !== null);
    return near.reduce((a, b) => a + b, 0) / near.length;
  });
}

// The vertical range of a falling curve: all of it but the steep start, which would flatten the rest. `fit` are values
// that must be seen.
export function fallingDomain(lines: { points: { y: number }[] }[], fit: number[]): [number, number] | undefined {
  const values = lines.flatMap((line) => line.points.slice(Math.floor(line.points.length * 0.02)).map((p) => p.y));
  const all = [...values, ...fit];
  if (all.length === 0) return undefined;
  const low = Math.min(...all);
  const high = Math.max(...all);
  const room = 0.05 * (high - low || Math.abs(high) || 1);
  return [low - room, high + room];
}
