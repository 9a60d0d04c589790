"""Our counting gives the published numbers of RapidOCR 3.10. Minutes long: it reads a whole test set."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from wordsight.cli.main import app

pytestmark = [pytest.mark.slow, pytest.mark.data]


def test_words_of_icdar_2015(real_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    result = CliRunner().invoke(app, ["eval", "rapidocr", str(real_data / "words/test/ic15"), "--json", str(out)])
    assert result.exit_code == 0, result.output
    score = json.loads(out.read_text())["scores"][0]
    assert (score["protocol"], score["n"], score["left_out"]) == ("36", 2077, {})
    assert score["accuracy"] == pytest.approx(0.791, abs=0.005)


def test_scenes_of_icdar_2015(real_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    data = str(real_data / "scenes/test/ic15")
    result = CliRunner().invoke(app, ["eval", "rapidocr", data, "--end-to-end", "--json", str(out)])
    assert result.exit_code == 0, result.output
    (score,) = json.loads(out.read_text())["spotting"].values()
    assert score["scenes"] == 500
    assert score["end_to_end"]["hmean"] == pytest.approx(0.602, abs=0.005)
    assert score["detection"]["hmean"] == pytest.approx(0.713, abs=0.005)
