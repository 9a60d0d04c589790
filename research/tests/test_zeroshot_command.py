import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from wordsight.errors import WordsightError
from wordsight.models import checkpoint
from wordsight.models.clip import Clip, ClipConfig
from wordsight.models.config import ImageTowerConfig, TextTowerConfig
from wordsight_research.cli.main import app


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zeroshot")
    torch.manual_seed(1)
    image = ImageTowerConfig(32, 32, patch=(8, 8), width=16, layers=2, heads=2)
    text = TextTowerConfig(49408, context=8, width=16, layers=1, heads=2)
    checkpoint.save(Clip(ClipConfig(image, text, 8)), folder / "clip")
    pixels = np.random.default_rng(0).integers(0, 256, (30, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "sign.png")
    return folder


def run(folder, *arguments):
    arguments = ["zeroshot", str(folder / "sign.png"), "--clip", str(folder / "clip"), *arguments]
    return CliRunner().invoke(app, arguments)


def test_every_text_gets_a_row(folder):
    result = run(folder, "--texts", "open", "--texts", "closed")
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.output.splitlines()]
    assert rows[0] == ["text", "cosine", "logit", "probability"]
    assert [row[0] for row in rows[1:]] == ["open", "closed"]
    assert sum(float(row[3]) for row in rows[1:]) == pytest.approx(1, abs=0.002)


def test_a_covered_picture_is_compared_with_the_whole_one(folder):
    whole = run(folder, "-t", "open", "-t", "closed").output.splitlines()
    covered = run(folder, "-t", "open", "-t", "closed", "--occlude", "0,0,30,30", "-o", str(folder / "map.png"))
    assert covered.exit_code == 0, covered.output
    lines = covered.output.splitlines()
    assert lines[0].split()[-1] == "uncovered"
    assert [line.split()[4] for line in lines[1:3]] == [line.split()[3] for line in whole[1:3]]
    assert [line.split()[1] for line in lines[1:3]] != [line.split()[1] for line in whole[1:3]]
    with Image.open(folder / "map.png") as drawing:
        left, right = np.asarray(drawing)[30:190, 30:180], np.asarray(drawing)[30:190, 230:380]
    assert left.std(axis=(0, 1)).max() < 1 < right.std(axis=(0, 1)).min()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--occlude", "1,2,3"], "x,y,w,h"),
        (["--occlude", "50,0,20,10"], "60 x 30 pixels"),
        (["-o", "map.doc"], "choose .png"),
    ],
)
def test_what_goes_wrong_is_said(folder, arguments, message):
    result = run(folder, "-t", "open", *arguments)
    assert isinstance(result.exception, WordsightError)
    assert message in str(result.exception)
