"""Encoder-decoders from the command line: what `witan generate` makes of a source, and what it refuses.

Usage: encoder_decoder_test.py WITAN_BINARY [unittest arguments]
"""

import json
import pathlib
import random
import shutil
import struct

from command_line import GOLDENS, Case, main, safetensors_bytes, word_tokenizer

SWITCH = GOLDENS / "checkpoints" / "switch_transformers"


def nllb_tensors(config):
    """Names and shapes of a released NLLB-MoE with this config."""
    hidden, experts = config["d_model"], config["num_experts"]
    shapes = {"model.shared.weight": [config["vocab_size"], hidden]}

    def linear(name, out, into):
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = [out, into], [out]

    def norm(name):
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = [hidden], [hidden]

    for side, attentions in (("encoder", ["self_attn"]), ("decoder", ["self_attn", "cross_attention"])):
        inner = config[f"{side}_ffn_dim"]
        norm(f"model.{side}.layer_norm")
        for layer in range(config[f"{side}_layers"]):
            prefix = f"model.{side}.layers.{layer}"
            norm(f"{prefix}.ff_layer_norm")
            for attention in attentions:
                norm(f"{prefix}.{attention}_layer_norm")
                for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
                    linear(f"{prefix}.{attention}.{part}", hidden, hidden)
            networks = [f"{prefix}.ffn"]
            if (layer + 1) % config[f"{side}_sparse_step"] == 0:
                networks = [f"{prefix}.ffn.experts.expert_{expert}" for expert in range(experts)]
                shapes[f"{prefix}.ffn.router.classifier.weight"] = [experts, hidden]
            for network in networks:
                linear(f"{network}.fc1", inner, hidden)
                linear(f"{network}.fc2", hidden, inner)
    return shapes


def write_safetensors(path, shapes, seed):
    draw = random.Random(seed)
    header, data = {}, b""
    for name, shape in sorted(shapes.items()):
        count = 1
        for size in shape:
            count *= size
        centre = 1.0 if name.endswith("layer_norm.weight") else 0.0
        values = struct.pack(f"<{count}f", *(draw.gauss(centre, 0.3) for _ in range(count)))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    path.write_bytes(safetensors_bytes(header, data))


