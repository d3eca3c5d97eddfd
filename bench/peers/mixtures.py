#!/usr/bin/env python3
"""`witan fit` against R's flexmix: two linear-Gaussian experts and a gate of ten inputs, from random starts, in turn.

The data are those of tests/golden/mixtures/synth.py (100 000 rows unless told). flexmix runs with FLXPmultinom as its
concomitant model and its own stopping rule at its default tolerance (1e-6 of the log-likelihood); Witan with
`--tolerance 1e-6` too, though it then goes on to a certified maximum. Timed are flexmix() alone, with the table already
in R, and the whole of `witan fit`, reading the table included, on as many threads as the machine has cores.

Run: python3 bench/peers/mixtures.py --witan build/release/witan [--rounds 3]. Needs R with flexmix (Debian: r-cran-flexmix)
and numpy (python3-numpy), whose random numbers make the data.
"""

import argparse
import importlib.util
import json
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]

FLEXMIX = r"""
suppressMessages(library(flexmix))
arguments <- commandArgs(trailingOnly = TRUE)
table <- read.csv(arguments[1])
inputs <- paste0("x", 1:10, collapse = " + ")
cat("ready\n"); flush(stdout())
connection <- file("stdin", "r")
while (length(line <- readLines(connection, n = 1)) > 0) {
  set.seed(as.integer(line))
  seconds <- system.time(fit <- flexmix(as.formula(paste("y ~", inputs)), data = table, k = 2,
                                        concomitant = FLXPmultinom(as.formula(paste("~", inputs)))))[["elapsed"]]
  cat(sprintf('{"seconds": %.3f, "log_likelihood": %.6f, "iterations": %d, "experts": %d}\n', seconds,
              as.numeric(logLik(fit)), fit@iter, fit@k)); flush(stdout())
}
"""


def make_table(path, rows):
    spec = importlib.util.spec_from_file_location("synth", ROOT / "tests/golden/mixtures/synth.py")
    synth = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(synth)
    table = synth.generate(2, n=rows, seed=2)[:, :11]
    import numpy

    numpy.savetxt(path, table, delimiter=",", comments="", header=",".join([f"x{i + 1}" for i in range(10)] + ["y"]), fmt="%.8f")


def run_witan(program, table, seed, folder):
    numbers = folder / "fit.json"
    begin = time.monotonic()
    subprocess.run([program, "fit", table, "--target", "y", "--experts", "2", "--start", "random", "--restarts", "1",
                    "--tolerance", "1e-6", "--seed", str(seed), "--output", numbers], check=True, capture_output=True)
    seconds = time.monotonic() - begin
    fit = json.loads(numbers.read_text())["fit"]
    return {"seconds": seconds, "log_likelihood": fit["log_likelihood"], "iterations": fit["restarts"][0]["iterations"],
            "maximum": fit["certificate"]["maximum"]}


def spread(values):
    return f"{statistics.median(values):.2f} s ({min(values):.2f} to {max(values):.2f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--witan", required=True, type=pathlib.Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if shutil.which("Rscript") is None:
        sys.exit("peers: no R: apt-get install r-cran-flexmix")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        table, script = folder / "table.csv", folder / "flexmix.R"
        make_table(table, arguments.rows)
        script.write_text(FLEXMIX)
        peer = subprocess.Popen(["Rscript", script, table], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if peer.stdout.readline() != "ready\n":
            sys.exit("peers: flexmix did not start: apt-get install r-cran-flexmix")
        ours, theirs = [], []
        for seed in range(1, arguments.rounds + 1):
            ours.append(run_witan(arguments.witan, table, seed, folder))
            peer.stdin.write(f"{seed}\n")
            peer.stdin.flush()
            theirs.append(json.loads(peer.stdout.readline()))
            print(f"round {seed}: witan {ours[-1]}\n         flexmix {theirs[-1]}", flush=True)
        peer.stdin.close()
        peer.wait()
        size = table.stat().st_size
    seconds = lambda answers: [answer["seconds"] for answer in answers]
    ratios = [b / a for a, b in zip(seconds(ours), seconds(theirs))]
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(f"witan {spread(seconds(ours))}, flexmix {spread(seconds(theirs))}: "
          f"{statistics.median(ratios):.0f}x ({min(ratios):.0f} to {max(ratios):.0f}); table {size / 2**20:.0f} MiB; "
          f"largest process {memory / 2**10:.0f} MiB")


if __name__ == "__main__":
    main()
