"""CLIP's byte-pair encoding, run by `tokenizers` from a `tokenizer.json` (tools/clip_tokenizer.py made ours)."""

import gzip
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wordsight.errors import ConfigError, ModelError, pip_install

START, END = 49406, 49407
"""Tokens before and after every text. `END` is the largest of all, by which it is found in a row."""

_SHIPPED = Path(__file__).with_name("clip_tokenizer.json.gz")


class ClipTokenizer:
    """Text to tokens like OpenAI's CLIP: lower case, runs of white space as one, no repair of HTML or mojibake.

    Args:
        path: a `tokenizer.json`, perhaps gzipped; None for the one that comes with the package. Read on first use.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = Path(path) if path else _SHIPPED

    def encode(self, texts: Sequence[str], context: int) -> npt.NDArray[np.int64]:
        """`START`, the tokens of the text, `END`, zeros. Longer texts are cut, their last token is `END`.

        Returns:
            (N, context).

        Raises:
            ConfigError: `tokenizers` is not installed.
            ModelError: the file cannot be read.
        """
        tokenizer = _engine(self.path)
        out = np.zeros((len(texts), context), np.int64)
        for row, text in zip(out, texts, strict=True):
            # One by one: batches would use threads, which cause warnings in processes that fork later.
            tokens = [START, *tokenizer.encode(text, add_special_tokens=False).ids[: context - 2], END]
            row[: len(tokens)] = tokens
        return out

    def json(self) -> bytes:
        """The file's content, plain JSON, for a pack."""
        return _read(self.path)


def _read(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (OSError, EOFError) as error:
        raise ModelError(
            f"{path}: the tokenizer cannot be read ({error}): download or export the model again"
        ) from None


@cache
def _engine(path: Path) -> Any:
    return engine(_read(path), str(path))


def engine(content: str | bytes, source: str) -> Any:
    """The `tokenizers.Tokenizer` with the content of a tokenizer.json, which error messages call `source`.

    Raises:
        ConfigError: `tokenizers` is not installed.
        ModelError: it is not such content.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise ConfigError(f"this model needs tokenizers, which is not installed: {pip_install('clip')}") from None
    try:
        return Tokenizer.from_buffer(content.encode() if isinstance(content, str) else content)
    except Exception as error:  # its own class is no more than Exception
        raise ModelError(f"{source} is not a tokenizer.json ({error}): download or export the model again") from None
