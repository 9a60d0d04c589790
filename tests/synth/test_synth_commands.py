"""`wordsight synth words` and `synth-backgrounds` write what they say."""

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from wordsight.cli.main import app
from wordsight.data.folder import FolderSource
from wordsight.data.scenes import read_scenes
from wordsight.errors import ConfigError
from wordsight.synth.export import cut_backgrounds
from wordsight.synth.words import RenderedWords


def test_synth_writes_a_labelled_folder(tmp_path: Path, few_fonts: Path) -> None:
    out = tmp_path / "words"
    arguments = ["synth", "words", "--count", "120", "--out", str(out), "--seed", "5", "--fonts", str(few_fonts)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "120 crops" in result.output
    assert "words/s" in result.output
    folder, source = FolderSource(out), RenderedWords(seed=5, fonts=few_fonts)
    assert [folder.text(i) for i in range(len(folder))] == [source.text(i) for i in range(120)]
    assert folder[7].image.shape == source[7].image.shape
    with Image.open(out / "contact-sheet.png") as sheet:
        assert sheet.size == (2600, 6 * 56)


def test_knobs_are_set_or_refused(tmp_path: Path, few_fonts: Path) -> None:
    arguments = ["synth", "words", "--count", "20", "--out", str(tmp_path / "a"), "--fonts", str(few_fonts)]
    assert CliRunner().invoke(app, [*arguments, "--set", "plates=0.6", "--set", "empty=0"]).exit_code == 0
    texts = [FolderSource(tmp_path / "a").text(i) for i in range(20)]
    assert sum(any(c.isdigit() for c in text) for text in texts) > 6
    refused = CliRunner().invoke(app, [*arguments, "--set", "gloss=1"])
    assert isinstance(refused.exception, ConfigError)


def test_pictures_do_not_depend_on_the_number_of_workers(tmp_path: Path, few_fonts: Path) -> None:
    for workers in ("1", "2"):
        out = tmp_path / workers
        arguments = [
            "synth",
            "words",
            "--count",
            "60",
            "--out",
            str(out),
            "--workers",
            workers,
            "--fonts",
            str(few_fonts),
        ]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output
    for file in sorted((tmp_path / "1").rglob("*.*")):
        assert file.read_bytes() == (tmp_path / "2" / file.relative_to(tmp_path / "1")).read_bytes()


def test_backgrounds_show_no_marked_word(tmp_path: Path) -> None:
    image = np.zeros((400, 600, 3), dtype=np.uint8)
    words = []
    for x, y, legible in ((40, 50, True), (300, 250, False)):
        image[y : y + 40, x : x + 120] = 255
        polygon = [[x, y], [x + 120, y], [x + 120, y + 40], [x, y + 40]]
        words.append({"polygon": polygon, "text": "WORD" if legible else "###", "legible": legible})
    Image.fromarray(image).save(tmp_path / "scene.png")
    (tmp_path / "scenes.jsonl").write_text(json.dumps({"image": "scene.png", "words": words}) + "\n")
    out = tmp_path / "out"
    result = CliRunner().invoke(app, ["synth", "backgrounds", str(tmp_path), "--out", str(out), "--per-scene", "20"])
    assert result.exit_code == 0, result.output
    patches = sorted(out.glob("*.jpg"))
    assert len(patches) == int(result.output.split(": ")[-1].split()[0]) > 5
    for patch in patches:
        with Image.open(patch) as picture:
            assert np.asarray(picture).max() < 40


@pytest.mark.data
def test_real_scenes_give_backgrounds(real_data: Path, tmp_path: Path, few_fonts: Path) -> None:
    scenes = read_scenes(real_data / "scenes" / "train" / "ic15")
    assert sum(cut_backgrounds(islice(scenes, 5), tmp_path, per_scene=3)) >= 10
    assert len(RenderedWords(fonts=few_fonts, backgrounds=tmp_path)[0].image) > 0
