"""The mean of the weights of several recognizers ("model soup", arXiv 2203.05482)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import torch

from wordsight.errors import ConfigError
from wordsight.models import checkpoint
from wordsight.models.config import Config
from wordsight.models.model import Model
from wordsight.models.ppocr import Db, DbConfig, Svtr

M = TypeVar("M", bound=Model)


def mean(shares: Sequence[float], models: Sequence[M], guessed: Sequence[str] = ()) -> M:
    """The last of `models` with the mean of all their weights; of glances of detectors, of those that have one.

    They must have begun with the same weights, or their mean reads nothing; one may be the weights that the others
    began with (arXiv 2109.01903).

    Args:
        shares: of each; they add up to 1.
        models: of one shape.
        guessed: characters of each whose rows of the head were not learned (of `svtr`), for which the others alone
            count; none: all were.

    Raises:
        ConfigError: they have different shapes, or the shares do not add up to 1.
    """
    if not math.isclose(sum(shares), 1):
        raise ConfigError(f"the shares add up to {sum(shares):g}: make it 1")
    last = next((model for model in reversed(models) if isinstance(model, Db) and model.glance), models[-1])
    if any(_with_its_glance(model, last) != last.cfg for model in models):
        raise ConfigError("the models differ in shape: average those of one recipe")
    states = [model.state_dict() for model in models]
    weighted = {}
    for name in last.state_dict():
        known = [(share, state[name]) for share, state in zip(shares, states, strict=True) if name in state]
        weighted[name] = sum(share * tensor for share, tensor in known) / sum(share for share, _ in known)
    if isinstance(last, Svtr):
        for character in {character for some in guessed for character in some}:
            row = last.cfg.charset.characters.index(character) + 1
            knowing = [i for i, some in enumerate(guessed) if character not in some]
            for name in ("head.weight", "head.bias"):
                known = sum(shares[i] * states[i][name][row] for i in knowing)
                weighted[name][row] = known / sum(shares[i] for i in knowing)
    last.load_state_dict(weighted)
    return last


def _with_its_glance(model: Model, other: Model) -> Config:
    """Its configuration; of a detector without a glance, as if it had the other's."""
    if isinstance(model.cfg, DbConfig) and isinstance(other.cfg, DbConfig) and model.cfg.glance is None:
        return replace(model.cfg, glance=other.cfg.glance)
    return model.cfg


def merge(shares: Mapping[Path, float], out: Path) -> None:
    """Writes the mean of checkpoint folders as another, float16; what is said about the last one is said about it.

    Raises:
        ConfigError: as `mean`.
        ModelError: a folder is no checkpoint.
    """
    opened = [checkpoint.load(folder) for folder in shares]
    guessed = [about.get("guessed", "") for _, about in opened]
    checkpoint.save(
        mean([*shares.values()], [model for model, _ in opened], guessed), out, torch.float16, **opened[-1][1]
    )
