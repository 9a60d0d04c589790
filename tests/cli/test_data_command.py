"""`wordsight data check`."""

from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from wordsight.cli.main import app


def run(*args: object):
    return CliRunner().invoke(app, ["data", "check", *map(str, args)])


@pytest.fixture
def words(tmp_path: Path) -> Path:
    labels = ["fine", "Café", "señor", "x" * 41, "", "good"]
    for i in range(len(labels)):
        Image.new("RGB", (30, 12)).save(tmp_path / f"{i}.png")
    (tmp_path / "labels.tsv").write_text("".join(f"{i}.png\t{label}\n" for i, label in enumerate(labels)))
    return tmp_path


def test_labels_are_counted(words: Path) -> None:
    result = run(words)
    assert result.exit_code == 0, result.output
    assert "6 samples, 2 usable with 94+space" in result.output
    assert "unknown characters: 2 ('Café', 'señor')" in result.output
    assert "'é' U+00E9 x1" in result.output
    assert "too long: 1" in result.output
    assert "empty: 1" in result.output


def test_the_charset_matters(words: Path) -> None:
    assert "6 samples, 4 usable with latin" in run(words, "--charset", "latin").output


def test_unreadable_images_are_named_and_fail_the_check(words: Path) -> None:
    (words / "0.png").write_bytes(b"not an image")
    (words / "5.png").unlink()
    result = run(words)
    assert result.exit_code == 1
    assert "6 samples, 0 usable" in result.output
    for name in ("0.png", "5.png"):
        assert sum(name in line and "unreadable" in line for line in result.output.splitlines()) == 1
