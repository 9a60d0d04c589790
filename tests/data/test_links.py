"""What samples know of the photographs that they were cut from."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wordsight.data import JoinedSource, LmdbSource, ScenesSource, SkipBroken, View, open_source, show_scenes
from wordsight.data.links import box_of, padded
from wordsight.errors import ConfigError

SQUARE = [[10, 5], [30, 5], [30, 15], [10, 15]]
LOWER = [[20, 20], [60, 20], [60, 36], [20, 36]]


def scenes(folder: Path, count: int = 4, *, first: int = 0) -> ScenesSource:
    """Noise pictures of 80 x 40, two words each."""
    folder.mkdir()
    lines = []
    for number in range(first, first + count):
        noise = np.random.default_rng(number).integers(0, 256, (40, 80, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{number}.png")
        words = [{"polygon": SQUARE, "text": f"{number}a"}, {"polygon": LOWER, "text": f"{number}b"}]
        lines.append(json.dumps({"image": f"{number}.png", "words": words}))
    (folder / "scenes.jsonl").write_text("\n".join(lines))
    return ScenesSource(folder)


def test_a_sample_is_linked_to_its_scene(tmp_path: Path) -> None:
    source = scenes(tmp_path / "s")
    for i, box in ((2, (0.25, 0.25, 0.25, 0.25)), (3, (0.5, 0.7, 0.5, 0.4))):
        link = source[i].link
        assert link is not None
        assert link.view is not None
        assert link.box == pytest.approx(box)
        expected = np.random.default_rng(1).integers(0, 256, (40, 80, 3), dtype=np.uint8)
        assert np.array_equal(link.view.load(), expected)


def test_a_scene_has_one_key_whoever_asks(tmp_path: Path) -> None:
    source, copies = scenes(tmp_path / "s"), scenes(tmp_path / "copy", 3, first=1)
    keys = [source[i].link.view.key for i in range(len(source))]
    assert len(set(keys)) == 4
    assert keys[0] == keys[1]
    assert [copies[i].link.view.key for i in range(6)] == keys[2:]
    assert pickle.loads(pickle.dumps(source[2].link.view)).key == keys[2]


def test_links_are_small_to_send(tmp_path: Path) -> None:
    assert len(pickle.dumps(scenes(tmp_path / "s")[0].link)) < 4000  # the picture has 9,600 bytes


@pytest.mark.parametrize(
    ("mode", "same_picture", "keys"),
    [("gray", False, 1), ("blur", False, 4), ("mask-word", False, 8), ("real", True, 4)],
)
def test_a_control_changes_the_scene_alone(tmp_path: Path, mode: str, same_picture: bool, keys: int) -> None:
    real, other = scenes(tmp_path / "s"), ScenesSource(tmp_path / "s")
    other.show(mode)
    for i in range(len(real)):
        a, b = real[i], other[i]
        assert np.array_equal(a.image, b.image)
        assert (a.text, a.id, a.link.box) == (b.text, b.id, b.link.box)
        assert np.array_equal(a.link.view.load(), b.link.view.load()) == same_picture
    assert len({other[i].link.view.key for i in range(len(other))}) == keys
    assert ({other[i].link.view.key for i in range(8)} == {real[i].link.view.key for i in range(8)}) == same_picture


def test_shuffled_scenes_are_those_of_other_words(tmp_path: Path) -> None:
    real, other = scenes(tmp_path / "s"), ScenesSource(tmp_path / "s")
    other.show("shuffle", seed=1)
    own, shown = ([source[i].link.view.key for i in range(8)] for source in (real, other))
    assert all(a != b for a, b in zip(own, shown, strict=True))
    assert set(own) == set(shown)
    assert shown[::2] == shown[1::2]  # words of a scene stay together
    again = ScenesSource(tmp_path / "s")
    again.show("shuffle", seed=1)
    assert [again[i].link.view.key for i in range(8)] == shown


def test_the_null_scene_and_what_cannot_be_shown(tmp_path: Path) -> None:
    source = scenes(tmp_path / "s", 1)
    source.show("none")
    assert source[0].link.view is None
    with pytest.raises(ConfigError, match="at least two"):
        source.show("shuffle")
    with pytest.raises(ConfigError, match="no control 'upside-down'"):
        source.show("upside-down")


def test_sources_of_scenes_are_found_in_others(tmp_path: Path) -> None:
    parts = [
        scenes(tmp_path / "all" / name) if (tmp_path / "all").mkdir(exist_ok=True) is None else None for name in "ab"
    ]
    source = open_source(tmp_path / "all")
    assert isinstance(source, JoinedSource)
    assert list(map(len, source.parts)) == list(map(len, parts))
    show_scenes(SkipBroken(View(source, range(3))), "none", 0)
    assert [source[i].link.view for i in range(len(source))] == [None] * len(source)
    show_scenes(LmdbSource.__new__(LmdbSource), "none", 0)  # which has none


def test_another_box_around_the_same_word(tmp_path: Path) -> None:
    source = scenes(tmp_path / "s")
    sample = source[0]
    crop, box = sample.link.cut_anew(np.random.default_rng(0), 0.0, 0.0)
    assert np.array_equal(crop, sample.image)
    assert box == sample.link.box
    (tmp_path / "s" / "0.png").unlink()  # it is still there in memory
    crop, box = sample.link.cut_anew(np.random.default_rng(0), 0.0, 0.5)
    assert crop.shape[0] > sample.image.shape[0]
    assert crop.shape[1] > sample.image.shape[1]
    assert box[2] > 0.25
    assert box[3] > 0.25
    again, _ = sample.link.cut_anew(np.random.default_rng(0), 0.0, 0.5)
    other, _ = sample.link.cut_anew(np.random.default_rng(1), 0.0, 0.5)
    assert np.array_equal(crop, again)
    assert crop.shape != other.shape
    shaken = [source[2].link.cut_anew(np.random.default_rng(seed), 0.1, 0.0) for seed in range(20)]
    assert len({box for _, box in shaken}) == 20
    assert np.abs(np.mean([box for _, box in shaken], axis=0) - sample.link.box)[:2].max() < 0.02


def test_padding_goes_outwards_on_every_side() -> None:
    square = np.array(SQUARE, float)
    assert padded(square, np.array([1.0, 0.5, 0.2, 0.1])).tolist() == [[9, -5], [35, -5], [35, 17], [9, 17]]
    turned = padded(np.roll(square, 2, axis=0), np.array([1.0, 0.5, 0.2, 0.1]))  # upside down: its top is below
    assert turned.tolist() == [[31, 25], [5, 25], [5, 3], [31, 3]]
    curved = np.array([[0, 0], [10, 5], [20, 0], [20, 10], [10, 15], [0, 10]], float)
    grown = padded(curved, np.array([1.0, 0.0, 1.0, 0.0]))
    assert grown[:3].tolist() == [[0, -10], [10, -5], [20, -10]]
    assert grown[3:].tolist() == [[20, 20], [10, 25], [0, 20]]
    five = np.array([[0, 0], [10, 0], [20, 0], [20, 10], [0, 10]], float)
    ends = padded(five, np.array([1.0, 0.5, 1.0, 0.5]))
    assert (ends[:, 0].min(), ends[:, 0].max()) == (-5, 25)
    assert (ends[:, 1].min(), ends[:, 1].max()) == (0, 10)


def test_a_box_is_what_the_photograph_shows() -> None:
    polygon = np.array([[-10, 0], [20, -5], [20, 10], [-10, 10]], float)
    assert box_of(polygon, np.zeros((20, 40, 3), np.uint8)) == pytest.approx((0.25, 0.25, 0.5, 0.5))
