"""Pseudo-labels: illegible words that several readers read alike."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from typer.testing import CliRunner

from wordsight.cli.main import app
from wordsight.data import FolderSource, Scene, SceneWord
from wordsight.data.pseudo import pseudo_label
from wordsight.data.scenes import write_scenes
from wordsight.errors import DataError


def reader(*guesses: tuple[str, float]) -> Callable[[list[np.ndarray]], list[tuple[str, float]]]:
    """Says the n-th guess of a crop whose red is n."""
    return lambda crops: [guesses[int(crop[0, 0, 0])] for crop in crops]


def scene(folder: Path, name: str, words: list[tuple[bool, int]]) -> Scene:
    """Boxes 30 px wide and as high as said, one below the other, with their numbers as red."""
    image = np.zeros((40 * len(words), 60, 3), dtype=np.uint8)
    placed = []
    for k, (legible, height) in enumerate(words):
        image[40 * k : 40 * k + height, 10:40] = (k, 0, 0)
        x0, y0, x1, y1 = 10, 40 * k, 39, 40 * k + height - 1
        polygon = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], dtype=np.float64)
        placed.append(SceneWord(polygon, "WORD" if legible else "###", legible))
    Image.fromarray(image).save(folder / name)
    return Scene(folder / name, tuple(placed))


def test_only_illegible_words_that_are_read_alike_and_surely_get_a_label(tmp_path: Path) -> None:
    words = [(False, 20), (True, 20), (False, 20), (False, 20), (False, 7), (False, 20), (False, 20)]
    first = [("Café", 0.9), ("no", 1), ("low", 0.5), ("cat", 1), ("thin", 1), ("", 1), ("end", 0.6)]
    second = [("CAFÉ", 0.1), ("no", 1), ("low", 1), ("car", 1), ("thin", 1), ("", 1), ("end", 0.2)]
    readers = [reader(*first), reader(*second)]
    scenes = [scene(tmp_path, "a.png", words), scene(tmp_path, "b.png", [(True, 20)])]
    out = tmp_path / "out"
    assert list(pseudo_label(scenes, readers, out)) == [2, 0]
    source = FolderSource(out)
    assert [source.text(i) for i in range(len(source))] == ["Café", "end"]
    assert [source[i].image.shape for i in range(2)] == [(20, 30, 3)] * 2
    assert int(np.median(source[1].image[..., 0])) == pytest.approx(6, abs=1)


def test_a_box_outside_the_picture_is_left_out(tmp_path: Path) -> None:
    inside = scene(tmp_path, "a.png", [(False, 20)])
    outside = SceneWord(inside.words[0].polygon - 500, "###", False)
    beyond = SceneWord(inside.words[0].polygon + 500, "###", False)
    read = Scene(inside.image, (outside, *inside.words, beyond))
    assert list(pseudo_label([read], [reader(("in", 1.0))], tmp_path / "out")) == [1]


def test_a_missing_picture_is_named(tmp_path: Path) -> None:
    missing = scene(tmp_path, "a.png", [(False, 20)])
    missing.image.unlink()
    with pytest.raises(DataError, match=r"a\.png"):
        list(pseudo_label([missing], [reader(("in", 1.0))], tmp_path / "out"))


def test_the_command_labels_what_both_shipped_models_read(tmp_path: Path) -> None:
    image = Image.new("RGB", (300, 120), "white")
    ImageDraw.Draw(image).text((20, 30), "STREET", fill="black", font=ImageFont.load_default(48))
    image.save(tmp_path / "scene.png")
    polygon = np.array([(15, 30), (225, 30), (225, 85), (15, 85)], dtype=np.float64)
    blank = np.array([(240, 90), (290, 90), (290, 115), (240, 115)], dtype=np.float64)
    words = (SceneWord(polygon, "###", False), SceneWord(blank, "###", False))
    one = Scene(tmp_path / "scene.png", words)
    write_scenes(tmp_path / "scenes.jsonl", [one, one])
    out = tmp_path / "out"
    arguments = ["data", "pseudo-label", str(tmp_path), "--out", str(out), "--held-out", "0.5"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "1 labels for 2 illegible words of 1 scenes" in result.output
    source = FolderSource(out)
    assert [source.text(i) for i in range(len(source))] == ["STREET"]
