"""Giving a trained recognizer another charset: what it learned about a character is kept."""

import unicodedata
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor

from wordsight.errors import ConfigError
from wordsight.models.clip4str import Clip4Str, Clip4StrConfig
from wordsight.models.clipter import insert
from wordsight.models.ppocr import Svtr
from wordsight.models.recognizer import Recognizer, RecognizerConfig
from wordsight.text import Charset, CharTokenizer

C = TypeVar("C", bound=RecognizerConfig)
M = TypeVar("M", bound=Recognizer)

_LOOKS_LIKE = {"¡": "i", "‚": ",", "„": '"', "‹": "<", "›": ">", "№": "N", "ẞ": "ß", "⅓": "½", "⅔": "½", "⅛": "½"}
_LESS_LIKELY = 2.0  # logits


def with_charset(model: M, charset: Charset) -> M:
    """A copy of `model` (a plain CLIP4STR, or an SVTR) that writes `charset`, in eval mode; `model` is left alone.

    Rows of embeddings and heads are kept by character; [E] (CTC's blank), [B] and [P] keep theirs. A new character gets
    the mean of all old characters' rows: its score is then the mean of theirs, never the highest, so until it is
    trained the copy reads exactly as the original did. A text tower that reads characters is remapped likewise; one
    that reads pieces of words does not depend on the charset.
    """
    old = model.tokenizer
    per_token, per_class = character_tables(model)
    known = old.charset.characters
    # The old rows of [E] and of each new character, None where there is none
    classes = [old.eos, *(known.index(c) + 1 if c in known else None for c in charset.characters)]
    tokens = [*classes, old.bos, old.pad]
    state = dict(model.state_dict())
    for name in (per_token | per_class) & state.keys():
        table = state[name]
        mean = table[1 : len(known) + 1].mean(0)
        origins = tokens if name in per_token else classes
        state[name] = torch.stack([mean if row is None else table[row] for row in origins])
    out = type(model).from_config(config_with_charset(model.cfg, charset).to_dict())
    if model.clipter is not None:
        insert(out, model.clipter)
    out.load_state_dict(state)
    return out.eval()


def with_head_of(model: Svtr, charset: Charset) -> tuple[Svtr, str]:
    """A copy that writes `charset`: rows of the head follow their characters.

    The row of a character that the model lacks is that of its base letter, or of one that looks like it, a little
    less likely: until it is trained the other one is read.

    Returns:
        The copy, and the characters whose rows were made so.
    """
    state = dict(model.state_dict())
    head, new = cut_head((state["head.weight"], state["head.bias"]), model.cfg.charset.characters, charset)
    out = Svtr(replace(model.cfg, charset=charset))
    out.load_state_dict(state | {"head.weight": head[0], "head.bias": head[1]})
    return out.eval(), new


def cut_head(head: tuple[Tensor, Tensor], characters: str, charset: Charset) -> tuple[tuple[Tensor, Tensor], str]:
    """Weight and bias of a head for the blank and `characters`, as those of one for `charset`; see `with_head_of`.

    Raises:
        ConfigError: it knows neither a character nor one that looks like it.
    """
    rows, new, known = [0], "", {c: i for i, c in enumerate(characters, 1)}
    for character in charset.characters:
        alike = _LOOKS_LIKE.get(character) or unicodedata.normalize("NFD", character)[0]
        if character not in known:
            if alike not in known:
                raise ConfigError(f"the model writes neither {character!r} nor {alike!r}: leave it out of the charset")
            new += character
        rows.append(known[character if character in known else alike])
    weight, bias = head[0][rows], head[1][rows]
    bias[[charset.characters.index(c) + 1 for c in new]] -= _LESS_LIKELY
    return (weight, bias), new


def config_with_charset(cfg: C, charset: Charset) -> C:
    """`cfg` for a model that writes `charset`."""
    if isinstance(cfg, Clip4StrConfig) and cfg.captions == "characters":
        cfg = replace(cfg, text=replace(cfg.text, vocab_size=CharTokenizer(charset).vocab_size))
    return replace(cfg, charset=charset)


def character_tables(model: Recognizer) -> tuple[set[str], set[str]]:
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
