"""`wordsight read --context`: the whole photo is told with every word, by models that can be told."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from plain_pack import write_pack, write_scene_pack
from typer.testing import CliRunner

from wordsight import Photo, Reader
from wordsight.cli.main import app


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    blocks = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(blocks).resize((80, 60), Image.Resampling.NEAREST).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture
def boxes(tmp_path: Path) -> Path:
    file = tmp_path / "boxes.json"
    file.write_text(json.dumps([[[5, 20], [35, 20], [35, 32], [5, 32]], [[45, 20], [75, 20], [75, 32], [45, 32]]]))
    return file


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene_pack(tmp_path_factory.mktemp("packs") / "told")


def run(*args: object):
    return CliRunner().invoke(app, ["read", *map(str, args), "--format", "json", "--threads", "1"])


def texts(result) -> list[str]:
    assert result.exit_code == 0, result.output
    (photo,) = json.loads(result.stdout)
    return [word["text"] for line in photo["lines"] for word in line["words"]]


def test_a_model_that_can_be_told_is_told_unless_it_is_not_wanted(photo: Path, boxes: Path, pack: Path) -> None:
    arguments = (photo, "--boxes", boxes, "--model", pack)
    default, wanted, unwanted = run(*arguments), run(*arguments, "--context"), run(*arguments, "--no-context")
    assert texts(default) == texts(wanted) != texts(unwanted)
    said = [json.loads(result.stdout)[0].get("context", False) for result in (default, wanted, unwanted)]
    assert said == [True, True, False]
    assert "CPUExecutionProvider, with context" in wanted.stderr
    assert "with context" not in unwanted.stderr
    corners = json.loads(boxes.read_text())
    words = Reader(pack, threads=1).read(photo, boxes=corners).words
    assert [word.text for word in words] == texts(default)
    again = Photo.from_json(Reader(pack, threads=1).read(photo, boxes=corners).to_json())
    assert again.context
    assert not Photo.from_json(Reader(pack, threads=1).read(photo, boxes=corners, context=False).to_json()).context


def test_a_model_that_cannot_be_told_says_so(photo: Path, boxes: Path, tmp_path: Path) -> None:
    plain = write_pack(tmp_path / "plain")
    result = run(photo, "--boxes", boxes, "--model", plain, "--context")
    assert result.exit_code == 2
    assert "takes no context: leave out --context" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert len(texts(run(photo, "--boxes", boxes, "--model", plain))) == 2


def test_crops_have_no_photo(photo: Path, pack: Path) -> None:
    result = run(photo, "--crops", "--model", pack, "--context")
    assert result.exit_code == 2
    assert "--crops and --context exclude each other" in result.stderr
