"""How well a model's attention points at the characters that it writes.

    python benchmarks/attention.py [MODEL] [--words 200] [--seed 0]

Renders straight words whose character boxes are known, reads them, and compares the centre of a decoder's attention for
a character (its mean column, and beside it the peak) with where that character stands: within one character width, the
mean width of the word's characters, of the middle of its box; and, stricter, inside its box. Words that are read with
another length are passed over (which of their characters was looked for cannot be told); how many is printed.
"""

import argparse
import random
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from wordsight.explain.reading import open_explainer
from wordsight.synth.faces import FontBook
from wordsight.synth.fonts import CAP_HEIGHT, font_index
from wordsight.synth.kinds import Texts
from wordsight.synth.setting import set_line

LENGTHS = range(3, 16)


def place(book: FontBook, face: int, text: str) -> list[tuple[float, float]]:
    """Left and right edge of every character of `text` as `set_line` sets it, from the left edge of the ink."""
    pen, boxes = 0.0, []
    for character in text:
        glyph = book.glyph(face, character)
        width = glyph.mask.shape[1]
        boxes.append((round(pen) + glyph.left, round(pen) + glyph.left + width))
        pen += max(glyph.advance, 0.3 * width)
    left = min(x for x, _ in boxes)
    return [(a - left, b - left) for a, b in boxes]


def card(rng: random.Random, book: FontBook, text: str) -> tuple[np.ndarray, np.ndarray]:
    """A crop with `text`, dark on light or light on dark, and its characters' boxes (N, 2) as shares of its width."""
    face = book.pick(rng, text)
    line = set_line(book, face, text)
    height, width = line.mask.shape
    margin = round(CAP_HEIGHT * rng.uniform(0.05, 0.25))  # as boxes of detectors have it
    ink = np.zeros((height + 2 * margin, width + 2 * margin, 1), np.float32)
    ink[margin:-margin, margin:-margin, 0] = line.mask / 255
    dark, light = (np.array([rng.randint(*level) for _ in range(3)]) for level in ((0, 80), (170, 255)))
    ground, letters = (light, dark) if rng.random() < 0.7 else (dark, light)
    crop = (ground * (1 - ink) + letters * ink).round().astype(np.uint8)
    boxes = (np.array(place(book, face, text)) + margin) / crop.shape[1]
    return crop, boxes


def centres(attention: np.ndarray) -> dict[str, np.ndarray]:
    """The mean column and the peak of every map (T, rows, columns), as shares of the width."""
    columns = attention.sum(1)
    columns = columns / columns.sum(1, keepdims=True)
    middle = (np.arange(columns.shape[1]) + 0.5) / columns.shape[1]
    return {"mean": columns @ middle, "peak": middle[columns.argmax(1)]}


@dataclass
class Measured:
    """What was read, and for each decoder and kind of centre whether it was near every character and inside its box."""

    words: int = 0
    right: int = 0
    passed_over: int = 0
    hits: dict[tuple[str, str], list[tuple[bool, bool]]] = field(default_factory=dict)


def measure(model: str, words: int, seed: int, save: str | None = None) -> Measured:
    """Render `words` words, read them, compare."""
    rng = random.Random(seed)
    book, texts, explain = FontBook(font_index(None)), Texts(), open_explainer(model)
    out = Measured()
    while out.words < words:
        text = texts.draw(rng, "street")
        if len(text) not in LENGTHS or " " in text:
            continue
        crop, boxes = card(rng, book, text)
        found = explain(crop)
        if len(found.result.text) != len(text):
            out.passed_over += 1
            continue
        if save and out.words < 10:
            Image.fromarray(crop).save(Path(save, f"{out.words}.png"))
        out.words += 1
        out.right += found.result.text == text
        width = (boxes[-1, 1] - boxes[0, 0]) / len(text)
        for decoder, maps in (("visual", found.visual), ("cross-modal", found.cross)):
            # a decoder that wrote fewer characters before it was corrected has no map for the rest
            for what, x in centres(maps[: len(text)]).items() if maps is not None else ():
                stands = boxes[: len(x)]
                near = np.abs(x - stands.mean(1)) <= width
                inside = (stands[:, 0] <= x) & (x <= stands[:, 1])
                out.hits.setdefault((decoder, what), []).extend(zip(near, inside, strict=True))
    return out


def main() -> None:
    """Render, read, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", nargs="?", default="small", help="shipped model, pack or checkpoint folder")
    parser.add_argument("--words", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", help="folder for the first ten crops, to look at")
    options = parser.parse_args()
    found = measure(options.model, options.words, options.seed, options.save)
    print(f"{found.words} words, {found.right} of them read right; {found.passed_over} others read with another length")
    for (decoder, what), found_there in found.hits.items():
        near, inside = (100 * np.mean(side) for side in zip(*found_there, strict=True))
        print(
            f"{decoder} decoder, {what} of the attention: {near:.1f} % of {len(found_there)} characters within one "
            f"character width, {inside:.1f} % inside the character's box"
        )


if __name__ == "__main__":
    main()
