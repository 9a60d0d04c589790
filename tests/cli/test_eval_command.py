"""`wordsight eval` with a recognizer that is told what to read, and with a pack."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from wordsight.cli.main import app
from wordsight.errors import WordsightError

LABELS = ["Word", "it's", "!!!", "0123", "two words"]
READINGS = ["word", "its", "x", "O123", "two words"]


class Parrot:
    """Reads what stands in READINGS at the place that the crop's red says."""

    name = "parrot"

    def __init__(self) -> None:
        self.settings: dict[str, str | int] = {"threads": 1}
        self.batches: list[int] = []

    def read(self, crops: list[np.ndarray]) -> list[tuple[str, float]]:
        self.batches.append(len(crops))
        return [(READINGS[int(crop[0, 0, 0])], 0.5) for crop in crops]

    def find(self, image: np.ndarray) -> list[tuple[np.ndarray, str]]:
        square = np.array([[0, 0], [50, 0], [50, 20], [0, 20]], dtype=np.float64)
        return [(square, "HELLO"), (square + 100, "nothing")]


@pytest.fixture
def parrot(monkeypatch: pytest.MonkeyPatch) -> Parrot:
    bird = Parrot()
    monkeypatch.setattr("wordsight.cli.recognizers.open_crop_reader", lambda model, threads: bird)
    monkeypatch.setattr("wordsight.cli.recognizers.open_scene_reader", lambda model, threads: bird)
    return bird


@pytest.fixture
def words(tmp_path: Path) -> Path:
    folder = tmp_path / "words"
    folder.mkdir()
    for i in range(len(LABELS)):
        Image.new("RGB", (30, 12), (i, 0, 0)).save(folder / f"{i}.png")
    (folder / "labels.tsv").write_text("".join(f"{i}.png\t{label}\n" for i, label in enumerate(LABELS)))
    return folder


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    folder = tmp_path / "scenes"
    folder.mkdir()
    Image.new("RGB", (200, 200)).save(folder / "a.png")
    entries = [("hello", True), ("far away", True), ("###", False)]
    listed = [
        {"polygon": [[0, y], [50, y], [50, y + 20], [0, y + 20]], "text": text, "legible": legible}
        for y, (text, legible) in zip((1, 60, 180), entries, strict=True)
    ]
    (folder / "scenes.jsonl").write_text(json.dumps({"image": "a.png", "words": listed}) + "\n")
    return folder


def run(*args: object):
    return CliRunner().invoke(app, ["eval", *map(str, args)])


def test_words_are_scored_under_three_charsets_with_their_n(parrot: Parrot, words: Path, tmp_path: Path) -> None:
    files = {kind: tmp_path / f"out.{kind}" for kind in ("json", "csv", "html")}
    result = run("parrot", words, "--batch-size", 2, *(x for k, f in files.items() for x in (f"--{k}", f)))
    assert result.exit_code == 0, result.output
    assert parrot.batches == [2, 2, 1]
    scores = json.loads(files["json"].read_text())["scores"]
    counted = {s["protocol"]: (s["n"], s["correct"]) for s in scores}
    # 36: Word, it's and two words of four; 62: Word is wrong; 94: it's is wrong too, and !!! counts.
    assert counted == {"36": (4, 3), "62": (4, 2), "94": (5, 1)}
    assert "75.00" in result.output
    assert "1 label empty in this charset" in result.output
    assert "batch 2" in result.output
    assert files["csv"].read_text().count("\n") == 4
    page = files["html"].read_text()
    assert page.count("<figure>") == 1
    assert "O123" in page


def test_several_sets_get_both_averages(parrot: Parrot, words: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    Image.new("RGB", (30, 12)).save(other / "x.png")
    (other / "labels.tsv").write_text("x.png\tword\n")
    out = tmp_path / "out.json"
    result = run("parrot", words, other, "--chars", "36", "--json", out)
    assert result.exit_code == 0, result.output
    (average,) = json.loads(out.read_text())["averages"]
    assert (average["n"], average["weighted_accuracy"], average["arithmetic_accuracy"]) == (5, 0.8, 0.875)


def test_limit_is_obeyed_and_printed(parrot: Parrot, words: Path) -> None:
    result = run("parrot", words, "--limit", 2)
    assert parrot.batches == [2]
    assert "limit 2" in result.output


def test_scenes_end_to_end(parrot: Parrot, scenes: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    result = run("parrot", scenes, "--end-to-end", "--json", out)
    assert result.exit_code == 0, result.output
    report = json.loads(out.read_text())
    (name,) = report["spotting"]
    found = report["spotting"][name]
    assert (found["truths"], found["found"], found["read"]) == (2, 2, 1)
    assert found["end_to_end"] == {"precision": 0.5, "recall": 0.5, "hmean": 0.5}
    assert [word["text"] for word in report["findings"][name][0]["words"]] == ["HELLO", "nothing"]


def test_words_cut_from_scenes(parrot: Parrot, scenes: Path, tmp_path: Path) -> None:
    result = run("parrot", scenes, "--chars", "36")
    assert result.exit_code == 0, result.output
    assert "1 illegible" in result.output


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--end-to-end"], "needs a scenes.jsonl"),
        (["--chars", "37"], "no protocol is called '37'"),
        (["--json", "/no/such/folder/x.json"], "there is no folder"),
    ],
)
def test_mistakes_are_one_line(parrot: Parrot, words: Path, options: list[str], complaint: str) -> None:
    result = run("parrot", words, *options)
    assert isinstance(result.exception, WordsightError)  # which `main` prints as one line, exit status 1
    assert complaint in str(result.exception)
    assert parrot.batches == []


def test_a_pack_is_scored(toy_pack: Path, words: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    result = run(toy_pack, words, "--threads", 1, "--json", out)
    assert result.exit_code == 0, result.output
    report = json.loads(out.read_text())
    assert report["settings"]["threads"] == 1
    assert len(report["readings"]) == len(LABELS)
    assert all(0 <= reading["confidence"] <= 1 for reading in report["readings"])
