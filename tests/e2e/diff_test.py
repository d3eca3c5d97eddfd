"""`witan diff` and `--dump`: where models and dumps part, and how the program ends.

Usage: diff_test.py WITAN_BINARY [unittest arguments]
"""

import json
import pathlib
import shutil
import struct
import sys
import unittest

import cli_test

GOLDENS = pathlib.Path(__file__).parent.parent / "golden" / "checkpoints"


class Diff(cli_test.Case):
    def diff(self, *arguments, code):
        result = self.witan("diff", *arguments)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        return result.stdout

    def changed(self, name: str, tensor: str) -> pathlib.Path:
        """A copy whose f32 `tensor` has another first value."""
        folder = self.folder / "changed"
        shutil.copytree(GOLDENS / name, folder)
        file = folder / "model.safetensors"
        data = bytearray(file.read_bytes())
        length = struct.unpack_from("<Q", data)[0]
        entry = json.loads(data[8:8 + length])[tensor]
        self.assertEqual(entry["dtype"], "F32")
        struct.pack_into("<f", data, 8 + length + entry["data_offsets"][0], 2.5)
        file.write_bytes(data)
        return folder

    def test_a_model_is_equal_to_itself_and_to_the_reference(self):
        for name in ("deepseek_v3", "switch_transformers", "gpt_oss_mxfp4"):
            self.assertIn("equal within", self.diff(GOLDENS / name, GOLDENS / name, "--tolerance", 0, code=0))
            self.assertIn("equal within", self.diff(GOLDENS / name, GOLDENS / name / "expected.json", code=0))

    def test_says_where_two_models_part(self):
        changed = self.changed("granitemoe", "model.layers.1.self_attn.v_proj.weight")
        file = self.folder / "diff.json"
        shown = self.diff(GOLDENS / "granitemoe", changed, "--tokens", "1,2,3,4", "--json", file, code=1)
        self.assertIn("they first part at layers.1.attention", shown)
        comparison = json.loads(file.read_text())
        self.assertEqual(comparison["first_beyond"], "layers.1.attention")
        self.assertFalse(comparison["equal"])
        layers = {tensor["name"]: tensor for tensor in comparison["tensors"]}
        self.assertEqual(layers["layers.0.output"]["absolute"], 0)
        self.assertEqual(layers["layers.1.attention"]["shape"][0], 4)
        weights = self.diff(GOLDENS / "granitemoe", changed, "--weights", code=1)
        self.assertIn("they first part at model.layers.1.self_attn.v_proj.weight: at [0, 0]", weights)

    def test_dumps(self):
        run = self.folder / "run"
        self.assertEqual(self.train().returncode, 0)
        dump = self.folder / "a.safetensors"
        made = self.witan("generate", run, "--prompt", "The quick", "--max-tokens", 0, "--dump", "layers.*.moe.*", "--dump",
                          "logits", "--dump-file", dump)
        self.assertEqual(made.returncode, 0, made.stderr)
        shown = self.diff(dump, run, code=0)
        self.assertIn("layers.1.moe.topk_index", shown)
        self.assertNotIn("layers.1.attention ", shown.split("only in")[0])
        self.diff(run, dump, "--prompt", "The quick", code=0)
        self.diff(run, dump, "--prompt", "Another", code=2)
        self.refused("generate", run, "--prompt", "x", "--dump", "layers.0.moe.ruoter", "--dump-file", dump,
                     says=["did you mean 'layers.0.moe.router'"])
        self.refused("generate", run, "--prompt", "x", "--dump", "logits", says=["--dump-file"])

    def test_wrong_input_is_trouble_and_no_difference(self):
        model = GOLDENS / "mixtral"
        self.refused("diff", model, self.folder / "none", says=["none"], code=2)
        self.refused("diff", model, self.folder, says=["config.json"], code=2)
        self.refused("diff", model, model, "--tokens", "1,x", says=["--tokens"], code=2)
        self.refused("diff", model, model, "--tokens", "99999", says=["99999"], code=2)
        self.refused("diff", model, model / "expected.json", "--weights", says=["--weights"], code=2)
        self.refused("diff", model, GOLDENS / "switch_transformers", "--tolerance", -1, says=["tolerance"], code=2)
        self.refused("diff", self.write("x.json", "{}"), model, says=["prompts"], code=2)
        self.refused("diff", model, says=["B"], code=2)


if __name__ == "__main__":
    cli_test.WITAN = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main(verbosity=1)
