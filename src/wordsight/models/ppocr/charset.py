"""Giving a trained recognizer another charset: what it learned about a character is kept."""

import unicodedata
from dataclasses import replace

from torch import Tensor

from wordsight.errors import ConfigError
from wordsight.models.ppocr.model import Svtr
from wordsight.text import Charset

_LOOKS_LIKE = {"¡": "i", "‚": ",", "„": '"', "‹": "<", "›": ">", "№": "N", "ẞ": "ß", "⅓": "½", "⅔": "½", "⅛": "½"}


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


_LESS_LIKELY = 2.0  # logits
