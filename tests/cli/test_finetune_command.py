"""`wordsight finetune` from a folder of crops to a checkpoint, a report and a pack."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import ImageFont
from typer.testing import CliRunner

from wordsight.cli.main import app
from wordsight.errors import ConfigError, ModelError, WordsightError

sys.path.append(str(Path(__file__).parents[1] / "train"))  # toy_words


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recognizer that knows nothing yet."""
    from toy_words import toy_model

    from wordsight.models import checkpoint

    return checkpoint.save(toy_model(), tmp_path_factory.mktemp("start"))


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from toy_words import LETTERS, NEW, ToyWords, write_words

    source = ToyWords(LETTERS + NEW, seed=3)
    return write_words(tmp_path_factory.mktemp("data") / "words", [source.text(i) for i in range(40)])


@pytest.fixture
def fonts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with Pillow's own font alone: looking through the system's takes a minute."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    own = ImageFont.load_default(20)
    assert isinstance(own, ImageFont.FreeTypeFont)
    own.path.seek(0)
    (tmp_path / "fonts").mkdir()
    (tmp_path / "fonts" / "own.ttf").write_bytes(own.path.read())
    return tmp_path / "fonts"


def run(*arguments: object):
    return CliRunner().invoke(app, ["finetune", *map(str, arguments)])


def test_from_crops_to_a_pack(start: Path, words: Path, fonts: Path, tmp_path: Path) -> None:
    out, pack = tmp_path / "out", tmp_path / "pack"
    options = ["--from", start, "-o", out, "--pack", pack, "--steps", 2, "--batch-size", 4, "--general", words]
    result = run(words, *options, "--tower", "lora", "--fonts", fonts)
    assert result.exit_code == 0, result.output
    assert "32 words to train on, 8 held out; LoRA in both towers" in result.output
    assert "new characters: € (U+20AC)" in result.output
    assert "of 8 held-out words 0 became right and 0 wrong" in result.output
    for row in ("held-out before", "held-out after", "general before", "general after"):
        assert row in result.output
    n = sum("€" not in line for line in (words / "labels.tsv").read_text(encoding="utf-8").splitlines())
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert [score["n"] for score in report["scores"][:4]] == [8, 8, n, n]
    page = (out / "worst.html").read_text(encoding="utf-8")
    assert page.count("<figure>") == 8
    assert "data:image/png" in page
    assert sorted(path.name for path in out.iterdir()) == [
        "adapter",
        "config.json",
        "metrics.csv",
        "model.safetensors",
        "report.html",
        "report.json",
        "worst.html",
    ]

    from wordsight.runtime import OnnxRecognizer, load_pack

    made = load_pack(pack)
    assert made.charset.characters.endswith("€")
    assert made.about["finetuned"]["new"] == "€"
    (reading,) = OnnxRecognizer(made, threads=1).read(np.zeros((1, 3, 8, 32), np.float32))
    assert 0 <= reading.confidence <= 1


@pytest.mark.parametrize(
    ("options", "kind", "complaint"),
    [
        (["--tower", "all"], ConfigError, "choose auto, frozen, lora or full"),
        (["--valid-share", "1.5"], ConfigError, "between 0 and 1"),
        (["--from", "no-such-folder"], ModelError, "no checkpoint folder, pack or name of a model"),
        (["--from", "parseq"], ModelError, "`wordsight models pull parseq --out weights`"),
        (["--from", "cjk", "--tower", "lora"], ConfigError, "choose frozen or full"),
        (["--general", "no-such-folder"], WordsightError, "does not exist"),
    ],
)
def test_mistakes_are_one_line(
    start: Path, words: Path, tmp_path: Path, options: list[str], kind: type[Exception], complaint: str
) -> None:
    result = run(words, "--from", start, "-o", tmp_path / "out", *options)
    assert isinstance(result.exception, kind)
    assert complaint in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_the_start_is_not_written_over(start: Path, words: Path) -> None:
    result = run(words, "--from", start, "-o", start)
    assert isinstance(result.exception, ConfigError)
    assert "choose another folder" in str(result.exception)
