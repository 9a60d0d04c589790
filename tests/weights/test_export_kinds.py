"""Every recognizer of the registry as a pack: ONNX reads what torch reads, with scenes and without."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from wordsight.cli.main import app
from wordsight.decoding.context import SceneContext
from wordsight.errors import ConfigError, ModelError
from wordsight.imaging import Preprocessing
from wordsight.models import checkpoint, registry
from wordsight.models.clip import Clip, ClipConfig
from wordsight.models.clipter import ClipterConfig, insert
from wordsight.models.clipter.scene import SceneEncoder
from wordsight.models.config import ImageTowerConfig, TextTowerConfig
from wordsight.models.reading import TorchRecognizer
from wordsight.models.registry import PRESETS, preset
from wordsight.runtime import OnnxRecognizer, load_pack
from wordsight.runtime.signatures import scene_graph
from wordsight.weights.encoders import scene_encoder
from wordsight.weights.export import export_pack, to_onnx

COMPACT = {PRESETS[name][0].architecture: name for name in PRESETS if name.endswith(("-compact", "-tiny"))}


def test_every_recognizer_is_tried() -> None:
    # "clip" is two towers and no recognizer, "db" a detector; packs of "svtr" take any width (test_svtr.py)
    assert set(COMPACT) == set(registry.MODELS) - {"clip", "db", "svtr"}


def build(name, layers=None, **inserted):
    torch.manual_seed(0)
    recognizer, cfg = preset(name)
    if layers:
        cfg = replace(cfg, image=replace(cfg.image, layers=layers))
    model = recognizer(cfg)
    if inserted:
        insert(model, ClipterConfig(encoder="random", scene_dim=128, **inserted))
        with torch.no_grad():
            for fusion in model.fusions.values():
                fusion.gate.alpha.fill_(1.0)
    return model.eval()


def images(model):
    size = model.cfg.preprocessing
    return np.random.default_rng(0).normal(size=(5, 3, size.height, size.width)).astype(np.float32)


def photos():
    return [np.random.default_rng(i).integers(0, 256, (50, 80, 3), dtype=np.uint8) for i in range(2)]


def same(found, wanted):
    assert [reading.text for reading in found] == [reading.text for reading in wanted]
    assert [reading.confidence for reading in found] == pytest.approx([r.confidence for r in wanted], rel=1e-3)


def check_without(model, recognizer):
    torch_reader = TorchRecognizer(model)
    for batch in (images(model), images(model)[:1]):
        same(recognizer.read(batch), torch_reader.read(batch))


def check_with(model, recognizer):
    crops = images(model)
    tokens = recognizer.encode_scenes(photos())
    assert tokens == pytest.approx(SceneEncoder.of(model.clipter).encode(photos()).numpy(), abs=1e-4)
    boxes = np.random.default_rng(1).random((5, 4)).astype(np.float32)
    scenes = SceneContext(tokens, np.array([0, 1, 1, 0, 1]), np.array([1, 0, 1, 1, 1], np.float32), boxes)
    tensors = (torch.from_numpy(x) for x in (scenes.tokens, scenes.index, scenes.present, scenes.boxes))
    context = SceneContext(*tensors)
    told, untold = recognizer.read(crops, scenes), recognizer.read(crops)
    same(told, TorchRecognizer(model).read(crops, context))
    assert told[1] == untold[1]  # the null scene
    assert all(told[i] != untold[i] for i in (0, 2, 3, 4))
    one, first = torch.tensor([2]), np.array([2])
    same(recognizer.read(crops[2:3], scenes[first]), TorchRecognizer(model).read(crops[2:3], context[one]))


@pytest.mark.parametrize(
    "name",
    [name if name == "parseq-compact" else pytest.param(name, marks=pytest.mark.slow) for name in COMPACT.values()],
)
def test_a_pack_that_is_told_of_scenes_early(name, tmp_path) -> None:
    model = build(name, 2 if name == "parseq-compact" else None, place="early", kernel=2, box=True)
    pack = export_pack(model, tmp_path, name="told", weights="float32")
    assert (pack.kind, pack.architecture) == (model.kind, model.architecture)
    assert [name for name, graph in pack.graphs.items() if graph.scene_inputs] == ["image"]
    assert pack.about["scene_encoder"] == SceneEncoder.of(model.clipter).identity
    recognizer = OnnxRecognizer(pack, "cpu", 1)
    check_without(model, recognizer)
    check_with(model, recognizer)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPACT.values())
@pytest.mark.parametrize("fusion", ["gated", "mh-ca-mini"])
def test_a_pack_that_is_told_of_scenes_late(name, fusion, tmp_path) -> None:
    model = build(name, place="late", fusion=fusion, kernel=4, gate_form="additive")
    recognizer = OnnxRecognizer(export_pack(model, tmp_path, name="told", weights="float32"), "cpu", 1)
    check_without(model, recognizer)
    check_with(model, recognizer)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPACT.values())
def test_a_pack_that_reads_without_scenes(name, tmp_path) -> None:
    model = build(name)
    pack = export_pack(model, tmp_path, name="plain")
    assert pack.scene is None
    check_texts = TorchRecognizer(model).read(images(model))
    found = OnnxRecognizer(pack, "cpu", 1).read(images(model))  # its weights are rounded to float16
    assert sum(a.text == b.text for a, b in zip(found, check_texts, strict=True)) >= 4


@pytest.mark.slow
@pytest.mark.parametrize("encoder", [{"encoder": "constant", "scene_dim": 768}, {"kernel": None}, {"kernel": 3}])
def test_scene_encoders_of_all_kinds(encoder, tmp_path) -> None:
    torch.manual_seed(0)
    model = build("crnn-compact")
    cfg = ClipterConfig(**({"encoder": "random", "scene_dim": 128, "kernel": 2} | encoder))
    insert(model, cfg)
    recognizer = OnnxRecognizer(export_pack(model, tmp_path, name="told", weights="float32"), "cpu", 1)
    wanted = SceneEncoder.of(cfg).encode(photos()).numpy()
    assert recognizer.encode_scenes(photos()) == pytest.approx(wanted, abs=1e-4)
    check_without(model, recognizer)


def test_the_encoder_of_a_checkpoint_is_found_and_checked() -> None:
    model = build("crnn-compact", place="early", kernel=2)
    found = scene_encoder(model, {})
    assert found is not None
    about = {"scenes": {"encoder": found.identity}}
    assert scene_encoder(model, about, "random:0").identity == found.identity
    with pytest.raises(ConfigError, match=r"trained with the scene encoder .*: set --scene-encoder"):
        scene_encoder(model, about, "random:1")
    plain = build("crnn-compact")
    assert scene_encoder(plain, {}) is None
    with pytest.raises(ConfigError, match="takes no scenes"):
        scene_encoder(plain, {}, "random")


def test_export_command_with_a_scene_encoder(tmp_path) -> None:
    model = build("vitstr-compact", layers=1, place="late", kernel=2)
    model.fusions["late"].gate.alpha.data.fill_(-0.5)
    checkpoint.save(model, tmp_path / "run", steps=3)
    arguments = ["models", "export", str(tmp_path / "run"), "-o", str(tmp_path / "pack"), "--scene-encoder", "random:7"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "image.onnx, scene.onnx" in result.output
    pack = load_pack(tmp_path / "pack")
    assert (pack.kind.name, pack.scene_tokens, pack.about["steps"]) == ("one_shot", (5, 128), 3)
    assert pack.about["scene_encoder"].startswith("random:")
    assert pack.about["scene encoder"] == {"name": "random:7", "licence": "Apache-2.0"}
    assert pack.about["gates"] == {"late": pytest.approx(math.tanh(-0.5), abs=1e-4)}
    assert pack.about["licence"] == "Apache-2.0"


def test_a_foreign_scene_encoder_makes_no_pack_of_ours(tmp_path) -> None:
    """Its weights are in the pack: whose they are is said, and the pack's licence is theirs, too."""
    cfg = ClipConfig(
        ImageTowerConfig(32, 32, (8, 8), width=128, layers=1, heads=2), TextTowerConfig(40, 8, 16, 1, 2), 16
    )
    checkpoint.save(Clip(cfg), tmp_path / "their-clip", converted={"from": "CLIP by OpenAI", "assumed": [], "new": []})
    model = build("vitstr-compact", layers=1, place="late", kernel=2)
    checkpoint.save(model, tmp_path / "run")
    arguments = ["models", "export", str(tmp_path / "run"), "--scene-encoder", str(tmp_path / "their-clip"), "-o"]
    for more, licence in (([], "not stated"), (["--licence", "MIT"], "MIT")):
        result = CliRunner().invoke(app, [*arguments, str(tmp_path / licence), *more])
        assert result.exit_code == 0, result.output
        pack = load_pack(tmp_path / licence)
        assert pack.about["scene encoder"] == {"name": "their-clip", "licence": "not stated"}
        assert pack.about["licence"] == licence


class Counted(torch.nn.Module):
    def forward(self, image):
        return torch.zeros(1, 2, 3).expand(len(image), -1, -1)


def test_a_size_that_the_exporter_fixed_is_noticed() -> None:
    graph = scene_graph(Preprocessing(2, 2), 2, 3)
    with pytest.raises(ModelError, match=r"scene\.onnx: the exporter fixed 'scenes' of image at 3"):
        to_onnx(Counted(), graph, {})
