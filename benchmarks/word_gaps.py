"""Trains the little network that finds the gaps between words of a line, and measures what splitting lines is worth.

    python benchmarks/word_gaps.py train SCENES... [--out src/wordsight/detect/word_gaps.npz]
    python benchmarks/word_gaps.py measure SCENES [--count 160]

SCENES are training sets in which every word is marked (of those here ic15 and ic03, not svt). `train` leaves the first
160 scenes of a random order of the first set out; `measure` takes these. Training costs about a minute of one core, the
measuring half a second per scene.
"""

import argparse
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from wordsight.data import Scene, read_scenes
from wordsight.detect import PPOCRDetector, split_words
from wordsight.detect.gaps import WEIGHTS, features, to_columns
from wordsight.errors import BoxError
from wordsight.evaluate.spotting import Found, Truth, score_spotting
from wordsight.imaging import rectify

HELD_OUT = 160
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


def examples(line: Line, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray] | None:
    """Features of columns, (n, F), and whether there is a gap, (n,): of a line cut out as a detector might."""
    strip, spans = line
    height, width = strip.shape[:2]
    inner = height / (1 + 2 * MARGIN)
    cuts = (inner * (MARGIN - rng.uniform((-0.05,) * 4, (0.18, 0.18, 0.3, 0.3)))).astype(int)
    strip, spans = strip[cuts[0] : height - cuts[1], cuts[2] : width - cuts[3]], spans - cuts[2]
    if strip.shape[1] < 8:
        return None
    if rng.random() < 0.5:
        strip, spans = strip[:, ::-1], (strip.shape[1] - spans)[::-1, ::-1]
    seen = to_columns(np.ascontiguousarray(strip))
    columns = seen.shape[1]
    spans = spans * columns / strip.shape[1]
    distance = np.full(columns, np.inf)  # to the nearest gap, in columns
    for (_, end), (start, _) in itertools.pairwise(spans):
        half = max(2.5, 0.4 * abs(start - end))  # annotated words often touch
        distance = np.minimum(distance, np.abs(np.arange(columns) + 0.5 - (start + end) / 2) - half)
    gap = distance <= 0
    kept = gap | ((distance > 4) & (rng.random(columns) < 0.25))  # what is next to a gap is neither
    return features(seen)[kept], gap[kept].astype(np.float32)


def train(folders: Sequence[Path], out: Path, passes: int, steps: int) -> None:
    """Trains on all lines that are not held out and writes the weights."""
    import torch

    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    sets = [read_scenes(folder) for folder in folders]
    sets[0] = held_out(sets[0])[1]
    found = [line for scenes in sets for scene in scenes for line in lines(scene)]
    print(f"{len(found)} lines, {sum(len(spans) > 1 for _, spans in found)} of several words", flush=True)
    drawn = [examples(line, rng) for _ in range(passes) for line in found if len(line[1]) > 1 or rng.random() < 0.4]
    x = np.concatenate([example[0] for example in drawn if example is not None])
    y = torch.from_numpy(np.concatenate([example[1] for example in drawn if example is not None]))
    mean, deviation = x.mean(axis=0), x.std(axis=0) + 1e-3
    inputs = torch.from_numpy((x - mean) / deviation)
    print(f"{len(y)} columns, {100 * y.mean():.0f} % of them gaps", flush=True)

    layers = [torch.nn.Linear(inputs.shape[1], 64), torch.nn.Linear(64, 32), torch.nn.Linear(32, 1)]
    network = torch.nn.Sequential(
        layers[0], torch.nn.ReLU(), torch.nn.Dropout(0.3), layers[1], torch.nn.ReLU(), layers[2], torch.nn.Flatten(0)
    )
    optimizer = torch.optim.AdamW(network.parameters(), 4e-3, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, steps)
    for step in range(steps):
        batch = torch.randint(0, len(y), (1024,))
        loss = torch.nn.functional.binary_cross_entropy_with_logits(network(inputs[batch]), y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 500 == 0:
            print(f"step {step}: loss {loss.item():.3f}", flush=True)
    weights = {"mean": mean, "deviation": deviation}
    for number, layer in enumerate(layers, 1):
        weights |= {f"w{number}": layer.weight.detach().numpy().T, f"b{number}": layer.bias.detach().numpy()}
    np.savez_compressed(out, **{name: value.astype(np.float16) for name, value in weights.items()})
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
    training.add_argument("--passes", type=int, default=3, help="how often each line is cut anew")
    training.add_argument("--steps", type=int, default=3000)
    measuring = verbs.add_parser("measure")
    measuring.add_argument("scenes", type=Path)
    measuring.add_argument("--count", type=int, default=HELD_OUT)
    options = parser.parse_args()
    if options.verb == "train":
        train(options.scenes, options.out, options.passes, options.steps)
    else:
        measure(options.scenes, options.count)


if __name__ == "__main__":
    main()
