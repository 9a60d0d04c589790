"""Scenes of one colour each, in which the word is the colour's name and the crop is blank: only the scene tells."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from wordsight.models.config import DecoderConfig, ImageTowerConfig
from wordsight.models.crnn import Crnn, CrnnConfig
from wordsight.models.parseq import Parseq, ParseqConfig
from wordsight.models.vitstr import Vitstr, VitstrConfig
from wordsight.text import Charset

COLOURS = {"red": (220, 30, 30), "lime": (40, 220, 40), "navy": (20, 20, 130), "snow": (250, 250, 250)}
SQUARE = [[20, 20], [44, 20], [44, 32], [20, 32]]
BESIDE = [[20, 40], [44, 40], [44, 52], [20, 52]]


def write_scenes(folder: Path, count: int, *, first: int = 0, words: int = 1) -> Path:
    """`count` scenes of 64 x 64, the colours in turn, a little different from scene to scene, `words` words each."""
    folder.mkdir(parents=True)
    lines = []
    for number in range(first, first + count):
        name, colour = list(COLOURS.items())[number % len(COLOURS)]
        noise = np.random.default_rng(number).normal(0, 8, (64, 64, 3))
        pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
        places = [SQUARE, BESIDE][:words]
        for (x0, y0), _, (x1, y1), _ in places:
            pixels[y0:y1, x0:x1] = 128
        Image.fromarray(pixels).save(folder / f"{number}.png")
        lines.append({"image": f"{number}.png", "words": [{"polygon": place, "text": name} for place in places]})
    (folder / "scenes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def tower(class_token: bool = False) -> ImageTowerConfig:
    return ImageTowerConfig(32, 128, (16, 16), class_token=class_token, width=32, layers=1, heads=2)


def small_presets(dropout: float = 0.0) -> dict[str, tuple[type, object]]:
    """Recognizers that train in milliseconds a step."""
    charset = Charset.preset("36")
    stem = ((8, 4, 2), (16, 4, 1), (16, 2, 2))
    return {
        "parseq-test": (
            Parseq,
            ParseqConfig(
                image=tower(),
                decoder=DecoderConfig(heads=2, dropout=dropout),
                embed_dim=32,
                charset=charset,
                max_length=6,
            ),
        ),
        "crnn-test": (Crnn, CrnnConfig(charset=charset, max_length=6, stem=stem, hidden=16)),
        "vitstr-test": (Vitstr, VitstrConfig(charset=charset, max_length=6, image=tower(class_token=True))),
    }
