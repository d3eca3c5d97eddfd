#!/usr/bin/python3
"""Writes tokenizers/: folders with a SentencePiece model and no tokenizer.json, and what transformers makes of them.

Run by hand with transformers 4.57.1 and sentencepiece 0.1.97; the tests read the files and need neither:
    tests/golden/make_tokenizers.py tests/golden/tokenizers
Each folder gets expected.json: texts, their ids without and with special tokens, by the slow tokenizer of its family."""

import io
import json
import random
import sys
from pathlib import Path

import sentencepiece
from transformers.models.llama.tokenization_llama import LlamaTokenizer
from transformers.models.nllb.tokenization_nllb import NllbTokenizer
from transformers.models.t5.tokenization_t5 import T5Tokenizer

WORDS = ["the", "cat", "sat", "on", "mat", "and", "der", "Hund", "über", "été", "1024", "(see", "below).", "日本", "don't"]
TEXTS = ["", " ", "the cat", " the cat ", "   lots   of   space   ", "a\n b\n  c", "tab\tand", "日本 cat", "ж unknown 猫猫 x",
         "<s>the cat</s>", "the <s> cat", "</s>", " <s>", "\u2581the\u2581cat", "<unk>", "x<unk>y", "😀 and 👩‍👩‍👧", "<0x41>",
         "one <extra_id_0> two<extra_id_1>.", "<extra_id_0> the", "[INST] the cat [/INST]", "the  <call>  cat", "<call>",
         "the cat</s>", "eng_Latn the", "<mask> the", "a <mask> b", "don't sit below).", "THE CAT", "über\u00a0été", "<pad>"]


def train(path, **options):
    draw = random.Random(1)
    lines = [" ".join(draw.choices(WORDS, k=8)) for _ in range(400)]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=model, hard_vocab_limit=False, character_coverage=1.0,
        normalization_rule_name="identity", self_test_sample_size=0, minloglevel=2, **options)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.getvalue())


def write(folder, tokenizer_class, **files):
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")
    tokenizer = tokenizer_class.from_pretrained(str(folder))
    cases = [{"text": text,
              "ids": tokenizer.encode(text, add_special_tokens=False),
              "ids_with_special": tokenizer.encode(text)} for text in TEXTS]
    (folder / "expected.json").write_text(json.dumps(cases, ensure_ascii=False, indent=0) + "\n")


def added(content, **options):
    return {"content": content, "lstrip": False, "rstrip": False, "normalized": False, "single_word": False, **options}


def main(root):
    llama = {"model_type": "bpe", "byte_fallback": True, "vocab_size": 300, "remove_extra_whitespaces": False}
    train(root / "llama/tokenizer.model", **llama)
    write(root / "llama", LlamaTokenizer)

    train(root / "llama_one_prefix/tokenizer.model", user_defined_symbols=["[INST]"], **llama)
    pieces = sentencepiece.SentencePieceProcessor(str(root / "llama_one_prefix/tokenizer.model")).get_piece_size()
    write(root / "llama_one_prefix", LlamaTokenizer, tokenizer_config={
        "tokenizer_class": "LlamaTokenizer", "legacy": False, "add_eos_token": True, "bos_token": "<s>", "pad_token": None,
        "added_tokens_decoder": {
            "0": added("<unk>", special=True), "1": added("<s>", special=True), "2": added("</s>", special=True),
            str(pieces + 3): added("<call>", lstrip=True, rstrip=True, special=False)}})

    unigram = {"model_type": "unigram", "vocab_size": 90, "pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}
    train(root / "t5/spiece.model", **unigram)
    write(root / "t5", T5Tokenizer)
    train(root / "t5_one_prefix/spiece.model", **unigram)
    write(root / "t5_one_prefix", T5Tokenizer, tokenizer_config={
        "legacy": False, "extra_ids": 3, "additional_special_tokens": [f"<extra_id_{i}>" for i in range(3)],
        "sp_model_kwargs": {}, "tokenizer_class": "T5Tokenizer"}, added_tokens={"<call>": 200})

    train(root / "nllb/sentencepiece.bpe.model", model_type="bpe", vocab_size=100)
    pieces = sentencepiece.SentencePieceProcessor(str(root / "nllb/sentencepiece.bpe.model")).get_piece_size()
    special = {str(i): added(token, special=True) for i, token in enumerate(["<s>", "<pad>", "</s>", "<unk>"])}
    languages = ["ace_Arab", "eng_Latn", "fra_Latn"]
    special |= {str(pieces + 1 + i): added(token, special=True) for i, token in enumerate(languages)}
    special[str(pieces + 4)] = added("<mask>", special=True, lstrip=True, normalized=True)
    write(root / "nllb", NllbTokenizer, tokenizer_config={
        "tokenizer_class": "NllbTokenizer", "src_lang": "fra_Latn", "additional_special_tokens": languages,
        "added_tokens_decoder": special})


main(Path(sys.argv[1]))
