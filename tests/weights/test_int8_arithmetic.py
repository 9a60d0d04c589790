import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import parser
from PIL import Image
from typer.testing import CliRunner

from wordsight.cli.main import app
from wordsight.decoding import PsmGraphs, decode_psm
from wordsight.decoding.kinds import KINDS
from wordsight.errors import ConfigError, ModelError
from wordsight.models import checkpoint
from wordsight.models.clip4str import CLIP4STR_PRESETS, Clip4Str
from wordsight.models.config import ImageTowerConfig, TextTowerConfig
from wordsight.runtime import OnnxRecognizer, load_pack
from wordsight.runtime.pack import MANIFEST
from wordsight.runtime.sessions import open_session
from wordsight.weights.export import export_pack
from wordsight.weights.quantize import to_int8

IMAGES = np.random.default_rng(0).normal(size=(6, 3, 16, 32)).astype(np.float32)

SOURCE = """<ir_version: 9, opset_import: ["" : 20]>
    tower (float[batch,4,64] x) => (float[batch,4,32] y)
    { a = MatMul(x, first) b = Gelu(a) c = MatMul(b, second) n = LayerNormalization(c, ones) y = MatMul(n, third) }"""


def tower(source=SOURCE):
    """Two products in front of the norm, one of them of what GELU gave, and one behind it."""
    model = parser.parse_model(source)
    rng = np.random.default_rng(1)
    for name, shape in {"first": (64, 96), "second": (96, 64), "third": (64, 32)}.items():
        values = rng.normal(size=shape).astype(np.float32) / 8
        model.graph.initializer.append(onnx.numpy_helper.from_array(values, name))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(64, np.float32), "ones"))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(1.702), "slope"))
    return model


QUICKGELU = SOURCE.replace("b = Gelu(a)", "l = Mul(a, slope) s = Sigmoid(l) b = Mul(a, s)")


def run(model, **inputs):
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, inputs)[0]


@pytest.mark.parametrize("source", [SOURCE, QUICKGELU], ids=["gelu", "quickgelu"])
def test_products_in_front_of_the_last_norm_become_integer_ones(source):
    exact, quick = tower(source), tower(source)
    assert to_int8(quick) == 2
    of_levels = [node.input[4] for node in quick.graph.node if node.op_type == "MatMulIntegerToFloat"]
    assert of_levels == ["quantized.zero.128", "quantized.zero.24"]
    onnx.checker.check_model(quick)
    assert [node.op_type for node in quick.graph.node].count("MatMulIntegerToFloat") == 2
    x = np.random.default_rng(2).normal(size=(3, 4, 64)).astype(np.float32)
    expected, found = run(exact, x=x), run(quick, x=x)
    error = np.abs(found - expected).std() / expected.std()
    assert 0 < error < 0.02


def test_a_row_depends_on_no_other_however_large():
    model = tower()
    to_int8(model)
    x = np.random.default_rng(2).normal(size=(3, 4, 64)).astype(np.float32)
    alone = run(model, x=x[:1])
    x[1:] *= 1000
    x[2] = 0
    np.testing.assert_array_equal(run(model, x=x)[:1], alone)


@pytest.fixture(scope="module")
def model():
    tiny = CLIP4STR_PRESETS["clip4str-tiny"]
    image = ImageTowerConfig(16, 32, stem=((16, 4, 4), (64, 2, 1)), class_token=False, width=64, layers=1, heads=2)
    text = TextTowerConfig(tiny.text.vocab_size, context=22, width=64, layers=1, heads=2)
    decoder = replace(tiny.decoder, heads=2)
    torch.manual_seed(3)
    model = Clip4Str(replace(tiny, image=image, text=text, decoder=decoder, embed_dim=64, max_length=20))
    with torch.no_grad():
        for branch in (model.visual_decoder, model.cross_decoder):
            branch.head.weight[0] *= 3  # words of all lengths
            for parameter in branch.layers[0].cross_attention.parameters():
                parameter *= 4
    return model.eval()


@pytest.fixture(scope="module")
def pack(model, tmp_path_factory):
    return export_pack(model, tmp_path_factory.mktemp("int8") / "pack", name="hurried", weights="float32", int8=True)


def with_margin(pack, folder, margin):
    shutil.copytree(pack.folder, folder)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["quick"]["margin"] = margin
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return load_pack(folder)


class Ran:
    """A function that keeps the first argument of its calls."""

    def __init__(self, function):
        self.function, self.names = function, []

    def __call__(self, name, *inputs, **options):
        self.names.append(name)
        return self.function(name, *inputs, **options)


