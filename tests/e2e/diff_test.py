"""`witan diff` and `--dump`: where models and dumps part, and how the program ends.

Usage: diff_test.py WITAN_BINARY [unittest arguments]
"""

import json
import pathlib
import shutil
import struct

from command_line import GOLDENS, Case, main, read_safetensors, safetensors_bytes

CHECKPOINTS = GOLDENS / "checkpoints"


class Diff(Case):
    def diff(self, *arguments, code):
        result = self.witan("diff", *arguments)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        return result.stdout

    def changed(self, name: str, tensor: str) -> pathlib.Path:
        """A copy whose f32 `tensor` has another first value."""
        folder = self.folder / "changed"
        shutil.copytree(CHECKPOINTS / name, folder)
        file = folder / "model.safetensors"
        header, data = read_safetensors(file.read_bytes())
        self.assertEqual(header[tensor]["dtype"], "F32")
        values = bytearray(data)
        struct.pack_into("<f", values, header[tensor]["data_offsets"][0], 2.5)
        file.write_bytes(safetensors_bytes(header, values))
        return folder

    def test_a_model_is_equal_to_itself_and_to_the_reference(self):
        for name in ("deepseek_v3", "switch_transformers", "gpt_oss_mxfp4"):
            self.assertIn("equal within", self.diff(CHECKPOINTS / name, CHECKPOINTS / name, "--tolerance", 0, code=0))
            self.assertIn("equal within", self.diff(CHECKPOINTS / name, CHECKPOINTS / name / "expected.json", code=0))

    def test_says_where_two_models_part(self):
        changed = self.changed("granitemoe", "model.layers.1.self_attn.v_proj.weight")
        file = self.folder / "diff.json"
        shown = self.diff(CHECKPOINTS / "granitemoe", changed, "--tokens", "1,2,3,4", "--json", file, code=1)
        self.assertIn("they first part at layers.1.attention", shown)
        comparison = json.loads(file.read_text())
        self.assertEqual(comparison["first_beyond"], "layers.1.attention")
        self.assertFalse(comparison["equal"])
        layers = {tensor["name"]: tensor for tensor in comparison["tensors"]}
        self.assertEqual(layers["layers.0.output"]["absolute"], 0)
        self.assertEqual(layers["layers.1.attention"]["shape"][0], 4)
        weights = self.diff(CHECKPOINTS / "granitemoe", changed, "--weights", code=1)
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
        model = CHECKPOINTS / "mixtral"
        self.refused("diff", model, self.folder / "none", says=["none"], code=2)
        self.refused("diff", model, self.folder, says=["config.json"], code=2)
        self.refused("diff", model, model, "--tokens", "1,x", says=["--tokens"], code=2)
        self.refused("diff", model, model, "--tokens", "99999", says=["99999"], code=2)
        self.refused("diff", model, model / "expected.json", "--weights", says=["--weights"], code=2)
        self.refused("diff", model, CHECKPOINTS / "switch_transformers", "--tolerance", -1, says=["tolerance"], code=2)
        self.refused("diff", self.write("x.json", "{}"), model, says=["prompts"], code=2)
        self.refused("diff", model, says=["B"], code=2)


if __name__ == "__main__":
    main()
