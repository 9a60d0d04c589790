"""Scenes of places: what they tell about their words, and that nothing else tells it."""

import math
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from typer.testing import CliRunner

from wordsight.data.controls import control
from wordsight.data.scene_words import ScenesSource, cut_word
from wordsight.data.scenes import Scene, read_scenes
from wordsight.errors import ConfigError, DataError
from wordsight_research.cli.main import app
from wordsight_research.places.export import write_places
from wordsight_research.places.looks import LOOKS
from wordsight_research.places.scenes import SIZE, RenderedScenes
from wordsight_research.places.words import WORDS, draw_word, information, load_vocabularies, one_word_each

SMALL = (224, 168)


def _source(count: int, few_fonts: Path, **settings: object) -> RenderedScenes:
    return RenderedScenes(count, size=SMALL, fonts=[few_fonts], **settings)  # type: ignore[arg-type]


def _masked(scene: Scene) -> np.ndarray:
    return control(scene.load(), [word.polygon for word in scene.words], 0, "mask-text")


def _bits(pairs: Sequence[tuple[str, str]]) -> float:
    """Mutual information of the two sides as counted, less the bias that few draws have (Miller 1955)."""
    both, left, right = Counter(pairs), Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    n = len(pairs)
    counted = sum(c / n * math.log2(c * n / left[a] / right[b]) for (a, b), c in both.items())
    return counted - (len(both) - len(left) - len(right) + 1) / (2 * n * math.log(2))


def test_lists_are_disjoint_and_words_as_long_in_each() -> None:
    assert set(WORDS) == set(LOOKS)
    assert len(WORDS) >= 10
    words = [word for place in WORDS.values() for word in place]
    assert len(set(words)) == len(words)
    assert len({tuple(sorted(map(len, place))) for place in WORDS.values()}) == 1


def test_information_is_what_the_dial_says() -> None:
    assert information(WORDS, 0) == pytest.approx(0, abs=1e-9)
    assert information(WORDS, 1) == pytest.approx(math.log2(len(WORDS)))
    half = information(WORDS, 0.5)
    assert 0.9 < half < 1.1
    shared = {"a": ("one", "two"), "b": ("two", "three")}
    assert information(shared, 1) == pytest.approx(0.5)
    with pytest.raises(ConfigError, match="from 0 to 1"):
        information(WORDS, 1.2)


@pytest.mark.parametrize("informative", [0.0, 0.5, 1.0])
def test_words_as_drawn_carry_that_information(informative: float) -> None:
    """Counted by the list that a word is of: of one list all words are alike, and 4,608 pairs need too many draws."""
    rng = random.Random(7)
    home = {word: place for place, words in WORDS.items() for word in words}
    pairs = []
    for _ in range(20_000):
        place = rng.choice(list(WORDS))
        pairs.append((place, home[draw_word(rng, place, WORDS, informative)]))
    assert _bits(pairs) == pytest.approx(information(WORDS, informative), abs=0.03)
    seen = Counter(word for _, word in pairs)  # how often words are drawn does not depend on the dial
    assert max(seen.values()) < 1.3 * min(seen.values())


def test_a_scene_is_a_function_of_seed_and_number(few_fonts: Path) -> None:
    first, again, longer = (_source(n, few_fonts, seed=3) for n in (4, 4, 9))
    for i in (3, 0):
        assert first[i].read() == again[i].read() == longer[i].read()
        assert [w.text for w in first[i].words] == [w.text for w in again[i].words]
    assert first[0].read() != first[1].read() != _source(4, few_fonts, seed=4)[1].read()
    assert first[2].load().shape == (*SMALL[::-1], 3)
    assert first[2].id.endswith(first.place(2))
    with pytest.raises(IndexError):
        first[4]


def test_the_dial_changes_words_and_not_places(few_fonts: Path) -> None:
    told, untold = (_source(12, few_fonts, seed=1, informative=x) for x in (1.0, 0.0))
    own = {True: 0, False: 0}
    for i in range(12):
        assert told.place(i) == untold.place(i)
        assert len(told[i].words) == len(untold[i].words) <= 6
        assert np.array_equal(told.render(i, False).load(), untold.render(i, False).load())
        for source in (told, untold):
            own[source is told] += sum(w.text.lower() in WORDS[source.place(i)] for w in source[i].words)
        assert all(w.text.lower() in WORDS[told.place(i)] for w in told[i].words)
    assert own[False] < 0.3 * own[True]


def test_boxes_hold_the_ink_and_masks_take_it_away(few_fonts: Path) -> None:
    """Against the same scene with empty boards."""
    source = RenderedScenes(12, 2, wear=0.3, fonts=[few_fonts])
    before, after = [], []
    for i in range(12):
        scene, empty = source[i], source.render(i, False).load().astype(float)
        area = Image.new("L", SIZE)
        for word in scene.words:
            assert (word.polygon >= 0).all()
            assert (word.polygon <= SIZE).all()
            ImageDraw.Draw(area).polygon([(x, y) for x, y in word.polygon.tolist()], fill=1)
        inside = np.asarray(area) > 0
        ink = np.abs(scene.load() - empty).mean(-1)
        assert ink[~inside].max() < 60, i  # a shade beside the box at most
        assert (ink[~inside] > 25).sum() < 0.02 * (ink[inside] > 25).sum(), i
        before.append(ink[inside].mean())
        after.append(np.abs(_masked(scene) - empty).mean(-1)[inside].mean())
    assert np.mean(before) > 15
    assert np.mean(after) < 4  # what noise and JPEG make of two pictures


