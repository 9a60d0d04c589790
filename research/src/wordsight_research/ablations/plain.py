"""An easy task for compact tables: short words in lower case, flat colours, straight, in the clearest faces.

On words as on photographs clip4str-tiny reads nothing after 500 steps of 64 and 5 % after 1000: every row of a table
that a CPU makes in an hour would be near zero. On plain words of up to 8 characters, rows with small patches read 0.2 %
after 1200 steps of 16; on these, of up to 4, they leave their plateau after a third of 1800.
"""

import random

import lightning
import numpy as np
from PIL import Image, ImageFilter
from torch.utils.data import DataLoader

from wordsight.data import Mixture, Sample
from wordsight.models.clip4str import Clip4StrConfig
from wordsight.synth.faces import FontBook
from wordsight.synth.fonts import CAP_HEIGHT, font_index
from wordsight.synth.kinds import Texts
from wordsight.synth.setting import set_line
from wordsight.train.batches import Batch, Batches, FromBatch

LONGEST = 4
FACES = 40


class PlainWords:
    """A source of such words; sample i is a function of (seed, i) and the system's fonts.

    Args:
        count: how many there are.
        seed: another seed, other words.
    """

    def __init__(self, count: int = 2**62, seed: int = 0) -> None:
        self.count = count
        self.seed = seed
        self._texts = Texts()
        faces = sorted(font_index(None), key=lambda face: (-face.score, face.path, face.weight))
        self._book = FontBook(faces[:FACES])

    def __len__(self) -> int:
        return self.count

    def text(self, i: int, /) -> str:
        """Label of sample i: 2 to 4 letters and digits."""
        rng = random.Random(f"{self.seed} {i} text")
        while True:
            text = "".join(c for c in self._texts.draw(rng, "street").lower() if c.isascii() and c.isalnum())
            if 2 <= len(text) <= LONGEST:
                return text

    def __getitem__(self, i: int, /) -> Sample:
        """Sample i, 0 <= i < len."""
        if not 0 <= i < self.count:
            raise IndexError(i)
        rng, text = random.Random(f"{self.seed} {i} image"), self.text(i)
        line = None
        while line is None:
            line = set_line(self._book, self._book.pick(rng, text) or 0, text)
        height, width = line.mask.shape
        left, right, top, bottom = (round(CAP_HEIGHT * rng.uniform(0.05, 0.3)) for _ in range(4))
        ink = Image.new("L", (width + left + right, height + top + bottom))
        ink.paste(Image.fromarray(line.mask), (left, top))
        ink = ink.filter(ImageFilter.BoxBlur(rng.uniform(0, 1.5)))
        dark, light = (tuple(rng.randint(*level) for _ in range(3)) for level in ((0, 90), (150, 255)))
        ground, letters = (light, dark) if rng.random() < 0.5 else (dark, light)
        picture = Image.new("RGB", ink.size, ground)
        picture.paste(letters, None, ink)
        return Sample(f"plain-{self.seed}-{i}", np.asarray(picture), text, dataset="plain")


class PlainData(lightning.LightningDataModule):
    """Endless training batches of plain words; those of similar length share a step."""

    def __init__(self, cfg: Clip4StrConfig, batch_size: int, workers: int, seed: int) -> None:
        super().__init__()
        self.workers = workers
        mixture = Mixture([PlainWords(seed=seed)], [1.0], seed)
        spec = cfg.preprocessing
        self.batches = Batches(mixture, frozenset(), cfg.tokenizer, spec, batch_size, pool=32)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Batches from the first on."""
        return DataLoader(self.batches, batch_size=None, sampler=FromBatch(0), num_workers=self.workers)
