#!/usr/bin/env python3
"""The robot arm of Jordan & Jacobs 1994, section 6.1: forward dynamics of a simulated arm with four joints, learned by a
linear regression, a network, a tree of regressions' means and hierarchical mixtures of experts.

12 inputs (four positions, velocities and torques), 4 outputs (accelerations), 15 000 rows to learn and 5 000 to test. The
paper does not print its arm: this one has unit point masses at the ends of four links of 0.5 m, the first joint turning about
the vertical and the others in the plane of the arm, gravity and friction; inputs are uniform and independent. So relative
errors (mean squared error over the variance of the outputs) can be compared within a run, not with the paper's digits.

Run: python3 bench/robot_arm.py --witan build/release/witan. About two minutes of one core. Needs nothing but Python.
"""

import argparse
import csv
import json
import math
import pathlib
import random
import subprocess
import tempfile
import time

JOINTS = 4
INPUTS = [f"{kind}{joint}" for kind in ("q", "v", "t") for joint in range(1, JOINTS + 1)]
OUTPUTS = [f"a{joint}" for joint in range(1, JOINTS + 1)]
LINK, MASS, GRAVITY, FRICTION = 0.5, 1.0, 9.81, 0.5


def ends(q):
    """Ends of the four links in space."""
    turn, pitch = q[0], 0.0
    reach, height, points = 0.0, 0.0, []
    for joint in range(JOINTS):
        pitch += q[joint] if joint > 0 else 0.0
        reach += LINK * math.cos(pitch)
        height += LINK * math.sin(pitch)
        points.append((reach * math.cos(turn), reach * math.sin(turn), height))
    return [coordinate for point in points for coordinate in point]


