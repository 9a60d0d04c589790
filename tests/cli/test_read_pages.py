"""`wordsight read` on files of several pictures, in formats of one document each, and where nothing is read."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result
from word_cards import Board, CardReader

from wordsight import Reader
from wordsight.cli.inputs import expand
from wordsight.cli.main import app

TEXTS = ["EXIT", "Cafe", "24h"]


def run(*args: object, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, ["read", *map(str, args)], input=stdin)


@pytest.fixture(autouse=True)
def boards(monkeypatch: pytest.MonkeyPatch) -> list[Board]:
    """A page for each text; commands read cards."""
    made = []
    for text in TEXTS:
        board = Board(CardReader(TEXTS))
        board.put(text, 40, 40)
        made.append(board)

    class Detector:
        def detect(self, image: np.ndarray) -> object:
            return made[0].detect(image)

    def make(model: str, device: str, threads: int | None, min_confidence: float | None, **_: object) -> Reader:
        return Reader.of(made[0].reader, Detector(), min_confidence=min_confidence)

    monkeypatch.setattr("wordsight.reader.Reader", make)
    return made


@pytest.fixture
def scan(boards: list[Board], tmp_path: Path) -> Path:
    path = tmp_path / "scan.tif"
    pages = [Image.fromarray(board.image) for board in boards]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    return path


@pytest.fixture
def photo(boards: list[Board], tmp_path: Path) -> Path:
    path = tmp_path / "wall.png"
    Image.fromarray(boards[0].image).save(path)
    return path


def test_all_pages_are_read(scan: Path, photo: Path) -> None:
    result = run(scan)
    assert result.exit_code == 0
    assert result.stdout == "\n".join(f"==> {scan}, page {k} <==\n{text}\n" for k, text in enumerate(TEXTS, 1))
    assert len(result.stderr.splitlines()) == 1
    both = [json.loads(line) for line in run(photo, scan, "--format", "jsonl").stdout.splitlines()]
    assert [(each["source"], each.get("page")) for each in both] == [
        (str(photo), None),
        *((str(scan), k) for k in (1, 2, 3)),
    ]
    assert run("-", "--format", "jsonl", stdin=scan.read_bytes()).stdout.count('"<stdin>"') == 3


def test_some_pages_are_read(scan: Path, photo: Path) -> None:
    assert run(scan, "--pages", "2").stdout == "Cafe\n"
    pages = run(scan, photo, "--pages", "1,3-9", "--format", "jsonl").stdout.splitlines()
    assert [json.loads(line).get("page") for line in pages] == [1, 3, None]
    result = run(scan, "--pages", "7")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "scan.tif has 3 pages, there is no page 7" in result.stderr
    for args in (
        ["--pages", "3-2"],
        ["--pages", "1", "--crops"],
        ["--pages", "1", "--boxes", "b.json"],
        ["--dpi", "0"],
    ):
        result = run(scan, *args)
        assert (result.exit_code, result.stdout) == (2, "")


def test_where_one_picture_is_wanted_the_others_are_not_lost_silently(scan: Path, tmp_path: Path) -> None:
    boxes = tmp_path / "boxes.json"
    boxes.write_text("[[[40, 40], [120, 40], [120, 70], [40, 70]]]")
    result = run(scan, "--boxes", boxes)
    assert (result.exit_code, result.stdout) == (1, "EXIT\n")
    assert f"{scan}: pages 2 to 3 of 3 left out" in result.stderr
    result = run(scan, "--crops")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "has 3 pages where one picture is expected" in result.stderr


def test_pages_are_drawn_each(scan: Path, tmp_path: Path) -> None:
    assert run(scan, "--draw", tmp_path / "drawn", "--side-by-side").exit_code == 0
    drawn = sorted(path.name for path in (tmp_path / "drawn").iterdir())
    assert drawn == [f"scan-{k}.words.jpg" for k in (1, 2, 3)]
    assert Image.open(tmp_path / "drawn" / "scan-2.words.jpg").size == (1280, 480)
    assert run(scan, "--side-by-side").exit_code == 2


def test_hidden_files_in_folders_are_no_pictures(photo: Path) -> None:
    folder = photo.parent
    (folder / "._wall.png").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X        ")
    (folder / ".thumbnails").mkdir()
    (folder / ".thumbnails" / "wall.png").write_bytes(photo.read_bytes())
    assert (run(folder).stdout, run(folder).exit_code) == ("EXIT\n", 0)
    photo.unlink()
    assert expand([str(folder)]) == ([], [f"{folder}: holds no pictures: check the path"])
    result = run(folder / "._wall.png")
    assert result.exit_code == 1
    assert "is what macOS keeps beside a file" in result.stderr


@pytest.mark.parametrize("name", ["alto", "page"])
def test_documents_of_one_picture_go_into_a_folder(name: str, scan: Path, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run(scan, photo, "--format", name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "give --out FOLDER" in result.stderr
    assert run(scan, photo, "--format", name, "--out", out).exit_code == 0
    assert sorted(path.name for path in out.iterdir()) == [
        *(f"scan-{k}.{name}.xml" for k in (1, 2, 3)),
        f"wall.{name}.xml",
    ]
    assert "Cafe" in (out / f"scan-2.{name}.xml").read_text()
    assert ElementTree.fromstring(run(photo, "--format", name).stdout)
    assert run(photo, "--format", name, "--out", tmp_path / "one.xml").exit_code == 0
    assert ElementTree.parse(tmp_path / "one.xml")


def test_html_shows_what_came_from_standard_input(photo: Path) -> None:
    result = run("-", "--format", "html", stdin=photo.read_bytes())
    assert "data:image/jpeg;base64," in result.stdout


def test_without_characters(photo: Path) -> None:
    full, small = (run(photo, "--format", "jsonl", *more).stdout for more in ([], ["--no-chars"]))
    assert "chars" in full
    assert "chars" not in small
    assert json.loads(small)["lines"][0]["words"][0]["text"] == "EXIT"
    assert json.loads(run(photo, "--format", "json", "--no-chars").stdout) == [json.loads(small)]


def test_nothing_read_is_said(photo: Path, tmp_path: Path) -> None:
    blank = tmp_path / "blank.png"
    Image.new("RGB", Image.open(photo).size, "white").save(blank)
    for args in ([blank], [blank, "--crops"]):
        result = run(*args)
        assert result.exit_code == 0
        assert result.stderr.splitlines()[-1] == f"wordsight: {blank}: no text found"
    result = run(photo, "--min-confidence", 1)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.splitlines()[-1].endswith("no text found; a word was too doubtful, see --min-confidence")
    assert "no text" not in run(photo).stderr


def test_the_package_can_be_run() -> None:
    done = subprocess.run([sys.executable, "-m", "wordsight", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("wordsight ")
