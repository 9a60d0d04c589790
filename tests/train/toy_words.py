"""Words for a model that learns in seconds: every character is a column of its own colour."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from wordsight.data import Mixture, Sample
from wordsight.models.clip4str import Clip4Str, Clip4StrConfig
from wordsight.models.config import DecoderConfig, ImageTowerConfig, TextTowerConfig
from wordsight.text import Charset, CharTokenizer
from wordsight.train.batches import Batches

LETTERS = "abcdef"
NEW = "€"
SLOTS = 4  # columns of a picture; those behind the word are black
COLOURS = dict(
    zip(
        LETTERS + NEW,
        ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255), (0, 255, 255), (255, 255, 255)),
        strict=True,
    )
)


def picture(text: str) -> np.ndarray:
    image = np.zeros((8, 8 * SLOTS, 3), np.uint8)
    for i, character in enumerate(text):
        image[:, 8 * i : 8 * i + 8] = COLOURS[character]
    return image


class ToyWords:
    """An endless source of words over `letters`."""

    undrawable = ""

    def __init__(self, letters: str, seed: int = 0) -> None:
        self.letters = letters
        self.seed = seed

    def __len__(self) -> int:
        return 2**40

    def text(self, i: int) -> str:
        rng = np.random.default_rng((self.seed, i))
        return "".join(rng.choice(list(self.letters), rng.integers(2, SLOTS + 1)))

    def __getitem__(self, i: int) -> Sample:
        return Sample(str(i), picture(self.text(i)), self.text(i), dataset="toy")


def write_words(folder: Path, texts: list[str]) -> Path:
    folder.mkdir()
    for i, text in enumerate(texts):
        Image.fromarray(picture(text)).save(folder / f"{i}.png")
    (folder / "labels.tsv").write_text("".join(f"{i}.png\t{t}\n" for i, t in enumerate(texts)), encoding="utf-8")
    return folder


def toy_model() -> Clip4Str:
    charset = Charset("toy", LETTERS)
    vocabulary = CharTokenizer(charset).vocab_size
    torch.manual_seed(0)
    return Clip4Str(
        Clip4StrConfig(
            image=ImageTowerConfig(8, 32, patch=(8, 4), class_token=False, width=32, layers=2, heads=2),
            text=TextTowerConfig(vocabulary, context=8, width=32, layers=1, heads=2),
            decoder=DecoderConfig(heads=2, dropout=0.0),
            embed_dim=32,
            charset=charset,
            max_length=6,
            num_permutations=2,
        )
    )


def trained_model(steps: int) -> Clip4Str:
    model = toy_model()
    cfg = model.cfg
    mixture = Mixture([ToyWords(LETTERS)], [1.0], 0)
    batches = Batches(mixture, frozenset(), cfg.tokenizer, cfg.preprocessing, 32, 8)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(steps):
        batch = batches[step]
        loss = model.loss(batch.images, batch.targets, torch.Generator().manual_seed(step)).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()
