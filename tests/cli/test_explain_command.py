import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont
from typer.testing import CliRunner

from wordsight.cli.main import app

WORDSIGHT = str(Path(sys.executable).with_name("wordsight"))


@pytest.fixture
def crop(tmp_path):
    picture = Image.new("RGB", (150, 40), (245, 240, 230))
    ImageDraw.Draw(picture).text((75, 20), "OPEN", fill=(30, 20, 60), font=ImageFont.load_default(34), anchor="mm")
    picture.save(tmp_path / "crop.png")
    return tmp_path / "crop.png"


def test_a_word_is_explained_by_the_shipped_model(crop, tmp_path):
    out = tmp_path / "why.png"
    result = CliRunner().invoke(app, ["explain", str(crop), "-o", str(out)], catch_exceptions=False)
    assert result.exit_code == 0
    stages = result.output.splitlines()[:4]
    assert [line.split("  ")[0] for line in stages] == [
        "visual branch",
        "cross-modal branch",
        "visual branch, refined",
        "cross-modal branch, refined",
    ]
    assert all("OPEN" in line for line in stages)
    with Image.open(out) as picture:
        assert picture.width > 700
        assert picture.height > 400


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["crop.png", "-o", "out.xyz"], "choose .png or .jpg"),
        (["crop.png", "-o", "nowhere/out.png"], "create it first"),
        (["crop.png", "-o", "out.png", "--model", "nobody"], "no model is called 'nobody'"),
        (["missing.png", "-o", "out.png"], "missing.png"),
    ],
)
def test_what_goes_wrong_is_one_line(crop, tmp_path, arguments, message):
    done = subprocess.run([WORDSIGHT, "explain", *arguments], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out.png").exists()
