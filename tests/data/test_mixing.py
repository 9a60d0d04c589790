import json
import pickle
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from wordsight.data import (
    Mixture,
    Sample,
    ScenesSource,
    SkipBroken,
    TrainableLabels,
    View,
    filter_labels,
    holdout,
    subset,
)
from wordsight.data.mixing import RotatedTall, permuted
from wordsight.errors import ConfigError, DataError
from wordsight.text import Charset


class Words:
    """A source without pictures."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts

    def __len__(self) -> int:
        return len(self.texts)

    def text(self, i: int) -> str:
        return self.texts[i]

    def __getitem__(self, i: int) -> Sample:
        return Sample(str(i), np.full((2, 3, 3), i % 256, dtype=np.uint8), self.texts[i])


def numbered(prefix: str, count: int) -> Words:
    return Words([f"{prefix}{i}" for i in range(count)])


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
def test_permuted_is_a_permutation_that_the_key_chooses(size: int) -> None:
    first = [permuted(i, size, key=1) for i in range(size)]
    assert sorted(first) == list(range(size))
    assert first == [permuted(i, size, key=1) for i in range(size)]
    if size >= 64:
        assert first != [permuted(i, size, key=2) for i in range(size)]
        steps = Counter(b - a for a, b in pairwise(first))
        assert max(steps.values()) < size / 8  # not merely rotated or strided


def test_a_huge_source_needs_no_memory() -> None:
    size = 2**60 + 1
    assert len({permuted(i, size, key=3) for i in range(1000)}) == 1000
    assert max(permuted(i, size, key=3) for i in range(1000)) > 2**59


def test_shares_follow_the_weights() -> None:
    mixture = Mixture([numbered("a", 50), numbered("b", 500), numbered("c", 5)], [6, 3, 1], seed=0)
    count = Counter(mixture.locate(i)[0] for i in range(10240))
    assert [round(count[k] / 10240, 2) for k in range(3)] == [0.6, 0.3, 0.1]
    early = Counter(mixture.locate(i)[0] for i in range(200))  # shuffled, not one source after the other
    assert min(early.values()) > 5


def test_a_source_is_used_up_before_it_comes_again() -> None:
    mixture = Mixture([numbered("a", 30), numbered("b", 1000)], [1, 1], seed=5)
    visits = [sample for number, sample in map(mixture.locate, range(4096)) if number == 0]
    turns = [visits[k : k + 30] for k in range(0, 30 * (len(visits) // 30), 30)]
    assert all(sorted(turn) == list(range(30)) for turn in turns)
    assert turns[0] != turns[1]


def test_a_mixture_is_a_function_of_seed_and_index() -> None:
    sources = [numbered("a", 30), numbered("b", 1000)]
    one, two = Mixture(sources, [1, 2], seed=5), Mixture(sources, [2, 4], seed=5)
    other = Mixture(sources, [1, 2], seed=6)
    order = np.random.default_rng(0).permutation(3000).tolist()
    copy = pickle.loads(pickle.dumps(two))
    assert [one.locate(i) for i in order] == [copy.locate(i) for i in order]
    assert [one.locate(i) for i in range(100)] != [other.locate(i) for i in range(100)]
    for i in (0, 17, 100_000):
        number, sample = one.locate(i)
        assert one.text(i) == one[i].text == "ab"[number] + str(sample)


def test_a_light_source_still_occurs() -> None:
    mixture = Mixture([numbered("a", 10), numbered("b", 10)], [1, 1e-9], seed=0)
    assert Counter(mixture.locate(i)[0] for i in range(1024))[1] == 1


@pytest.mark.parametrize(
    ("sizes", "weights"), [([], []), ([1], [1, 1]), ([1], [0]), ([1], [-1]), ([1], [float("nan")]), ([0, 1], [1, 1])]
)
def test_impossible_mixtures_are_refused(sizes: list[int], weights: list[float]) -> None:
    with pytest.raises(ConfigError):
        Mixture([numbered("a", size) for size in sizes], weights, seed=0)


def test_the_last_part_is_held_out() -> None:
    train, validation = holdout(numbered("w", 20), 0.1)
    assert [train.text(i) for i in (0, 17)] == ["w0", "w17"]
    assert [validation.text(i) for i in range(len(validation))] == ["w18", "w19"]
    assert (len(train), validation[1].id) == (18, "19")
    with pytest.raises(ConfigError):
        holdout(numbered("w", 20), 1.5)


def test_no_scene_is_on_both_sides_of_the_holdout(tmp_path: Path) -> None:
    square = [[0, 0], [9, 0], [9, 9], [0, 9]]
    with (tmp_path / "scenes.jsonl").open("w") as file:
        for scene, count in enumerate((3, 4, 3)):
            words = [{"polygon": square, "text": f"{scene}-{k}"} for k in range(count)]
            file.write(json.dumps({"image": f"{scene}.png", "words": words}) + "\n")
    whole = ScenesSource(tmp_path)
    for source in (whole, filter_labels(whole, Charset.preset("94+space"))[0]):
        train, validation = holdout(source, 0.5)  # would cut scene 1 after its second word
        assert [train.text(i) for i in range(len(train))] == ["0-0", "0-1", "0-2"]
        assert len(validation) == 7


def test_labels_are_filtered_with_counts() -> None:
    source = Words(["ok", "  two   words ", "   ", "", "x" * 41, "y" * 40, "naïve", "n\u0303"])
    view, dropped = filter_labels(source, Charset.preset("94+space"), 40)
    assert [view.text(i) for i in range(len(view))] == ["ok", "two words", "y" * 40]
    assert dropped == {"empty": 2, "too long": 1, "unknown characters": 2}
    assert view[1].text == "two words"
    assert view[1].id == "1"


def test_ascii_charsets_follow_the_rules_of_the_field() -> None:
    words = Words(["Café au lait", "né", "1/2", "日本", "!?", "a-b-c-d-e-f", "It's"])
    view, dropped = filter_labels(words, Charset.preset("62"), 10)
    # a-b-c-d-e-f has 11 characters before the hyphens go, and is judged then.
    assert [view.text(i) for i in range(len(view))] == ["Cafeaulait", "ne", "12", "Its"]
    assert dropped == {"empty": 2, "too long": 1, "unknown characters": 0}
    assert view[3].text == "Its"
    assert filter_labels(words, Charset.preset("36"), 10)[0].text(3) == "its"


def test_views_nest() -> None:
    inner = subset(Words([f"W {i}" for i in range(10)]), 2, 8)
    outer = View(inner, [5, 0], Charset.preset("36"))
    assert [outer[k].id for k in range(2)] == ["7", "2"]
    assert outer[0].text == outer.text(0) == "w7"


class Holed(Words):
    """Words of which some cannot be read."""

    holes = frozenset({3, 4, 17})

    def __getitem__(self, i: int) -> Sample:
        if i in self.holes:
            raise DataError(f"{i} is broken")
        return super().__getitem__(i)


def test_broken_samples_are_replaced_by_place_alone_and_counted() -> None:
    source = SkipBroken(Holed([str(i) for i in range(20)]))
    read = [source[i] for i in range(20)]
    assert [i for i, sample in enumerate(read) if sample.problem] == sorted(Holed.holes) == sorted(source.broken)
    assert read[4].problem == "4 is broken"
    assert not Holed.holes & {int(sample.text) for sample in read}
    assert [sample.text for i, sample in enumerate(read) if i not in Holed.holes] == [
        str(i) for i in range(20) if i not in Holed.holes
    ]
    other = SkipBroken(Holed([str(i) for i in range(20)]))
    assert [other[i].text for i in (17, 4, 3)] == [read[i].text for i in (17, 4, 3)]  # in any order
    assert pickle.loads(pickle.dumps(other))[4].text == read[4].text


def test_where_nothing_can_be_read_one_error_says_so(caplog: pytest.LogCaptureFixture) -> None:
    source = SkipBroken(Holed(["x", "x", "x", "x"]))
    source.source.holes = frozenset(range(4))  # type: ignore[attr-defined]
    with pytest.raises(DataError, match="and so are 15 others"):
        source[2]
    assert source.text(2) == "x"


def test_words_that_cannot_be_learnt_have_stand_ins() -> None:
    words = Words(["ab", "!!", "toolong", "Cd", "?"] * 20)
    source = TrainableLabels(words, Charset.preset("36"), 4)
    texts = [source.text(i) for i in range(len(source))]
    assert set(texts) == {"ab", "cd"}
    assert texts[0::5] == ["ab"] * 20
    assert texts[3::5] == ["cd"] * 20
    assert [source[i].text for i in range(len(source))] == texts
    silent = TrainableLabels(Words(["ab", "", "!!"] * 20), Charset.preset("36"), 4)
    assert [silent.text(i) for i in range(60)][1::3] == [""] * 20  # crops without text are learned as such
    with pytest.raises(DataError, match="16 labels in a row"):
        TrainableLabels(Words(["!!"] * 3), Charset.preset("36"), 4).text(0)


class Shaped(Words):
    """Pictures 2 pixels wide, the first column dark, 2 pixels high and one more for each sample."""

    def __getitem__(self, i: int) -> Sample:
        image = np.full((2 + i, 2, 3), 255, dtype=np.uint8)
        image[:, 0] = 0
        return Sample(str(i), image, self.texts[i])


def test_tall_crops_of_several_letters_are_turned() -> None:
    turned = RotatedTall(Shaped(["sale", "sale", "sale", "no", ""]))
    assert [turned[i].image.shape[:2] for i in range(len(turned))] == [(2, 2), (3, 2), (2, 4), (5, 2), (6, 2)]
    assert turned.text(2) == turned[2].text == "sale"
    assert (turned[2].image[0] == 0).all()  # what was on the left is above: text that ran upwards is level
    assert (turned[2].image[1] == 255).all()
