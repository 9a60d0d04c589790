"""The recognizers of the experiments at a scale that a processor trains in minutes."""

from dataclasses import fields, replace
from typing import Any

from wordsight.errors import ConfigError
from wordsight.models.clip4str import Clip4Str
from wordsight.models.parseq import Parseq, ParseqConfig
from wordsight.models.registry import preset
from wordsight.text import Charset, CharTokenizer
from wordsight_research.ablations.build import compact

LONGEST = 16
"""Characters that they can write: 1 of 60 ICDAR 2015 training words has more."""


def new_recognizer(name: str, charset: Charset) -> Any:
    """A recognizer with random weights, those of torch's generator: "parseq", "clip4str", "crnn", "trba", ...

    CLIP4STR is that of `wordsight-research ablate`, the others their compact presets. For PARSeq it is a CLIP4STR too,
    whose `visual_branch` is to be taken in the end: with the CTC loss of that it learns to read sooner.

    Raises:
        ConfigError: there is none.
    """
    if name in ("clip4str", "parseq"):
        cfg = compact()
        text = replace(cfg.text, vocab_size=CharTokenizer(charset).vocab_size, context=LONGEST + 2)
        return Clip4Str(replace(cfg, charset=charset, max_length=LONGEST, text=text))
    try:
        recognizer, sizes = preset(f"{name}-compact")
    except ConfigError:
        raise ConfigError(f"no recognizer is called {name!r}: parseq, clip4str, crnn, vitstr, trba, abinet") from None
    return recognizer(replace(sizes, charset=charset, max_length=LONGEST))


def visual_branch(model: Clip4Str) -> Parseq:
    """A CLIP4STR without its cross-modal branch, which is a PARSeq: the same weights, the same visual readings.

    Raises:
        ConfigError: it has adapters, or widths that a PARSeq cannot have.
    """
    cfg = model.cfg
    if not cfg.share_dim or cfg.pooled or model.peft is not None:
        raise ConfigError("no PARSeq is in this CLIP4STR: give one without adapters and with one width")
    out = Parseq(ParseqConfig(**{field.name: getattr(cfg, field.name) for field in fields(ParseqConfig)}))
    theirs = model.state_dict()
    out.load_state_dict({name: theirs[name] for name in out.state_dict()})
    return out.train(model.training)
