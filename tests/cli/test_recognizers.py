"""Other people's recognizers behind our interface."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from wordsight import Reader
from wordsight.cli.recognizers import RapidOcr, Tesseract, open_reader, parse_tsv
from wordsight.errors import ConfigError, ModelError
from wordsight.imaging import prepare
from wordsight.runtime import OnnxRecognizer, load_pack


def card(text: str) -> np.ndarray:
    picture = Image.new("RGB", (60 + 26 * len(text), 64), (240, 240, 235))
    ImageDraw.Draw(picture).text((30, 10), text, fill=(20, 20, 60), font=ImageFont.load_default(40))
    return np.array(picture)


@pytest.fixture(scope="module")
def rapid() -> RapidOcr:
    return RapidOcr(threads=1)


def test_rapidocr_reads_crops_and_states_its_settings(rapid: RapidOcr) -> None:
    readings = rapid.read([card("Station"), card("EXIT 24")])
    assert [text for text, _ in readings] == ["Station", "EXIT 24"]
    assert all(0.5 < confidence <= 1 for _, confidence in readings)
    assert [text for text, _ in rapid.read_batch([card("Station"), card("Exit")])] == ["Station", "Exit"]
    assert rapid.settings["threads"] == 1
    assert str(rapid.settings["rapidocr"]).startswith("3.")


def test_rapidocr_finds_words_whatever_was_asked_before(rapid: RapidOcr) -> None:
    photo = np.full((300, 500, 3), 240, dtype=np.uint8)
    photo[100:164, 50 : 50 + card("EXIT 24").shape[1]] = card("EXIT 24")
    before = rapid.read([card("Station")])
    found = rapid.find(photo)
    assert [text for _, text in found] == ["EXIT", "24"]
    assert all(polygon.shape == (4, 2) for polygon, _ in found)
    assert rapid.read([card("Station")]) == before
    assert [text for _, text in rapid.find(photo)] == ["EXIT", "24"]
    assert rapid.find(np.full((200, 200, 3), 240, dtype=np.uint8)) == []


def test_packs_read_crops_as_a_reader_does(toy_pack: Path) -> None:
    dice = np.random.default_rng(0)
    crops = [dice.integers(0, 256, shape, dtype=np.uint8) for shape in ((32, 90, 3), (120, 30, 3), (20, 300, 3))]
    ours = open_reader(str(toy_pack), threads=1)
    words = Reader(toy_pack, threads=1).read_crops(crops)
    assert ours.read(crops) == [(word.text, word.confidence) for word in words]
    assert ours.settings == {"threads": 1, "provider": "CPUExecutionProvider", "mode": "adaptive"}


def test_packs_decode_as_they_are_told(toy_pack: Path) -> None:
    crop = np.random.default_rng(1).integers(0, 256, (32, 100, 3), dtype=np.uint8)
    found = {}
    for mode in ("full", "visual", "parallel"):
        recognizer = OnnxRecognizer(load_pack(toy_pack), threads=1, mode=mode)
        (reading,) = recognizer.read(prepare([crop], recognizer.preprocessing))
        reader = open_reader(str(toy_pack), threads=1, mode=mode)
        assert reader.settings["mode"] == mode
        assert reader.read([crop]) == [(reading.text, reading.confidence)]
        found[mode] = reading.confidence
    assert found["parallel"] != found["visual"]
    with pytest.raises(ConfigError, match="backwards"):
        Reader(toy_pack, mode="backwards")  # type: ignore[arg-type]


def test_tesseract_output_is_understood() -> None:
    header = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n"
    page = "1\t1\t0\t0\t0\t0\t0\t0\t80\t30\t-1\t\n"
    words = "5\t1\t1\t1\t1\t1\t3\t4\t30\t20\t91.5\tOpen\n5\t1\t1\t1\t1\t2\t40\t4\t30\t20\t60\tnow\n"
    assert parse_tsv(header + page + words) == ("Open now", 0.6)
    assert parse_tsv(header + page) == ("", 0.0)
    assert parse_tsv("") == ("", 0.0)


def test_a_missing_tesseract_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda program: None)
    with pytest.raises(ModelError, match="not installed"):
        Tesseract()
    monkeypatch.setattr("shutil.which", lambda program: sys.executable)
    with pytest.raises(ConfigError, match="crops only"):
        open_reader("tesseract").find(card("Word"))


def test_unknown_models_are_refused() -> None:
    with pytest.raises(ModelError):
        open_reader("no such model")
