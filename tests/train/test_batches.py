import numpy as np
import pytest
import torch

from wordsight.data import Mixture, Sample
from wordsight.imaging import Preprocessing
from wordsight.text import Charset, CharTokenizer
from wordsight.train.batches import Batches, FromBatch

WORDS = [word * n for word in ("a", "b", "c") for n in range(1, 9)]


class Cards:
    """Flat grey crops, as bright as their label is long."""

    def __len__(self):
        return len(WORDS)

    def text(self, i):
        return WORDS[i]

    def __getitem__(self, i):
        return Sample(str(i), np.full((8, 24, 3), 20 * len(WORDS[i]), np.uint8), WORDS[i])


@pytest.fixture
def batches():
    mixture = Mixture([Cards(), Cards()], [0.5, 0.5], seed=3, length=2**62)
    tokenizer = CharTokenizer(Charset.preset("36"))
    return Batches(mixture, frozenset([1]), tokenizer, Preprocessing(32, 128), batch_size=4, pool=6)


def equal(a, b):
    return a.index == b.index and torch.equal(a.images, b.images) and torch.equal(a.targets, b.targets)


def test_a_batch_is_a_function_of_its_number(batches):
    first = [batches[i] for i in range(12)]
    for i in (7, 0, 11, 3):
        assert equal(batches[i], first[i])
    assert not torch.equal(first[0].images, first[6].images)


def test_images_belong_to_their_labels(batches):
    plain = Batches(batches.mixture, frozenset(), batches.tokenizer, batches.preprocessing, 4, 6)
    for i in range(6):
        batch = plain[i]
        texts = [plain.tokenizer.decode(row[1:]) for row in batch.targets.tolist()]
        brightness = (batch.images.mean((1, 2, 3)) + 1) / 2 * 255
        torch.testing.assert_close(brightness, torch.tensor([20.0 * len(t) for t in texts]), atol=1.0, rtol=0)


def test_only_the_named_sources_are_augmented(batches):
    plain = Batches(batches.mixture, frozenset(), batches.tokenizer, batches.preprocessing, 4, 6)
    for number in range(6):
        rows = [batches.mixture.locate(int(i))[0] for i in batches._samples(number)]
        same = [torch.equal(a, b) for a, b in zip(batches[number].images, plain[number].images, strict=True)]
        assert all(same[i] for i, source in enumerate(rows) if source == 0)


def test_a_pool_holds_every_sample_once_and_lengths_are_together(batches):
    numbers = np.concatenate([batches._samples(i) for i in range(6)])
    assert sorted(numbers.tolist()) == list(range(24))
    spreads = []
    for i in range(6):
        lengths = [len(batches.mixture.text(int(n))) for n in batches._samples(i)]
        spreads.append(max(lengths) - min(lengths))
    assert np.mean(spreads) <= 2  # of 7 that are possible


def test_ranks_share_the_batches():
    first, second = iter(FromBatch(10, 2)), iter(FromBatch(11, 2))
    assert [next(first) for _ in range(3)] == [10, 12, 14]
    assert [next(second) for _ in range(3)] == [11, 13, 15]
