"""How easily rendered crops are told from real training crops, and what gives them away.

    python benchmarks/realism.py WORDS... [--count 2000] [--set shade=0.1] [--words LIST] [--backgrounds FOLDER]

WORDS are folders of real *training* words. As many crops of either kind are taken as there are of the rarer; a third
of them, of real ones the last third of every folder (neighbours show the same scene), is held out. Printed is the area
under the curve (AUC) on the held-out third, 0.5 where nobody can tell, 1 where everybody can:

- of each factor by itself, the greater of AUC and 1 - AUC, with the medians of both kinds;
- of a logistic regression on all factors;
- of a small convolutional network on the pixels (--pixels), which sees what no factor names.

Crops without text, and real words of one character, are left out on both sides. Crops are compared as a model sees
them, stretched to 32 x 128, but for the shape.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from wordsight.data import open_source
from wordsight.imaging import Preprocessing, prepare
from wordsight.synth.config import RenderConfig
from wordsight.synth.words import RenderedWords

Pixels = NDArray[np.uint8]
AS_SEEN = Preprocessing(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
HELD_OUT = 3


def factors(crop: Pixels, text: str) -> dict[str, float]:
    """Plain numbers about a crop, each of which a person could point at."""
    picture = np.asarray(Image.fromarray(crop).resize((128, 32), Image.Resampling.BICUBIC)).astype(np.float32)
    grey = picture @ np.array([0.299, 0.587, 0.114], np.float32)
    across, down = np.diff(grey, axis=1), np.diff(grey, axis=0)
    second = np.abs(grey[:, 2:] - 2 * grey[:, 1:-1] + grey[:, :-2])
    low, middle, high = np.percentile(grey, (5, 50, 95))
    # Otsu's threshold divides ink from ground; ink is the side that is rarer along the border.
    levels = np.linspace(low, high + 1e-3, 17)[1:-1]
    between = [np.mean(grey < t) * np.mean(grey >= t) * _apart(grey, t) ** 2 for t in levels]
    ink = grey < levels[int(np.argmax(between))]
    border = np.concatenate((ink[0], ink[-1], ink[:, 0], ink[:, -1]))
    ink = ~ink if border.mean() > 0.5 else ink
    rows, columns = np.flatnonzero(ink.mean(1) > 0.06), np.flatnonzero(ink.mean(0) > 0.1)
    starts = np.maximum(np.diff(ink.astype(np.int8), axis=1) == 1, 0).sum()
    chroma = picture - grey[..., None]
    flat = np.sort((np.abs(across[:-1]) + np.abs(down[:, :-1])).ravel())[: across[:-1].size // 4]
    steps = np.abs(across)
    return {
        "width over height": crop.shape[1] / crop.shape[0],
        "width per character": crop.shape[1] / crop.shape[0] / max(1, len(text)),
        "height, pixels": crop.shape[0],
        "brightness": float(middle),
        "contrast (5 to 95 %)": float(high - low),
        "difference of ink and ground": _apart(grey, float(levels[int(np.argmax(between))])),
        "ink brighter than ground": float(grey[ink].mean() > grey[~ink].mean()) if 0 < ink.sum() < ink.size else 0.5,
        "sharpness": float(np.percentile(steps, 98) / (high - low + 8)),
        "detail across": float(second.mean() / (np.abs(across).mean() + 1)),
        "detail down": float(np.abs(np.diff(down, axis=0)).mean() / (np.abs(down).mean() + 1)),
        "noise in flat parts": float(flat.mean()),
        "blocks of 8": float(steps[:, 7::8].mean() / (steps.mean() + 0.5)),
        "colourfulness": float(np.abs(chroma).mean()),
        "colour noise": float(np.abs(np.diff(chroma, axis=1)).mean()),
        "red minus blue": float((picture[..., 0] - picture[..., 2]).mean()),
        "share of ink": float(ink.mean()),
        "stroke width": float(ink.sum() / max(1, starts)),
        "margin above": float(rows[0]) if len(rows) else 16.0,
        "margin below": float(31 - rows[-1]) if len(rows) else 16.0,
        "margin left": float(columns[0]) if len(columns) else 64.0,
        "margin right": float(127 - columns[-1]) if len(columns) else 64.0,
        "unevenness of ground": float(grey[~ink].std()) if (~ink).any() else 0.0,
        "unevenness of ink": float(grey[ink].std()) if ink.any() else 0.0,
        "light from the left": float(grey[:, :32].mean() - grey[:, -32:].mean()),
        "light from above": float(grey[:8].mean() - grey[-8:].mean()),
        "black and white pixels": float(((grey < 4) | (grey > 251)).mean()),
    }


def _apart(grey: NDArray[np.float32], threshold: float) -> float:
    dark = grey < threshold
    return float(grey[~dark].mean() - grey[dark].mean()) if 0 < dark.sum() < dark.size else 0.0


def auc(scores: NDArray[np.float64], real: NDArray[np.bool_]) -> float:
    """How often a real crop has the higher score, ties half."""
    values = np.concatenate((scores[real], scores[~real]))
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    n, m = int(real.sum()), int((~real).sum())
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))


def logistic(values: NDArray[np.float64], real: NDArray[np.bool_], held: NDArray[np.bool_]) -> float:
    """AUC of a logistic regression on factors by their ranks and the squares of these."""
    ranks = np.stack([np.searchsorted(np.sort(column[~held]), column) for column in values.T], 1) / (~held).sum() - 0.5
    x = torch.tensor(np.concatenate((ranks, ranks**2), 1), dtype=torch.float32)
    y = torch.tensor(real, dtype=torch.float32)
    train = torch.tensor(~held)
    weight = torch.zeros(x.shape[1] + 1, requires_grad=True)
    optimiser = torch.optim.LBFGS([weight], max_iter=200)

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = F.binary_cross_entropy_with_logits(x[train] @ weight[1:] + weight[0], y[train])
        loss = loss + 1e-3 * weight[1:].square().mean()
        loss.backward()
        return loss

    optimiser.step(closure)
    scores = (x @ weight[1:] + weight[0]).detach().numpy().astype(float)
    return auc(scores[held], real[held])


def network(pictures: Tensor, real: NDArray[np.bool_], held: NDArray[np.bool_], epochs: int) -> float:
    """AUC of a small convolutional network on pixels, (n, 3, 32, 128)."""
    torch.manual_seed(0)
    width, layers, before = 16, [], 3
    for _ in range(4):
        layers += [nn.Conv2d(before, width, 3, stride=2, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
        before, width = width, width + 16
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 1))
    x, y, train = pictures - 0.5, torch.tensor(real, dtype=torch.float32), torch.from_numpy(np.flatnonzero(~held))
    optimiser = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, epochs * (len(train) // 64))
    for _ in range(epochs):
        for rows in train[torch.randperm(len(train))][: len(train) // 64 * 64].view(-1, 64):
            loss = F.binary_cross_entropy_with_logits(model(x[rows])[:, 0], y[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    with torch.inference_mode():
        scores = model.eval()(x[torch.from_numpy(np.flatnonzero(held))])[:, 0].double().numpy()
    return auc(scores, real[held])


def real_crops(folders: list[Path], count: int) -> tuple[list[tuple[Pixels, str]], list[bool]]:
    """Crops with labels of more than one character, and which of them are in the last third of their folder."""
    sources = [open_source(folder) for folder in folders]
    total, found, held = sum(len(source) for source in sources), [], []
    for source in sources:
        wanted = np.linspace(0, len(source) - 1, min(len(source), round(count * len(source) / total))).astype(int)
        for place, i in enumerate(wanted):
            if len(source.text(int(i))) > 1 and source.text(int(i)) != "###":
                found.append((source[int(i)].image, source.text(int(i))))
                held.append(place >= len(wanted) * (HELD_OUT - 1) / HELD_OUT)
    return found, held


def rendered_crops(source: RenderedWords, count: int) -> list[tuple[Pixels, str]]:
    """The first crops with labels of more than one character."""
    numbers = [i for i in range(2 * count) if len(source.text(i)) > 1][:count]
    return [(sample.image, sample.text) for sample in source.many(numbers)]


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("real", type=Path, nargs="+")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--set", action="append", default=[], metavar="SETTING=VALUE", help="settings of rendering")
    parser.add_argument("--seed", type=int, default=1000, help="of rendering")
    parser.add_argument("--words", type=Path, action="append", default=[])
    parser.add_argument("--backgrounds", type=Path)
    parser.add_argument("--pixels", type=int, default=0, metavar="EPOCHS", help="train the network so many epochs")
    options = parser.parse_args()

    config = RenderConfig().with_settings(options.set)
    source = RenderedWords(seed=options.seed, words=options.words, backgrounds=options.backgrounds, config=config)
    true, late = real_crops(options.real, options.count)
    false = rendered_crops(source, len(true))
    crops = true + false
    real = np.arange(len(crops)) < len(true)
    held = np.array(late + [k >= len(false) * (HELD_OUT - 1) / HELD_OUT for k in range(len(false))])
    table = [factors(crop, text) for crop, text in crops]
    values = np.array([list(row.values()) for row in table])
    print(f"{len(true)} real and {len(false)} rendered crops, {held.sum()} of both held out")
    rows = []
    for name, column in zip(table[0], values.T, strict=True):
        found = auc(column[held], real[held])
        rows.append((max(found, 1 - found), name, np.median(column[real]), np.median(column[~real])))
    for found, name, one, other in sorted(rows, reverse=True):
        print(f"{name:<30} AUC {found:.3f}   median of real {one:8.3f}, of rendered {other:8.3f}")
    print(f"{'all factors together':<30} AUC {logistic(values, real, held):.3f}")
    if options.pixels:
        pictures = torch.from_numpy(prepare([crop for crop, _ in crops], AS_SEEN))
        print(f"{'pixels':<30} AUC {network(pictures, real, held, options.pixels):.3f}")


if __name__ == "__main__":
    main()