def test_words_in_doubt_are_read_again_in_float32(pack, tmp_path, monkeypatch):
    exact = OnnxRecognizer(replace(pack, fast=None), "cpu", 1).read(IMAGES)
    margins = sorted(reading.margin for reading in exact)
    quick = OnnxRecognizer(with_margin(pack, tmp_path / "quick", 0.0), "cpu", 1).read(IMAGES)
    again = OnnxRecognizer(with_margin(pack, tmp_path / "again", 1e6), "cpu", 1).read(IMAGES)
    some = OnnxRecognizer(with_margin(pack, tmp_path / "some", (margins[2] + margins[3]) / 2), "cpu", 1)
    assert [r.confidence for r in again] == [r.confidence for r in exact]
    assert [r.confidence for r in quick] != [r.confidence for r in exact]
    same = [a.confidence == b.confidence for a, b in zip(some.read(IMAGES), exact, strict=True)]
    assert 0 < sum(same) < len(IMAGES)
    once = OnnxRecognizer(with_margin(pack, tmp_path / "once", 0.0), "cpu", 1)
    for recognizer in (some, once):
        monkeypatch.setattr(recognizer._engine, "run", (exact_run := Ran(recognizer._engine.run)))
        recognizer.read(IMAGES)
        assert ("visual" in exact_run.names) == (recognizer is some)


@pytest.mark.parametrize("size", [1, 4, 40])
def test_a_word_is_read_the_same_beside_any_others(pack, tmp_path, size):
    """Some of them again in float32."""
    crops = np.random.default_rng(5).normal(size=(40, 3, 16, 32)).astype(np.float32)
    exact = OnnxRecognizer(replace(pack, fast=None), "cpu", 1).read(crops)
    middle = float(np.median([reading.margin for reading in exact]))
    mixed = OnnxRecognizer(with_margin(pack, tmp_path / "some", middle), "cpu", 2)
    together = mixed.read(crops)
    parts = [reading for i in range(0, 40, size) for reading in mixed.read(crops[i : i + size])]
    assert [r.text for r in parts] == [r.text for r in together]
    assert [r.confidence for r in parts] == pytest.approx([r.confidence for r in together], rel=1e-5)
    assert [r.margin for r in parts] == pytest.approx([r.margin for r in together], rel=1e-3, abs=1e-5)
    assert mixed.read(crops[:0]) == []


def test_threads_share_a_recognizer_that_hurries(pack):
    shared = OnnxRecognizer(pack, "cpu", 1)

    def text(image):
        return shared.read(image[None])[0].text

    expected = [text(image) for image in IMAGES]
    with ThreadPoolExecutor(6) as threads:
        for _ in range(5):
            assert list(threads.map(text, IMAGES)) == expected


def test_integers_are_for_the_cpu_alone(pack, monkeypatch):
    opened = []

    def elsewhere(pack, name, provider, threads):
        opened.append((pack.graphs[name].file, provider))
        return open_session(pack, name, "CPUExecutionProvider", threads)

    monkeypatch.setattr("wordsight.runtime.recognizer.choose_provider", lambda *_: "CUDAExecutionProvider")
    monkeypatch.setattr("wordsight.runtime.onnx.open_session", elsewhere)
    found = OnnxRecognizer(pack, "cuda", 1).read(IMAGES)
    assert {provider for _, provider in opened} == {"CUDAExecutionProvider"}
    assert pack.fast.file not in [file for file, _ in opened]
    expected = OnnxRecognizer(replace(pack, fast=None), "cpu", 1).read(IMAGES)
    assert [r.confidence for r in found] == [r.confidence for r in expected]


def test_export_names_all_graphs_and_the_pack_reads(model, tmp_path):
    checkpoint.save(model, tmp_path / "checkpoint")
    out = ["-o", str(tmp_path / "pack")]
    result = CliRunner().invoke(app, ["models", "export", str(tmp_path / "checkpoint"), *out, "--int8-arithmetic"])
    assert result.exit_code == 0, result.output
    assert "cross.onnx, quick.onnx" in result.output
    Image.new("RGB", (60, 20), "grey").save(tmp_path / "crop.png")
    reading = ["read", str(tmp_path / "crop.png"), "--crops", "--model", str(tmp_path / "pack"), "--format", "json"]
    result = CliRunner().invoke(app, reading)
    assert result.exit_code == 0, result.output
    assert '"confidence"' in result.output


def test_a_margin_is_the_smallest_lead_of_a_character_or_the_end(pack):
    recognizer = OnnxRecognizer(replace(pack, fast=None), "cpu", 1)
    (first,) = recognizer.read(IMAGES[:1])
    logits = decode_psm(PsmGraphs(recognizer._engine), IMAGES[:1], pack.spec).logits[0]
    ordered = np.sort(logits[: len(first.text) + 1], axis=1)
    assert first.margin == pytest.approx((ordered[:, -1] - ordered[:, -2]).min(), rel=1e-6)


def test_a_quick_graph_is_verified_like_the_others(pack, tmp_path):
    with pytest.raises(ModelError, match="margin"):
        with_margin(pack, tmp_path / "wrong", -1.0)
    folder = tmp_path / "damaged"
    shutil.copytree(pack.folder, folder)
    (folder / pack.fast.file).write_bytes(b"")
    with pytest.raises(ModelError, match=r"quick\.onnx is damaged"):
        load_pack(folder)


def test_other_decodings_have_no_int8_arithmetic(model, tmp_path, monkeypatch):
    monkeypatch.setattr(type(model), "kind", KINDS["ctc"])
    with pytest.raises(ConfigError, match="int8 arithmetic is for PARSeq and CLIP4STR"):
        export_pack(model, tmp_path / "pack", name="x", int8=True)
