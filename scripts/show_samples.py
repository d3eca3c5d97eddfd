#!/usr/bin/env python3
"""Prints what a trained run writes after the beginnings of held-out texts, in up to three of its domains.

Usage: show_samples.py RUN
"""

import json
import pathlib
import sys

SHOWN = 3
LENGTH = 240

# Control characters command a terminal: their pictures do not.
PICTURES = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"}
PICTURES |= {0x7F: 0x2421} | {code: 0xFFFD for code in range(0x80, 0xA0)}


def main() -> int:
    analysis = json.loads((pathlib.Path(sys.argv[1]) / "analysis.json").read_text(encoding="utf-8"))
    samples = [sample for sample in analysis["samples"] if sample["domain"] != "code"] or analysis["samples"]
    # Spread over the domains, which stand in the order of their names.
    chosen = samples if len(samples) <= SHOWN else [samples[i * (len(samples) - 1) // (SHOWN - 1)] for i in range(SHOWN)]
    if not chosen:
        print("(no held-out text is long enough for a beginning)")
    for sample in chosen:
        prompt, text = sample["prompt"], sample["text"][:LENGTH]
        if sys.stdout.isatty():
            print(f"{sample['domain']}: \033[1m{prompt.translate(PICTURES)}\033[0m{text.translate(PICTURES)}")
        else:
            print(f"{sample['domain']}: [{prompt}] {text}")
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
