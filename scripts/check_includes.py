#!/usr/bin/env python3
"""Fails when a folder includes something that does not stand below it on the staircase (docs/architecture.md)."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

PIPELINE_BASE = {"base", "kernels", "autograd", "witan"}

# What each folder may include besides itself. "witan" is include/witan/, the interfaces of the pipeline.
ALLOWED = {
    "base": set(),
    "formats": {"base"},
    "text": {"base", "formats"},
    "kernels": {"base"},
    "autograd": {"base", "kernels", "witan"},
    "witan": {"base", "autograd"},
    "gates": PIPELINE_BASE,
    "dispatch": PIPELINE_BASE,
    "routers": PIPELINE_BASE | {"dispatch"},
    "experts": PIPELINE_BASE,
    "balance": PIPELINE_BASE,
    "layers": PIPELINE_BASE | {"gates", "routers", "dispatch", "experts", "balance"},
}
ALLOWED["mixtures"] = {"base", "kernels", "formats"}
ALLOWED["models"] = ALLOWED["layers"] | {"layers", "formats", "text"}
ALLOWED["report"] = {"base"}
ALLOWED["training"] = ALLOWED["models"] | {"models", "report"}
ALLOWED["inference"] = ALLOWED["models"] | {"models"}
ALLOWED["inspection"] = ALLOWED["training"] | ALLOWED["inference"] | {"training", "inference"}

# Of autograd, the pipeline's interfaces may see the tape only, and autograd of them the assignment only.
NARROW = {("autograd", "witan"): {"witan/assignment.h"}, ("witan", "autograd"): {"autograd/tape.h", "autograd/tensor.h"}}

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def upward_includes(folder: str, path: pathlib.Path):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        included = match.group(1)
        target = included.split("/")[0]
        if "/" not in included:
            yield number, included, "is not written from the root of src/ or include/"
        elif target == "hwy":
            continue  # Highway re-includes its headers once per instruction set, by name
        elif target not in ALLOWED:
            yield number, included, "names no folder of src/ or include/"
        elif target != folder and target not in ALLOWED[folder]:
            yield number, included, f"{folder}/ may not include {target}/"
        elif included not in NARROW.get((folder, target), {included}):
            yield number, included, f"{folder}/ may include only part of {target}/"


def main() -> int:
    faults = 0
    files = 0
    folders = {path.name: path for path in (ROOT / "src").iterdir() if path.is_dir()}
    folders["witan"] = ROOT / "include" / "witan"
    for folder, root in sorted(folders.items()):
        sources = [path for path in sorted(root.rglob("*")) if path.suffix in {".h", ".cc"}]
        if sources and folder not in ALLOWED:
            print(f"src/{folder}: not on the staircase; add it to scripts/check_includes.py")
            faults += 1
            continue
        for path in sources:
            files += 1
            for number, included, reason in upward_includes(folder, path):
                print(f'{path.relative_to(ROOT)}:{number}: "{included}": {reason}')
                faults += 1
    if faults == 0:
        print(f"include order: {files} files, all downward")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
