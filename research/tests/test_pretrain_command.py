import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from wordsight.errors import WordsightError
from wordsight.models.clipter.encoders import load_encoder
from wordsight_research.cli.main import app

SIZES = ["--side", "32", "--width", "32", "--layers", "1", "--batch-size", "8", "--steps", "2"]


@pytest.fixture
def photographs(tmp_path):
    folder = tmp_path / "photographs"
    folder.mkdir()
    lines = []
    for number in range(12):
        pixels = np.random.default_rng(number).integers(0, 256, (30, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        word = {"polygon": [[2, 2], [20, 2], [20, 9], [2, 9]], "text": f"word{number}", "legible": number != 5}
        lines.append(json.dumps({"image": f"{number}.png", "words": [word]}) + "\n")
    (folder / "scenes.jsonl").write_text("".join(lines))
    return folder


def pretrain(*arguments):
    return CliRunner().invoke(app, ["pretrain", *map(str, arguments)])


def test_scenes_become_an_encoder(photographs, tmp_path):
    out = tmp_path / "encoder"
    result = pretrain("scenes", photographs, "-o", out, "--rendered", 0, *SIZES)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("real: 100.0 % of 1 images find their text first (chance 100.0 %)")
    assert "miniature CLIP" in lines[1]
    assert load_encoder(str(out)).width == 32
    about = json.loads((out / "config.json").read_text())["about"]
    assert about["pairs"] == {"real": 10}  # of 12, one is illegible and one held out
    assert about["data"] == ["photographs"]
    again = pretrain("scenes", photographs, "-o", out, "--rendered", 0, *SIZES)
    assert again.exit_code == 0, again.output
    assert "nothing is left to do" in again.stdout
    assert "step" not in again.stderr


@pytest.mark.slow
def test_rendered_scenes_are_rendered_once(photographs, tmp_path):
    out = tmp_path / "encoder"
    result = pretrain("scenes", photographs, "-o", out, "--rendered", 8, *SIZES)
    assert result.exit_code == 0, result.output
    assert [line.split()[0] for line in result.stdout.splitlines()[:2]] == ["real:", "rendered:"]
    about = json.loads((out / "config.json").read_text())["about"]
    assert about["pairs"] == {"real": 10, "rendered": 4}
    made = {file: file.stat().st_mtime_ns for file in (out / "rendered").glob("*/scenes.jsonl")}
    assert len(made) == 4
    assert pretrain("scenes", photographs, "-o", out, "--rendered", 8, *SIZES).exit_code == 0
    assert made == {file: file.stat().st_mtime_ns for file in made}


@pytest.mark.slow
def test_words_become_towers(tmp_path):
    result = pretrain("words", "--model", "compact", "-o", tmp_path / "clip", "--steps", 1, "--batch-size", 4)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("rendered: ")
    about = json.loads((tmp_path / "clip" / "config.json").read_text())["about"]
    assert about["preset"] == "compact"
    assert about["plain"] is True
    assert about["real_share"] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["scenes", "--rendered", "0"], "no scenes"),
        (["scenes", "--side", "50"], "multiples of 16"),
        (["scenes", "nowhere", "--rendered", "0"], "nowhere"),
        (["words", "--model", "clip4str-b16"], "clip4str-tiny or clip4str-small"),
        (["words", "--model", "nothing"], "no CLIP4STR model"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(arguments, message, tmp_path):
    result = pretrain(*arguments, "-o", tmp_path / "out")
    assert isinstance(result.exception, WordsightError)
    assert message in str(result.exception)
    assert "\n" not in str(result.exception)