class Translation(Case):
    def switch(self) -> pathlib.Path:
        folder = self.folder / "switch"
        folder.mkdir()
        for name in ("config.json", "generation_config.json", "model.safetensors"):
            shutil.copy(SWITCH / name, folder)
        words = ["<pad>", "</s>", "<unk>", *(f"w{i}" for i in range(3, 240)), *(f"<extra_id_{i}>" for i in range(16))]
        self.write("switch/tokenizer.json", json.dumps(word_tokenizer(words, after=["</s>"])))
        self.write("switch/tokenizer_config.json", json.dumps({"eos_token": "</s>", "pad_token": "<pad>"}))
        return folder

    def nllb(self) -> pathlib.Path:
        folder = self.folder / "nllb"
        config = {
            "model_type": "nllb-moe", "vocab_size": 32, "d_model": 16, "num_experts": 4, "encoder_layers": 2,
            "decoder_layers": 2, "encoder_ffn_dim": 24, "decoder_ffn_dim": 24, "encoder_attention_heads": 2,
            "decoder_attention_heads": 2, "encoder_sparse_step": 2, "decoder_sparse_step": 2, "pad_token_id": 1,
            "decoder_start_token_id": 2, "eos_token_id": 2, "max_length": 12,
        }
        self.write("nllb/config.json", json.dumps(config))
        write_safetensors(folder / "model.safetensors", nllb_tensors(config), seed=1)
        words = ["<s>", "<pad>", "</s>", "<unk>", *(f"w{i}" for i in range(4, 29)), "eng_Latn", "fra_Latn", "zho_Hans"]
        self.write("nllb/tokenizer.json", json.dumps(word_tokenizer(words, after=["</s>", "eng_Latn"])))
        self.write("nllb/tokenizer_config.json", json.dumps({"eos_token": "</s>", "bos_token": "<s>"}))
        return folder

    def said(self, *arguments, **options) -> str:
        result = self.witan("generate", *arguments, **options)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def test_outputs_are_the_references(self):
        expected = json.loads((SWITCH / "expected.json").read_text())
        folder = self.switch()
        # The reference's sources have no end token.
        words = ["<pad>", "</s>", "<unk>", *(f"w{i}" for i in range(3, 256))]
        self.write("switch/tokenizer.json", json.dumps(word_tokenizer(words, after=[])))
        for prompt, wanted in zip(expected["encoder_prompts"], expected["greedy"], strict=True):
            wanted = wanted[: wanted.index(1)] if 1 in wanted else wanted
            said = self.said(folder, "--source", " ".join(words[id] for id in prompt), "--max-tokens", 12)
            self.assertEqual(said.split(), [words[id] for id in wanted])

    def test_lines_files_and_standard_input(self):
        folder = self.switch()
        text = "w10 w20 <extra_id_0> w30\n\nw40 w50\n"
        file = self.write("lines.txt", text)
        from_file = self.said(folder, "--source-file", file, "--max-tokens", 6)
        self.assertEqual(self.said(folder, "--max-tokens", 6, stdin=text), from_file)
        self.assertEqual(self.said(folder, "--source", "-", "--max-tokens", 6, stdin=text), from_file)
        from_windows = self.write("windows.txt", text.replace("\n", "\r\n"))
        self.assertEqual(self.said(folder, "--source-file", from_windows, "--max-tokens", 6), from_file)
        lines = from_file.split("\n")
        self.assertEqual(len(lines), 4)
        self.assertEqual(lines[1], "")
        self.assertEqual(self.said(folder, "--source", "w40 w50", "--max-tokens", 6), lines[2] + "\n")

    def test_translation(self):
        folder = self.nllb()
        french = self.said(folder, "--source", "w5 w6 w7", "--target-lang", "fra_Latn")
        self.assertEqual(french, self.said(folder, "--source", "w5 w6 w7", "--target-lang", "fra_Latn", "--source-lang",
                                           "eng_Latn"))
        self.assertNotIn("_Latn", french)
        self.assertLessEqual(len(french.split()), 10)  # max_length 12 holds the start token and the language
        others = {self.said(folder, "--source", "w5 w6 w7", "--target-lang", target, "--source-lang", source)
                  for target in ("fra_Latn", "zho_Hans") for source in ("eng_Latn", "zho_Hans")}
        self.assertGreater(len(others), 1)
        self.said(folder, "--source", "w5", "--target-lang", "fra_Latn", "--beams", 4, "--length-penalty", 0.5)
        drawn = [self.said(folder, "--source", "w5", "--target-lang", "fra_Latn", "--temperature", 3, "--seed", seed)
                 for seed in (1, 1, 2, 3, 4)]
        self.assertEqual(drawn[0], drawn[1])
        self.assertGreater(len(set(drawn)), 1)

    def test_the_files_name_languages(self):
        folder = self.nllb()
        explicit = self.said(folder, "--source", "w5 w6", "--source-lang", "zho_Hans", "--target-lang", "fra_Latn")
        self.write("nllb/tokenizer_config.json",
                   json.dumps({"eos_token": "</s>", "src_lang": "zho_Hans", "tgt_lang": "fra_Latn"}))
        self.assertEqual(self.said(folder, "--source", "w5 w6"), explicit)

    def inspected(self, *arguments):
        page, numbers = self.folder / "model.html", self.folder / "model.json"
        result = self.witan("inspect", *arguments, "--json", numbers, "--report", page)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("</html>", page.read_text())
        return result.stdout, json.loads(numbers.read_text())

    def test_inspect_watches_both_stacks(self):
        draw = random.Random(3)
        line = lambda words: " ".join(f"w{draw.choice(words)}" for _ in range(30))
        low = self.write("text/low.txt", "\n".join(line(range(3, 100)) for _ in range(20)))
        self.write("text/high.txt", "\n".join(line(range(100, 240)) for _ in range(20)))
        switch, nllb = self.switch(), self.nllb()
        shown, found = self.inspected(switch, "--data", self.folder / "text", "--sequence-length", 64)
        for text in ("the decoder is given the same text", "encoder ", "decoder ", "most typical tokens", "found no room"):
            self.assertIn(text, shown)
        self.assertEqual([domain["name"] for domain in found["text"]["domains"]], ["high", "low"])
        sparse = [(layer["stack"], layer["layer"]) for layer in found["layers"] if layer["experts"] > 0]
        self.assertEqual([(layer["stack"], layer["layer"]) for layer in found["text"]["layers"]], sparse)
        for layer in found["text"]["layers"]:
            self.assertAlmostEqual(sum(layer["load"]), 1.0, places=6)
            self.assertEqual(len(layer["load_by_domain"]), 2)

        other = self.write("fr.txt", "\n".join(f"w{draw.randrange(4, 29)} w9" for _ in range(20)))
        source = self.write("en.txt", "\n".join(f"w{draw.randrange(4, 29)} w8 w7" for _ in range(20)))
        shown, found = self.inspected(nllb, "--data", source, "--target-data", other, "--target-lang", "fra_Latn")
        self.assertIn("(eng_Latn to fra_Latn): 20 pairs, 100 tokens", shown)
        self.assertEqual(found["text"]["tokens"], 20 * 3)
        self.refused("inspect", nllb, "--data", source, "--target-data", other, says=["--target-lang"])
        self.refused("inspect", nllb, "--data", source, "--target-data", low, "--target-lang", "fra_Latn", "--tokens=9",
                     "--source-lang", "x", says=["'x'"])
        self.refused("inspect", nllb, "--data", source, "--target-data", self.write("short.txt", "w5"), "--target-lang",
                     "fra_Latn", says=["20 lines", "has 1"])
        long = self.write("long.txt", "w5 " * 1_000_000)
        self.refused("inspect", nllb, "--data", long, "--target-data", long, "--target-lang", "fra_Latn",
                     says=["tokens, expected at most 65536", "cut long lines"])
        self.refused("inspect", nllb, "--target-data", other, says=["--data"])
        self.refused("inspect", switch, "--data", source, "--source-lang", "fra_Latn", says=["names no languages"])

    def test_dry_run(self):
        shown = self.said(self.nllb(), "--dry-run", "--target-lang", "fra_Latn", "--beams", 5)
        for text in ("nllb_moe", "parameters", "memory", "tokens/s"):
            self.assertIn(text, shown)
        folder = self.nllb()
        (folder / "tokenizer.json").unlink()
        self.assertIn("nllb_moe", self.said(folder, "--dry-run", "--source", "w5 w6"))

    def test_wrong_input(self):
        switch, nllb = self.switch(), self.nllb()
        self.refused("generate", nllb, "--source", "w5", says=["--target-lang", "3 languages"])
        self.refused("generate", nllb, "--source", "w5", "--target-lang", "fra_Lat", says=["did you mean 'fra_Latn'"])
        self.refused("generate", nllb, "--source", "w5", "--target-lang", "fra_Latn", "--source-lang", "x", says=["'x'"])
        self.refused("generate", nllb, "--prompt", "w5", says=["--source", "--prompt"])
        self.refused("generate", switch, "--source", "w5", "--target-lang", "fra_Latn", says=["names no languages"])
        self.refused("generate", switch, "--source", "a", "--source-file", "b", says=["--source-file"])
        self.refused("generate", switch, "--source-file", self.folder / "none", says=["none"])
        self.refused("generate", switch, "--source-file", self.write("long.txt", "w5 " * 100_000),
                     says=["tokens, expected at most 65536", "cut long lines"])
        self.refused("generate", switch, "--source-file", self.write("endless.txt", "w" * 5_000_000),
                     says=["4194304 bytes", "cut long lines"])
        self.refused("generate", switch, "--source", "w5", "--beams", 2, "--temperature", 1, says=["beams=2", "temperature"])
        self.refused("generate", switch, "--source", "w5", "--beams", 0, says=["--beams"], code=2)
        defaults = (switch / "generation_config.json").read_text()
        (switch / "generation_config.json").write_text(json.dumps(json.loads(defaults) | {"forced_bos_token_id": 99999}))
        self.refused("generate", switch, "--source", "w5", says=["generation_config.json", "forced_bos_token_id=99999"])
        (switch / "generation_config.json").write_text(defaults)
        (switch / "model.safetensors").write_bytes((switch / "model.safetensors").read_bytes()[:1000])
        self.refused("generate", switch, "--source", "w5", says=["model.safetensors"])


if __name__ == "__main__":
    main()
