#!/usr/bin/env python3
"""Effects that papers on sparse experts report, looked for in small: one `witan compare` for all of them.

Each effect names the candidates that show it, of the same model, text, steps and active parameters. All candidates of one
seed run before the next seed; interrupted, the same command goes on. Outcomes: docs/published-routing.md.

Usage: published_effects.py --witan build/release/witan --data FOLDER --output FOLDER [--seeds 3] [--steps N]
"""

import argparse
import json
import pathlib
import subprocess
import sys

FINE = "num_experts=32,num_experts_per_tok=4,moe_intermediate_size=32"
EFFECTS = {
    "Noisy top-k without and with balance losses of 0.1 each (Shazeer et al. 2017: load 17.8 against 1.14)": [
        "noisy_top_k:noisy_load_coef=0,importance_coef=0",
        "noisy_top_k:noisy_load_coef=0.1,importance_coef=0.1",
    ],
    "Balanced hash against Switch, one expert per token (Roller et al. 2021: perplexity 23.23 against 23.73)": [
        "hash:num_experts=8,num_experts_per_tok=1,moe_intermediate_size=128",
        "switch",
    ],
    "Balancing: none, by a loss, by a bias (Wang et al. 2024: load 1.72 against 1.04, perplexity 9.56 against 9.50)": [
        "top_k:weighting=sigmoid_topk_norm,router_aux_loss_coef=0",
        "top_k:weighting=sigmoid_topk_norm,router_aux_loss_coef=0.01",
        "loss_free:bias_update_rate=0.01",
    ],
    "Not of a paper: the experts' output twice as large, which a hash and shared experts bring along": [
        "top_k:weighting=sigmoid_topk_norm,router_aux_loss_coef=0.01",
        "top_k:weighting=sigmoid_topk_norm,router_aux_loss_coef=0.01,routed_scaling_factor=2",
    ],
    "Variance of the gate's initial weights, x1 against x0.1 (Fedus et al. 2021: the smaller is better)": [
        "switch:router_init_scale=1",
        "switch:router_init_scale=0.1",
    ],
    "Coarse against fine experts, equal compute (Muennighoff et al. 2024, Dai et al. 2024: finer is better)": [
        "top_k:weighting=softmax_then_topk,num_experts=8,num_experts_per_tok=1,moe_intermediate_size=128",
        "top_k:weighting=softmax_then_topk,num_experts=64,num_experts_per_tok=8,moe_intermediate_size=16",
        "top_k:num_experts=64,num_experts_per_tok=8,moe_intermediate_size=16",
    ],
    "One of four experts shared by all tokens, or none (Dai et al. 2024: shared is better; OLMoE: slightly worse)": [
        f"top_k:{FINE}",
        "top_k:num_experts=31,num_experts_per_tok=3,moe_intermediate_size=32,n_shared_experts=1",
    ],
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--witan", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--output", required=True, type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, help="of each run (default: the preset's)")
    arguments = parser.parse_args()

    routers = list(dict.fromkeys(text for texts in EFFECTS.values() for text in texts))
    command = [arguments.witan, "compare", arguments.data, "--preset", "zoo", "--output", str(arguments.output),
               "--seeds", str(arguments.seeds), "--routers", *routers]
    if arguments.steps:
        command += ["--steps", str(arguments.steps)]
    status = subprocess.run(command, check=False).returncode
    if status != 0:
        return status

    result = json.loads((arguments.output / "comparison.json").read_text(encoding="utf-8"))
    found = {candidate["label"]: candidate for candidate in result["candidates"]}
    for effect, texts in EFFECTS.items():
        print(f"\n{effect}\n\n| candidate | bits per byte | max/mean | dead | entropy |\n|---|---|---|---|---|")
        for text in texts:
            print("|", " | ".join(row(text, found[text])), "|")
    return 0


def row(text: str, candidate: dict) -> list:
    bits = candidate["bits_per_byte"]
    if bits["mean"] is None:
        return [f"`{text}`", "diverged", "", "", ""]
    spread = "" if bits["deviation"] is None else f" ± {bits['deviation']:.4f}"
    cells = [f"`{text}`", f"{bits['mean']:.4f}{spread}"]
    return cells + [f"{candidate[key]:.2f}" for key in ("load", "dead", "entropy")]


if __name__ == "__main__":
    sys.exit(main())
