"""`wordsight models export` of a detector, and `wordsight eval --detection`, on scenes that are drawn here."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw, ImageFont
from typer.testing import CliRunner

from wordsight.cli.main import app
from wordsight.errors import WordsightError
from wordsight.evaluate import score_boxes
from wordsight.models import checkpoint
from wordsight.models.layers.lcnet import stage
from wordsight.models.ppocr import Db, DbConfig, LcNetConfig


def run(*args: object):
    return CliRunner().invoke(app, list(map(str, args)))


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One photograph with a legible word, and an illegible place without text."""
    folder = tmp_path_factory.mktemp("scenes")
    image = Image.new("RGB", (320, 160), (250, 250, 240))
    left, top, right, bottom = ImageDraw.Draw(image).textbbox((60, 60), "Hotel", ImageFont.load_default(32))
    ImageDraw.Draw(image).text((60, 60), "Hotel", "black", ImageFont.load_default(32))
    image.save(folder / "a.png")
    word = [[left, top], [right, top], [right, bottom], [left, bottom]]
    words = [
        {"polygon": word, "text": "Hotel", "legible": True},
        {"polygon": [[250, 20], [300, 20], [300, 40], [250, 40]], "text": "###", "legible": False},
    ]
    (folder / "scenes.jsonl").write_text(json.dumps({"image": "a.png", "words": words}))
    return folder


@pytest.mark.parametrize("how", ["--detection", "--end-to-end"])
def test_scenes_without_legible_words_are_one_line(how: str, scenes: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to(scenes / "a.png")
    scene = json.loads((scenes / "scenes.jsonl").read_text())
    scene["words"] = [word for word in scene["words"] if not word["legible"]]
    for text in ("", json.dumps(scene)):
        (tmp_path / "scenes.jsonl").write_text(text)
        result = run("eval", "lines" if how == "--detection" else "latin", tmp_path, how)
        assert isinstance(result.exception, WordsightError)
        assert "nothing to score" in str(result.exception)


def test_boxes_are_scored(scenes: Path, tmp_path: Path) -> None:
    result = run("eval", "ppocr", scenes, "--detection", "--threads", 1, "--json", tmp_path / "scores.json")
    assert result.exit_code == 0, result.output
    assert "precision 100.00, recall 100.00, H-mean 100.00" in result.stdout
    assert "1 scenes, 1 words, 1 illegible ones left out" in result.stdout
    (score,) = json.loads((tmp_path / "scores.json").read_text()).values()
    assert (score["paired"], score["found"], score["truths"]) == (1, 1, 1)
    small = run("eval", "ppocr", scenes, "--detection", "--threads", 1, "--max-side", 32)
    assert "recall 0.00" in small.stdout


def test_a_checkpoint_becomes_a_pack_that_finds(scenes: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    blocks = tuple(stage(8, 8, (2, 2) if i else (1, 1), "0") for i in range(4))
    model = Db(DbConfig(convolutions=LcNetConfig(stem=(3, 8, 8), stages=blocks), width=16, kernel=3))
    checkpoint.save(model, tmp_path / "model", unclip=1.5)
    result = run("models", "export", tmp_path / "model", "-o", tmp_path / "pack")
    assert result.exit_code == 0, result.output
    assert "map.onnx" in result.stdout
    manifest = json.loads((tmp_path / "pack" / "detector.json").read_text())
    assert (manifest["name"], manifest["unclip"], manifest["about"]["licence"]) == ("pack", 1.5, "Apache-2.0")
    found = run("eval", tmp_path / "pack", scenes, "--detection", "--threads", 1)
    assert found.exit_code == 0, found.output
    assert "H-mean" in found.stdout
    for option in ("--int8", "--int8-arithmetic", "--visual-only"):
        refused = run("models", "export", tmp_path / "model", "-o", tmp_path / "other", option)
        assert isinstance(refused.exception, WordsightError)
        assert "holds a detector" in str(refused.exception)


def test_mistakes_are_one_line(scenes: Path) -> None:
    for arguments, complaint in (
        (("nothing", scenes, "--detection"), "is not a detector"),
        (("ppocr", "--detection"), "give DATA"),
        (("ppocr", scenes, "--detection", "--end-to-end"), "without --benchmarks"),
    ):
        result = run("eval", *arguments)
        assert isinstance(result.exception, WordsightError)
        assert complaint in str(result.exception)
        assert "\n" not in str(result.exception)


def test_the_protocol_of_icdar_2015() -> None:
    import numpy as np

    def box(x: float, y: float, width: float, height: float) -> np.ndarray:
        return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], np.float64)

    truths = [box(0, 0, 100, 20), box(200, 0, 100, 20), box(0, 100, 100, 50)]
    found = [
        box(5, 0, 100, 20),  # IoU 0.9
        box(0, 0, 90, 20),  # of the same word, less well
        box(200, 0, 45, 20),  # IoU 0.45
        box(10, 110, 30, 20),  # in an illegible word
    ]
    score = score_boxes(truths, [True, True, False], found)
    assert (score.paired, score.found, score.truths, score.ignored_found) == (1, 3, 2, 1)
    assert score.detection() == pytest.approx((1 / 3, 1 / 2, 2 / 5))
    assert score_boxes([], [], []).detection() == (0, 0, 0)
