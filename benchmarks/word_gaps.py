"""Trains the little network that finds the gaps between words of a line, and measures what splitting lines is worth.

    python benchmarks/word_gaps.py train SCENES... [--words LIST...] [--backgrounds DIR]
    python benchmarks/word_gaps.py measure SCENES [--count 160]

SCENES are training sets in which every word is marked (of those here ic15 and ic03, not svt). `train` leaves the first
160 scenes of a random order of the first set out; `measure` takes these. To the lines of the scenes come rendered ones,
in the system's fonts and with all spacings: photographs show few of them, and in what is left out of those, 'Welcome'
in a clean sign came apart. Training costs about eight minutes of one core, the measuring half a second per scene.
"""

import argparse
import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from wordsight.data import Scene, read_scenes
from wordsight.detect import PPOCRDetector, split_words
from wordsight.detect.gaps import CHANNELS, DILATIONS, WEIGHTS, features, to_columns
from wordsight.errors import BoxError
from wordsight.evaluate.spotting import Found, Truth, score_spotting
from wordsight.imaging import rectify
from wordsight.synth.background import Backgrounds, luma, procedural, random_color
from wordsight.synth.degrade import degrade
from wordsight.synth.fonts import CAP_HEIGHT, FontBook, font_index
from wordsight.synth.setting import set_line, stamp
from wordsight.synth.vocabulary import Vocabulary

HELD_OUT = 160
WIDTH = 32  # of the network's layers
LONGEST = 900  # columns of a line to train on; the few longer ones would stretch their whole batch
PASSES = 4  # how often each line is cut out anew
STEPS = 1500
MARGIN = 0.5  # of the line's height, kept around lines so that each pass can cut them anew

Line = tuple[np.ndarray, np.ndarray]
"""A strip with `MARGIN` all around, uint8 (h, w, 3), and from and to of its words in pixels, (words, 2)."""


def held_out(scenes: Sequence[Scene]) -> tuple[list[Scene], list[Scene]]:
    """The scenes to measure on, and the others."""
    order = np.random.default_rng(0).permutation(len(scenes)).tolist()
    return [scenes[i] for i in order[:HELD_OUT]], [scenes[i] for i in order[HELD_OUT:]]


# ---- training


def chains(quads: np.ndarray) -> Iterator[list[int]]:
    """Words, (N, 4, 2), in lines: each word is followed by the nearest one to its right, of its height and slope."""
    centres = quads.mean(axis=1)
    along = (quads[:, 1] - quads[:, 0] + quads[:, 2] - quads[:, 3]) / 2
    widths = np.linalg.norm(along, axis=1)
    along = along / np.maximum(widths, 1e-6)[:, None]
    heights = np.linalg.norm(quads[:, [3, 2]] - quads[:, [0, 1]], axis=2).mean(axis=1)
    following: dict[int, int] = {}
    for i in range(len(quads)):
        away = centres - centres[i]
        ahead = away @ along[i]
        aside = np.abs(away @ np.array([-along[i, 1], along[i, 0]]))
        low, high = np.minimum(heights, heights[i]), np.maximum(heights, heights[i])
        gap = ahead - (widths + widths[i]) / 2
        fits = (ahead > 0) & (aside < 0.35 * low) & (np.abs(gap - 0.25 * low) < 0.75 * low) & (high < 1.7 * low)
        fits &= along @ along[i] > 0.96
        fits[i] = False
        if fits.any():
            following[i] = int(np.argmin(np.where(fits, gap, np.inf)))
    for start in set(range(len(quads))) - set(following.values()):
        chain = [start]
        while (after := following.get(chain[-1])) is not None and after not in chain:
            chain.append(after)
        yield chain


