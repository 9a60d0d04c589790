"""The rendered-scene encoder, a substitute for a vision-language model if none is given.

A small transformer of ours, trained to name the place ("cafe", "station") of other rendered scenes, whose words
say nothing about it. It knows these drawings and nothing else: what an experiment finds with it is about whether a
fusion can use what an encoder knows, not about how much CLIP knows of the world.
"""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from wordsight.imaging import Preprocessing, load_image, prepare
from wordsight.models import checkpoint
from wordsight.models.clip import Clip, ClipConfig
from wordsight.models.clip.config import MEAN, STD
from wordsight.models.config import ImageTowerConfig, TextTowerConfig
from wordsight.train.schedules import one_cycle
from wordsight_research.context.data import SEEDS, Source, place, places
from wordsight_research.places.words import WORDS

log = logging.getLogger(__name__)

SIDE = 64
TOWER = ImageTowerConfig(
    SIDE, SIDE, stem=((16, 2, 2), (32, 2, 2), (64, 2, 2)), width=64, layers=2, heads=2, activation="gelu"
)
"""8 x 8 tokens and [CLS], 64 wide."""

_BATCH = 32
_HELD_OUT = 0.1


def make_encoder(folder: Path, scenes: int, steps: int, wear: float, say: Callable[[str], None] = log.info) -> Path:
    """Trains the encoder and writes it to `folder` as a checkpoint of ours, unless it is there.

    Its config.json says how many of the scenes that it did not learn from it names right.
    """
    if (folder / "config.json").is_file():
        return folder
    say(f"rendered-scene encoder: {scenes} scenes, {steps} steps")
    source = places(Source(dial=0.0), SEEDS["encoder"], scenes, wear)
    spec = Preprocessing(SIDE, SIDE, MEAN, STD)
    names = list(WORDS)
    pictures, numbers = [], []
    for i in range(scenes):
        scene = source[i]
        pictures.append(prepare([load_image(scene.read())], spec)[0])
        numbers.append(names.index(place(scene)))
    images, labels = torch.from_numpy(np.stack(pictures)), torch.tensor(numbers)
    held = max(1, round(_HELD_OUT * scenes))
    torch.manual_seed(0)
    model = Clip(ClipConfig(TOWER, TextTowerConfig(64, width=32, layers=1, heads=1), TOWER.width))
    head = nn.Linear(TOWER.width, len(names))
    tower = model.image_tower
    optimizer = torch.optim.AdamW([*tower.parameters(), *head.parameters()], lr=1e-3, weight_decay=0.05)
    dice = torch.Generator().manual_seed(0)
    for step in range(steps):
        rows = torch.randint(held, scenes, (_BATCH,), generator=dice)
        batch = images[rows]
        if step % 2:
            batch = batch.flip(3)
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * one_cycle(step, steps)
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(head(tower.tokens(batch)[:, 0]), labels[rows]).backward()
        optimizer.step()
    with torch.no_grad():
        guessed = head(tower.tokens(images[:held])[:, 0]).argmax(1)
    accuracy = float((guessed == labels[:held]).float().mean())
    say(f"rendered-scene encoder: names {100 * accuracy:.0f} % of {held} other scenes")
    return checkpoint.save(model.eval(), folder, named=accuracy, scenes=scenes, steps=steps)
