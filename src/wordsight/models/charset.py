"""Giving a trained recognizer another charset: what it learned about a character is kept."""

from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from wordsight.models.clip4str import Clip4Str, Clip4StrConfig
from wordsight.models.clipter import insert
from wordsight.models.parseq import Parseq
from wordsight.models.ppocr import Svtr
from wordsight.models.recognizer import RecognizerConfig
from wordsight.text import Charset, CharTokenizer

C = TypeVar("C", bound=RecognizerConfig)


def with_charset(model: Any, charset: Charset) -> Any:
    """A copy of `model` (a plain CLIP4STR, or an SVTR) that writes `charset`, in eval mode; `model` is left alone.

    Rows of embeddings and heads are kept by character; [E] (CTC's blank), [B] and [P] keep theirs. A new character gets
    the mean of all old characters' rows: its score is then the mean of theirs, never the highest, so until it is
    trained the copy reads exactly as the original did. A text tower that reads characters is remapped likewise; one
    that reads pieces of words does not depend on the charset.
    """
    old, new = model.tokenizer, CharTokenizer(charset)
    per_token, per_class = character_tables(model)
    classes = _origins(old, new)  # of [E] and the characters
    tokens = [*classes, old.bos, old.pad]
    state = {
        name: _rows(tensor, tokens if name in per_token else classes, len(old.charset))
        if name in per_token | per_class
        else tensor
        for name, tensor in model.state_dict().items()
    }
    out = type(model)(config_with_charset(model.cfg, charset))
    if model.clipter is not None:
        insert(out, model.clipter)
    out.load_state_dict(state)
    return out.eval()


def config_with_charset(cfg: C, charset: Charset) -> C:
    """`cfg` for a model that writes `charset`."""
    if isinstance(cfg, Clip4StrConfig) and cfg.captions == "characters":
        cfg = replace(cfg, text=replace(cfg.text, vocab_size=CharTokenizer(charset).vocab_size))
    return replace(cfg, charset=charset)


def character_tables(model: Parseq | Svtr) -> tuple[set[str], set[str]]:
    """Names of the parameters with a row for every token, and of those with a row for every class; some may be absent.

    In both, row i + 1 is that of the charset's i-th character.
    """
    if isinstance(model, Svtr):
        return set(), {"head.weight", "head.bias"}
    per_token = {f"{decoder}_decoder.embedding.weight" for decoder in ("visual", "cross")}
    if isinstance(model, Clip4Str) and model.cfg.captions == "characters":
        per_token.add("text_tower.token_embedding.weight")
    heads = ("visual_decoder.head", "cross_decoder.head", "ctc_head")
    return per_token, {f"{head}.{part}" for head in heads for part in ("weight", "bias")}


def _origins(old: CharTokenizer, new: CharTokenizer) -> list[int]:
    """For [E] and each new character, the old row that it keeps; -1 where there is none."""
    known = old.charset.characters
    return [old.eos, *(known.index(c) + 1 if c in known else -1 for c in new.charset.characters)]


def _rows(table: Tensor, origins: list[int], characters: int) -> Tensor:
    """Rows `origins` of a table (rows, ...), -1 giving the mean of rows 1 to `characters`."""
    mean = table[1 : characters + 1].mean(0)
    return torch.stack([mean if row < 0 else table[row] for row in origins])
