#!/usr/bin/env python3
"""How much sooner does a sparse model reach a dense one's loss? Same text, same active parameters, same batches.

For each seed a dense model (feed-forward of width k * F in every layer) and a sparse one (E experts of width F, k of them
per token with weights that add up to k, so that both layers compute at the same scale, and their router) train for the same
number of steps at a constant learning rate after warm-up, so that every evaluation counts as much as the last. Both are
evaluated on all held-out text every few steps. Time is that of the training steps alone. Ratio = time of the dense run /
time of the sparse run up to its first evaluation that is no worse than the dense model's last.

Usage: moe_vs_dense.py --witan build/release/witan --data FOLDER [--steps N] [--seeds 0 1 2] [--json]
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

HIDDEN, LAYERS, EXPERTS, CHOSEN, WIDTH = 128, 4, 16, 2, 128
COMMON = [
    f"--hidden-size={HIDDEN}", f"--num-hidden-layers={LAYERS}", "--num-attention-heads=4", "--num-key-value-heads=2",
    "--vocab-size=4096", "--batch-size=8", "--sequence-length=128", "--learning-rate=0.003",
    "--lr-scheduler-type=constant", "--warmup-ratio=0.1", "--save-minutes=0", "--heldout-share=0.005",
    f"--eval-tokens={1 << 40}",
]
KINDS = {
    "dense": [f"--decoder-sparse-step={LAYERS + 1}", f"--intermediate-size={CHOSEN * WIDTH}"],
    "sparse": [f"--num-experts={EXPERTS}", f"--num-experts-per-tok={CHOSEN}", f"--moe-intermediate-size={WIDTH}",
               "--weighting=sigmoid_topk_norm", f"--routed-scaling-factor={CHOSEN}"],
}


def train(arguments, kind: str, seed: int, tokenizer: str, output: pathlib.Path) -> list:
    """-> [(step, seconds of training up to it, held-out loss)], one per evaluation."""
    command = [arguments.witan, "train", arguments.data, "--output", str(output), *COMMON, *KINDS[kind],
               f"--steps={arguments.steps}", f"--eval-steps={arguments.eval_steps}", f"--seed={seed}",
               f"--tokenizer={tokenizer}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds, tokens, points = 0.0, 0, []
    for line in map(json.loads, (output / "metrics.jsonl").read_text(encoding="utf-8").splitlines()):
        if line["kind"] == "step":
            seconds += (line["tokens"] - tokens) / line["tokens_per_second"]
            tokens = line["tokens"]
        elif line["kind"] == "eval":
            points.append((line["step"], seconds, line["loss"]))
    return points


def compare(arguments, seed: int, tokenizer: str, folder: pathlib.Path) -> dict:
    dense = train(arguments, "dense", seed, tokenizer, folder / f"dense-{seed}")
    sparse = train(arguments, "sparse", seed, tokenizer, folder / f"sparse-{seed}")
    _, dense_seconds, target = dense[-1]
    reached = next(((step, seconds) for step, seconds, loss in sparse if loss <= target), None)
    return {
        "seed": seed, "dense_loss": target, "sparse_loss": sparse[-1][2], "dense_seconds": dense_seconds,
        "sparse_seconds": sparse[-1][1],
        "steps_to_reach": reached[0] if reached else None, "seconds_to_reach": reached[1] if reached else None,
        "ratio": dense_seconds / reached[1] if reached else None,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--witan", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--eval-steps", type=int, default=25)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        # One tokenizer for all: it must not depend on the seed.
        subprocess.run([arguments.witan, "train", arguments.data, "--output", str(folder / "tokenizer"), *COMMON,
                        *KINDS["dense"], "--steps=1"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        tokenizer = str(folder / "tokenizer" / "model")
        rows = []
        for seed in arguments.seeds:
            rows.append(compare(arguments, seed, tokenizer, folder))
            if arguments.json:
                print(json.dumps(rows[-1]), flush=True)
    if arguments.json:
        return 0
    print(f"{'seed':>4}  {'dense loss':>10}  {'sparse loss':>11}  {'dense s':>8}  {'to reach it, s':>14}  {'step':>6}  {'ratio':>6}")
    for row in rows:
        reached = row["seconds_to_reach"] is not None
        print(f"{row['seed']:>4}  {row['dense_loss']:>10.4f}  {row['sparse_loss']:>11.4f}  {row['dense_seconds']:>8.1f}  "
              f"{row['seconds_to_reach'] if reached else float('nan'):>14.1f}  {row['steps_to_reach'] or '-':>6}  "
              f"{row['ratio'] if reached else float('nan'):>6.2f}")
    ratios = [row["ratio"] for row in rows if row["ratio"] is not None]
    print(f"median ratio: {statistics.median(ratios):.2f}" if len(ratios) == len(rows)
          else f"reached by {len(ratios)} of {len(rows)} seeds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
