"""`wordsight eval` with a recognizer that is told what to read, and with a pack."""

import io
import json
from pathlib import Path

import lmdb
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from wordsight.cli.main import app
from wordsight.errors import ConfigError, WordsightError

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
    monkeypatch.setattr("wordsight.cli.recognizers.open_reader", lambda model, threads, mode, **_: bird)
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


def test_crops_may_be_turned(parrot: Parrot, words: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = []
    read = parrot.read
    monkeypatch.setattr(parrot, "read", lambda crops: shapes.extend(crop.shape[:2] for crop in crops) or read(crops))
    result = run("parrot", words, "--rotation", 90)
    assert result.exit_code == 0, result.output
    assert "rotation 90" in result.output
    assert shapes == [(30, 12)] * len(LABELS)
    shapes.clear()
    assert run("parrot", words, "--rotation", "-45", "--limit", 1).exit_code == 0
    assert shapes[0][0] > 25
    assert isinstance(run("parrot", words, "--rotation", 15, "--end-to-end").exception, ConfigError)


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


def archive(folder: Path, labels: list[str], broken: int | None = None) -> None:
    """An LMDB archive whose crops tell the parrot what to read; one of them may be no image."""
    folder.mkdir(parents=True)
    environment = lmdb.open(str(folder), map_size=1 << 20)
    with environment.begin(write=True) as transaction:
        transaction.put(b"num-samples", str(len(labels)).encode())
        for i, label in enumerate(labels):
            png = io.BytesIO()
            Image.new("RGB", (30, 12), (i, 0, 0)).save(png, "PNG")
            transaction.put(f"image-{i + 1:09d}".encode(), b"no image" if i == broken else png.getvalue())
            transaction.put(f"label-{i + 1:09d}".encode(), label.encode())
    environment.close()


@pytest.fixture
def benchmarks(tmp_path: Path) -> Path:
    """Three of PARSeq's test sets in its layout with far too few samples, and a training set named like a test set."""
    root = tmp_path / "data"
    archive(root / "test" / "SVT", LABELS)
    archive(root / "test" / "CUTE80", ["word", "its"], broken=1)
    archive(root / "test" / "ArT", ["word"])
    archive(root / "train" / "real" / "ArT" / "train", LABELS)
    return root


def test_benchmarks_are_found_counted_and_compared(parrot: Parrot, benchmarks: Path, tmp_path: Path) -> None:
    files = {kind: tmp_path / f"out.{kind}" for kind in ("json", "csv", "html")}
    written = (x for kind, file in files.items() for x in (f"--{kind}", file))
    result = run("parrot", "--benchmarks", benchmarks, "--protocol", "parseq-full", *written)
    assert result.exit_code == 0, result.output
    report = json.loads(files["json"].read_text())
    counted = {s["dataset"]: (s["protocol"], s["n"], s["correct"], s["left_out"]) for s in report["scores"]}
    assert counted == {
        "SVT": ("parseq-36", 4, 3, {"label empty in this charset": 1}),
        "CUTE80": ("parseq-36", 1, 1, {"unreadable": 1}),
        "ArT": ("parseq-36", 1, 1, {}),
    }
    assert "SVT: 4 samples count here (of 5), 647 in published tables" in result.output
    assert "CUTE80: 1 samples count here (of 2), 288 in published tables" in result.output
    assert "HOST (2416), " in next(line for line in result.output.splitlines() if line.startswith("not there: "))
    assert "left out: " in result.stderr
    means = {a["group"]: (a["n"], a["weighted_accuracy"], a["arithmetic_accuracy"]) for a in report["averages"]}
    assert means["Benchmark, 2 of 6 sets"] == (5, 0.8, 0.875)
    compared = {c["group"]: c["models"] for c in report["comparisons"]}
    ours, theirs = compared["Benchmark"][:2]
    assert (ours["model"], ours["scores"]["SVT"], ours["weighted"]) == ("parrot", 0.75, None)
    assert (theirs["model"], theirs["scores"]["SVT"]) == ("CLIP4STR-B, MJ+ST", 0.9536)
    assert theirs["weighted"] == pytest.approx(0.92936, abs=1e-5)  # its six cells, by hand
    for text in (result.output, files["csv"].read_text(), files["html"].read_text()):
        assert "CLIP4STR-B, MJ+ST" in text
        assert "Benchmark, 2 of 6 sets: mean of 2 sets" in text
    page = files["html"].read_text()
    assert "commit 7497c15" in page  # where the published scores come from
    assert "647 in published tables" in page
    assert page.count("<figure>") == 1


def test_a_limited_run_is_not_compared(parrot: Parrot, benchmarks: Path) -> None:
    result = run("parrot", "--benchmarks", benchmarks, "--protocol", "parseq-full", "--limit", 1)
    assert "not comparable with published scores" in result.output
    assert "CLIP4STR-B" not in result.output


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--benchmarks", "{root}", "--protocol", "36"], "there is no benchmark suite '36'"),
        (["--benchmarks", "{root}", "{root}"], "leave out DATA"),
        (["--benchmarks", "{root}", "--protocol", "union14m"], ""),
        (["--benchmarks", "{root}/train"], "none of the sets of parseq is there"),
        (["--benchmarks", "{root}/nothing"], "no such folder"),
        (["{root}", "--protocol", "openocr"], "with --benchmarks"),
        ([], "nothing to read"),
    ],
)
def test_mistakes_with_benchmarks_are_one_line(
    parrot: Parrot, benchmarks: Path, options: list[str], complaint: str
) -> None:
    result = run("parrot", *(option.format(root=benchmarks) for option in options))
    if complaint:
        assert isinstance(result.exception, WordsightError)
        assert complaint in str(result.exception)
    else:
        assert result.exit_code == 0, result.output


def test_unreadable_samples_are_left_out_and_counted(parrot: Parrot, words: Path, tmp_path: Path) -> None:
    (words / "1.png").write_bytes(b"no image")
    page = tmp_path / "out.html"
    result = run("parrot", words, "--chars", "94", "--html", page)
    assert result.exit_code == 0, result.output
    assert "1 unreadable" in result.output
    assert "1.png" in result.stderr
    assert page.read_text().count("<figure>") == 3  # each beside its own picture: all but `it's` and `two words`
