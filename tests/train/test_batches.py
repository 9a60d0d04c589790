import numpy as np
import pytest
import torch

from wordsight.data import Mixture, Sample, SkipBroken, TrainableLabels
from wordsight.errors import DataError
from wordsight.imaging import Preprocessing, prepare
from wordsight.synth import fonts
from wordsight.synth.words import RenderedWords
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
    mixture = Mixture([Cards(), Cards()], [0.5, 0.5], seed=3)
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
        rows = [batches.mixture.locate(int(i))[0] for i in batches._step(number)[0]]
        same = [torch.equal(a, b) for a, b in zip(batches[number].images, plain[number].images, strict=True)]
        assert all(same[i] for i, source in enumerate(rows) if source == 0)


def test_a_pool_holds_every_sample_once_and_lengths_are_together(batches):
    numbers = np.concatenate([batches._step(i)[0] for i in range(6)])
    assert sorted(numbers.tolist()) == list(range(24))
    spreads = []
    for i in range(6):
        indices, lengths = batches._step(i)
        assert lengths.tolist() == [len(batches.mixture.text(int(n))) for n in indices]
        spreads.append(lengths.max() - lengths.min())
    assert np.mean(spreads) <= 2  # of 7 that are possible


def test_ranks_share_the_batches():
    first, second = iter(FromBatch(10, 2)), iter(FromBatch(11, 2))
    assert [next(first) for _ in range(3)] == [10, 12, 14]
    assert [next(second) for _ in range(3)] == [11, 13, 15]


def rows(batch):
    """What a batch holds, as a multiset."""
    images = [tuple(image.flatten()[::97].tolist()) for image in batch.images]
    return sorted(zip(batch.samples, images, map(tuple, batch.targets.tolist()), strict=True))


def test_parts_of_a_step_are_what_one_device_would_see(batches):
    whole = Batches(batches.mixture, frozenset([1]), batches.tokenizer, batches.preprocessing, 8, 6)
    parts = Batches(batches.mixture, frozenset([1]), batches.tokenizer, batches.preprocessing, 2, 6, parts=4)
    for step in (0, 7):
        one, four = whole[step], [parts[4 * step + i] for i in range(4)]
        assert {batch.step for batch in four} == {step}
        assert rows(one) == sorted(row for batch in four for row in rows(batch))
        assert one.characters == sum(len(name_to_word(n)) for n in one.samples)
        assert {batch.characters for batch in four} == {one.characters / 4}


def name_to_word(name):
    return WORDS[int(name.removeprefix("/"))]


class Broken(Cards):
    """Every other crop cannot be read."""

    def __getitem__(self, i):
        if i % 2:
            raise DataError(f"{i}: broken")
        return super().__getitem__(i)


def test_broken_samples_are_replaced_and_counted():
    mixture = Mixture([SkipBroken(Broken())], [1.0], seed=3)
    batches = Batches(mixture, frozenset(), CharTokenizer(Charset.preset("36")), Preprocessing(32, 128), 12, 2)
    found = [batches[0], batches[1]]
    assert sum(batch.skipped for batch in found) == 12
    for batch in found:
        assert [name_to_word(n) for n in batch.samples] == [
            batches.tokenizer.decode(row[1:]) for row in batch.targets.tolist()
        ]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patched.setattr(fonts, "default_folders", list)  # Pillow's own font
        yield TrainableLabels(RenderedWords(seed=4), Charset.preset("36"), 12)


def test_rendered_words_stand_among_others(rendered):
    mixture = Mixture([Cards(), rendered], [0.3, 0.7], seed=3)
    batch = Batches(mixture, frozenset([0]), CharTokenizer(Charset.preset("36")), Preprocessing(32, 128), 40, 2)[3]
    rows = [row for row, name in enumerate(batch.samples) if name.startswith("street/synth-4-")]
    assert 15 < len(rows) < 40
    assert batch.images[rows].std(dim=(1, 2, 3)).median() > 0.05
    assert -1 <= batch.images.min() < batch.images.max() <= 1


def test_crops_without_text_are_trained_on(rendered):
    """Or a recognizer would forget to be silent where there is no text."""
    batches = Batches(
        Mixture([rendered], [1.0], seed=0),
        frozenset(),
        CharTokenizer(Charset.preset("36")),
        Preprocessing(32, 128),
        200,
        1,
    )
    targets = batches[0].targets
    assert 4 <= (targets[:, 1] == batches.tokenizer.eos).sum() <= 40  # 8 % of 200


def test_rendered_words_are_the_crops_of_their_source(rendered):
    mixture = Mixture([rendered], [1.0], seed=0)
    batches = Batches(mixture, frozenset(), CharTokenizer(Charset.preset("36")), Preprocessing(32, 128), 24, 1)
    crops = [rendered[mixture.locate(int(i))[1]] for i in batches._step(5)[0]]
    batch = batches[5]
    assert [batches.tokenizer.decode(row[1:]) for row in batch.targets.tolist()] == [crop.text for crop in crops]
    apart = (batch.images - torch.from_numpy(prepare([crop.image for crop in crops], Preprocessing(32, 128)))).abs()
    assert apart.mean() < 0.03
