"""Word crops and what they say, as pairs for the miniature CLIP: the pre-trained towers that CLIP4STR begins with."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from wordsight.data import Mixture, Sample, SkipBroken, Source, TrainableLabels, filter_labels, holdout, open_source
from wordsight.errors import ConfigError
from wordsight.imaging import Preprocessing, prepare
from wordsight.models.clip import Clip, ClipConfig
from wordsight.models.clip.config import MEAN, STD
from wordsight.models.clip4str import Clip4StrConfig
from wordsight.text import CharTokenizer
from wordsight.train.batches import Batches
from wordsight_research.clip.training import Pairs

HELD_OUT = 500
"""Words of a kind that are measured on, at most."""


def word_clip(cfg: Clip4StrConfig) -> ClipConfig:
    """The towers of a recognizer whose text tower reads characters.

    Raises:
        ConfigError: it reads something else.
    """
    if cfg.captions != "characters":
        raise ConfigError("the miniature CLIP is only for compact recognizers: choose clip4str-tiny or clip4str-small")
    return ClipConfig(cfg.image, cfg.text, cfg.embed_dim, cfg.charset)


class WordPairs(Dataset[Pairs]):
    """Batches of word crops by number, see `Batches`; real crops are augmented."""

    def __init__(self, batches: Batches) -> None:
        self.batches = batches

    def __getitem__(self, step: int) -> Pairs:
        """The pairs of a step: labels as tokens are captions already."""
        batch = self.batches[step]
        return Pairs(batch.images, batch.targets, step, batch.samples)


def word_pairs(
    model: Clip,
    rendered: Source,
    unseen: Source,
    real: Sequence[Path],
    real_share: float,
    batch_size: int,
    seed: int,
) -> tuple[WordPairs, dict[str, Pairs]]:
    """Pairs to train on, and held-out ones by kind.

    Args:
        model: which is to learn from them.
        rendered: endless.
        unseen: rendered with another seed, to measure on. The words themselves may be known, their pictures are not.
        real: data sets of real words; the last tenth of each is held out.
        real_share: share of real words in training, spread over the data sets by their size.
        batch_size: pairs in a batch.
        seed: another seed, another order.

    Raises:
        ConfigError: the model's text tower does not read characters.
        DataError: a data set cannot be read.
    """
    charset, longest = model.cfg.charset, model.cfg.text.context - 2
    if charset is None:
        raise ConfigError("these pairs are for a text tower that reads characters")
    spec = Preprocessing(model.cfg.image.height, model.cfg.image.width_px, MEAN, STD)
    halves = [holdout(filter_labels(open_source(path), charset, longest)[0], 0.1) for path in real]
    training = [SkipBroken(train) for train, _ in halves]
    total = sum(map(len, training))
    weights = [real_share * len(source) / total for source in training]
    sources: list[Source] = [*training, TrainableLabels(rendered, charset, longest)]
    mixture = Mixture(sources, [*weights, 1 - sum(weights)], seed)
    augmented = frozenset(range(len(training)))
    batches = Batches(mixture, augmented, CharTokenizer(charset), spec, batch_size, pool=1)

    def pairs(samples: Sequence[Sample]) -> Pairs:
        images = torch.from_numpy(prepare([sample.image for sample in samples], spec))
        return Pairs(images, model.tokens([sample.text for sample in samples]))

    read = TrainableLabels(unseen, charset, longest)
    held_out = {"rendered": pairs([read[i] for i in range(HELD_OUT)])}
    others = [part[i] for _, part in halves for i in range(len(part))]
    if others:
        spread = np.linspace(0, len(others), min(len(others), HELD_OUT), endpoint=False)
        held_out["real"] = pairs([others[int(i)] for i in spread])
    return WordPairs(batches), held_out
