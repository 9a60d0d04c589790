"""Splits by scene, and scenes that are in a test set, too."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from wordsight.cli.main import app
from wordsight.data import ScenesSource, View, read_scenes
from wordsight.data.mixing import fold
from wordsight.data.near_duplicates import SceneGallery
from wordsight.errors import ConfigError

CORNERS = [[5, 5], [45, 5], [45, 25], [5, 25]]


def photo(number: int) -> Image.Image:
    coarse = np.random.default_rng(number).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((160, 120), Image.Resampling.BICUBIC)


def scenes(folder: Path, numbers: list[int], *, name: str = "{}.png", copies: bool = False) -> ScenesSource:
    folder.mkdir()
    lines = []
    for number in numbers:
        image = photo(number)
        file = name.format(number)
        if copies:  # smaller, brighter, compressed
            image.resize((100, 75)).point(lambda value: min(255, value + 12)).save(folder / file, "JPEG", quality=50)
        else:
            image.save(folder / file)
        words = [{"polygon": CORNERS, "text": f"{number}-{k}"} for k in range(number % 3 + 1)]
        lines.append(json.dumps({"image": file, "words": words}))
    (folder / "scenes.jsonl").write_text("\n".join(lines))
    return ScenesSource(folder)


def names(source: ScenesSource, view: View) -> set[str]:
    return {source.scenes[source.words[i][0]].id for i in view.indices}


def test_folds_cut_by_scene_and_cover_everything(tmp_path: Path) -> None:
    source = scenes(tmp_path / "a", list(range(11)))
    folds = [fold(source, number, 4, seed=3) for number in range(4)]
    held = [names(source, validation) for _, validation in folds]
    assert sorted(map(len, held)) == [2, 3, 3, 3]
    assert set.union(*held) == {f"{number}.png" for number in range(11)}
    for (training, _), scenes_held in zip(folds, held, strict=True):
        assert names(source, training).isdisjoint(scenes_held)
    assert sorted(i for _, validation in folds for i in validation.indices) == list(range(len(source)))
    assert held != [names(source, fold(source, number, 4, seed=4)[1]) for number in range(4)]
    shuffled = scenes(tmp_path / "b", [*range(5, 11), *range(5)])
    for k in range(4):
        assert names(shuffled, fold(shuffled, k, 4, seed=3)[1]) == held[k]


@pytest.mark.parametrize(("number", "of"), [(4, 4), (-1, 4), (0, 12)])
def test_folds_that_do_not_exist_are_refused(tmp_path: Path, number: int, of: int) -> None:
    with pytest.raises(ConfigError, match="fold"):
        fold(scenes(tmp_path / "a", list(range(11))), number, of)


def check(*arguments: object):
    return CliRunner().invoke(app, ["data", "check", *map(str, arguments)])


def test_scenes_that_look_like_test_scenes_are_found(tmp_path: Path) -> None:
    scenes(tmp_path / "test", [1, 2, 3])
    scenes(tmp_path / "train", [2, 7, 8], copies=True)
    assert check(tmp_path / "train", "--test", tmp_path / "test").exit_code == 0  # copies need a second look
    result = check(tmp_path / "train", "--test", tmp_path / "test", "--similar")
    assert result.exit_code == 1
    (line,) = [line for line in result.output.splitlines() if "scene also in a test set" in line]
    assert f"train/2.png is 2.png of {tmp_path}/test (" in line
    scenes(tmp_path / "clean", [4, 5, 6])
    assert check(tmp_path / "clean", "--test", tmp_path / "test", "--similar").exit_code == 0


def test_pictures_of_open_images_are_known_by_their_ids(tmp_path: Path) -> None:
    scenes(tmp_path / "test", [1], name="00000000000000a{}.png")
    folder = tmp_path / "train"
    scenes(folder, [1], name="00000000000000a{}.png")
    photo(9).save(folder / "00000000000000a1.png")  # another picture under that id, as where one was cropped
    result = check(folder, "--test", tmp_path / "test", "--similar")
    assert result.exit_code == 1
    assert "by its Open Images id" in result.output


@pytest.mark.data
@pytest.mark.slow
def test_no_training_scene_is_a_test_scene(real_data: Path) -> None:
    test = SceneGallery()
    for scene in read_scenes(real_data / "scenes/test/ic15"):
        test.add(scene, "ic15")
    for name, count in (("svt", 100), ("ic03", 217)):
        training = read_scenes(real_data / "scenes/train" / name)
        assert len(training) == count
        assert [test.duplicate_of(scene) for scene in training] == [""] * count