def _thumbnails(scenes: Sequence[Scene], side: int) -> np.ndarray:
    small = [Image.fromarray(_masked(s)).resize((side, side), Image.Resampling.BOX) for s in scenes]
    return np.stack([np.asarray(x, dtype=np.float64).ravel() / 255 - 0.5 for x in small])


def _linear(x: np.ndarray, y: Sequence[str], x_new: np.ndarray, y_new: Sequence[str]) -> float:
    """Share of right answers of a ridge regression onto the classes."""
    names = sorted(set(y))
    target = np.array([[name == label for name in names] for label in y], dtype=np.float64)
    x, x_new = (np.c_[v, np.ones(len(v))] for v in (x, x_new))
    weights = np.linalg.solve(x.T @ x + 3.0 * np.eye(x.shape[1]), x.T @ target)
    return float(np.mean([names[k] == label for k, label in zip((x_new @ weights).argmax(1), y_new, strict=True)]))


def test_masked_thumbnails_tell_the_place(few_fonts: Path) -> None:
    train, test = (_source(n, few_fonts, seed=s) for n, s in ((200, 10), (80, 11)))
    x, x_new = (_thumbnails([source[i] for i in range(len(source))], 16) for source in (train, test))
    y, y_new = ([source.place(i) for i in range(len(source))] for source in (train, test))
    assert len(set(y)) == 12
    assert _linear(x, y, x_new, y_new) > 0.6  # chance is 0.08


def test_empty_boards_do_not_tell_the_place(few_fonts: Path) -> None:
    """Crops of blank scenes: nothing to read, and colours, light and noise are alike in all places."""
    crops: list[tuple[np.ndarray, str]] = []
    source = _source(160, few_fonts, seed=5, vocabularies=one_word_each(WORDS), blank=True)
    for i in range(160):
        scene = source[i]
        pixels = scene.load()
        assert len({word.text.lower() for word in scene.words}) == 1
        for k in range(len(scene.words)):
            crop = Image.fromarray(cut_word(scene, k, pixels).image).resize((8, 4), Image.Resampling.BOX)
            crops.append((np.asarray(crop, dtype=np.float64).ravel() / 255 - 0.5, source.place(i)))
    x, y = np.stack([c for c, _ in crops]), [place for _, place in crops]
    half = len(x) // 2
    assert _linear(x[:half], y[:half], x[half:], y[half:]) < 0.18  # 350 crops, chance 0.08


def test_written_scenes_are_read_back(tmp_path: Path, few_fonts: Path) -> None:
    for workers in (1, 2):
        source = _source(22, few_fonts, seed=6)
        assert list(write_places(source, tmp_path / str(workers), workers)) == [20, 22]
    assert (tmp_path / "1" / "scenes.jsonl").read_bytes() == (tmp_path / "2" / "scenes.jsonl").read_bytes()
    words = ScenesSource(tmp_path / "2")
    assert words.dataset == "places"
    for scene, rendered in zip(words.scenes, (source[i] for i in range(22)), strict=True):
        assert scene.id == rendered.id
        assert scene.read() == rendered.read()
        assert [w.text for w in scene.words] == [w.text for w in rendered.words]
    assert words[3].image.ndim == 3


def test_places_of_ones_own(tmp_path: Path, few_fonts: Path) -> None:
    file = tmp_path / "places.tsv"
    file.write_text("# place\tword\ncafe\tESPRESSO\nship\tanchor\nship\tdeck\n", encoding="utf-8")
    vocabularies = load_vocabularies(file)
    assert vocabularies == {"cafe": ("ESPRESSO",), "ship": ("anchor", "deck")}
    source = _source(8, few_fonts, vocabularies=vocabularies)
    for i in range(8):
        texts = {w.text for w in source[i].words}
        assert texts == {"ESPRESSO"} if source.place(i) == "cafe" else {t.lower() for t in texts} <= {"anchor", "deck"}
    file.write_text("cafe\ttwo words\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 1"):
        load_vocabularies(file)
    file.write_text("cafe\tmug\n", encoding="utf-8")
    with pytest.raises(DataError, match="another"):
        load_vocabularies(file)
    with pytest.raises(ConfigError, match="merge some"):
        _source(1, few_fonts, vocabularies={f"place {k}": ("word",) for k in range(13)})


def test_the_command_writes_scenes_and_a_sheet(tmp_path: Path, few_fonts: Path) -> None:
    out, sheet = tmp_path / "scenes", tmp_path / "sheet.png"
    arguments = ["scenes", "--out", str(out), "--count", "14", "--informative", "0", "--sheet", str(sheet)]
    result = CliRunner().invoke(app, [*arguments, "--fonts", str(few_fonts)])
    assert result.exit_code == 0, result.output
    assert "14 scenes of 12 places, which reveal 0.00 bits about a word" in result.output
    assert len(read_scenes(out)) == 14
    with Image.open(sheet) as picture:
        assert picture.size == (4 * 300, 12 * 225)
