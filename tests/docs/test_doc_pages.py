"""Python on pages of the documentation that a reader would copy."""

import re
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

DOCS = Path(__file__).parents[2] / "docs"


def _code(page: str) -> str:
    """The first block of Python on a page."""
    found = re.search(r"^```python\n(.*?)^```", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def test_a_detector_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = Image.new("RGB", (900, 500), "white")
    pen = ImageDraw.Draw(picture)
    for text, (x, y) in {"HOTEL": (60, 60), "OPEN": (480, 300)}.items():
        pen.rectangle((x, y, x + 340, y + 110), fill=(20, 30, 60))
        pen.text((x + 50, y + 20), text, "white", ImageFont.load_default(64))
    picture.save(tmp_path / "panels.png")
    monkeypatch.chdir(tmp_path)
    exec(compile(_code("own-detector.md"), "own-detector.md", "exec"), {"__name__": "page"})
    assert capsys.readouterr().out.split() == ["HOTEL", "OPEN"]


def test_two_models_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in (("1.png", "OPEN"), ("2.png", "HOTEL")):
        crop = Image.new("RGB", (260, 90), (250, 245, 235))
        ImageDraw.Draw(crop).text((20, 10), text, (20, 30, 60), ImageFont.load_default(60))
        crop.save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    exec(compile(_code("comparing.md"), "comparing.md", "exec"), {"__name__": "page"})
    assert capsys.readouterr().out.splitlines() == ["latin 2 of 2", "small 2 of 2"]
