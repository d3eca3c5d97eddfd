"""Runs the same work in Witan and in PyTorch, in turn, and prints medians and the ratio. Not a benchmark itself: each
script beside this one describes its cases and calls compare_all().

Both sides are worker processes that stay alive: a worker sets up, warms up, prints one JSON line, and then answers each
line on its standard input with one round of work and one JSON line:
    {"seconds": 0.12, "peak_memory_bytes": 123456789, ...}
Rounds alternate (ours, peer, ours, peer, ..), so that a slow phase of the machine meets both. In C++ the same is
bench/worker.h; in Python, serve() below.

PyTorch runs on one of two libraries. `--blas debian` (the default) is what apt gives: python3-torch with libopenblas0,
whose threads stand beside PyTorch's own and disturb them. `--blas openmp` is the best set-up we know: the build of
OpenBLAS that shares PyTorch's threads (libopenblas0-openmp), which has to be asked for. Either chooses its own kernels.
The reference BLAS computes 2 GFLOP/s where OpenBLAS computes 200: a comparison with it is refused.
"""

import argparse
import glob
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Case:
    """One comparison. `value` turns a worker's answer into the number shown, e.g. tokens per second."""

    name: str
    unit: str
    ours: list  # command of our worker
    peer: list  # command of the peer's worker
    value: callable = lambda answer: 1e3 * answer["seconds"]
    higher_is_better: bool = False
    at_least: float = 0.0  # the ratio that we want to reach, shown beside it
    extra: list = field(default_factory=list)  # [(name, unit, value(answer), higher_is_better)] from the same rounds


def peer_python():
    """An interpreter with torch: this one, or the system's."""
    for python in dict.fromkeys([sys.executable, "/usr/bin/python3"]):
        if subprocess.run([python, "-c", "import torch"], capture_output=True).returncode == 0:
            return python
    sys.exit("peers: no Python with torch: apt-get install python3-torch libopenblas0")


BLAS_FOLDERS = {"debian": "/usr/lib/*/openblas-pthread", "openmp": "/usr/lib/*/openblas-openmp"}
# Threads of either side that spin after a round are asleep after this.
SETTLE_SECONDS = 0.25


def environment(threads, for_peer, blas):
    result = dict(os.environ, OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads))
    if for_peer:
        result.pop("OPENBLAS_CORETYPE", None)  # a forced older kernel set would slow the peer
        result["OPENBLAS_NUM_THREADS"] = str(threads)
        folders = glob.glob(BLAS_FOLDERS[blas])
        if not folders:
            package = "libopenblas0-openmp" if blas == "openmp" else "libopenblas0"
            sys.exit(f"peers: --blas {blas} is not installed: apt-get install {package}")
        result["LD_LIBRARY_PATH"] = ":".join(folders + [result.get("LD_LIBRARY_PATH", "")]).rstrip(":")
    return result


class Worker:
    """A process that answers one line per round."""

    def __init__(self, command, threads, for_peer, blas):
        self.command = [str(part) for part in command]
        if not os.access(self.command[0], os.X_OK):
            program = Path(self.command[0]).name
            sys.exit(f"peers: {self.command[0]} is missing: cmake --build --preset release --target {program}")
        self.process = subprocess.Popen(
            self.command, env=environment(threads, for_peer, blas), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.started = self._read()

    def _read(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"peers: {' '.join(self.command)} ended with code {self.process.wait()}")
        return json.loads(line)

    def round(self):
        time.sleep(SETTLE_SECONDS)
        self.process.stdin.write("round\n")
        self.process.stdin.flush()
        return self._read()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def serve(round_of_work, **about):
    """The worker's side in Python: call after warm-up. `round_of_work()` returns a dict to add to the answer, or None."""

    def answer(**fields):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps({**fields, "peak_memory_bytes": peak}), flush=True)

    answer(**about)
    for _ in sys.stdin:
        start = time.perf_counter()
        fields = round_of_work()
        answer(seconds=time.perf_counter() - start, **(fields or {}))


def prepare_torch(threads):
    """Imports torch with `threads` threads and refuses the reference BLAS. Returns the module and what it runs on."""
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    a = torch.randn(256, 256)
    a @ a
    loaded = {Path(line.split()[-1]).name for line in open("/proc/self/maps") if "blas" in line or "mkl_rt" in line}
    if not any("openblas" in name or "mkl" in name or "blis" in name for name in loaded):
        sys.exit(f"peers: PyTorch runs on the reference BLAS {sorted(loaded)}: apt-get install libopenblas0")
    return torch, f"PyTorch {torch.__version__}, {', '.join(sorted(loaded))}, {torch.get_num_threads()} threads"


def compare(case, rounds, threads, blas):
    """All rows of one case."""
    ours = Worker(case.ours, threads, for_peer=False, blas=blas)
    peer = Worker(case.peer, threads, for_peer=True, blas=blas)
    answers = []
    for _ in range(rounds):
        answers.append((ours.round(), peer.round()))
    ours.close()
    peer.close()
    rows = []
    wanted = [(case.name, case.unit, case.value, case.higher_is_better)] + case.extra
    for name, unit, value, higher_is_better in wanted:
        our_values = [value(answer) for answer, _ in answers]
        peer_values = [value(answer) for _, answer in answers]
        ratios = [a / b if higher_is_better else b / a for a, b in zip(our_values, peer_values)]
        rows.append(
            {
                "name": name,
                "ours": statistics.median(our_values),
                "peer": statistics.median(peer_values),
                "ratio": statistics.median(ratios),
                "unit": unit,
                "ratio_low": min(ratios),
                "ratio_high": max(ratios),
                "rounds": rounds,
                "at_least": case.at_least if name == case.name else 0.0,
            }
        )
    return rows, ours.started, peer.started


def compare_all(description, make_cases, rounds=7):
    """The command line of a script. `make_cases(build, threads)` returns the cases; a ratio above 1 is in our favour."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="one JSON object per row")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "release", help="where our programs are built")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--blas", choices=list(BLAS_FOLDERS), default="debian", help="what the peer computes products with")
    options = parser.parse_args()
    header_shown = options.json
    for case in make_cases(options.build, options.threads):
        if options.only not in case.name:
            continue
        rows, ours, peer = compare(case, options.rounds, options.threads, options.blas)
        if not header_shown:
            print(f"{platform.processor() or platform.machine()}; peer: {peer.get('about', '')}")
            print(f"{'work':<46} {'ours':>11} {'peer':>11}  {'unit':<9} {'ratio':>6}  {'low':>6} {'high':>6}  wanted")
            header_shown = True
        for row in rows:
            if options.json:
                print(json.dumps(row), flush=True)
                continue
            wanted = f">= {row['at_least']}" if row["at_least"] else ""
            print(
                f"{row['name']:<46} {row['ours']:>11.2f} {row['peer']:>11.2f}  {row['unit']:<9} {row['ratio']:>6.2f}  "
                f"{row['ratio_low']:>6.2f} {row['ratio_high']:>6.2f}  {wanted}",
                flush=True,
            )