def solve(matrix, right):
    size = len(right)
    rows = [list(matrix[i]) + [right[i]] for i in range(size)]
    for i in range(size):
        pivot = max(range(i, size), key=lambda r: abs(rows[r][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for r in range(i + 1, size):
            factor = rows[r][i] / rows[i][i]
            for c in range(i, size + 1):
                rows[r][c] -= factor * rows[i][c]
    solution = [0.0] * size
    for i in reversed(range(size)):
        solution[i] = (rows[i][size] - sum(rows[i][c] * solution[c] for c in range(i + 1, size))) / rows[i][i]
    return solution


def accelerations(q, v, torque):
    """M(q) a = torque - J'm(dJ/dt v + g) - friction v, with the Jacobian J of the masses' positions by differences."""
    step = 1e-4
    moved = lambda direction, by: ends([a + by * b for a, b in zip(q, direction)])
    jacobian = []
    for joint in range(JOINTS):
        unit = [1.0 if other == joint else 0.0 for other in range(JOINTS)]
        jacobian.append([(a - b) / (2 * step) for a, b in zip(moved(unit, step), moved(unit, -step))])
    ahead, here, behind = moved(v, step), ends(q), moved(v, -step)
    bias = [(a - 2 * b + c) / step**2 for a, b, c in zip(ahead, here, behind)]
    for height in range(2, len(bias), 3):
        bias[height] += GRAVITY
    # A little inertia of the joints keeps the first one from vanishing when the arm points upwards.
    mass = [[MASS * sum(a * b for a, b in zip(jacobian[i], jacobian[j])) + (0.1 if i == j else 0.0) for j in range(JOINTS)]
            for i in range(JOINTS)]
    force = [torque[i] - MASS * sum(a * b for a, b in zip(jacobian[i], bias)) - FRICTION * v[i] for i in range(JOINTS)]
    return solve(mass, force)


def draw_rows(count, seed):
    generator = random.Random(seed)
    rows = []
    for _ in range(count):
        q = [generator.uniform(-math.pi, math.pi)] + [generator.uniform(-1.0, 1.0) for _ in range(JOINTS - 1)]
        v = [generator.uniform(-1.0, 1.0) for _ in range(JOINTS)]
        torque = [generator.uniform(-5.0, 5.0) for _ in range(JOINTS)]
        rows.append(q + v + torque + accelerations(q, v, torque))
    return rows


def relative_error(predicted, actual):
    """Mean over the outputs of mean squared error over variance."""
    errors = []
    for d in range(JOINTS):
        mean = sum(row[d] for row in actual) / len(actual)
        variance = sum((row[d] - mean) ** 2 for row in actual)
        errors.append(sum((p[d] - a[d]) ** 2 for p, a in zip(predicted, actual)) / variance)
    return sum(errors) / JOINTS


class Tree:
    """A regression tree of means on 64 quantiles of each input (CART's rule, without pruning), of several outputs."""

    BINS = 64

    def __init__(self, rows, least=20, depth=12):
        self.least, self.depth = least, depth
        self.cuts = []
        for j in range(len(INPUTS)):
            values = sorted(row[j] for row in rows)
            self.cuts.append([values[len(values) * b // self.BINS] for b in range(1, self.BINS)])
        self.binned = [[self.bin_of(j, row[j]) for j in range(len(INPUTS))] for row in rows]
        variances = [sum((row[12 + d]) ** 2 for row in rows) for d in range(JOINTS)]
        self.targets = [[row[12 + d] / math.sqrt(variances[d]) for d in range(JOINTS)] for row in rows]
        self.scales = [math.sqrt(value) for value in variances]
        self.root = self.grow(list(range(len(rows))), 0)

    def bin_of(self, j, value):
        cuts, low, high = self.cuts[j], 0, self.BINS - 1
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if value >= cuts[middle] else (low, middle)
        return low

    def grow(self, rows, depth):
        total = [sum(self.targets[n][d] for n in rows) for d in range(JOINTS)]
        best = (1e-12, None, None)
        base = sum(value * value for value in total) / len(rows)
        for j in range(len(INPUTS)) if depth < self.depth and len(rows) >= 2 * self.least else ():
            sums = [[0.0] * (JOINTS + 1) for _ in range(self.BINS)]
            for n in rows:
                cell, y = sums[self.binned[n][j]], self.targets[n]
                cell[0] += 1
                cell[1] += y[0]
                cell[2] += y[1]
                cell[3] += y[2]
                cell[4] += y[3]
            left = [0.0] * (JOINTS + 1)
            for b in range(self.BINS - 1):
                left = [a + c for a, c in zip(left, sums[b])]
                right = len(rows) - left[0]
                if left[0] < self.least or right < self.least:
                    continue
                gain = sum(a * a for a in left[1:]) / left[0] + sum((t - a) ** 2 for t, a in zip(total, left[1:])) / right
                if gain - base > best[0]:
                    best = (gain - base, j, b)
        if best[1] is None:
            return [value / len(rows) for value in total]
        _, j, b = best
        return (j, b, self.grow([n for n in rows if self.binned[n][j] <= b], depth + 1),
                self.grow([n for n in rows if self.binned[n][j] > b], depth + 1))

    def predict(self, row):
        node = self.root
        while isinstance(node, tuple):
            j, b, low, high = node
            node = low if self.bin_of(j, row[j]) <= b else high
        return [value * scale for value, scale in zip(node, self.scales)]


def write_table(path, rows):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(INPUTS + OUTPUTS)
        writer.writerows([f"{value:.9g}" for value in row] for row in rows)


def witan(program, folder, name, options):
    """Fits, and shows the relative error on the test rows and the iterations that the best run took."""
    model, numbers, predictions = folder / "model.json", folder / "fit.json", folder / "predictions.csv"
    begin = time.monotonic()
    subprocess.run([program, "fit", folder / "train.csv", "--target", ",".join(OUTPUTS), "--covariance", "diagonal",
                    "--no-polish", "--output", model, "--json", numbers, *options], check=True, capture_output=True)
    seconds = time.monotonic() - begin
    subprocess.run([program, "predict", model, folder / "test.csv", "--output", predictions], check=True, capture_output=True)
    with open(predictions, newline="") as file:
        predicted = [[float(row[f"mean[{output}]"]) for output in OUTPUTS] for row in csv.DictReader(file)]
    with open(folder / "test.csv", newline="") as file:
        actual = [[float(row[output]) for output in OUTPUTS] for row in csv.DictReader(file)]
    fit = json.loads(numbers.read_text())
    show(name, relative_error(predicted, actual), fit["restarts"][0]["iterations"], seconds)


def show(name, error, epochs, seconds):
    print(f"{name:<34} {error:>8.3f} {epochs:>8} {seconds:>8.1f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--witan", required=True, type=pathlib.Path)
    parser.add_argument("--rows", type=int, default=15000)
    arguments = parser.parse_args()
    train, test = draw_rows(arguments.rows, 1), draw_rows(arguments.rows // 3, 2)
    print(f"{len(train)} rows to learn, {len(test)} to test\n{'system':<34} {'error':>8} {'epochs':>8} {'seconds':>8}")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_table(folder / "train.csv", train)
        write_table(folder / "test.csv", test)
        run = lambda title, *options: witan(arguments.witan, folder, title, options)
        run("linear", "--experts", "1")
        begin = time.monotonic()
        tree = Tree(train)
        error = relative_error([tree.predict(row) for row in test], [row[12:] for row in test])
        show("tree of means", error, 1, time.monotonic() - begin)
        run("backpropagation, 60 hidden units", "--experts", "1", "--expert-hidden", "60", "--restarts", "1", "--epochs", "60",
            "--max-iterations", "20")
        for iterations in (10, 35):
            run(f"HME 2x2x2x2, batch, {iterations} iterations", "--tree", "2x2x2x2", "--restarts", "1", "--start", "random",
                "--max-iterations", str(iterations))
        run("HME 2x2x2x2, batch, best of 3", "--tree", "2x2x2x2", "--restarts", "3", "--max-iterations", "35")
        run("HME 2x2x2x2, 5 iterations, on-line", "--tree", "2x2x2x2", "--stream", "--stream-start-rows", "5000", "--stream-passes",
            "2", "--restarts", "1", "--start", "random", "--max-iterations", "5", "--batch-rows", "200")


if __name__ == "__main__":
    main()