def lines(scene: Scene) -> Iterator[Line]:
    """The lines of a scene with at least one legible word, cut along their words."""
    if not scene.words:
        return
    image = scene.load()
    quads = np.array([word.polygon[:4] for word in scene.words])
    for chain in chains(quads):
        if not any(scene.words[i].legible for i in chain):
            continue
        centres = quads[chain].mean(axis=1)
        first = quads[chain[0]]
        right = centres[-1] - centres[0] if len(chain) > 1 else first[1] - first[0] + first[2] - first[3]
        if not right.any():
            continue
        right = right / np.linalg.norm(right)
        down = np.array([-right[1], right[0]])
        xs, ys = quads[chain] @ right, quads[chain] @ down  # (words, 4)
        margin = MARGIN * np.ptp(ys)
        left, end, top, bottom = xs.min() - margin, xs.max() + margin, ys.min() - margin, ys.max() + margin
        if np.ptp(ys) < 8 or (len(chain) == 1 and end - left < 1.2 * (bottom - top)):
            continue
        corners = [x * right + y * down for x, y in ((left, top), (end, top), (end, bottom), (left, bottom))]
        try:
            strip = rectify(np.pad(image, ((400, 400), (400, 400), (0, 0)), mode="edge"), np.array(corners) + 400)
        except BoxError:
            continue
        ordered = np.sort(xs, axis=1)
        spans = np.stack([ordered[:, :2].mean(axis=1), ordered[:, 2:].mean(axis=1)], axis=1)
        yield strip, (spans - left) * strip.shape[1] / (end - left)


def rendered(rng: random.Random, book: FontBook, vocabulary: Vocabulary, backgrounds: Backgrounds) -> Line | None:
    """A line of one to five words in any face, spacing and colours; None where it cannot be set or is too short."""
    count = rng.choice((1, 1, 1, 2, 2, 3, 4, 5))
    words: list[str] = []
    while len(words) < count:
        words += vocabulary.draw(rng).split()
    face = book.pick(rng, "".join(words[:count]))
    spacing = 0.0
    if rng.random() < 0.5:
        spacing = CAP_HEIGHT * (rng.uniform(-0.05, 0.15) if rng.random() < 0.7 else rng.uniform(0.1, 0.8))
    space = max(book.glyph(face, " ").advance * rng.uniform(0.8, 1.6), 0.22 * CAP_HEIGHT)
    gap = round(space + 1.6 * max(spacing, 0))
    parts = [part for word in words[:count] if (part := set_line(book, face, word, spacing)) is not None]
    if len(parts) < count:
        return None
    above = max(part.baseline for part in parts)
    high = above + max(part.mask.shape[0] - part.baseline for part in parts)
    wide = sum(part.mask.shape[1] for part in parts) + gap * (count - 1)
    if (count == 1 and wide < 1.2 * high) or wide > 40 * high:
        return None
    margin = round(MARGIN * high)
    plane = np.zeros((high + 2 * margin, wide + 2 * margin), np.uint8)
    x, spans = margin, []
    for part in parts:
        stamp(plane, part.mask, x, margin + above - part.baseline)
        spans.append((x, x + part.mask.shape[1]))
        x += part.mask.shape[1] + gap
    strip = photographed(rng, Image.fromarray(plane), rng.uniform(20, 64) / high, backgrounds)
    return strip, np.array(spans, np.float64) * strip.shape[1] / plane.shape[1]


