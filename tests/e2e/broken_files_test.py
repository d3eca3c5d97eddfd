"""A corpus of broken model folders, made of sound tiny ones: each is refused with one line that says what is wrong and
where, without a crash, without memory for what a file only promises.

Usage: broken_files_test.py WITAN_BINARY [unittest arguments]
"""

import json
import pathlib
import shutil
import struct

from command_line import GOLDENS, Case, main, read_safetensors, safetensors_bytes, word_tokenizer

CHECKPOINTS = GOLDENS / "checkpoints"

# What a refusal may take beyond a run of the sound folder: the largest file here is below 4 MB.
SPARE_BYTES = 64 << 20
ADDRESS_SPACE = 8 << 30


class BrokenFiles(Case):
    def setUp(self):
        super().setUp()
        self.made = 0
        self.baseline = None

    def folder_of(self, name: str) -> pathlib.Path:
        """A fresh copy of a golden checkpoint with a tokenizer."""
        self.made += 1
        folder = self.folder / f"{name}-{self.made}"
        shutil.copytree(CHECKPOINTS / name, folder)
        size = json.loads((folder / "config.json").read_text())["vocab_size"]
        words = ["<unk>", "<s>", "</s>", *(f"w{i}" for i in range(3, size))]
        (folder / "tokenizer.json").write_text(json.dumps(word_tokenizer(words, after=[], before=["<s>"])))
        (folder / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<s>", "eos_token": "</s>"}))
        return folder

    def run_model(self, folder, *more):
        prompt = "--source" if "switch" in folder.name else "--prompt"
        return self.measured("generate", folder, prompt, "w5 w6", "--max-tokens", 2, "--threads", 1, *more,
                             limit_address_space=ADDRESS_SPACE)

    def broken(self, folder, *says, more=()):
        if self.baseline is None:
            code, text, self.baseline = self.run_model(self.folder_of("mixtral"))
            self.assertEqual(code, 0, text)
        code, text, memory = self.run_model(folder, *more)
        self.assertEqual(code, 1, text)
        lines = [line for line in text.splitlines() if line.startswith("witan: error:")]
        self.assertEqual(len(lines), 1, text)
        for part in says:
            self.assertIn(part, text)
        self.assertNotIn("bug in Witan", text)
        self.assertNotIn("out of memory", text)
        self.assertLess(memory, self.baseline + SPARE_BYTES, text)

    def weights(self, change, *says, name="mixtral"):
        """`change` gets header and data of model.safetensors and gives the bytes of the file."""
        folder = self.folder_of(name)
        file = folder / "model.safetensors"
        file.write_bytes(change(*read_safetensors(file.read_bytes())))
        self.broken(folder, "model.safetensors", *says)

    def entry(self, says, **fields):
        """One tensor's entry in the header is another."""
        def change(header, data):
            header["model.norm.weight"].update(fields)
            return safetensors_bytes(header, data)
        self.weights(change, *says)

    def config(self, says, name="mixtral", **fields):
        folder = self.folder_of(name)
        config = json.loads((folder / "config.json").read_text())
        config.update(fields)
        (folder / "config.json").write_text(json.dumps({key: value for key, value in config.items() if value != "absent"}))
        self.broken(folder, *says)

    def text(self, file, content, *says, name="mixtral", more=()):
        folder = self.folder_of(name)
        (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())
        self.broken(folder, *says, more=more)

    def test_safetensors(self):
        self.weights(lambda header, data: b"", "bytes")
        self.weights(lambda header, data: b"\x00\x01\x02", "expected at least 8")
        self.weights(lambda header, data: safetensors_bytes(header, data)[:40], "cut short")
        self.weights(lambda header, data: safetensors_bytes(header, data)[:-7], "cut short")
        self.weights(lambda header, data: struct.pack("<Q", 1 << 62) + b"{}", "header of 4611686018427387904 bytes")
        self.weights(lambda header, data: struct.pack("<Q", 90_000_000) + b"{}", "header of 90000000 bytes")
        self.weights(lambda header, data: safetensors_bytes(b"[]", data), "expected an object")
        self.weights(lambda header, data: safetensors_bytes(b"{\"a\": \xff\xfe}", data), "invalid JSON")
        self.weights(lambda header, data: safetensors_bytes(b"[" * 200000, data), "header")
        self.weights(lambda header, data: safetensors_bytes(json.dumps(header).encode()[:-1] + b", \"model.norm.weight\": {}}", data),
                     "model.norm.weight")
        self.weights(lambda header, data: safetensors_bytes(header, data + b"\0" * 5), "the tensors end at")

    def test_tensors(self):
        name = ["model.norm.weight"]
        self.entry([*name, "F7"], dtype="F7")
        self.entry([*name, "bytes, expected"], dtype="F32")
        self.entry([*name, "no range"], data_offsets=[8, 0])
        self.entry([*name, "no range"], data_offsets=[0, -4])
        self.entry([*name, "reach beyond"], data_offsets=[0, 1 << 60])
        self.entry(["overlaps another tensor"], data_offsets=[0, 128])
        self.entry([*name, "too large"], shape=[1 << 40, 1 << 40])
        self.entry([*name, "too large"], shape=[0, 1 << 62, 1 << 62])
        self.entry([*name, "sizes of 0 or more"], shape=[-64])
        self.entry([*name, "sizes of 0 or more"], shape=[1e300])
        self.entry([*name, "expected a list"], shape="64")

        def renamed(header, data):
            header["model.norm.wieght"] = header.pop("model.norm.weight")
            return safetensors_bytes(header, data)
        folder = self.folder_of("mixtral")
        file = folder / "model.safetensors"
        file.write_bytes(renamed(*read_safetensors(file.read_bytes())))
        self.broken(folder, "model.norm.weight")

    def test_shards(self):
        def index(change, *says):
            folder = self.folder_of("olmoe")
            file = folder / "model.safetensors.index.json"
            content = json.loads(file.read_text())
            changed = change(folder, content)
            file.write_text(changed if isinstance(changed, str) else json.dumps(content))
            self.broken(folder, *says)

        def put(place):
            return lambda folder, content: content["weight_map"].update({"model.norm.weight": place})
        index(lambda folder, content: (folder / "model-00002-of-00002.safetensors").unlink(), "model-00002-of-00002")
        shutil.copy(CHECKPOINTS / "mixtral" / "model.safetensors", self.folder / "outside.safetensors")
        index(put("../outside.safetensors"), "no plain file name")
        index(put("/etc/passwd"), "no plain file name")
        index(put(".."), "no plain file name")
        index(put(""), "no plain file name")
        index(put(7), "expected a name")
        index(put("config.json"), "config.json")
        index(put("model-00001-of-00002.safetensors") if self.is_in_second("model.norm.weight") else
              put("model-00002-of-00002.safetensors"), "where the index says it is")
        index(lambda folder, content: '{"metadata": {}}', "weight_map")
        index(lambda folder, content: [content["weight_map"].pop("model.norm.weight")], "model.norm.weight")
        index(lambda folder, content: "{", "invalid JSON")
        index(lambda folder, content: '{"weight_map": {"a": "b", "a": "c"}}', 'key "a" stands twice')

    @staticmethod
    def is_in_second(tensor):
        index = json.loads((CHECKPOINTS / "olmoe" / "model.safetensors.index.json").read_text())
        return index["weight_map"][tensor].startswith("model-00002")

    def test_config(self):
        file = ["config.json"]
        self.text("config.json", "", "config.json", "invalid JSON")
        self.text("config.json", "[" * 100000, "config.json")
        self.text("config.json", "{\"a\":" * 100000, "config.json")
        self.text("config.json", b"{\"model_type\": \"\xff\"}", "config.json")
        self.text("config.json", '{"model_type": "mixtral", "model_type": "olmoe"}', "config.json", "model_type")
        self.text("config.json", '{"model_type": "mixtral", "rope_theta": NaN}', "config.json", "invalid JSON")
        self.config([*file, "mixtrol", "known"], model_type="mixtrol")
        self.config([*file, "model_type"], model_type="absent")
        self.config([*file, "hidden_size"], hidden_size="absent")
        self.config([*file, "num_local_experts"], num_local_experts=10**9)
        self.config([*file, "num_hidden_layers"], num_hidden_layers=10**9)
        self.config(["files hold"], num_local_experts=64)
        self.config(["files hold"], num_local_experts=4096, intermediate_size=1 << 20)
        self.config(["vocab_size=300"], vocab_size=300)
        self.config(["config.json"], hidden_size=-64)
        self.config(["config.json"], hidden_size=1e300)
        self.config(["config.json"], num_attention_heads=7)
        self.config(["config.json"], rms_norm_eps=1e300)
        self.config(["config.json"], rope_theta="fast")
        self.config(["config.json"], num_experts_per_tok=0)
        self.config(["config.json"], num_experts_per_tok=9)
        self.config(["quantization_config"], quantization_config={"quant_method": "gptq"})
        self.config(["weight_block_size"], quantization_config={"quant_method": "fp8", "weight_block_size": [0, 128]})

    def test_encoder_decoder(self):
        name = "switch_transformers"
        self.config(["config.json", "d_model"], name=name, d_model="absent")
        self.config(["config.json"], name=name, num_experts=10**9)
        self.config(["config.json"], name=name, num_layers=10**9)
        self.config(["config.json"], name=name, vocab_size=10**7)
        self.text("generation_config.json", "{\"decoder_start_token_id\": 1000000}", "decoder_start_token_id", name=name)
        self.config(["config.json"], name=name, relative_attention_num_buckets=10**9)
        self.weights(lambda header, data: safetensors_bytes(header, data)[:-1], "cut short", name=name)

    def test_generation_config(self):
        file = "generation_config.json"
        self.text(file, "{", file, "invalid JSON")
        self.text(file, "[1]", file)
        self.text(file, '{"eos_token_id": -1}', file, "eos_token_id")
        self.text(file, '{"temperature": 1e999}', file)
        self.text(file, '{"top_p": "all"}', file, "top_p")
        self.text(file, '{"num_beams": 1e18}', file, "num_beams", name="switch_transformers")

    def test_tokenizer(self):
        file = "tokenizer.json"
        words = {"<unk>": 0, "a": 1, "b": 2}

        def model(**fields):
            return json.dumps({"model": {"type": "BPE", "vocab": words, "merges": [], **fields}})
        self.text(file, "", file)
        self.text(file, "{\"model\":" * 100000, file)
        self.text(file, b"{\"model\": {\"vocab\": {\"\xff\": 1}}}", file)
        self.text(file, "{}", file, "model")
        self.text(file, model(type="BPZ"), file, "BPZ")
        self.text(file, model(merges=["a"]), file, "merges")
        self.text(file, model(merges=[["a", "x"]]), file, "x")
        self.text(file, model(merges="a b"), file, "merges")
        self.text(file, model(vocab={"a": 10**9}), file)
        self.text(file, model(vocab={"a": -1}), file)
        self.text(file, model(vocab=None), file)
        huge = {f"t{i}": i for i in range(1000)}
        self.text(file, json.dumps({"model": {"type": "WordLevel", "vocab": huge, "unk_token": "t0"}}), "1000 tokens")

    def test_chat_templates(self):
        def template(text, *says):
            self.text("chat_template.jinja", text, *says, more=("--chat",))
        template("{% for i in range(10**12) %}x{% endfor %}", "range")
        template("{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}", "chat_template")
        template("{{ 'x' * 10**12 }}", "chat_template")
        template("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "chat_template")
        template("{% for %}", "chat_template")
        template("{{ " + "(" * 100000, "chat_template")
        template("{% if true %}", "chat_template")
        template("{{ raise_exception('not for you') }}", "not for you")

    def test_stored_numbers(self):
        def packed(name, tensor, **fields):
            folder = self.folder_of(name)
            for file in sorted(folder.glob("*.safetensors")):
                header, data = read_safetensors(file.read_bytes())
                if tensor in header:
                    header[tensor].update(fields)
                    file.write_bytes(safetensors_bytes(header, data))
            return folder
        blocks = "model.layers.0.mlp.experts.down_proj_blocks"
        scales = "model.layers.0.mlp.experts.down_proj_scales"
        self.broken(packed("gpt_oss_mxfp4", blocks, dtype="I8"), blocks)
        self.broken(packed("gpt_oss_mxfp4", scales, dtype="I8"), "down_proj")
        header, _ = read_safetensors((CHECKPOINTS / "gpt_oss_mxfp4" / "model.safetensors").read_bytes())
        shape = header[blocks]["shape"]
        self.broken(packed("gpt_oss_mxfp4", blocks, shape=[shape[0], shape[1], shape[2] * 2, shape[3] // 2]), blocks)
        self.broken(packed("gpt_oss_mxfp4", blocks, shape=list(reversed(shape))), blocks)
        scale = "model.layers.1.mlp.experts.0.down_proj.weight_scale_inv"
        self.broken(packed("deepseek_v3_fp8", scale, shape=[4, 1]), scale)


if __name__ == "__main__":
    main()
