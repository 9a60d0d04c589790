"""`wordsight eval` with a model that is told of scenes: a pack, and a checkpoint."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from plain_pack import write_pack, write_scene_pack
from typer.testing import CliRunner

from wordsight.cli.main import app
from wordsight.cli.recognizers import open_reader
from wordsight.errors import ConfigError, WordsightError
from wordsight.models import checkpoint
from wordsight.models.clipter import ClipterConfig, insert
from wordsight.models.clipter.scene import SceneEncoder
from wordsight.models.registry import preset


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three photographs with two legible words each."""
    folder = tmp_path_factory.mktemp("data") / "scenes"
    folder.mkdir()
    dice = np.random.default_rng(0)
    lines = []
    for k in range(3):
        blocks = dice.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(blocks).resize((80, 60), Image.Resampling.NEAREST).save(folder / f"{k}.png")
        words = [
            {"polygon": [[x, 20], [x + 30, 20], [x + 30, 32], [x, 32]], "text": "word", "legible": True}
            for x in (5, 45)
        ]
        lines.append(json.dumps({"image": f"{k}.png", "words": words}))
    (folder / "scenes.jsonl").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A crop of which nobody knows the scene."""
    folder = tmp_path_factory.mktemp("data") / "words"
    folder.mkdir()
    Image.new("RGB", (30, 12), (90, 20, 60)).save(folder / "a.png")
    (folder / "labels.tsv").write_text("a.png\tword\n")
    return folder


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene_pack(tmp_path_factory.mktemp("packs") / "told")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint whose gate is open."""
    torch.manual_seed(0)
    recognizer, cfg = preset("crnn-compact")
    model = recognizer(cfg)
    clipter = ClipterConfig(encoder="random", scene_dim=128, kernel=2, box=True)
    insert(model, clipter)
    with torch.no_grad():
        model.fusions["early"].gate.alpha.fill_(1.0)
    folder = tmp_path_factory.mktemp("runs") / "crnn"
    checkpoint.save(model, folder, scenes={"encoder": SceneEncoder.of(clipter).identity})
    return folder


def run(*args: object):
    return CliRunner().invoke(app, ["eval", *map(str, args), "--threads", "1"])


def evaluated(tmp_path: Path, *args: object) -> dict:
    out = tmp_path / "out.json"
    result = run(*args, "--json", out)
    assert result.exit_code == 0, (result.output, result.exception)
    return json.loads(out.read_text()) | {"output": result.output}


def said(report: dict) -> list[tuple[str, float]]:
    return [(reading["text"], reading["confidence"]) for reading in report["readings"]]


def test_scores_say_how_many_scenes_there_were(pack: Path, data: Path, words: Path, tmp_path: Path) -> None:
    report = evaluated(tmp_path, pack, data, words, "--chars", "36")
    assert [(score["n"], score["scenes"]) for score in report["scores"]] == [(6, 6), (1, 0)]
    assert report["averages"][0]["scenes"] == 6
    assert report["settings"]["scene"] == "real"
    assert "scene available" in report["output"]
    assert all(cell in report["output"] for cell in ("6/6", "0/1", "6/7"))


@pytest.mark.parametrize("model", ["pack", "trained"])
def test_what_is_shown_is_what_is_told(model: str, data: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(model)
    found = {
        control: evaluated(tmp_path, folder, data, "--chars", "36", "--scene", control)
        for control in ("real", "shuffle", "gray", "mask-word", "none")
    }
    assert len({tuple(said(report)) for report in found.values()}) == 5
    assert {control: report["scores"][0]["scenes"] for control, report in found.items()} == {
        "real": 6, "shuffle": 6, "gray": 6, "mask-word": 6, "none": 0,
    }  # fmt: skip
    assert found["shuffle"]["settings"]["scene seed"] == 0
    assert "0/6" in found["none"]["output"]


def test_an_encoder_that_has_learnt_nothing(trained: Path, pack: Path, data: Path, tmp_path: Path) -> None:
    real, other, same = (
        evaluated(tmp_path, trained, data, "--scene", control, "--seed", seed, "--chars", "36")
        for control, seed in (("real", 5), ("random-encoder", 5), ("random-encoder", 0))
    )
    assert said(other) != said(real)
    assert said(same) == said(real)  # its encoder is one of random weights, by seed 0
    result = run(pack, data, "--scene", "random-encoder")
    assert isinstance(result.exception, ConfigError)
    assert "a pack carries its own scene encoder" in str(result.exception)


def test_a_scene_that_cannot_be_read_is_none(trained: Path, data: Path, tmp_path: Path, monkeypatch) -> None:
    from wordsight.data import SceneView
    from wordsight.errors import DataError

    load = SceneView.load

    def broken(view: SceneView):
        if view.scene.image.name == "1.png":
            raise DataError("1.png is gone")
        return load(view)

    monkeypatch.setattr(SceneView, "load", broken)
    report = evaluated(tmp_path, trained, data, "--chars", "36")
    assert [reading["scene"] for reading in report["readings"]] == [True, True, False, False, True, True]
    assert (report["scores"][0]["n"], report["scores"][0]["scenes"]) == (6, 4)


def test_end_to_end_every_word_found_is_told(pack: Path, data: Path, tmp_path: Path, monkeypatch) -> None:
    from wordsight.detect import TextDetector

    class Box:
        polygon = np.array([[5, 20], [35, 20], [35, 32], [5, 32]], np.float64)

    monkeypatch.setattr("wordsight.reader.DETECTED_CONFIDENCE", 0.0)
    monkeypatch.setattr(TextDetector, "detect", lambda self, image: [Box()])
    reader = open_reader(str(pack), 1)
    pixels = np.asarray(Image.open(data / "0.png"))
    assert [text for _, text in reader.find(pixels, pixels)] != [text for _, text in reader.find(pixels)]
    found = {
        control: evaluated(tmp_path, pack, data, "--end-to-end", "--scene", control)
        for control in ("real", "none", "shuffle")
    }
    assert [report["settings"]["scene"] for report in found.values()] == ["real", "none", "shuffle"]
    assert len({json.dumps(report["findings"]) for report in found.values()}) == 3
    result = run(pack, data, "--end-to-end", "--scene", "mask-word")
    assert "choose mask-text" in str(result.exception)


def test_mistakes_are_one_line(pack: Path, data: Path, tmp_path: Path) -> None:
    plain = write_pack(tmp_path / "plain")
    for arguments, complaint in (
        ((plain, data, "--scene", "real"), "this model takes no scenes"),
        ((pack, data, "--scene", "sepia"), "no control 'sepia': choose one of real, shuffle"),
        (("rapidocr", data, "--scene", "none"), "this model takes no scenes"),
        ((pack, data, "--scene-encoder", "random"), "a pack carries its own scene encoder"),
    ):
        result = run(*arguments)
        assert isinstance(result.exception, WordsightError)
        assert complaint in str(result.exception)
        assert "\n" not in str(result.exception)


def test_a_model_without_scenes_has_no_such_column(data: Path, tmp_path: Path) -> None:
    report = evaluated(tmp_path, write_pack(tmp_path / "plain"), data, "--chars", "36")
    assert "scene available" not in report["output"]
    assert report["scores"][0]["scenes"] is None
