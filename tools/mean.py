"""Writes the mean of the weights of several recognizers as a checkpoint ("model soup", arXiv 2203.05482).

    python tools/mean.py 0.5=runs/one/model 0.5=runs/other/model --out mean
    python tools/mean.py 0.25=runs/ppocr 0.75=runs/latin/model --out mean

Each is SHARE=FOLDER. All must have the same shape, and have begun with the same weights, or their mean reads nothing.
Shares add up to 1. One may be the weights that the others began with (arXiv 2109.01903): of characters that it was only
given a guess for, the others alone count. What is said about the last one is said about the mean. Weights are stored as
float16.
"""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from wordsight.errors import ConfigError
from wordsight.models import checkpoint


def mean(shares: Sequence[float], models: Sequence[Any], guessed: Sequence[str] = ()) -> Any:
    """The last of `models` with the mean of all their weights.

    Args:
        shares: of each.
        models: of one shape.
        guessed: characters of each whose rows of the head were not learned (of `svtr`); none: all were.

    Raises:
        ConfigError: they have different shapes, or the shares do not add up to 1.
    """
    if not math.isclose(sum(shares), 1):
        raise ConfigError(f"the shares add up to {sum(shares):g}: make it 1")
    last = models[-1]
    if any(model.cfg != last.cfg for model in models):
        raise ConfigError("the recognizers differ in shape: average those of one recipe")
    states = [model.state_dict() for model in models]
    weighted = {
        name: sum(share * state[name] for share, state in zip(shares, states, strict=True)) for name in states[0]
    }
    for character in {character for some in guessed for character in some}:
        row = last.cfg.charset.characters.index(character) + 1
        knowing = [i for i, some in enumerate(guessed) if character not in some]
        for name in ("head.weight", "head.bias"):
            known = sum(shares[i] * states[i][name][row] for i in knowing)
            weighted[name][row] = known / sum(shares[i] for i in knowing)
    last.load_state_dict(weighted)
    return last


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", metavar="SHARE=FOLDER")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()

    shares, models, guessed = [], [], []
    about: dict[str, Any] = {}
    for part in options.parts:
        share, _, folder = part.partition("=")
        model, about = checkpoint.load(folder)
        shares.append(float(share))
        guessed.append(about.get("guessed", ""))
        models.append(model)
    checkpoint.save(mean(shares, models, guessed), options.out, torch.float16, **about)


if __name__ == "__main__":
    main()
