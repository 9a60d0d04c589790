import copy
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from wordsight.cli.main import app
from wordsight.decoding import PsmGraphs, decode_psm
from wordsight.errors import ConfigError, ModelError
from wordsight.models import checkpoint
from wordsight.models.clip4str import CLIP4STR_PRESETS, Clip4Str
from wordsight.models.config import ImageTowerConfig, TextTowerConfig
from wordsight.models.reading import TorchEngine
from wordsight.runtime import OnnxRecognizer, load_pack
from wordsight.runtime.onnx import OnnxEngine
from wordsight.weights.export import export_graphs, export_pack, signature, to_onnx
from wordsight.weights.storage import quantize

MAX_LENGTH = 20


@pytest.fixture(scope="module")
def model():
    """Small and random: a stem with batch norms, as in the compact models, and nothing that is zero or one."""
    tiny = CLIP4STR_PRESETS["clip4str-tiny"]
    image = ImageTowerConfig(16, 32, stem=((16, 4, 4), (64, 2, 1)), class_token=False, width=64, layers=1, heads=2)
    text = TextTowerConfig(tiny.text.vocab_size, context=MAX_LENGTH + 2, width=64, layers=1, heads=2)
    decoder = replace(tiny.decoder, heads=2)
    torch.manual_seed(3)
    model = Clip4Str(replace(tiny, image=image, text=text, decoder=decoder, embed_dim=64, max_length=MAX_LENGTH))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim < 2:
                parameter.add_(torch.randn_like(parameter) * 0.1)
            elif "decoder" in name:
                parameter.mul_(8)
        for name, buffer in model.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer.add_(torch.rand_like(buffer))
        for branch in (model.visual_decoder, model.cross_decoder):
            for name, parameter in branch.layers[0].cross_attention.named_parameters():
                parameter *= 3 if name.startswith(("q", "k")) else 2  # words differ between images
            branch.head.weight[0] *= 3  # words of all lengths
            branch.head.bias[0] = -3
    return model.eval()


@pytest.fixture(scope="module")
def protos(model):
    model.train()
    protos = export_graphs(model)
    assert model.training  # as it was before
    assert model.visual_decoder.training
    model.eval()
    return protos


@pytest.fixture(scope="module")
def packs(model, protos, tmp_path_factory):
    folder = tmp_path_factory.mktemp("packs")
    return {w: export_pack(model, folder / w, graphs=protos, name=w, weights=w) for w in ("float32", "float16", "int8")}


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).normal(size=(64, 3, 16, 32), scale=2).astype(np.float32)


def rounded(model, form):
    """The model with the weights that a pack stores."""
    copy = Clip4Str(model.cfg)
    copy.load_state_dict(model.state_dict())
    with torch.no_grad():
        for parameter in copy.parameters():
            if form == "float16" and parameter.numel() >= 1024:
                parameter.copy_(parameter.half().float())
    return copy.eval()


@pytest.mark.parametrize("form", ["float32", "float16"])
@pytest.mark.parametrize("batch", [1, 2, 7, 64])
def test_onnx_equals_torch(model, packs, images, form, batch):
    """float16 packs against the model with rounded weights. Batch norm is folded into the stem before it is rounded."""
    tolerance = 1e-3 if form == "float32" else 2e-2
    expected = decode_psm(PsmGraphs(TorchEngine(rounded(model, form))), images[:batch], model.cfg.spec)
    found = decode_psm(PsmGraphs(OnnxEngine(packs[form], "CPUExecutionProvider", 1)), images[:batch], model.cfg.spec)
    equal = 0
    for want, got in zip(expected.logits, found.logits, strict=True):
        if want.argmax(1).tolist() == got.argmax(1).tolist():
            equal += 1
            np.testing.assert_allclose(got, want, atol=tolerance)
    assert equal == batch if form == "float32" else equal >= 0.95 * batch
    lengths = {len(x) for x in found.logits}
    assert len(lengths) >= {1: 1, 2: 1, 7: 3, 64: 6}[batch]


def test_the_first_draft_is_in_the_image_graph(model, protos, packs, images, tmp_path):
    """Of a model with a CTC head; without it the same is read, in more passes."""
    graphs = PsmGraphs(OnnxEngine(packs["float32"], "CPUExecutionProvider", 1))
    columns = graphs.image(images).columns
    np.testing.assert_array_equal(columns, PsmGraphs(TorchEngine(model)).image(images).columns)
    assert columns.shape == (len(images), model.cfg.image.grid[1])
    bare = copy.copy(model)
    bare._modules = {name: part for name, part in model._modules.items() if name != "ctc_head"} | {"ctc_head": None}
    image = to_onnx(bare.graphs()["image"], signature(bare)["image"], bare.limits)  # the others are the same
    pack = export_pack(bare, tmp_path, graphs=protos | {"image": image}, name="bare", weights="float32")
    undrafted = PsmGraphs(OnnxEngine(pack, "CPUExecutionProvider", 1))
    assert undrafted.image(images).columns is None
    for want, got in zip(
        decode_psm(undrafted, images, model.cfg.spec).logits,
        decode_psm(graphs, images, model.cfg.spec).logits,
        strict=True,
    ):
        np.testing.assert_allclose(got, want, atol=1e-3)


