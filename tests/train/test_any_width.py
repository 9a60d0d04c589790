"""Training a recognizer that takes pictures of any width."""

import numpy as np
import pytest
import torch

from wordsight.data import Mixture, Sample, TrainableLabels
from wordsight.models.ppocr import LcNetConfig, Svtr, SvtrConfig
from wordsight.models.ppocr.neck import NeckConfig
from wordsight.models.reading import TorchRecognizer
from wordsight.synth.lines import RenderedLines
from wordsight.text import Charset
from wordsight.train.batches import Batches
from wordsight.train.config import ArchitectureConfig
from wordsight.train.start import starting_model
from wordsight.train.validation import read

CONFIG = SvtrConfig(
    charset=Charset.preset("latin-extended"),
    convolutions=LcNetConfig(stem=(3, 4, 8), stages=(((3, 8, 8, (2, 1), True),), ((3, 8, 16, (2, 1), False),))),
    neck=NeckConfig(width=16, heads=2),
)


class Crops:
    """Crops of given widths, 20 pixels high, with a letter for every 10 pixels."""

    def __init__(self, *widths: int) -> None:
        self.widths = widths

    def __len__(self) -> int:
        return len(self.widths)

    def text(self, i: int) -> str:
        return "a" * (self.widths[i] // 10)

    def __getitem__(self, i: int) -> Sample:
        return Sample(str(i), np.full((20, self.widths[i], 3), 200, np.uint8), self.text(i), dataset="crops")


def batches(*sources: object, size: int = 4) -> Batches:
    mixture = Mixture(list(sources), [1.0] * len(sources), seed=0)
    return Batches(mixture, frozenset(), CONFIG.tokenizer, CONFIG.preprocessing, size, pool=1)


def test_a_batch_is_as_wide_as_its_widest_crop():
    batch = batches(Crops(40, 100, 200, 60))[0]
    texts = [CONFIG.tokenizer.decode(row[1:].tolist()) for row in batch.targets]
    widest = 10 * max(map(len, texts))
    assert batch.images.shape == (4, 3, 48, CONFIG.preprocessing.input_width(20, widest))
    for image, text in zip(batch.images, texts, strict=True):
        covered = CONFIG.preprocessing.columns(20, 10 * len(text))
        assert image[:, :, :covered].abs().min() > 0.1
        assert not image[:, :, covered:].any()


def test_rendered_lines_keep_their_shape_and_come_with_their_labels():
    pytest.importorskip("wordfreq")
    source = TrainableLabels(RenderedLines(seed=3), CONFIG.charset, CONFIG.max_length)
    batch = batches(source, size=12)[0]
    names = [name.partition("/")[2] for name in batch.samples]
    numbers = [int(name.rpartition("-")[2]) for name in names]
    for number, target in zip(numbers, batch.targets, strict=True):
        assert CONFIG.tokenizer.decode(target[1:].tolist()) == source.source.text(number)
    assert batch.images.shape[3] > 200
    assert torch.equal(batches(source, size=12)[0].images, batch.images)


def test_the_loss_falls():
    torch.manual_seed(0)
    model = Svtr(CONFIG).train()
    batch = batches(Crops(40, 100, 200, 60))[0]
    optimiser = torch.optim.AdamW(model.param_groups(3e-3, 1.0, 0.0))
    losses = []
    for _ in range(30):
        optimiser.zero_grad()
        loss = model.loss(batch.images, batch.targets, torch.Generator()).total
        loss.backward()
        optimiser.step()
        losses.append(float(loss))
    assert losses[-1] < 0.7 * losses[0]


def test_validation_reads_crops_of_all_widths_in_their_order():
    torch.manual_seed(0)
    reader = TorchRecognizer(Svtr(CONFIG).eval())
    crops = [
        np.random.default_rng(i).integers(0, 256, (20, width, 3), np.uint8) for i, width in enumerate((40, 300, 9))
    ]
    assert read(reader, crops) == [read(reader, [crop])[0] for crop in crops]


def test_a_run_may_begin_with_another_charset(tmp_path):
    from wordsight.models import checkpoint

    torch.manual_seed(0)
    model = Svtr(CONFIG)
    folder = checkpoint.save(model, tmp_path / "start")
    begun = starting_model("svtr", folder, ArchitectureConfig("36"))
    assert begun.cfg.charset.name == "36"
    row = CONFIG.charset.characters.index("z") + 1
    torch.testing.assert_close(begun.head.weight[36], model.head.weight[row])