def photographed(rng: random.Random, letters: Image.Image, scale: float, backgrounds: Backgrounds) -> np.ndarray:
    """A mask as paint on a surface, slanted a little, `scale` times as large, uint8 RGB (h, w, 3)."""
    if rng.random() < 0.5:
        shear = rng.gauss(0, 0.06)
        slanted = (1, shear, -shear * letters.height / 2, rng.gauss(0, 0.006), 1, 0)
        letters = letters.transform(letters.size, Image.Transform.AFFINE, slanted, Image.Resampling.BILINEAR)
    size = (max(8, round(letters.width * scale)), max(8, round(letters.height * scale)))
    letters = letters.resize(size, Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR)
    surface = (backgrounds.cut(rng, size) if rng.random() < 0.3 else None) or procedural(rng, size)
    ground = np.asarray(surface).mean(axis=(0, 1)).tolist()
    color = random_color(rng)
    for _ in range(8):
        if abs(luma(color) - luma(ground)) > rng.uniform(30, 100):
            break
        color = random_color(rng)
    if rng.random() < 0.2:
        surface.paste((20, 20, 20), (rng.randint(-2, 2), rng.randint(-2, 2)), letters.point(lambda v: v // 2))
    surface.paste(color, None, letters)
    return degrade(rng, surface, 1.0, 0.35 * size[1])


Example = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Of a line's columns: features (n, CHANNELS), whether there is a gap (n,), and whether that counts (n,)."""


def example(line: Line, rng: np.random.Generator) -> Example | None:
    """A line cut out as a detector might, mirrored or not, a little wider or narrower."""
    strip, spans = line
    height, width = strip.shape[:2]
    inner = height / (1 + 2 * MARGIN)
    cuts = (inner * (MARGIN - rng.uniform((-0.05,) * 4, (0.18, 0.18, 0.3, 0.3)))).astype(int)
    strip, spans = strip[cuts[0] : height - cuts[1], cuts[2] : width - cuts[3]], spans - cuts[2]
    if strip.shape[0] < 4 or strip.shape[1] < 8:
        return None
    if rng.random() < 0.5:
        strip, spans = strip[:, ::-1], (strip.shape[1] - spans)[::-1, ::-1]
    strip = np.ascontiguousarray(strip)
    if rng.random() < 0.3:
        wide = max(8, round(strip.shape[1] * float(np.exp(rng.normal(0, 0.15)))))
        spans = spans * wide / strip.shape[1]
        strip = np.asarray(Image.fromarray(strip).resize((wide, strip.shape[0])))
    seen = to_columns(strip)
    columns = seen.shape[1]
    if columns > LONGEST:
        return None
    spans = spans * columns / strip.shape[1]
    distance = np.full(columns, np.inf)  # to the nearest gap, in columns
    for (_, end), (start, _) in itertools.pairwise(spans):
        half = max(2.5, 0.4 * abs(start - end))  # annotated words often touch
        distance = np.minimum(distance, np.abs(np.arange(columns) + 0.5 - (start + end) / 2) - half)
    gap = distance <= 0
    return features(seen).astype(np.float16), gap, gap | (distance > 4)  # what is next to a gap is neither


def batches(examples: Sequence[Example], steps: int, rng: np.random.Generator, size: int = 48) -> Iterator[list[Any]]:
    """Features, gaps and weights of lines of about one length, filled up with noughts."""
    import torch

    lengths = np.array([len(gap) for _, gap, _ in examples])
    order = np.argsort(lengths + rng.normal(0, 15, len(lengths)))
    groups = [order[start : start + size] for start in range(0, len(order), size)]
    for step in range(steps):
        if step % len(groups) == 0:
            turn = rng.permutation(len(groups))
        group = groups[turn[step % len(groups)]]
        batch = []
        for k, tail in enumerate(((CHANNELS,), (), ())):
            filled = np.zeros((len(group), int(lengths[group].max()), *tail), np.float32)
            for row, i in zip(filled, group.tolist(), strict=True):
                row[: lengths[i]] = examples[i][k]
            batch.append(torch.from_numpy(filled))
        yield batch


def train(folders: Sequence[Path], out: Path, count: int, words: Sequence[Path], pictures: Path | None) -> None:
    """Trains on all lines that are not held out, and on `count` rendered ones, and writes the weights."""
    import torch
    from torch.nn import functional

    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    sets = [read_scenes(folder) for folder in folders]
    sets[0] = held_out(sets[0])[1]
    found = [line for scenes in sets for scene in scenes for line in lines(scene)]
    print(f"{len(found)} lines, {sum(len(spans) > 1 for _, spans in found)} of several words", flush=True)
    drawn = [example(line, rng) for _ in range(PASSES) for line in found if len(line[1]) > 1 or rng.random() < 0.6]
    book, vocabulary, backgrounds = FontBook(font_index(None)), Vocabulary(words), Backgrounds(pictures)
    for number in range(count):
        line = rendered(random.Random(number), book, vocabulary, backgrounds)
        drawn.append(example(line, rng) if line else None)
    examples = [each for each in drawn if each is not None]
    print(f"{len(examples)} examples", flush=True)

    sizes = [(CHANNELS, WIDTH, 5)] + [(WIDTH, WIDTH, 3)] * (len(DILATIONS) - 1)
    layers = torch.nn.ModuleList(
        torch.nn.Conv1d(a, b, taps, padding="same", dilation=dilation)
        for (a, b, taps), dilation in zip(sizes, DILATIONS, strict=True)
    )
    last = torch.nn.Linear(WIDTH, 1)
    optimizer = torch.optim.AdamW([*layers.parameters(), *last.parameters()], 3e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, STEPS)
    for step, (seen, gap, weight) in enumerate(batches(examples, STEPS, rng)):
        inside = seen[:, None, :, -1]  # beyond a line's end all stays nought, as it is there when lines come alone
        x = functional.relu(layers[0](seen.transpose(1, 2))) * inside
        for layer in layers[1:]:
            x = x + functional.relu(layer(functional.dropout(x, 0.1))) * inside
        logits = last(x.transpose(1, 2))[..., 0]
        losses = functional.binary_cross_entropy_with_logits(logits, gap, reduction="none")
        loss = (losses * weight).sum() / weight.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"step {step}: loss {loss.item():.3f}", flush=True)
    weights = {"w_out": last.weight.T, "b_out": last.bias}
    for number, layer in enumerate(layers):
        weights |= {f"w{number}": layer.weight.permute(2, 1, 0), f"b{number}": layer.bias}  # taps first
    np.savez_compressed(out, **{name: value.detach().numpy().astype(np.float16) for name, value in weights.items()})
    print(f"wrote {out}")


# ---- measuring


def part(polygon: np.ndarray, start: float, end: float) -> np.ndarray:
    """The part of a quad between two fractions of its width."""
    top, bottom = polygon[1] - polygon[0], polygon[2] - polygon[3]
    return np.array(
        [
            polygon[0] + start * top,
            polygon[0] + end * top,
            polygon[3] + end * bottom,
            polygon[3] + start * bottom,
        ]
    )


def inside(scene: Scene, polygon: np.ndarray) -> list[tuple[float, float, str]]:
    """The labelled words with their middle in a quad: from and to in fractions of its width, and text."""
    right, down = polygon[1] - polygon[0], polygon[3] - polygon[0]
    words = []
    for word in scene.words:
        x = np.sort((word.polygon - polygon[0]) @ right / (right @ right))
        y = (word.polygon - polygon[0]) @ down / (down @ down)
        if 0 < x.mean() < 1 and 0 < y.mean() < 1:
            guess = "x" * max(1, round(2 * np.ptp(x) * np.linalg.norm(right) / np.linalg.norm(down)))
            words.append((float(x[:2].mean()), float(x[2:].mean()), word.text if word.legible else guess))
    return sorted(words)


def measure(folder: Path, count: int) -> None:
    """Prints the H-mean of boxes for each way to split lines."""
    Spans = list[tuple[float, float]]
    Split = Callable[[np.ndarray, list[tuple[float, float, str]]], Spans]
    ways: dict[str, Split] = {
        "lines": lambda strip, words: [(0, strip.shape[1])],
        "split by looks": lambda strip, words: split_words(strip),
        "split, number of words known": lambda strip, words: split_words(strip, count=len(words)),
        "split, texts known": lambda strip, words: split_words(strip, texts=[text for _, _, text in words]),
        "split at the annotated gaps": lambda strip, words: list(
            itertools.pairwise(
                [0, *((a[1] + b[0]) / 2 * strip.shape[1] for a, b in itertools.pairwise(words)), strip.shape[1]]
            )
        ),
    }
    detector = PPOCRDetector()
    results: dict[str, list[tuple[list[Truth], list[Found]]]] = {name: [] for name in ways}
    for scene in held_out(read_scenes(folder))[0][:count]:
        image = scene.load()
        truths = [Truth(word.polygon, word.text, word.legible) for word in scene.words]
        found: dict[str, list[Found]] = {name: [] for name in ways}
        for box in detector.detect(image):
            try:
                strip = rectify(image, box.polygon)
            except BoxError:
                continue
            words = inside(scene, box.polygon)
            for name, way in ways.items():
                spans = [(x0 / strip.shape[1], x1 / strip.shape[1]) for x0, x1 in way(strip, words)]
                found[name] += [Found(part(box.polygon, *span), "any") for span in spans]
        for name in ways:
            results[name].append((truths, found[name]))
    for name, scenes in results.items():
        precision, recall, mean = score_spotting(scenes).detection()
        print(f"{name:30} precision {100 * precision:.1f}  recall {100 * recall:.1f}  H-mean {100 * mean:.1f}")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    training = verbs.add_parser("train")
    training.add_argument("scenes", type=Path, nargs="+")
    training.add_argument("--out", type=Path, default=WEIGHTS)
    training.add_argument("--rendered", type=int, default=9000, help="how many lines to render")
    training.add_argument("--words", type=Path, nargs="*", default=(), help="lists of words for them")
    training.add_argument("--backgrounds", type=Path, help="a folder of pictures to cut what is behind them from")
    measuring = verbs.add_parser("measure")
    measuring.add_argument("scenes", type=Path)
    measuring.add_argument("--count", type=int, default=HELD_OUT)
    options = parser.parse_args()
    if options.verb == "train":
        train(options.scenes, options.out, options.rendered, options.words, options.backgrounds)
    else:
        measure(options.scenes, options.count)


if __name__ == "__main__":
    main()
