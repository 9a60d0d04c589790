"""Packs of CLIP4STR with CLIP's text input: the tokenizer inside, all modes, weights in a file of their own."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from wordsight.decoding import PsmGraphs, decode_psm
from wordsight.errors import ConfigError, ModelError
from wordsight.models.clip4str import Clip4Str, Clip4StrConfig
from wordsight.models.config import DecoderConfig, ImageTowerConfig, TextTowerConfig
from wordsight.models.reading import TorchEngine
from wordsight.runtime import OnnxRecognizer, load_pack
from wordsight.text import Charset
from wordsight.weights import export
from wordsight.weights.export import export_graphs, export_pack

VARIANTS = {"shared": {}, "own widths, pooled": {"share_dim": False, "pooled": True}}


@pytest.fixture(scope="module", params=VARIANTS)
def model(request):
    torch.manual_seed(0)
    cfg = Clip4StrConfig(
        image=ImageTowerConfig(16, 16, patch=(8, 8), width=32, layers=1, heads=2),
        text=TextTowerConfig(49408, context=20, width=16, layers=1, heads=2),
        decoder=DecoderConfig(heads=4),
        embed_dim=24,
        charset=Charset.preset("94"),
        max_length=20,
        captions="clip",
        cross_steps="visual",
    )
    model = Clip4Str(replace(cfg, **VARIANTS[request.param]))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1:
                parameter.copy_(torch.randn_like(parameter) * (0.6 if "decoder" in name else 0.3))
        for decoder in (model.visual_decoder, model.cross_decoder):
            decoder.layers[0].cross_attention.v.weight *= 2
            decoder.head.weight[0] *= 2
            decoder.head.bias[0] = 1
    return model.eval()


@pytest.fixture(scope="module")
def protos(model):
    return export_graphs(model)


@pytest.fixture(scope="module")
def pack(model, protos, tmp_path_factory):
    return export_pack(model, tmp_path_factory.mktemp("packs"), graphs=protos, name="clip", weights="float32")


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).normal(size=(12, 3, 16, 16)).astype(np.float32) * 2


def test_a_pack_carries_its_tokenizer(pack, model):
    assert "tokenizer.json" in pack.files
    assert (pack.caption_context, pack.cross_steps) == (16, "visual")
    tokens, lengths = pack.spec.captions.encode(["Exit 12!"])
    expected, _ = model.caption_tokenizer.encode(["Exit 12!"])
    assert tokens.tolist() == expected.tolist()
    assert lengths.tolist() == [16]


@pytest.mark.parametrize("refine_iters", [0, 1, 2])
@pytest.mark.parametrize("mode", ["full", "visual", "parallel"])
def test_onnx_reads_as_torch_does_in_every_mode(model, pack, images, mode, refine_iters):
    recognizer = OnnxRecognizer(pack, "cpu", 1, mode=mode, refine_iters=refine_iters)
    found = recognizer.read(images)
    graphs = PsmGraphs(recognizer._engine)
    passes = decode_psm(graphs, images, pack.spec, mode=mode, refine_iters=refine_iters).passes
    wanted = decode_psm(PsmGraphs(TorchEngine(model)), images, model.cfg.spec, mode=mode, refine_iters=refine_iters)
    assert [r.text for r in found] == [model.tokenizer.decode(x.argmax(1)) for x in wanted.logits]
    assert passes == wanted.passes
    if mode == "visual":
        assert (passes.cross, passes.text) == (0, 0)
    if mode == "parallel":
        assert passes.cross <= 1 + 2 * refine_iters
        assert passes.visual <= 2 + 2 * refine_iters
    alone = recognizer.read(images[3:4])[0]
    assert alone.text == found[3].text


def test_modes_differ(model, images):
    texts = {
        mode: [
            x.argmax(1).tolist()
            for x in decode_psm(PsmGraphs(TorchEngine(model)), images, model.cfg.spec, mode=mode).logits
        ]
        for mode in ("full", "visual", "parallel")
    }
    assert texts["full"] != texts["visual"]
    assert texts["full"] != texts["parallel"]


def test_unknown_mode(pack):
    with pytest.raises(ConfigError, match="choose one of adaptive, full, visual, parallel"):
        OnnxRecognizer(pack, "cpu", 1, mode="quick")
    with pytest.raises(ConfigError, match="choose 0 or more"):
        OnnxRecognizer(pack, "cpu", 1, refine_iters=-1)


@pytest.mark.parametrize("weights", ["float32", "float16"])
def test_large_weights_get_a_file_of_their_own(model, protos, pack, images, tmp_path, monkeypatch, weights):
    monkeypatch.setattr(export, "LARGEST", 500_000)
    large = export_pack(model, tmp_path, graphs=protos, name="large", weights=weights)
    assert "text.onnx.data" in large.files
    assert (tmp_path / "text.onnx").stat().st_size < 100_000
    found = OnnxRecognizer(large, "cpu", 1).read(images)
    if weights == "float32":
        assert [r.text for r in found] == [r.text for r in OnnxRecognizer(pack, "cpu", 1).read(images)]
    data = tmp_path / "text.onnx.data"
    content = bytearray(data.read_bytes())
    content[1000] ^= 1
    data.write_bytes(content)
    with pytest.raises(ModelError, match=r"text.onnx.data is damaged"):
        load_pack(tmp_path)
    data.unlink()
    with pytest.raises(ModelError, match=r"text.onnx.data is missing"):
        load_pack(tmp_path)


def test_without_the_cross_branch_no_tokenizer_is_needed(model, protos, tmp_path):
    visual = {name: protos[name] for name in ("image", "visual")}
    with pytest.raises(ModelError, match=r"image\.onnx has outputs"):  # this image graph feeds both branches
        OnnxRecognizer(export_pack(model, tmp_path, graphs=visual, name="visual"), "cpu", 1)
    assert "tokenizer.json" not in load_pack(tmp_path).files
