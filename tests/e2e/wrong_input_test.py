"""Every wrong input of training, generating and inspecting that the engine promises to refuse clearly.

Usage: wrong_input_test.py WITAN_BINARY [unittest arguments]
"""

import gzip
import json
import os
import struct
import subprocess

from command_line import ENGLISH, TINY, TINY_BYTES, Case, main, varied


class WrongInput(Case):
    def train_refused(self, data, *more, says, code=1, **options):
        run = self.folder / "run"
        result = self.refused("train", data, "--output", run, *TINY, "--steps=2", *more, says=says, code=code, **options)
        self.assertFalse(run.exists(), "half a run was left behind")
        return result

    def test_a_norm_without_epsilon(self):
        self.train_refused(self.corpus(), "--rms-norm-eps=0", says=["rms-norm-eps"], code=2)

    def test_overwriting_the_model_to_begin_with(self):
        run = self.folder / "run"
        self.assertEqual(self.witan("train", self.corpus(), "--output", run, *TINY, "--steps=1").returncode, 0)
        self.refused("train", self.corpus(), "--from", run, "--output", run, "--overwrite", "--steps=1",
                     says=["another folder"])
        self.refused("train", run / "heldout.txt", "--output", run, "--overwrite", "--steps=1", says=["heldout.txt"])
        self.assertTrue((run / "heldout.txt").is_file())
        self.assertTrue((run / "model/model.safetensors").is_file())

    def test_missing_data(self):
        self.train_refused(self.folder / "nowhere", says=["nowhere"])

    def test_empty_folder(self):
        (self.folder / "empty").mkdir()
        self.train_refused(self.folder / "empty", says=["empty", ".txt"])

    def test_empty_file(self):
        self.train_refused(self.write("a.txt", ""), says=["a.txt"])

    def test_shorter_than_a_sequence(self):
        short, run = self.write("a.txt", "too short\n"), self.folder / "run"
        self.refused("train", short, "--output", run, *TINY_BYTES, "--steps=2", says=["sequence"])
        self.assertFalse(run.exists())
        self.train_refused(short, "--tokenizer=bytes", says=["vocab_size: 300", "258 tokens"])

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

    def test_flags_of_one_gate_beside_a_preset(self):
        self.refused("train", "--preset=tiny", "--gate=tree", "--tree-branching=5", "--dry-run",
                     says=["tree_branching='5'", "num_experts=4"])

    def test_preset_and_seed(self):
        self.train_refused(self.corpus(), "--preset=tinyy", says=["tinyy", "did you mean 'tiny'"], code=2)
        for seed in ("-1", str(10**20), str(2**53 + 1)):
            self.train_refused(self.corpus(), f"--seed={seed}", says=["--seed", seed], code=2)

    def test_names_that_are_no_utf8(self):
        text = self.folder / os.fsdecode(b"caf\xe9")
        text.mkdir()
        (text / os.fsdecode(b"a\xe4.txt")).write_text(varied(ENGLISH, 100))
        self.train_refused(text, says=["not UTF-8"])
        self.assertEqual(self.train(steps=1).returncode, 0)
        run = (self.folder / "run").rename(self.folder / os.fsdecode(b"r\xfcn"))
        self.assertEqual(self.witan("report", run).returncode, 0)
        result = self.witan("eval", run, text, "--json")
        self.assertEqual(list(json.loads(result.stdout)["domains"]), ["a\ufffd"], result.stderr)
        self.assertEqual(self.witan("inspect", run, "--json", self.folder / "i.json").returncode, 0)
        self.assertEqual(self.witan("diff", run, run, "--json", self.folder / "d.json").returncode, 0)

    def test_evaluation_of_what_and_where_to(self):
        self.assertEqual(self.train(steps=1).returncode, 0)
        run, text = self.folder / "run", self.folder / "text"
        self.refused("eval", run, says=["--heldout"])
        self.refused("eval", run, text, "--heldout", says=["leave out", "text"])
        self.refused("eval", run, text, "--analysis", self.folder, says=["a folder has this name"])
        self.refused("eval", run, text, "--analysis", run / "report.html/a.json", says=["report.html is no folder"])
        self.refused("compare", text, "--output", run, *TINY, "--steps=1", says=["holds a run"])
        for command in ("train", "compare"):
            self.refused(command, text, "--output", "", *TINY, "--steps=1", says=["without a name"])
        self.refused("upcycle", run / "model", "--output", "", says=["not a dense model"])

    def test_standard_output_that_takes_nothing(self):
        self.assertEqual(self.train(steps=1).returncode, 0)
        run = self.folder / "run"
        for arguments, code in ((("--help",), 1), (("inspect", run), 1), (("eval", run, "--heldout"), 1), (("diff", run, run), 2)):
            with open("/dev/full", "wb") as full:
                result = subprocess.run(self.command(*arguments), stdout=full, stderr=subprocess.PIPE, text=True, check=False)
            self.assertEqual(result.returncode, code, result.stderr)
            self.assertIn("witan: error: standard output: ", result.stderr)

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
        self.refused("inspect", model, "--data", text, "--target-data", text, says=["encoder-decoders"])
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
    main()
