"""The command line as a user meets it: a whole small run, and every wrong input the engine promises to refuse clearly.

Usage: cli_test.py WITAN_BINARY [unittest arguments]
"""

import csv
import gzip
import json
import math
import os
import pathlib
import pty
import random
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

WITAN = ""

TINY = [
    "--hidden-size=32", "--num-hidden-layers=2", "--num-attention-heads=4", "--num-key-value-heads=2", "--num-experts=4",
    "--moe-intermediate-size=32", "--vocab-size=300", "--batch-size=4", "--sequence-length=32",
]

ENGLISH = "The quick brown fox jumps over the lazy dog while the wise council of experts decides who answers.\n"
GERMAN = "Der schnelle braune Fuchs springt über den faulen Hund, während der Rat der Weisen entscheidet.\n"


def varied(text: str, lines: int) -> str:
    words = text.split()
    return "".join(" ".join(words[i % len(words):] + words[: (i * 7) % len(words)]) + f" {i}.\n" for i in range(lines))


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="witan-e2e-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def witan(self, *arguments, limit_file_bytes=None, stdin=None, environment=None):
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_file_bytes, limit_file_bytes))

        return subprocess.run([WITAN, *map(str, arguments)], capture_output=True, text=True, timeout=240, input=stdin,
                              preexec_fn=limit if limit_file_bytes else None, env={**os.environ, **(environment or {})},
                              check=False)

    def refused(self, *arguments, says, code=1, **options):
        """Exit code, one `witan: error:` line that holds every text of `says`, and no trace of a crash."""
        result = self.witan(*arguments, **options)
        self.assertEqual(result.returncode, code, result.stderr)
        for text in says:
            self.assertIn(text, result.stderr)
        self.assertNotIn("terminate called", result.stderr)
        self.assertLess(len(result.stderr.strip().splitlines()), 6, result.stderr)
        return result

    def write(self, name: str, content) -> pathlib.Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def corpus(self) -> pathlib.Path:
        self.write("text/en/a.txt", varied(ENGLISH, 300))
        self.write("text/de/a.txt.gz", gzip.compress(varied(GERMAN, 300).encode(), mtime=0))
        self.write("text/log.jsonl", "".join(json.dumps({"text": f"event {i} of {i * i}"}) + "\n" for i in range(200)))
        return self.folder / "text"

    @staticmethod
    def steps(run: pathlib.Path) -> list:
        lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
        return [line["step"] for line in lines if line["kind"] == "step"]

    def leftovers(self) -> list:
        return [path for path in self.folder.rglob("*") if ".tmp-" in path.name or path.name.endswith(".old")]

    def train(self, *more, steps=6, **options):
        return self.witan("train", self.corpus(), "--output", self.folder / "run", *TINY, f"--steps={steps}", *more,
                          **options)


