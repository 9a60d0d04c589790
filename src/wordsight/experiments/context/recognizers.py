"""The recognizers of the experiments at a scale that a processor trains in minutes."""

from dataclasses import replace
from typing import Any

from wordsight.errors import ConfigError
from wordsight.experiments.build import compact
from wordsight.models.clip4str import Clip4Str
from wordsight.models.parseq.model import Parseq, ParseqConfig
from wordsight.models.presets import preset
from wordsight.text import Charset, CharTokenizer

LONGEST = 16
"""Characters that they can write: 1 of 60 ICDAR 2015 training words has more."""


def new_recognizer(name: str, charset: Charset) -> Any:
    """A recognizer with random weights, those of torch's generator: "parseq", "clip4str", "crnn", "trba", ...

    CLIP4STR and PARSeq are those of `wordsight ablate`, the others their compact presets.

    Raises:
        ConfigError: there is none.
    """
    if name in ("clip4str", "parseq"):
        cfg = compact()
        text = replace(cfg.text, vocab_size=CharTokenizer(charset).vocab_size, context=LONGEST + 2)
        cfg = replace(cfg, charset=charset, max_length=LONGEST, text=text)
        if name == "clip4str":
            return Clip4Str(cfg)
        return Parseq(ParseqConfig(cfg.image, cfg.decoder, cfg.embed_dim, charset, LONGEST, cfg.num_permutations))
    try:
        recognizer, sizes = preset(f"{name}-compact")
    except ConfigError:
        raise ConfigError(f"no recognizer is called {name!r}: parseq, clip4str, crnn, vitstr, trba, abinet") from None
    return recognizer(replace(sizes, charset=charset, max_length=LONGEST))
