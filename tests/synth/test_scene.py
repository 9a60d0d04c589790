"""The rendered street: repeatable, its words inside the picture and where they are said to be."""

from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from wordsight.cli.main import app
from wordsight.data.scenes import read_scenes
from wordsight.imaging import rectify
from wordsight.synth.scene import render_scene


def test_a_scene_is_a_function_of_its_seed(few_fonts: Path) -> None:
    first, again, other = (render_scene(seed, [few_fonts]) for seed in (1, 1, 2))
    assert np.array_equal(first.image, again.image)
    assert [word.text for word in first.words] == [word.text for word in again.words]
    assert all((a.polygon == b.polygon).all() for a, b in zip(first.words, again.words, strict=True))
    assert not np.array_equal(first.image, other.image)


def test_words_are_where_they_are_said_to_be(few_fonts: Path) -> None:
    for seed in range(4):
        scene = render_scene(seed, [few_fonts])
        assert 8 <= len(scene.words) <= 16
        for word in scene.words:
            polygon = np.array(word.polygon)
            assert (polygon >= 0).all(), word
            assert (polygon <= (1280, 800)).all(), word
            strip = rectify(scene.image, polygon).astype(np.float32)
            assert strip.std((0, 1)).max() > 20, word  # letters on a board, not an empty wall


def test_the_command_writes_a_picture_and_its_boxes(tmp_path: Path, few_fonts: Path) -> None:
    arguments = ["synth", "scenes", "--count", "2", "--out", str(tmp_path), "--seed", "3", "--fonts", str(few_fonts)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    scenes = read_scenes(tmp_path)
    rendered = [render_scene(seed, [few_fonts]) for seed in (3, 4)]
    assert [[word.text for word in scene.words] for scene in scenes] == [[w.text for w in r.words] for r in rendered]
    for scene, expected in zip(scenes, rendered, strict=True):
        np.testing.assert_array_equal(scene.load(), expected.image)
    assert f"2 scene(s), {sum(len(r.words) for r in rendered)} words" in result.stdout
