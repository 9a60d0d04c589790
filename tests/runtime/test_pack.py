import hashlib
import json
import os
import shutil

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from plain_pack import CHARSET, PREPROCESSING, write_pack

from wordsight import Reader
from wordsight.errors import ModelError
from wordsight.runtime import load_pack


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return write_pack(tmp_path_factory.mktemp("packs") / "plain")


@pytest.fixture
def folder(good, tmp_path):
    return shutil.copytree(good, tmp_path / "copy")


def change(folder, edit):
    path = folder / "pack.json"
    manifest = json.loads(path.read_text())
    edit(manifest)
    path.write_text(json.dumps(manifest))
    return folder


def refusal(folder):
    with pytest.raises(ModelError) as caught:
        load_pack(folder)
    message = str(caught.value)
    assert str(folder) in message
    assert "\n" not in message
    return message


def test_a_good_pack_is_what_was_written(good):
    pack = load_pack(good)
    assert (pack.name, pack.architecture, pack.max_length, pack.refine_iters) == ("plain", "clip4str", 12, 1)
    assert (pack.charset, pack.preprocessing, pack.temperature) == (CHARSET, PREPROCESSING, 1.0)
    assert list(pack.graphs) == ["image", "visual", "text", "cross"]
    assert pack.about["scores"] == {"all": 1}
    assert pack.bytes == sum(f.stat().st_size for f in good.iterdir())


def test_a_pack_of_before_that_asks_for_thorough_readers_is_read_like_others(folder):
    change(folder, lambda manifest: manifest.update(thorough=True))
    assert not Reader(folder)._strips.tta
    assert Reader(folder, tta=True)._strips.tta


def test_wrong_hash(folder):
    data = bytearray((folder / "cross.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "cross.onnx").write_bytes(data)
    assert "cross.onnx is damaged or was changed" in refusal(folder)


def test_missing_file(folder):
    (folder / "text.onnx").unlink()
    assert "text.onnx is missing" in refusal(folder)


@pytest.mark.parametrize("version", [0, 2, "1", None, True])
def test_unknown_format(folder, version):
    change(folder, lambda m: m.update(format=version))
    assert f"its format is {version!r}, this version reads 1: update wordsight" in refusal(folder)


def test_no_manifest(tmp_path):
    assert "no readable pack.json: pass a folder" in refusal(tmp_path)
    (tmp_path / "pack.json").write_text("{")
    assert "not JSON" in refusal(tmp_path)
    (tmp_path / "pack.json").write_text("[]")
    assert "its format is None" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda m: m["graphs"]["visual"]["outputs"].update(logits=["batch", "length", 7]), "'visual' states outputs"),
        (lambda m: m["graphs"]["cross"]["inputs"].pop("memory_mask"), "'cross' states inputs"),
        (lambda m: m["graphs"]["image"]["inputs"].update(image=["batch", 3, 9, 16]), "'image' states inputs"),
        (lambda m: m["graphs"]["image"]["outputs"].update(kv_visual=["batch", 1, 2]), "states no K/V"),
        (lambda m: m["graphs"].pop("text"), "it has the graphs cross, image, visual, not"),
        (lambda m: m["graphs"].pop("image"), "states no K/V"),
        (lambda m: m["files"].pop("text.onnx"), "states no hash for text.onnx"),
        (lambda m: m.update(decoding="beam"), "its decoding is 'beam', this version knows 'psm', 'ctc'"),
        (lambda m: m.update(decoding="ctc"), "states no logits of shape (batch, columns, classes)"),
        (lambda m: m.update(tokenizer="clip-bpe"), "its tokenizer is 'clip-bpe'"),
        (lambda m: m["charset"].update(characters="abc"), "do not have the hash"),
        (lambda m: m["preprocessing"].update(std=[0, 1, 1]), "inconsistent"),
        (lambda m: m.update(temperature=0), "temperature above 0"),
        (lambda m: m.update(temperature="warm"), "is malformed"),
        (lambda m: m.pop("max_length"), "'max_length' is missing"),
        (lambda m: m.update(graphs=[]), "is malformed"),
        (lambda m: m.update(charset="94"), "is malformed"),
        (lambda m: m.update(about=3), "is malformed"),
    ],
)
def test_inconsistent_manifests(folder, edit, reason):
    assert reason in refusal(change(folder, edit))


@pytest.mark.parametrize("name", ["../secret.onnx", "/etc/passwd", "a/b.onnx", "..", ".hidden", "", "a\\b.onnx", "x\n"])
def test_file_names_that_leave_the_folder(folder, name):
    assert "not a plain name" in refusal(change(folder, lambda m: m["graphs"]["text"].update(file=name)))


