"""What the tests of the command line share: running the program, texts and settings of small runs, and the files of
tiny models. No tests here.
"""

import gzip
import json
import os
import pathlib
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import unittest

GOLDENS = pathlib.Path(__file__).parent.parent / "golden"

TINY = [
    "--hidden-size=32", "--num-hidden-layers=2", "--num-attention-heads=4", "--num-key-value-heads=2", "--num-experts=4",
    "--moe-intermediate-size=32", "--vocab-size=300", "--batch-size=4", "--sequence-length=32",
]

# The same with bytes for tokens, whose number is their own.
TINY_BYTES = [*(option for option in TINY if not option.startswith("--vocab-size")), "--tokenizer=bytes"]

ENGLISH = "The quick brown fox jumps over the lazy dog while the wise council of experts decides who answers.\n"
GERMAN = "Der schnelle braune Fuchs springt über den faulen Hund, während der Rat der Weisen entscheidet.\n"


def varied(text: str, lines: int) -> str:
    words = text.split()
    return "".join(" ".join(words[i % len(words):] + words[: (i * 7) % len(words)]) + f" {i}.\n" for i in range(lines))


class Case(unittest.TestCase):
    binary = ""  # main() knows it

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="witan-e2e-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def command(self, *arguments) -> list:
        return [self.binary, *map(str, arguments)]

    def witan(self, *arguments, limit_file_bytes=None, stdin=None, environment=None):
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_file_bytes, limit_file_bytes))

        return subprocess.run(self.command(*arguments), capture_output=True, text=True, errors="replace", timeout=240, input=stdin,
                              preexec_fn=limit if limit_file_bytes else None, env={**os.environ, **(environment or {})},
                              check=False)

    def measured(self, *arguments, limit_address_space=None):
        """Exit code, standard error, and the most memory that the program held, in bytes."""
        def limit():
            resource.setrlimit(resource.RLIMIT_AS, (limit_address_space, limit_address_space))

        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(self.command(*arguments), stdout=subprocess.DEVNULL, stderr=errors,
                                       preexec_fn=limit if limit_address_space else None)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            errors.seek(0)
            return process.returncode, errors.read().decode(errors="replace"), usage.ru_maxrss * 1024

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


def read_safetensors(content: bytes):
    """The header and the data behind it."""
    length = struct.unpack_from("<Q", content)[0]
    return json.loads(content[8:8 + length]), content[8 + length:]


def safetensors_bytes(header, data: bytes) -> bytes:
    """The file of a header, which may be broken text, and the data behind it."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def word_tokenizer(words, after, before=()):
    """A tokenizer.json of whole words; `before` and `after` are special tokens around every text."""
    vocabulary = {word: id for id, word in enumerate(words)}

    def templates(tokens):
        return [{"SpecialToken": {"id": token, "type_id": 0}} for token in tokens]

    return {
        "added_tokens": [{"content": word, "special": True, "normalized": False} for word in words
                         if not word.startswith("w")],
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [*templates(before), {"Sequence": {"id": "A", "type_id": 0}}, *templates(after)],
            "special_tokens": {token: {"id": token, "ids": [vocabulary[token]], "tokens": [token]}
                               for token in (*before, *after)},
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": False},
        "model": {"type": "WordLevel", "unk_token": "<unk>", "vocab": vocabulary},
    }


def main():
    """Runs the tests of the program that was started: PROGRAM WITAN_BINARY [unittest arguments]."""
    Case.binary = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1)
