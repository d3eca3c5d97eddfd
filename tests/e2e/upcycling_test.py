"""Dense models to mixtures and back: `witan upcycle`, `extract`, `join` and `train --from`.

Usage: upcycling_test.py WITAN_BINARY [unittest arguments]
"""

import json
import pathlib
import shutil

from command_line import ENGLISH, GERMAN, TINY, Case, main


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
        self.refused("train", "--from", out, "--resume", dense, says=["--from"], code=2)
        self.assertFalse((self.folder / "run").exists())
        other = self.witan(*train, "--router=loss_free", "--weighting=sigmoid_topk_norm")  # what it holds begins anew
        self.assertEqual(other.returncode, 0, other.stderr)


if __name__ == "__main__":
    main()