def test_hashed_names_that_leave_the_folder(folder):
    (folder.parent / "other").write_text("x")
    assert "not a plain name" in refusal(change(folder, lambda m: m["files"].update({"../other": "0"})))


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda m: m.update(refine_iters=10**9), "refine_iters is over 100"),
        (lambda m: m.update(refine_iters=float("inf")), "is malformed"),
        (lambda m: m.update(max_length=10**9), "max_length is over 10000"),
        (lambda m: m.update(temperature=float("nan")), "temperature above 0"),
        (lambda m: m["charset"].update(characters="abc\x1b"), "U+001B, which are invisible in text"),
        (lambda m: m["charset"].update(characters="abc\n\0"), "U+000A, U+0000"),
        (lambda m: m["charset"].update(characters="abc\u202e"), "U+202E"),
    ],
)
def test_a_pack_cannot_ask_for_ever_or_write_what_terminals_obey(folder, edit, reason):
    assert reason in refusal(change(folder, edit))


def test_a_manifest_of_lists_in_lists(folder):
    (folder / "pack.json").write_text("[" * 100_000)
    assert "is not JSON" in refusal(folder)


@pytest.mark.parametrize("name", ["pack.json", "image.onnx"])
def test_a_pipe_in_place_of_a_file_is_not_waited_for(folder, name):
    (folder / name).unlink()
    os.mkfifo(folder / name)
    assert "readable" in refusal(folder) or "cannot be read" in refusal(folder)


def test_files_of_weights_are_hashed_too(folder):
    """A graph may say that its weights lie in another file."""
    graph = onnx.load(folder / "image.onnx")
    weights = numpy_helper.from_array(np.zeros((200, 200), np.float32), "unused")
    graph.graph.initializer.append(weights)
    onnx.save(graph, folder / "image.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    pack = json.loads((folder / "pack.json").read_text())
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in pack["files"]}
    change(folder, lambda m: m.update(files=digests))
    assert "states no hash for 'weights.bin', where image.onnx has weights" in refusal(folder)
    digests["weights.bin"] = hashlib.sha256((folder / "weights.bin").read_bytes()).hexdigest()
    assert load_pack(change(folder, lambda m: m.update(files=digests))).name == "plain"


def test_a_graph_with_garbage_for_names_is_one_line_and_prints_nothing(folder, capfd):
    """ONNX Runtime's message is no text then, for which its Python part printed three lines and tried again."""
    graph = (folder / "image.onnx").read_bytes()
    kind = onnx.load(folder / "image.onnx").graph.node[0].op_type.encode()
    garbage = graph.replace(bytes([len(kind)]) + kind, bytes([len(kind)]) + b"\xf0" * len(kind))
    assert garbage != graph
    (folder / "image.onnx").write_bytes(garbage)
    change(folder, lambda m: m["files"].update({"image.onnx": hashlib.sha256(garbage).hexdigest()}))
    with pytest.raises(ModelError, match=r"image\.onnx cannot be loaded") as caught:
        Reader(folder).read_crops([np.zeros((20, 60, 3), np.uint8)])
    assert str(caught.value).isprintable()
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("what", ["NaN", "failure"])
def test_what_is_no_number_is_an_error_that_names_the_model(folder, what, tmp_path):
    """It read "" with confidence 1.0."""
    graph = onnx.load(folder / "visual.onnx")
    node = graph.graph.node[-1]
    if what == "NaN":
        tensor = numpy_helper.from_array(np.full(1, np.nan, np.float32), "nan")
        last = helper.make_node("Add", ["before", "nan"], list(node.output))
    else:  # of five values, of which there are 24
        tensor = numpy_helper.from_array(np.zeros(5, np.float32), "nan")
        last = helper.make_node("Add", ["before", "nan"], list(node.output))
    node.output[0] = "before"
    graph.graph.initializer.append(tensor)
    graph.graph.node.append(last)
    onnx.save(graph, folder / "visual.onnx")
    digest = hashlib.sha256((folder / "visual.onnx").read_bytes()).hexdigest()
    change(folder, lambda m: m["files"].update({"visual.onnx": digest}))
    pixels = np.random.default_rng(0).integers(0, 255, (20, 60, 3), np.uint8)
    with pytest.raises(ModelError, match=r"visual\.onnx (outputs NaN|failed|cannot be loaded)"):
        Reader(folder).read_crops([pixels])
    if what == "NaN":
        results = list(Reader(folder, batch_size=2).iter_crops([pixels, b"no picture", pixels]))
        assert [type(result).__name__ for result in results] == ["ModelError", "ImageError", "ModelError"]