def test_int8_is_close(model, packs, images):
    want = PsmGraphs(TorchEngine(model)).image(images).visual.numpy()
    got = PsmGraphs(OnnxEngine(packs["int8"], "CPUExecutionProvider", 1)).image(images).visual
    assert 0 < np.abs(got - want).max() < 0.1 * np.abs(want).max()


def test_int8_readings_do_not_depend_on_the_batch(packs, images):
    recognizer = OnnxRecognizer(packs["int8"], "cpu", 1)
    together = recognizer.read(images[:16])
    for i in range(16):
        alone = recognizer.read(images[i : i + 1])[0]
        assert alone.text == together[i].text
        assert alone.confidence == pytest.approx(together[i].confidence, rel=1e-3)


def test_sizes(packs):
    large, half, quarter = (packs[w].bytes for w in ("float32", "float16", "int8"))
    assert half < 0.65 * large
    assert quarter < 0.45 * large


def test_quantize_restores_within_half_a_step():
    values = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    values[:, 2] = 0
    levels, scale = quantize(values, axis=1)
    assert (levels.dtype, scale.shape) == (np.int8, (1, 7))
    assert np.abs(levels).max() == 127
    assert (np.abs(levels * scale - values) <= scale / 2 + 1e-7).all()


def test_pack_says_what_it_is(model, protos, tmp_path):
    export_pack(model, tmp_path, graphs=protos, name="mine", temperature=1.5, about={"scores": {"ic15": 80.1}})
    pack = load_pack(tmp_path)
    assert (pack.name, pack.temperature, pack.max_length) == ("mine", 1.5, MAX_LENGTH)
    assert pack.charset == model.cfg.charset
    assert pack.preprocessing == model.cfg.preprocessing
    assert pack.about == {"scores": {"ic15": 80.1}, "weights": "float16"}
    assert sorted(f.name for f in tmp_path.iterdir()) == sorted([*pack.files, "pack.json"])


def test_nothing_of_this_machine_is_in_a_pack(packs):
    for pack in packs.values():
        for name in pack.files:
            content = (pack.folder / name).read_bytes()
            assert b"site-packages" not in content
            assert b".py" not in content
    assert "tmp" not in json.dumps(json.loads((packs["int8"].folder / "pack.json").read_text()))


def test_export_command(model, images, tmp_path, capfd):
    """A checkpoint whose cross-modal branch is not trained yet becomes a pack without it; the exporter keeps quiet."""
    checkpoint.save(model, tmp_path / "run", cross=False, steps=7)
    result = CliRunner().invoke(
        app, ["models", "export", str(tmp_path / "run"), "--out", str(tmp_path / "mine"), "--float32"]
    )
    assert result.exit_code == 0, result.output
    assert capfd.readouterr() == ("", "")
    assert result.output.startswith(f"{tmp_path / 'mine'}: image.onnx, visual.onnx, ")
    assert len(result.output.splitlines()) == 1
    pack = load_pack(tmp_path / "mine")
    assert (pack.name, pack.cross) == ("mine", False)
    assert (pack.about["licence"], pack.about["steps"]) == ("Apache-2.0", 7)
    expected = decode_psm(PsmGraphs(TorchEngine(model, cross=False)), images[:7], model.cfg.spec)
    found = OnnxRecognizer(pack, "cpu", 1).read(images[:7])
    assert [r.text for r in found] == [model.tokenizer.decode(x.argmax(1)) for x in expected.logits]


def test_export_command_without_checkpoint(tmp_path):
    result = CliRunner().invoke(app, ["models", "export", str(tmp_path), "--out", str(tmp_path / "out")])
    assert isinstance(result.exception, ModelError)
    assert "not a checkpoint folder" in str(result.exception)


def test_unknown_storage(model, tmp_path):
    with pytest.raises(ConfigError, match="choose one of float16, float32, int8"):
        export_pack(model, tmp_path, name="x", weights="int4")


def test_export_command_adds_facts(model, tmp_path):
    checkpoint.save(model, tmp_path / "run", cross=False, steps=3)
    facts = tmp_path / "about.json"
    facts.write_text('{"scores": {"words": 12.5}}')
    arguments = ["models", "export", str(tmp_path / "run"), "--out", str(tmp_path / "mine"), "--about", str(facts)]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    about = load_pack(tmp_path / "mine").about
    assert (about["scores"], about["steps"], about["licence"]) == ({"words": 12.5}, 3, "Apache-2.0")
    facts.write_text("[")
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, ConfigError)
    assert str(facts) in str(result.exception)
