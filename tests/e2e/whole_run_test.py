"""A small run from its text to its report: training, resuming, generating, evaluating, inspecting, comparing.

Usage: whole_run_test.py WITAN_BINARY [unittest arguments]
"""

import json
import os
import pty
import shutil
import signal
import subprocess
import time

from command_line import ENGLISH, TINY, TINY_BYTES, Case, main, varied


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

    def start_training(self) -> subprocess.Popen:
        """A run of many steps, of which the first is done."""
        command = self.command("train", self.corpus(), "--output", self.folder / "run", *TINY, "--steps=100000")
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        metrics = self.folder / "run" / "metrics.jsonl"
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            if metrics.exists() and '"kind":"step"' in metrics.read_text():
                break
            time.sleep(0.05)
        return process

    def test_interrupt_saves_and_resume_goes_on(self):
        process = self.start_training()
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

    def test_results_of_a_shorter_run_are_written_anew(self):
        run = self.folder / "run"
        self.assertEqual(self.train(steps=2).returncode, 0)
        parts = ["model", "analysis.json", "report.html"]
        shutil.copytree(run, self.folder / "shorter")
        self.assertEqual(self.witan("train", "--resume", run, "--steps=4").returncode, 0)
        longer = (run / "model/model.safetensors").read_bytes()
        # As if it had been killed in its last evaluation.
        shutil.rmtree(run / "model")
        for part in parts:
            (shutil.copytree if part == "model" else shutil.copy)(self.folder / "shorter" / part, run / part)
        again = self.witan("train", "--resume", run)
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn("results are missing", again.stdout)
        self.assertEqual((run / "model/model.safetensors").read_bytes(), longer)
        self.assertEqual(json.loads((run / "analysis.json").read_text())["step"], 4)
        self.refused("train", "--resume", run, says=["complete", "4 steps"])

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
        process = self.start_training()
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

    def test_a_plan_needs_no_tokenizer(self):
        self.assertEqual(self.train(steps=1).returncode, 0)
        model = self.folder / "run/model"
        for file in model.glob("token*"):
            file.unlink()
        result = self.witan("generate", model, "--dry-run", "--prompt=The council", "--max-tokens=20")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("31 positions", result.stdout)
        result = self.witan("generate", model, "--prompt=The council")
        self.assertIn("no tokenizer", result.stderr)

    def test_a_generation_config_counts_where_no_flag_does(self):
        self.assertEqual(self.train(steps=1).returncode, 0)
        model = self.folder / "run/model"

        def said(config, *flags):
            (model / "generation_config.json").write_text(json.dumps(config))
            result = self.witan("generate", model, "--prompt=The", "--no-echo", *flags)
            self.assertEqual(result.returncode, 0, result.stderr)
            return result

        greedy = {"do_sample": False, "max_new_tokens": 6}
        first = said(greedy).stdout
        self.assertIn(" 6 tokens in ", said(greedy).stderr)
        self.assertEqual(said(greedy, "--seed=5").stdout, first)
        drawn = {said(greedy, "--top-k=100", f"--seed={seed}").stdout for seed in range(4)}
        self.assertGreater(len(drawn), 1, "--top-k draws")
        self.assertIn(" 3 tokens in ", said(greedy, "--max-tokens=3").stderr)
        self.assertIn("stop string", said({**greedy, "stop_strings": list("abcdefghijklmnopqrstuvwxyz ,.")}).stderr)
        self.assertIn("max_length", self.witan("generate", model, "--help").stdout)

    def test_reading_a_run_does_not_move_its_folders(self):
        self.assertEqual(self.train(steps=1).returncode, 0)
        run = self.folder / "run"
        os.rename(run / "model", run / ".model.old")  # as a trainer does between two renames
        self.assertEqual(self.witan("generate", run, "--prompt=The", "--max-tokens=2").returncode, 0)
        self.assertTrue((run / ".model.old").is_dir())
        self.assertFalse((run / "model").exists())

    def test_control_characters_reach_pipes_as_they_are_and_terminals_as_pictures(self):
        trained = self.witan("train", self.corpus(), "--output", self.folder / "run", *TINY_BYTES, "--steps=1")
        self.assertEqual(trained.returncode, 0, trained.stderr)
        command = self.command("generate", self.folder / "run", "--prompt=a\x1b[31mb", "--max-tokens=0")
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


if __name__ == "__main__":
    main()
