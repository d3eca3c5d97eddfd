#!/usr/bin/env python3
"""Prints what a trained run writes after the beginnings of held-out texts, in up to three of its domains.

Usage: show_samples.py RUN
"""

import json
import pathlib
import sys

SHOWN = 3
LENGTH = 240


def main() -> int:
    analysis = json.loads((pathlib.Path(sys.argv[1]) / "analysis.json").read_text(encoding="utf-8"))
    samples = [sample for sample in analysis["samples"] if sample["domain"] != "code"] or analysis["samples"]
    # Spread over the domains, which stand in the order of their names.
    chosen = samples if len(samples) <= SHOWN else [samples[i * (len(samples) - 1) // (SHOWN - 1)] for i in range(SHOWN)]
    for sample in chosen:
        print(f"{sample['domain']}: \033[1m{sample['prompt']}\033[0m{sample['text'][:LENGTH]}" if sys.stdout.isatty()
              else f"{sample['domain']}: [{sample['prompt']}] {sample['text'][:LENGTH]}")
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
