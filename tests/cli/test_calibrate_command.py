"""`wordsight models calibrate` with a pack that reads nonsense, and is right as often as the test wants."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from wordsight.cli.main import app
from wordsight.reader import Reader
from wordsight.reading.shipped import shipped_line_reader
from wordsight.runtime import OnnxRecognizer, load_pack
from wordsight.runtime.pack import write_manifest

WORDS = 60
TRUE = 3.0  # temperature


def run(*args: object):
    return CliRunner().invoke(app, [str(arg) for arg in args])


@pytest.fixture
def pack(toy_pack: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(toy_pack, tmp_path / "pack"))


@pytest.fixture
def words(pack: Path, tmp_path: Path) -> Path:
    """Crops whose labels are what the pack reads as often as it should be right at temperature `TRUE`."""
    folder = tmp_path / "words"
    folder.mkdir()
    dice = np.random.default_rng(1)
    crops = [np.kron(dice.integers(0, 256, (1, 6, 3)), np.ones((16, 8, 1))).astype(np.uint8) for _ in range(WORDS)]
    reader = Reader.of(OnnxRecognizer(replace(load_pack(pack), temperature=TRUE), "cpu", 1))
    lines = []
    for i, (crop, word) in enumerate(zip(crops, reader.read_crops(crops), strict=True)):
        Image.fromarray(crop).save(folder / f"{i}.png")
        lines.append(f"{i}.png\t{word.text if dice.random() < word.confidence else 'something else'}\n")
    (folder / "labels.tsv").write_text("".join(lines))
    return folder


def test_a_pack_that_is_too_sure_gets_a_temperature_and_keeps_its_graphs(pack: Path, words: Path) -> None:
    hashes = load_pack(pack).files
    result = run("models", "calibrate", pack, words, "--share", 1, "--threads", 1)
    assert result.exit_code == 0, result.output
    found = load_pack(pack)
    assert found.files == hashes
    assert 1.5 < found.temperature < 4  # 60 words
    facts = found.about["calibration"]
    assert (facts["words"], facts["data"], facts["before"]["temperature"]) == (WORDS, ["words"], 1.0)
    assert facts["after"]["temperature"] == found.temperature
    assert facts["after"]["log_loss"] < facts["before"]["log_loss"]
    assert facts["after"]["ece"] < facts["before"]["ece"]
    assert f"{WORDS} words, measurably better" in result.output

    written = (pack / "pack.json").read_bytes()
    assert run("models", "calibrate", pack, words, "--share", 1, "--threads", 1).exit_code == 0
    assert (pack / "pack.json").read_bytes() == written  # a second time changes nothing

    scored = run("eval", pack, words, "--threads", 1)
    line = f"calibrated on {WORDS} held-out training words (protocol 94): temperature 1: ECE {facts['before']['ece']} %"
    assert line in scored.output, scored.output
    assert f"; temperature {found.temperature:g}: ECE {facts['after']['ece']} %" in scored.output


def test_a_pack_that_promises_what_it_keeps_is_left_at_one(pack: Path, words: Path) -> None:
    lines = (words / "labels.tsv").read_text().splitlines()
    files = [line.split("\t")[0] for line in lines]
    reader = Reader.of(OnnxRecognizer(load_pack(pack), "cpu", 1))
    found = reader.read_crops([words / file for file in files])
    dice = np.random.default_rng(2)
    labels = [word.text if dice.random() < word.confidence else "something else" for word in found]
    (words / "labels.tsv").write_text("".join(f"{f}\t{t}\n" for f, t in zip(files, labels, strict=True)))
    result = run("models", "calibrate", pack, words, "--share", 1, "--threads", 1)
    assert "not measurably better: 1 stays" in result.output
    assert load_pack(pack).temperature == 1
    facts = load_pack(pack).about["calibration"]
    assert facts["before"] == facts["after"]


def test_a_folder_goes_before_a_shipped_model_of_its_name(
    pack: Path, words: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pack.rename("small")
    result = run("models", "calibrate", "small", words, "--share", 1)
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1].startswith(f"small: {WORDS} words")
    assert "calibration" in load_pack("small").about


def test_the_last_part_alone_is_read_and_nothing_written(pack: Path, words: Path) -> None:
    before = (pack / "pack.json").read_bytes()
    result = run("models", "calibrate", pack, words, "--threads", 1, "--dry-run")
    assert f"{WORDS // 10} words" in result.output
    assert "nothing written" in result.output
    assert (pack / "pack.json").read_bytes() == before


def test_lines_are_read_once_and_not_at_every_temperature(
    pack: Path, words: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def counted(threads: int | None):
        reader = shipped_line_reader(threads)
        read = reader.read
        monkeypatch.setattr(reader, "read", lambda images: seen.extend(map(bytes, images)) or read(images))
        return reader

    monkeypatch.setattr("wordsight.reading.shipped.shipped_line_reader", counted)
    result = run("models", "calibrate", pack, words, "--threads", 1, "--dry-run")
    assert result.exit_code == 0, result.output
    assert len(set(seen)) == len(seen) > 0


def test_nothing_to_read_is_said(pack: Path, words: Path) -> None:
    lines = (words / "labels.tsv").read_text().splitlines()
    (words / "labels.tsv").write_text("".join(f"{line.split(chr(9))[0]}\t→\n" for line in lines))
    result = run("models", "calibrate", pack, words)
    assert result.exit_code == 1
    assert "no words to calibrate on" in str(result.exception)


def test_a_killed_writer_leaves_no_trace_in_the_next_manifest(pack: Path) -> None:
    (pack / ".pack.json.new").write_text("half")
    path = write_manifest(load_pack(pack))
    assert path == pack / "pack.json"
    assert not (pack / ".pack.json.new").exists()
    assert set(json.loads(path.read_text())["files"]) == {"image.onnx", "visual.onnx"}
