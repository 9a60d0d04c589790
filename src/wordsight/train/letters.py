"""Where the letters of labelled words are, found by a trained recognizer with a CTC head."""

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from wordsight.data import Sample, Source
from wordsight.data.recombined import Letters
from wordsight.decoding.ctc import alignment
from wordsight.errors import ConfigError
from wordsight.imaging import prepare
from wordsight.models.clip4str import Clip4Str
from wordsight.models.losses import column_logits

SURE = -0.25
"""Log-probability of the likeliest path through the columns, over the number of letters, from which they count as
found: so are those of 82 % of 6,908 real words."""
HEIGHT = 40
"""Rows of the words that are kept, no fewer than any compact recognizer sees."""
_BATCH = 64


def find_letters(model: Clip4Str, source: Source) -> list[Letters]:
    """The words of `source` in which `model` finds the letters of the label; nothing is trained.

    Left out are single letters, several words, crops that are higher than wide, and what the model reads otherwise.

    Raises:
        ConfigError: the model has no CTC head.
    """
    head = getattr(model, "ctc_head", None)  # recognizers of other kinds have none
    if head is None:
        raise ConfigError("letters are located by a CTC head: set model.ctc_weight, or leave out data.recombined")
    cfg, training, found = model.cfg, model.training, []
    model.eval()
    for start in range(0, len(source), _BATCH):
        samples = [source[i] for i in range(start, min(start + _BATCH, len(source)))]
        samples = [s for s in samples if _suits(s)]
        if not samples:
            continue
        images = torch.from_numpy(prepare([s.image for s in samples], cfg.preprocessing))
        with torch.inference_mode():
            logits = column_logits(head, model.encode(images), cfg.image.grid)
        for sample, columns in zip(samples, logits.log_softmax(-1).double().numpy(), strict=True):
            places, likelihood = alignment(columns, np.array(cfg.tokenizer.ids(sample.text)), cfg.tokenizer.eos)
            if likelihood >= SURE * len(sample.text):
                image = _reduced(sample.image)
                found.append(Letters(image, sample.text, _edges((places + 0.5) / len(columns), image.shape[1])))
    model.train(training)
    return found


def _suits(sample: Sample) -> bool:
    """Whether its letters can stand anywhere in a word, side by side."""
    return len(sample.text) > 1 and " " not in sample.text and sample.image.shape[0] <= sample.image.shape[1]


def _edges(places: npt.NDArray[np.float64], width: int) -> npt.NDArray[np.int64]:
    """Borders of letters, in pixels, from the shares of the `width` at which their middles stand.

    Borders of neighbours are half way between them; the first and the last letter are as wide as the mean.
    """
    half = (places[-1] - places[0]) / (len(places) - 1) / 2
    borders = [places[0] - half, *(places[1:] + places[:-1]) / 2, places[-1] + half]
    out: npt.NDArray[np.int64] = np.rint(np.clip(borders, 0, 1) * width).astype(np.int64)
    return out


def _reduced(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """In at most `HEIGHT` rows."""
    height, width = image.shape[:2]
    if height <= HEIGHT:
        return image
    small = Image.fromarray(image).resize((max(4, round(width * HEIGHT / height)), HEIGHT), Image.Resampling.BOX)
    return np.asarray(small)
