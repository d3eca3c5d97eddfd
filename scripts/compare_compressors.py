#!/usr/bin/env python3
"""Compares a run with xz and zstd on the same held-out bytes, prints a table, and adds it to the run's analysis.json.

Usage: compare_compressors.py RUN
"""

import json
import os
import pathlib
import subprocess
import sys

COMPRESSORS = {"xz -9": ["xz", "-9", "-c"], "zstd -19": ["zstd", "-19", "-q", "-c"]}


def last_eval(run: pathlib.Path) -> dict:
    lines = map(json.loads, (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line["kind"] == "eval"][-1]


def main() -> int:
    run = pathlib.Path(sys.argv[1])
    heldout = (run / "heldout.txt").read_bytes()
    bits = {}
    for name, command in COMPRESSORS.items():
        packed = subprocess.run(command, input=heldout, stdout=subprocess.PIPE, check=True).stdout
        bits[name] = 8 * len(packed) / len(heldout)
    model = last_eval(run)["bits_per_byte"]

    print(f"Bits per byte on the same {len(heldout):,} held-out bytes (lower is better):")
    for name, value in sorted({"this model": model, **bits}.items(), key=lambda item: item[1]):
        print(f"  {name:<12}{value:6.3f}")

    analysis_path = run / "analysis.json"
    analysis = json.loads(analysis_path.read_text(encoding="utf-8"))
    analysis["compressors"] = bits
    temporary = analysis_path.with_suffix(".json.tmp")
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(analysis, file, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, analysis_path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
