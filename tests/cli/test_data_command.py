"""`wordsight data check`."""

import io
import subprocess
import sys
from pathlib import Path

import lmdb
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from typer.testing import CliRunner

from wordsight.cli.main import app
from wordsight.errors import ConfigError


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


def test_names_of_folders_are_neither_markup_nor_control_sequences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("[", "[red]\x1b[2J"):
        inner = Path(name) / "b]"
        inner.mkdir(parents=True)
        Image.new("RGB", (30, 12)).save(inner / "0.png")
        (inner / "labels.tsv").write_text("0.png\tgood\n")
        result = run(inner)
        assert result.exit_code == 0, result.exception
        shown = name.replace("\x1b", r"\x1b") + "/b]"
        assert f"{shown}: 1 samples" in result.output
        assert f"│ {shown} │" in result.output


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
    row = next(line for line in result.output.splitlines() if line.startswith("│ "))
    assert [cell.strip() for cell in row.strip("│").split("│")][1:] == ["6", "0", "1", "1", "2", "2"]


def test_labels_alone_can_be_checked(words: Path) -> None:
    (words / "0.png").write_bytes(b"not an image")
    result = run(words, "--no-images")
    assert result.exit_code == 0
    assert "6 samples, 2 usable" in result.output


def test_ascii_charsets_lose_characters_but_not_samples(words: Path) -> None:
    (words / "labels.tsv").write_text("0.png\tCafé\n1.png\t5 €\n2.png\t日本\n3.png\tit's\n4.png\t日\n")
    result = run(words, "--charset", "36", "--max-length", 4)
    assert "5 samples, 3 usable with 36" in result.output
    (listed,) = [line for line in result.output.splitlines() if "characters not in 36" in line]
    assert "'日' U+65E5 x2" in listed
    assert "'€' U+20AC x1" in listed
    assert "'é'" not in listed  # becomes e
    assert "empty: 2" in result.output


def picture(text: str, *, brightness: int = 0, quality: int | None = None) -> bytes:
    image = Image.new("RGB", (120, 40), (40 + brightness, 50 + brightness, 60 + brightness))
    ImageDraw.Draw(image).text((8, 4), text, (200 + brightness // 2, 190, 90), ImageFont.load_default(26))
    stream = io.BytesIO()
    image.save(stream, *(["PNG"] if quality is None else ["JPEG"]), **({} if quality is None else {"quality": quality}))
    return stream.getvalue()


def folder(path: Path, samples: list[tuple[bytes, str]]) -> Path:
    path.mkdir(parents=True)
    for i, (content, _) in enumerate(samples):
        (path / f"{i}.png").write_bytes(content)
    (path / "labels.tsv").write_text("".join(f"{i}.png\t{label}\n" for i, (_, label) in enumerate(samples)))
    return path


def archive(path: Path, samples: list[tuple[bytes, str]]) -> Path:
    path.mkdir(parents=True)
    environment = lmdb.open(str(path), map_size=1 << 20)
    with environment.begin(write=True) as transaction:
        transaction.put(b"num-samples", str(len(samples) + 1).encode())  # the last one is missing
        for i, (content, label) in enumerate(samples, start=1):
            transaction.put(f"image-{i:09d}".encode(), content)
            transaction.put(f"label-{i:09d}".encode(), label.encode())
    environment.close()
    return path


def test_samples_that_are_also_in_a_test_set_are_found(tmp_path: Path) -> None:
    test = folder(tmp_path / "test", [(picture("Hotel"), "Hotel"), (picture("Bar"), "Bar"), (picture("Open"), "Open")])
    train = folder(
        tmp_path / "train",
        [
            (picture("Bar"), "bar"),
            (picture("Open"), "Closed"),
            (picture("Hotel", brightness=30, quality=60), "Hotel"),
            (picture("Exit"), "Exit"),
            (picture("Exit"), "Hotel"),
        ],
    )
    result = run(train, "--test", test)
    assert result.exit_code == 1
    twins = [line.strip() for line in result.output.splitlines() if "also in a test set" in line]
    assert twins == [
        "also in a test set: 0.png 'bar' is 1.png of test",
        "also in a test set: 1.png 'Closed' is 2.png of test, labelled 'open' there",
    ]
    similar = run(train, "--test", test, "--similar")
    more = [line.strip() for line in similar.output.splitlines() if "also in a test set" in line]
    assert [line for line in more if line not in twins] == [
        line for line in more if line.startswith("also in a test set: 2.png 'Hotel' is like 0.png of test (correlation")
    ]
    assert len(more) == 3
    assert run(folder(tmp_path / "clean", [(picture("Exit"), "Exit")]), "--test", test).exit_code == 0


def test_the_archives_of_a_tree_are_listed_one_by_one(tmp_path: Path) -> None:
    archive(tmp_path / "real" / "a", [(picture("One"), "One"), (b"broken", "Two")])
    archive(tmp_path / "real" / "b" / "train", [(picture("Three"), "Three")])
    result = run(tmp_path / "real")
    assert result.exit_code == 1
    cells = [[c.strip() for c in line.strip("│").split("│")] for line in result.output.splitlines() if "│ " in line]
    assert [row[1:] for row in cells] == [
        ["3", "1", "0", "0", "0", "2"],
        ["2", "1", "0", "0", "0", "1"],
        ["5", "2", "0", "0", "0", "3"],
    ]
    assert "b/train: 2 samples, 1 usable" in result.output
    assert "no label-000000003" in result.output


@pytest.mark.parametrize(
    ("options", "cure"), [(["--similar"], "--test"), (["--test", ".", "--no-images"], "leave out --no-images")]
)
def test_options_that_contradict_each_other_are_refused(words: Path, options: list[str], cure: str) -> None:
    result = run(words, *options)
    assert isinstance(result.exception, ConfigError)
    assert cure in str(result.exception)


def damaged_tiffs(folder: Path) -> None:
    """Sixty, about which Pillow warns on top of reading or refusing them."""
    stream = io.BytesIO(picture("Word"))
    tiff = io.BytesIO()
    Image.open(stream).save(tiff, "TIFF")
    dice = np.random.default_rng(1)
    for k in range(60):
        data = bytearray(tiff.getvalue())
        for at in dice.integers(len(data) - 150, len(data), 4):
            data[at] = dice.integers(256)
        (folder / f"{k:02}.tif").write_bytes(data[: -int(dice.integers(1, 20))] if k % 2 else data)
    (folder / "labels.tsv").write_text("".join(f"{k:02}.tif\tWord\n" for k in range(60)))


@pytest.mark.parametrize("verb", [["data", "check"], ["eval", "parrot"]])
def test_pillow_says_nothing_about_damaged_files(tmp_path: Path, verb: list[str]) -> None:
    damaged_tiffs(tmp_path)
    code = """
import sys
import wordsight.cli.recognizers

class Parrot:
    name, settings = "parrot", {}
    def read(self, crops):
        return [("Word", 1.0)] * len(crops)

wordsight.cli.recognizers.open_reader = lambda *_, **__: Parrot()
from wordsight.cli.main import main
main()
"""
    command = [sys.executable, "-c", code, *verb, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert all(line.startswith("wordsight: ") for line in done.stderr.splitlines()), done.stderr
    assert "unreadable" in done.stdout