class WholeRun(Case):
    def test_train_generate_eval_report(self):
        result = self.train()
        self.assertEqual(result.returncode, 0, result.stderr)
        run = self.folder / "run"
        for name in ("model/config.json", "model/model.safetensors", "model/tokenizer_config.json", "metrics.jsonl",
                     "analysis.json", "settings.json", "report.html"):
            self.assertTrue((run / name).is_file(), name)
        config = json.loads((run / "model/config.json").read_text())
        self.assertEqual(config["model_type"], "mixtral")
        self.assertEqual(self.steps(run), [1, 2, 3, 4, 5, 6])

        first = self.witan("generate", run, "--prompt", "The quick", "--max-tokens", 12, "--seed", 3)
        again = self.witan("generate", run / "model", "--prompt", "The quick", "--max-tokens", 12, "--seed", 3)
        self.assertEqual(first.returncode, 0, first.stderr)
        self.assertEqual(first.stdout, again.stdout)
        brief = self.witan("generate", run, "--prompt", "The quick", "--max-tokens", 4, "--weights", "bf16")
        self.assertEqual(brief.returncode, 0, brief.stderr)
        self.assertTrue(brief.stdout.startswith("The quick"))
        experts = self.witan("generate", run, "--prompt", "The quick", "--max-tokens", 4, "--show-experts")
        self.assertEqual(experts.returncode, 0, experts.stderr)

        evaluated = self.witan("eval", run, self.folder / "text", "--json")
        self.assertEqual(evaluated.returncode, 0, evaluated.stderr)
        numbers = json.loads(evaluated.stdout)
        self.assertEqual(sorted(numbers["domains"]), ["de", "en", "log"])
        self.assertGreater(numbers["bits_per_byte"], 0)

        page = self.witan("report", run, "--output", self.folder / "page.html")
        self.assertEqual(page.returncode, 0, page.stderr)
        self.assertIn("</html>", (self.folder / "page.html").read_text())

    def test_inspect_says_what_a_model_is_and_does(self):
        self.assertEqual(self.train().returncode, 0)
        run = self.folder / "run"
        sizes = self.witan("inspect", run, "--json", self.folder / "sizes.json")
        self.assertEqual(sizes.returncode, 0, sizes.stderr)
        for text in ("mixtral", "decoder 0-1", "F32", "chat template"):
            self.assertIn(text, sizes.stdout)
        inventory = json.loads((self.folder / "sizes.json").read_text())
        self.assertIsNone(inventory["weights"])
        self.assertIsNone(inventory["text"])
        self.assertEqual([layer["experts"] for layer in inventory["layers"]], [4, 4])
        outside = inventory["parameters"]["outside"]
        self.assertEqual(sum(layer["parameters"] for layer in inventory["layers"]) + outside,
                         inventory["parameters"]["total"])
        self.assertEqual(inventory["storage"]["bytes"], 4 * inventory["parameters"]["total"])

        both = ("--json", self.folder / "model.json", "--report", self.folder / "model.html")
        looked = self.witan("inspect", run, "--data", self.folder / "text", "--tokens=1500", "--sample-rows=40", *both)
        self.assertEqual(looked.returncode, 0, looked.stderr)
        for text in ("down_proj", "rank", "bits/byte", "most typical tokens", "super experts"):
            self.assertIn(text, looked.stdout)
        found = json.loads((self.folder / "model.json").read_text())
        self.assertEqual([domain["name"] for domain in found["text"]["domains"]], ["de", "en", "log"])
        self.assertLessEqual(found["text"]["tokens"], 1500)
        self.assertEqual(len(found["weights"]), 2)
        for layer in found["text"]["layers"]:
            self.assertAlmostEqual(sum(layer["load"]), 1.0, places=6)
            outputs = layer["outputs"]
            self.assertEqual(sum(outputs["rows"]), 2 * found["text"]["tokens"])
            self.assertEqual(outputs["sampled_rows"], 40)
            self.assertLessEqual(abs(outputs["rank_correlation"]), 1.0)
            for matrix in (layer["together"]["matrix"], outputs["cosine"]["matrix"]):
                self.assertEqual([len(row) for row in matrix], [4] * 4)
                self.assertEqual([matrix[e][e] for e in range(4)], [1] * 4)
            # Two of four experts serve each token, so that each is served together with one other.
            for e, row in enumerate(layer["together"]["matrix"]):
                self.assertAlmostEqual(sum(row) - row[e], 1.0, places=3)
        page = (self.folder / "model.html").read_text()
        self.assertIn("</html>", page)
        self.assertIn('"rank_correlation"', page)

    def wait_for_a_step(self, process):
        metrics = self.folder / "run" / "metrics.jsonl"
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            if metrics.exists() and '"kind":"step"' in metrics.read_text():
                return
            time.sleep(0.05)

    def test_interrupt_saves_and_resume_goes_on(self):
        process = subprocess.Popen([WITAN, "train", str(self.corpus()), "--output", str(self.folder / "run"), *TINY,
                                    "--steps=100000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.wait_for_a_step(process)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 130, stderr)
        self.assertIn("--resume", stderr)
        done = self.steps(self.folder / "run")[-1]
        self.refused("train", "--resume", self.folder / "run", "--hidden-size=64", says=["hidden_size", "32", "64"])

        resumed = self.witan("train", "--resume", self.folder / "run", f"--steps={done + 3}")
        self.assertEqual(resumed.returncode, 0, resumed.stderr)
        self.assertEqual(self.steps(self.folder / "run"), list(range(1, done + 4)))
        self.assertTrue((self.folder / "run/model/model.safetensors").is_file())

    def test_compare_goes_on_where_it_was(self):
        folder = self.folder / "comparison"
        routers = ["top_k", "switch:router_aux_loss_coef=0.02", "peer:peer_heads=2"]

        def compare(*names, seeds=1):
            result = self.witan("compare", self.corpus(), "--output", folder, *TINY, "--steps=4", f"--seeds={seeds}",
                                "--routers", *names)
            self.assertEqual(result.returncode, 0, result.stderr)
            return result.stdout

        first = compare(*routers[:2])
        self.assertIn("2 of 2: switch:router_aux_loss_coef=0.02, seed 0", first)
        runs = sorted((folder / "results").iterdir())
        before = [run.read_text() for run in runs]
        again = compare(*routers, seeds=2)
        self.assertEqual([run.read_text() for run in runs], before)  # what is finished is not trained again
        self.assertNotIn("1 of 6", again)
        self.assertIn("6 of 6: peer:peer_heads=2, seed 1", again)
        numbers = json.loads((folder / "comparison.json").read_text())
        self.assertEqual([one["label"] for one in numbers["candidates"]], routers)
        for one in numbers["candidates"]:
            self.assertEqual(one["seeds"], [0, 1])
            self.assertGreater(one["bits_per_byte"]["deviation"], 0)
            self.assertIn(f"{one['bits_per_byte']['mean']:.4f}", again)
        self.assertIn("</html>", (folder / "comparison.html").read_text())
        self.assertEqual(list(folder.rglob("checkpoint")), [])
        self.refused("compare", self.corpus(), "--output", folder, *TINY, "--routers", "soft_moe",
                     says=["soft_moe", "allow-noncausal"])

    def test_terminate_saves_and_says_so(self):
        process = subprocess.Popen([WITAN, "train", str(self.corpus()), "--output", str(self.folder / "run"), *TINY,
                                    "--steps=100000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.wait_for_a_step(process)
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 143, stderr)
        self.assertTrue((self.folder / "run/checkpoint/state.json").is_file())

    def run_lines(self) -> list:
        lines = map(json.loads, (self.folder / "run/metrics.jsonl").read_text().splitlines())
        return [line for line in lines if line["kind"] == "run"]

    def test_resume_keeps_threads_and_warns_of_others(self):
        self.assertEqual(self.train("--threads=2", steps=1).returncode, 0)
        run = self.folder / "run"
        # The environment is a default and no wish: the run's own number counts for more.
        same = self.witan("train", "--resume", run, "--steps=2", environment={"OMP_NUM_THREADS": "1"})
        self.assertEqual(same.returncode, 0, same.stderr)
        self.assertEqual([line["threads"] for line in self.run_lines()], [2, 2])
        self.assertNotIn("warning", same.stderr)
        other = self.witan("train", "--resume", run, "--steps=3", "--threads=1")
        self.assertEqual(other.returncode, 0, other.stderr)
        self.assertIn("saved with 2 threads", other.stderr)
        self.assertEqual(self.run_lines()[-1]["threads"], 1)
        narrower = self.witan("train", "--resume", run, "--steps=4", environment={"WITAN_ISA": "scalar"})
        self.assertEqual(narrower.returncode, 0, narrower.stderr)
        self.assertIn("scalar", narrower.stderr)

    def test_resume_writes_results_that_are_missing(self):
        self.assertEqual(self.train(steps=2).returncode, 0)
        run = self.folder / "run"
        shutil.rmtree(run / "model")
        for name in ("report.html", "analysis.json", "heldout.txt"):
            (run / name).unlink()
        late = self.witan("train", "--resume", run)
        self.assertEqual(late.returncode, 0, late.stderr)
        self.assertIn("results are missing", late.stdout)
        for name in ("model/model.safetensors", "report.html", "analysis.json", "heldout.txt"):
            self.assertTrue((run / name).is_file(), name)
        self.refused("train", "--resume", run, says=["complete", "2 steps"])

    def test_a_router_of_one_expert_per_token_needs_no_more(self):
        result = self.witan("train", self.corpus(), "--output", self.folder / "run", "--preset=tiny", "--vocab-size=300",
                            "--steps=1", "--router=switch")
        self.assertEqual(result.returncode, 0, result.stderr)
        settings = json.loads((self.folder / "run/settings.json").read_text())
        self.assertEqual(settings["num_experts_per_tok"], 1)
        self.refused("train", self.corpus(), "--output", self.folder / "other", "--preset=tiny", "--router=switch",
                     "--num-experts-per-tok=2", says=["num_experts_per_tok=2", "expected 1"])

    def test_a_few_kilobytes_of_text(self):
        text = self.write("small.txt", varied(ENGLISH, 40))
        result = self.witan("train", text, "--output", self.folder / "run", "--steps=2")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("vocabulary: ", result.stdout)
        self.assertEqual(self.witan("generate", self.folder / "run", "--prompt=The", "--max-tokens=3").returncode, 0)
        self.refused("train", text, "--output", self.folder / "other", "--steps=2", "--vocab-size=4096",
                     says=["vocab_size", "4096", "the most that this text gives"])
        line = self.write("line.txt", "One line of a few words and no more than that.")
        result = self.witan("train", line, "--output", self.folder / "line", "--steps=2", "--tokenizer=bytes")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("sequences: 32 tokens, not 256", result.stdout)

    def test_progress_in_plain_lines(self):
        result = self.train(steps=1)
        for line in ("read: ", "train tokenizer: ", "tokenize: ", "train: "):
            self.assertIn("\n" + line, "\n" + result.stderr)
        evaluated = self.witan("eval", self.folder / "run", self.folder / "text")
        for line in ("read: ", "tokenize: ", "evaluate: "):
            self.assertIn("\n" + line, "\n" + evaluated.stderr)
        self.assertNotIn("\x1b", result.stderr + evaluated.stderr)

    def test_sizes_of_a_model_that_fits_nowhere(self):
        result = self.witan("train", "--dry-run", "--steps=1", "--num-hidden-layers=400", "--hidden-size=16384",
                            "--num-attention-heads=128", "--moe-intermediate-size=65536")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("parameters", result.stdout)

    def test_reading_a_run_does_not_move_its_folders(self):
        self.assertEqual(self.train(steps=1).returncode, 0)
        run = self.folder / "run"
        os.rename(run / "model", run / ".model.old")  # as a trainer does between two renames
        self.assertEqual(self.witan("generate", run, "--prompt=The", "--max-tokens=2").returncode, 0)
        self.assertTrue((run / ".model.old").is_dir())
        self.assertFalse((run / "model").exists())

    def test_control_characters_reach_pipes_as_they_are_and_terminals_as_pictures(self):
        self.assertEqual(self.train("--tokenizer=bytes", steps=1).returncode, 0)
        command = [WITAN, "generate", str(self.folder / "run"), "--prompt=a\x1b[31mb", "--max-tokens=0"]
        piped = subprocess.run(command, capture_output=True, timeout=120, check=True)
        self.assertIn(b"a\x1b[31mb", piped.stdout)
        master, terminal = pty.openpty()
        with subprocess.Popen(command, stdout=terminal, stderr=subprocess.DEVNULL) as process:
            os.close(terminal)
            shown = b""
            try:
                while piece := os.read(master, 4096):
                    shown += piece
            except OSError:  # how Linux says that the other end was closed
                pass
            self.assertEqual(process.wait(120), 0)
        os.close(master)
        self.assertNotIn(b"\x1b[31m", shown)
        self.assertIn("a\u241b[31mb".encode(), shown)

    def test_help_names_every_command(self):
        result = self.witan("--help")
        self.assertEqual(result.returncode, 0)
        for command in ("train", "generate", "eval", "inspect", "diff", "convert", "report", "compare", "fit", "predict", "upcycle",
                        "extract", "join"):
            self.assertIn(command, result.stdout)
            page = self.witan(command, "--help")
            self.assertEqual(page.returncode, 0)
            self.assertNotIn("{false}", page.stdout)


class Mixtures(Case):
    NPREG = pathlib.Path(__file__).parent.parent / "golden" / "mixtures" / "npreg.csv"

    def test_fit_and_predict(self):
        model, numbers = self.folder / "model.json", self.folder / "fit.json"
        result = self.witan("fit", self.NPREG, "--formula", "yn ~ x + x^2 | gate ~ x", "--output", model, "--json", numbers)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("log-likelihood -642.06387", result.stdout)
        self.assertIn("certificate: a maximum", result.stdout)
        fit = json.loads(numbers.read_text())
        self.assertAlmostEqual(fit["log_likelihood"], -642.06387962, delta=6e-4)
        self.assertAlmostEqual(fit["bic"], 1337.11093, delta=1.3e-3)
        self.assertEqual(fit["df"], 10)
        self.assertTrue(fit["certificate"]["maximum"])
        self.assertTrue(all(one["standard_error"] > 0 for one in fit["parameters"]))

        result = self.witan("predict", model, self.NPREG, "--interval", "0.9", "--json", self.folder / "p.json",
                            "--output", self.folder / "p.csv")
        self.assertEqual(result.returncode, 0, result.stderr)
        lines = (self.folder / "p.csv").read_text().splitlines()
        self.assertEqual(lines[0], "mean,sd,q0.05,q0.5,q0.95,gate_1,gate_2,responsibility_1,responsibility_2,log_density,pit")
        rows = [dict(zip(lines[0].split(","), map(float, line.split(",")))) for line in lines[1:]]
        self.assertEqual(len(rows), 200)
        self.assertAlmostEqual(sum(row["log_density"] for row in rows), fit["log_likelihood"], places=6)
        inside = sum(0.05 <= row["pit"] <= 0.95 for row in rows)
        self.assertGreater(inside, 160)
        self.assertEqual(len(json.loads((self.folder / "p.json").read_text())["rows"]), 200)

    def test_page_with_the_numbers_of_the_json(self):
        page, numbers = self.folder / "fit.html", self.folder / "fit.json"
        result = self.witan("fit", self.NPREG, "--formula", "yn ~ x + x^2 | gate ~ x", "--experts", "1..2", "--restarts", "6",
                            "--report", page, "--json", numbers)
        self.assertEqual(result.returncode, 0, result.stderr)
        text = page.read_text()
        data = json.loads(re.search(r'<script id="data" type="application/json">(.*?)</script>', text, re.S).group(1))
        self.assertEqual(data.pop("name"), "npreg.csv")
        fit = json.loads(numbers.read_text())
        self.assertEqual(data, fit)
        self.assertEqual(fit["calibration"]["rows"], 200)
        self.assertAlmostEqual(fit["calibration"]["nll"], -fit["log_likelihood"] / 200, places=9)
        self.assertAlmostEqual(sum(bin["share"] for bin in fit["calibration"]["pit"]), 1.0, places=9)
        self.assertEqual([one["name"] for one in fit["figures"]["inputs"]], ["x"])
        self.assertEqual(len(fit["figures"]["rows"]), 200)

    def test_densities_modes_and_draws(self):
        model, out = self.folder / "model.json", self.folder / "p.csv"
        self.assertEqual(self.witan("fit", self.NPREG, "--formula", "yn ~ x + x^2", "--restarts", "6", "--output", model).returncode, 0)
        options = ("--quantiles", "0.5,0.99", "--at", "10,30", "--modes", "--samples", "3", "--seed", "4", "--output", out)
        texts = []
        for threads in ("1", "2"):
            result = self.witan("predict", model, self.NPREG, *options, "--threads", threads)
            self.assertEqual(result.returncode, 0, result.stderr)
            texts.append(out.read_text())
        self.assertEqual(texts[0], texts[1])
        lines = texts[0].splitlines()
        self.assertTrue(lines[0].startswith("mean,sd,q0.05,q0.5,q0.95,q0.99,density(10),cdf(10),density(30),cdf(30),mode_1,mode_2,"
                                            "sample_1,sample_2,sample_3,gate_1"), lines[0])
        rows = list(csv.DictReader(lines))
        self.assertTrue(all(0.0 <= float(row["cdf(10)"]) <= float(row["cdf(30)"]) <= 1.0 for row in rows))
        self.assertTrue(any(row["mode_2"] == "" for row in rows) and any(row["mode_2"] != "" for row in rows))
        below = sum(float(row["sample_1"]) <= float(row["q0.5"]) for row in rows)
        self.assertTrue(70 < below < 130, below)
        self.refused("predict", model, self.NPREG, "--quantiles", "1.5", says=["quantiles", "1.5"])

    def test_streams_reach_the_same_maximum_in_memory_that_does_not_grow(self):
        def table(rows):
            generator = random.Random(3)
            lines = ["y,x,z"]
            for _ in range(rows):
                x, z = generator.gauss(0, 1), generator.gauss(0, 1)
                mean = 1 + x if generator.random() < 1 / (1 + math.exp(-2 * z)) else -1 - x
                lines.append(f"{mean + 0.5 * generator.gauss(0, 1):.6f},{x:.6f},{z:.6f}")
            return self.write(f"t{rows}.csv", "\n".join(lines) + "\n")

        def fit(path, *options):
            numbers = self.folder / "fit.json"
            process = subprocess.Popen([WITAN, "fit", str(path), "--formula=y ~ x | gate ~ z", "--restarts=3", f"--json={numbers}",
                                        *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = status
            self.assertEqual(status, 0)
            return json.loads(numbers.read_text()), usage.ru_maxrss / 1024

        stream = ("--stream", "--stream-start-rows=2000")
        small, large = table(50_000), table(400_000)
        _, little = fit(small, *stream)
        streamed, much = fit(large, *stream)
        whole, _ = fit(large)
        self.assertTrue(streamed["certificate"]["maximum"], streamed["certificate"])
        self.assertAlmostEqual(streamed["log_likelihood"], whole["log_likelihood"], delta=1e-6 * abs(whole["log_likelihood"]))
        # Eight times the rows, ten megabytes of table more: buffers of a piece, and no row.
        self.assertLess(much, little + 25, (little, much))

    def test_selection_over_numbers_and_families(self):
        numbers = self.folder / "fit.json"
        result = self.witan("fit", self.NPREG, "--formula", "yn ~ x + x^2", "--experts", "1..3", "--family", "gaussian,laplace",
                            "--restarts", "10", "--json", numbers)
        self.assertEqual(result.returncode, 0, result.stderr)
        fit = json.loads(numbers.read_text())
        self.assertEqual(len(fit["selection"]), 6)
        sound = [one for one in fit["selection"] if not one["degenerate"]]
        self.assertEqual(fit["bic"], min(one["bic"] for one in sound))
        self.assertEqual((fit["experts"], fit["family"]), (2, "gaussian"))

    def test_gamma_experts(self):
        generator = random.Random(8)
        lines = ["y,x"]
        for _ in range(300):
            x = generator.uniform(-2, 2)
            mean, shape = (math.exp(1 + x), 9) if generator.random() < 1 / (1 + math.exp(-2 * x)) else (math.exp(2 - x), 3)
            lines.append(f"{generator.gammavariate(shape, mean / shape)!r},{x!r}")
        table = self.write("g.csv", "\n".join(lines) + "\n")
        model, numbers, out = self.folder / "model.json", self.folder / "fit.json", self.folder / "p.csv"
        result = self.witan("fit", table, "--target", "y", "--family", "gamma,gaussian", "--restarts", "10", "--output", model,
                            "--json", numbers)
        self.assertEqual(result.returncode, 0, result.stderr)
        fit = json.loads(numbers.read_text())
        self.assertEqual(fit["family"], "gamma")
        self.assertEqual([one["family"] for one in fit["selection"]], ["gamma", "gaussian"])
        self.assertTrue(fit["certificate"]["maximum"], fit["certificate"])
        self.assertEqual(sum(one["term"] == "shape" for one in fit["parameters"]), 2)
        self.assertGreater(fit["calibration"]["crps"], 0)
        self.assertEqual(self.witan("predict", model, table, "--output", out).returncode, 0)
        rows = list(csv.DictReader(out.read_text().splitlines()))
        self.assertAlmostEqual(sum(float(row["log_density"]) for row in rows), fit["log_likelihood"], places=6)
        self.assertTrue(all(0 < float(row["q0.05"]) < float(row["q0.95"]) for row in rows))
        lines[3] = "-1,0.5"
        self.refused("fit", self.write("n.csv", "\n".join(lines)), "--target", "y", "--family", "gamma",
                     says=["line 4, column 'y': -1", "above 0"])

    def test_tables_written_elsewhere(self):
        generator = random.Random(2)
        rows = [(3 * x + generator.gauss(0, 1), x) for x in (generator.gauss(0, 1) for _ in range(80))]
        plain = self.write("p.csv", "y,x\n" + "".join(f"{y!r},{x!r}\n" for y, x in rows))
        commas = "y;x\n" + "".join(f"{y!r};{x!r}\n" for y, x in rows).replace(".", ",")
        foreign = self.write("f.csv", commas)
        numbers, model, out = self.folder / "fit.json", self.folder / "m.json", self.folder / "o.csv"
        likelihoods = []
        for table, options in ((plain, ()), (foreign, ("--separator", ";", "--decimal", ",")), (foreign, ("--decimal", ",")),
                               (foreign, ("--decimal", ",", "--stream"))):
            result = self.witan("fit", table, "--target", "y", "--experts", "1", "--json", numbers, "--output", model, *options)
            self.assertEqual(result.returncode, 0, result.stderr)
            likelihoods.append(json.loads(numbers.read_text())["log_likelihood"])
        for value in likelihoods:
            self.assertAlmostEqual(value, likelihoods[0], places=9)
        self.assertEqual(self.witan("predict", model, foreign, "--decimal", ",", "--output", out).returncode, 0)
        self.assertEqual(len(out.read_text().splitlines()), 81)
        self.refused("fit", foreign, "--target", "y", says=["column 'x' has text such as", "decimal comma", "--decimal ,"])
        self.refused("fit", plain, "--target", "y", "--separator", ",", "--decimal", ",", says=["cannot both separate"])
        self.refused("fit", self.write("u.csv", "y,x\n1,2\n".encode("utf-16")), "--target", "y", says=["UTF-16"])
        self.refused("fit", self.write("v.csv", "y,x\n1,2\n".encode("utf-16-le")), "--target", "y", says=["UTF-16"])

    def test_a_line_of_two_gigabytes_is_refused_at_once(self):
        path = self.folder / "long.csv"
        with open(path, "wb") as file:
            file.write(b"y,x\n1,2\n3,")
            file.truncate(2 << 30)  # a hole: no byte of it is stored
        for options in ((), ("--stream",)):
            process = subprocess.Popen([WITAN, "fit", str(path), "--target", "y", *options], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.PIPE)
            with process.stderr:
                message = process.stderr.read().decode()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            self.assertEqual(process.returncode, 1, message)
            self.assertIn("line 3", message)
            self.assertIn("is longer than", message)
            self.assertLess(usage.ru_maxrss, 400 * 1024)  # of 2 GiB

    def test_data_that_say_nothing_or_too_much(self):
        generator = random.Random(3)
        def fit(name, rows, *options):
            numbers = self.folder / "fit.json"
            table = self.write("t.csv", name + "\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))
            result = self.witan("fit", table, "--target", "y", "--restarts", "4", "--json", numbers, *options)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertNotIn("nan", result.stdout)
            read = json.loads(numbers.read_text())
            self.assertIsNotNone(read["log_likelihood"])
            for one in read["parameters"]:  # a number that is not there has its reason
                self.assertTrue(one["estimate"] is not None and one["standard_error"] is not None or one["reason"], one)
            self.assertTrue(read["certificate"]["maximum"] or read["certificate"]["reason"], read["certificate"])
            self.assertEqual(read["degenerate"], bool(read["degenerate_reason"]))
            return read
        def crossing(count):
            return [(x if generator.random() < 0.5 else -x, x) for x in (generator.gauss(0, 1) for _ in range(count))]
        noisy = [(y + 0.2 * generator.gauss(0, 1), x) for y, x in crossing(60)]
        fit("y,x", [(math.copysign(5, i - 39.5) + 0.1 * generator.gauss(0, 1), i) for i in range(80)])  # separable
        fit("y,x", [(math.copysign(5, i - 39.5) + 0.1 * generator.gauss(0, 1), i) for i in range(80)], "--gate-ridge", "0")
        fit("y,x", noisy * 3)
        self.assertIn("linear combination", fit("y,x,z", [(y, x, 2 * x + 1) for y, x in noisy])["notes"][0])
        fit("y,x", [(1, 2), (3, 4)] * 20)
        fit("y,x", noisy[:5], "--experts", "5")
        fit("y,x", [(f"{y}e299", x) for y, x in noisy])
        fit("y,x", [(f"{y}e-300", x) for y, x in noisy])
        fit("y,x", [(y, f"{x}e299") for y, x in noisy])
        fit("y,x", [(y, f"{x}e-310") for y, x in noisy])
        fit("y,x", noisy + [("1e300", 0)])
        fit("y,x,w", [(y, x, "1e300") for y, x in noisy], "--weights", "w")
        fit("y,x,w", [(y, x, "1e-300") for y, x in noisy], "--weights", "w")
        self.assertEqual(fit("y,x,w", [(y, x, 1) for y, x in noisy] + [("1e300", "1e300", 0)], "--weights", "w")["rows"], 60)
        fit("y,x", [("yes" if y > 0 else "no", y) for y, x in noisy], "--family", "logistic")  # separable classes
        def refused(text, says, *options):
            self.refused("fit", self.write("r.csv", text), "--target", "y", *options, says=says)
        refused("y,x\n1,2\n", ["1 row; expected at least 2"])
        refused("y,x\n", ["no rows"])
        refused("y,x\n2,1\n2,2\n2,3\n", ["target 'y'", "in every row"])
        refused("y,x\n1,5\n2,5\n3,5\n", ["column 'x'", "in every row"])
        refused("y,x\na,5\na,6\na,7\n", ["one class"], "--family", "logistic")
        refused("y,x\n1,5\n2,6\n", ["experts=3 exceeds the 2 rows"], "--experts", "3")
        refused("y,x,w\n1,5,0\n2,6,0\n", ["weight 0"], "--weights", "w")
        refused("y,x,w\n1,5,1\n2,6,-1\n", ["line 3, column 'w'"], "--weights", "w")
        refused("y,x\n1,5\ninf,6\n", ["line 3, column 'y': inf"])
        refused("y,x\n1,5\n2,NaN\n", ["line 3, column 'x'", "missing"])
        refused('y,x\n"1\n2",5\n2,6\nabc,7\n', ["line 2, column 'y'", "no number"])

    def test_wrong_tables_and_options(self):
        table = self.write("t.csv", "y,x,c\n1,2,red\n2,,blue\n3,4,red\n")
        self.refused("fit", table, "--target", "y", says=["line 3, column 'x'", "missing"])
        self.refused("fit", table, "--target", "z", says=["no column 'z'"])
        self.refused("fit", table, says=["no target"])
        self.refused("fit", table, "--formula", "y ~ x |", says=["formula: at character"])
        self.refused("fit", table, "--target", "y", "--missing", "drop", "--experts", "7", says=["experts=7 exceeds the 2 rows"])
        self.refused("fit", table, "--target", "y", "--tree", "2x", says=["2x"])
        self.refused("fit", table, "--target", "y", "--family", "gausian", says=["did you mean 'gaussian'"])
        self.refused("fit", self.write("q.csv", 'y,x\n1,"2\n'), "--target", "y", says=["ends inside the quoted field", "line 2"])
        self.refused("fit", self.write("l.csv", b"y,x\n1,caf\xe9\n"), "--target", "y", says=["line 2, column 'x'", "UTF-8"])
        self.refused("predict", self.write("m.json", "{}"), table, says=["m.json", "not a model"])


class Upcycling(Case):
    DENSE = [*TINY, "--first-k-dense-replace=2", "--intermediate-size=64"]

    def dense(self) -> pathlib.Path:
        result = self.witan("train", self.corpus(), "--output", self.folder / "dense", *self.DENSE, "--steps=8")
        self.assertEqual(result.returncode, 0, result.stderr)
        return self.folder / "dense"

    def loss(self, model) -> float:
        result = self.witan("eval", model, self.folder / "text", "--json", "--sequence-length=32")
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)["loss"]

    def test_dense_to_mixture_trained_on_and_back(self):
        dense = self.dense()
        self.assertEqual(json.loads((dense / "model/config.json").read_text())["model_type"], "llama")
        loss = self.loss(dense)
        for name, options in (("copies", []), ("groups", ["--granularity=2"]), ("every", ["--every=2"])):
            sparse = self.folder / name
            result = self.witan("upcycle", dense, "--output", sparse, "--experts=4", "--top-k=2", *options)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn("what the dense model does, up to rounding", result.stdout)
            self.assertAlmostEqual(self.loss(sparse), loss, places=5)
            said = [self.witan("generate", one, "--prompt=The quick", "--max-tokens=8", "--temperature=0").stdout
                    for one in (dense, sparse)]
            self.assertEqual(*said)
        self.assertEqual(json.loads((self.folder / "copies/config.json").read_text())["model_type"], "mixtral")

        for options in (["--expert=3"], ["--expert=0,2"], ["--mean"]):
            back = self.folder / ("back" + options[0])
            result = self.witan("extract", self.folder / "copies", "--output", back, *options)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual((back / "model.safetensors").read_bytes(), (dense / "model/model.safetensors").read_bytes())
            self.assertEqual((back / "tokenizer.json").read_bytes(), (dense / "model/tokenizer.json").read_bytes())

        run = self.folder / "run"
        result = self.witan("train", "--from", self.folder / "copies", self.folder / "text", "--output", run, "--steps=4",
                            "--batch-size=4", "--sequence-length=32", "--router-aux-loss-coef=0.02", "--learning-rate=0.001")
        self.assertEqual(result.returncode, 0, result.stderr)
        settings = json.loads((run / "settings.json").read_text())
        self.assertEqual(settings["from"]["folder"], str(self.folder / "copies"))
        self.assertEqual((settings["hidden_size"], settings["router_aux_loss_coef"]), (32, 0.02))
        self.assertLess(self.loss(run), loss)
        shutil.rmtree(self.folder / "copies")
        resumed = self.witan("train", "--resume", run, "--steps=6")
        self.assertEqual(resumed.returncode, 0, resumed.stderr)
        self.assertEqual(self.steps(run), [1, 2, 3, 4, 5, 6])
        self.assertEqual(json.loads((run / "model/config.json").read_text())["model_type"], "mixtral")
        self.assertEqual(self.leftovers(), [])

    def test_what_is_not_exact_is_said(self):
        dense = self.dense()
        result = self.witan("upcycle", dense, "--dry-run", "--experts=8", "--top-k=3", "--granularity=2", "--noise=0.1",
                            "--drop=0.5", "--weighting=softmax_then_topk")
        self.assertEqual(result.returncode, 0, result.stderr)
        for text in ("not compute exactly", "not divided by their sum", "hold some of the 2 shards", "noise of 0.1", "drawn anew"):
            self.assertIn(text, result.stdout)

    def test_fine_tunes_joined(self):
        dense = self.dense()
        prompts = [self.write("en.txt", ENGLISH), self.write("de.txt", GERMAN + "\n")]
        joined = self.folder / "joined"
        result = self.witan("join", dense, dense, "--output", joined, "--prompts", *prompts)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertAlmostEqual(self.loss(joined), self.loss(dense), places=5)
        out = self.folder / "out"
        self.refused("join", dense, dense, "--output", out, "--prompts", prompts[0], says=["1 files of prompts for 2 models"])
        self.refused("join", dense, "--output", out, "--router=zero", says=["at least two"])
        self.refused("join", dense, joined, "--output", out, "--router=zero", says=["not a dense model"])
        self.refused("join", dense, dense, "--output", joined, "--router=zero", says=["exists"])
        self.assertFalse(out.exists())

    def test_wrong_inputs(self):
        dense = self.dense()
        out = self.folder / "out"
        upcycle = ["upcycle", dense, "--output", out]
        self.refused(*upcycle, "--experts=2", "--top-k=3", says=["top_k=3 exceeds experts=2"])
        self.refused(*upcycle, "--granularity=3", says=["intermediate_size=64", "3 equal shards"])
        self.refused(*upcycle, "--experts=9", "--granularity=2", says=["experts=9 is not a multiple of the 2 shards"])
        self.refused(*upcycle, "--every=3", says=["every=3", "2 layers"])
        self.refused(*upcycle, "--top-k=1", says=["softmax_then_topk"])
        self.refused("upcycle", dense, says=["--output"], code=2)
        self.refused("upcycle", self.folder / "nowhere", "--output", out, says=["nowhere"])
        self.refused(*upcycle, limit_file_bytes=100_000, says=["out"])
        self.assertFalse(out.exists())
        self.assertEqual(self.leftovers(), [])
        self.assertEqual(self.witan(*upcycle, "--experts=4").returncode, 0)
        self.refused(*upcycle, says=["out", "exists"])
        self.refused("upcycle", out, "--output", self.folder / "twice", says=["not a dense model", "4 experts"])
        self.refused("extract", out, "--output", self.folder / "one", "--expert=4", says=["4 is no expert"])
        self.refused("extract", out, "--output", self.folder / "one", "--expert=1", "--mean", says=["exclude"])
        self.refused("extract", dense, "--output", self.folder / "one", says=["dense already"])
        train = ["train", "--from", out, self.folder / "text", "--output", self.folder / "run", "--steps=1"]
        self.refused(*train, "--hidden-size=64", "--num-experts=8", says=["hidden_size: 64, the model has 32", "num_experts: 8"])
        self.refused(*train, "--tokenizer=bytes", says=["--tokenizer"])
        self.refused(*train, "--router=loss_free", "--weighting=sigmoid_topk_norm", says=["the weights lack"])
        self.refused("train", "--from", out, "--resume", dense, says=["--from"], code=2)
        self.assertFalse((self.folder / "run").exists())


class WrongInput(Case):
    def train_refused(self, data, *more, says, code=1, **options):
        run = self.folder / "run"
        result = self.refused("train", data, "--output", run, *TINY, "--steps=2", *more, says=says, code=code, **options)
        self.assertFalse(run.exists(), "half a run was left behind")
        return result

    def test_missing_data(self):
        self.train_refused(self.folder / "nowhere", says=["nowhere"])

    def test_empty_folder(self):
        (self.folder / "empty").mkdir()
        self.train_refused(self.folder / "empty", says=["empty", ".txt"])

    def test_empty_file(self):
        self.train_refused(self.write("a.txt", ""), says=["a.txt"])

    def test_shorter_than_a_sequence(self):
        self.train_refused(self.write("a.txt", "too short\n"), "--tokenizer=bytes", says=["sequence"])

    def test_invalid_utf8_names_file_and_offset(self):
        path = self.write("bad.txt", varied(ENGLISH, 100).encode() + b"\xff\xfe" + varied(ENGLISH, 100).encode())
        offset = len(varied(ENGLISH, 100).encode())
        self.train_refused(path, says=["bad.txt", str(offset)])
        lossy = self.witan("train", path, "--output", self.folder / "lossy", *TINY, "--steps=1", "--lossy")
        self.assertEqual(lossy.returncode, 0, lossy.stderr)

    def test_binary(self):
        self.train_refused(self.write("a.txt", bytes(range(256)) * 20), says=["a.txt"])

    def test_truncated_gzip(self):
        whole = gzip.compress(varied(ENGLISH, 400).encode())
        self.train_refused(self.write("a.txt.gz", whole[: len(whole) // 2]), says=["a.txt.gz"])

    def test_more_choices_than_experts(self):
        self.train_refused(self.corpus(), "--num-experts-per-tok=9", says=["num_experts_per_tok", "9", "4"])

    def test_heads_that_do_not_divide(self):
        self.train_refused(self.corpus(), "--num-key-value-heads=3", says=["3", "4"])

    def test_unknown_option_names_the_nearest(self):
        self.train_refused(self.corpus(), "--num-expert=4", says=["--num-expert", "--num-experts"], code=2)

    def test_unknown_router_names_the_known(self):
        self.train_refused(self.corpus(), "--router=top_p", says=["top_p", "top_k"], code=2)

    def test_k1_renormalised(self):
        self.train_refused(self.corpus(), "--num-experts-per-tok=1", "--weighting=topk_then_softmax", says=["gradient"])

    def test_output_that_cannot_be_made(self):
        self.refused("train", self.corpus(), "--output", "/proc/witan-run", *TINY, "--steps=2", says=["/proc/witan-run"])

    def test_run_folder_in_use(self):
        self.assertEqual(self.train(steps=1).returncode, 0)
        self.refused("train", self.corpus(), "--output", self.folder / "run", *TINY, "--steps=1", says=["run", "--resume"])

    def test_full_disk(self):
        result = self.witan("train", self.corpus(), "--output", self.folder / "run", *TINY, "--steps=2",
                            limit_file_bytes=40_000)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("witan: error:", result.stderr)
        self.assertEqual(self.leftovers(), [])

    def test_disk_that_fills_up_later_keeps_the_checkpoint(self):
        self.assertEqual(self.train(steps=2).returncode, 0)
        run = self.folder / "run"
        before = {path: path.read_bytes() for path in (run / "checkpoint").rglob("*") if path.is_file()}
        self.assertGreater(max(map(len, before.values())), 100_000)
        result = self.witan("train", "--resume", run, "--steps=4", limit_file_bytes=100_000)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("witan: error:", result.stderr)
        self.assertEqual({path: path.read_bytes() for path in (run / "checkpoint").rglob("*") if path.is_file()}, before)
        self.assertEqual(self.leftovers(), [])

    def test_loss_that_is_not_a_number(self):
        result = self.train("--learning-rate=1e6", "--max-grad-norm=0", steps=50)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("wrong first", result.stderr)

    def test_foreign_and_truncated_checkpoints(self):
        self.assertEqual(self.train(steps=1).returncode, 0)
        model = self.folder / "run/model"
        weights = model / "model.safetensors"
        whole = weights.read_bytes()
        config = json.loads((model / "config.json").read_text())

        weights.write_bytes(whole[: len(whole) // 2])
        self.refused("generate", model, "--prompt", "a", says=["model.safetensors"])
        weights.write_bytes(struct.pack("<Q", 1 << 60) + whole[8:])
        self.refused("generate", model, "--prompt", "a", says=["model.safetensors"])
        weights.write_bytes(b"GGUF" + whole[4:])
        self.refused("generate", model, "--prompt", "a", says=["model.safetensors"])
        weights.write_bytes(whole)

        for change, says in (({"model_type": "llamma"}, ["llamma", "mixtral"]), ({"hidden_size": -4}, ["hidden_size"]),
                             ({"hidden_size": 64}, ["shape"]), ({"num_local_experts": 10**12}, ["num_local_experts"])):
            (model / "config.json").write_text(json.dumps({**config, **change}))
            self.refused("generate", model, "--prompt", "a", says=says)
        (model / "config.json").write_text('{"model_type": ')
        self.refused("generate", model, "--prompt", "a", says=["config.json"])
        (model / "config.json").unlink()
        self.refused("generate", model, "--prompt", "a", says=["config.json"])
        self.refused("generate", self.folder / "nothing", "--prompt", "a", says=["nothing"])

    def test_inspect_of_what_cannot_be_looked_into(self):
        self.refused("inspect", self.folder / "nothing", says=["nothing"])
        self.assertEqual(self.train(steps=1).returncode, 0)
        model = self.folder / "run/model"
        text = self.write("a.txt", varied(ENGLISH, 40))
        self.refused("inspect", model, "--data", self.folder / "nowhere", says=["nowhere"])
        self.refused("inspect", model, "--data", self.write("b.txt", b"\xff" * 50), says=["b.txt"])
        self.refused("inspect", model, "--data", text, "--sequence-length=100000", says=["100000", "max_position_embeddings"])
        self.refused("inspect", model, "--data", text, "--tokens=0", says=["tokens"], code=2)
        self.refused("inspect", model, "--report", "/proc/witan.html", says=["/proc/witan.html"])
        for name in ("tokenizer.json", "tokenizer.model"):
            (model / name).unlink(missing_ok=True)
        self.refused("inspect", model, "--data", text, says=["tokenizer"])
        self.assertEqual(self.witan("inspect", model).returncode, 0)

        weights = model / "model.safetensors"
        whole = weights.read_bytes()
        weights.write_bytes(whole[: len(whole) // 2])
        self.refused("inspect", model, says=["model.safetensors"])
        weights.write_bytes(whole)
        config = json.loads((model / "config.json").read_text())
        for change, says in (({"model_type": "llamma"}, ["llamma", "mixtral"]),
                             ({"num_hidden_layers": 40}, ["but the files hold"])):
            (model / "config.json").write_text(json.dumps({**config, **change}))
            self.refused("inspect", model, says=says)

    def test_resume_of_what_is_no_run(self):
        self.refused("train", "--resume", self.folder, says=[str(self.folder)])


if __name__ == "__main__":
    WITAN = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1)
