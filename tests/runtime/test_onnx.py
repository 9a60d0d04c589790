import threading

import numpy as np
import onnxruntime as ort
import pytest
from plain_pack import PREPROCESSING, SOURCES, SPEC, PlainGraphs, images, write_pack

from wordsight.decoding import PsmGraphs, decode_psm, read_psm
from wordsight.errors import DeviceError, ModelError
from wordsight.runtime import OnnxRecognizer, load_pack


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    return load_pack(write_pack(tmp_path_factory.mktemp("packs") / "plain"))


@pytest.fixture(scope="module")
def recognizer(pack):
    return OnnxRecognizer(pack, device="cpu", threads=1)


@pytest.mark.parametrize("batch", [1, 2, 7, 64])
def test_reads_what_numpy_reads(recognizer, batch):
    found = recognizer.read(images(batch))
    expected = read_psm(PlainGraphs(), images(batch), SPEC)
    assert [r.text for r in found] == [r.text for r in expected]
    assert len({r.text for r in found}) > batch // 2
    assert [r.confidence for r in found] == pytest.approx([r.confidence for r in expected], rel=1e-3)
    passes = decode_psm(PsmGraphs(recognizer._engine), images(batch), SPEC).passes
    assert passes == decode_psm(PlainGraphs(), images(batch), SPEC).passes


def test_visual_branch_alone(tmp_path):
    recognizer = OnnxRecognizer(load_pack(write_pack(tmp_path / "visual", cross=False)), "cpu", 1)
    found = recognizer.read(images(7))
    expected = read_psm(PlainGraphs(cross=False), images(7), SPEC)
    assert [r.text for r in found] == [r.text for r in expected]
    passes = decode_psm(PsmGraphs(recognizer._engine), images(7), SPEC).passes
    assert (passes.cross, passes.text) == (0, 0)


def test_says_what_it_is(recognizer):
    assert recognizer.provider == "CPUExecutionProvider"
    assert recognizer.preprocessing == PREPROCESSING
    assert recognizer.charset == SPEC.tokenizer.charset
    assert recognizer.threads == 1
    assert recognizer.read(np.zeros((0, 3, 8, 16), np.float32)) == []


def test_threads_share_a_recognizer(recognizer):
    expected = [r.text for r in recognizer.read(images(16))]
    wrong = []

    def read(shift):
        for i in range(40):
            k = (i * 3 + shift) % 16
            if recognizer.read(images(16)[k : k + 1])[0].text != expected[k]:
                wrong.append(k)

    threads = [threading.Thread(target=read, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_device_that_is_not_there_is_an_error(pack, monkeypatch):
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(DeviceError, match=r"it has: cpu.*install onnxruntime-gpu"):
        OnnxRecognizer(pack, device="cuda")
    with pytest.raises(DeviceError, match="choose auto, cpu, cuda, coreml, openvino"):
        OnnxRecognizer(pack, device="tpu")
    assert OnnxRecognizer(pack, device="auto").provider == "CPUExecutionProvider"


@pytest.mark.parametrize("silent", [True, False])
def test_a_fall_back_is_an_error(pack, monkeypatch, caplog, silent):
    """ONNX Runtime lists CUDA whenever it was built with it, and goes on with the CPU if the driver is missing."""
    session = ort.InferenceSession

    def start(path, options, providers, **more):
        if not silent and providers[0].startswith("CUDA"):
            raise RuntimeError("no driver")
        return session(path, options, ["CPUExecutionProvider"], **more)

    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    monkeypatch.setattr(ort, "InferenceSession", start)
    with pytest.raises(DeviceError, match="CUDAExecutionProvider did not start"):
        OnnxRecognizer(pack, device="cuda")
    assert OnnxRecognizer(pack, device="auto").provider == "CPUExecutionProvider"
    assert "CUDAExecutionProvider did not start" in caplog.text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("float[batch,1,2,8,24] kv", "float[batch,1,2,9,24] kv"),
        ("=> (float[batch,length,24] logits)", "=> (float[batch,length,24] content)"),
        (
            "int64[batch,length] tokens, float[batch,1,2,8,24] kv",
            "float[batch,1,2,8,24] kv, int64[batch,length] tokens",
        ),
    ],
    ids=["shape", "name", "order"],
)
def test_a_graph_unlike_the_stated_one_is_refused(tmp_path, old, new):
    folder = write_pack(tmp_path / "odd", visual=SOURCES["visual"].replace(old, new))
    with pytest.raises(ModelError, match=r"visual\.onnx has (in|out)puts .*, the pack states .*: export it again"):
        OnnxRecognizer(load_pack(folder), "cpu")


def test_a_file_that_is_no_graph_is_refused(tmp_path):
    folder = write_pack(tmp_path / "text")
    (folder / "cross.onnx").write_bytes(b"not a graph")
    rehash(folder)
    with pytest.raises(ModelError, match=r"cross\.onnx cannot be loaded") as caught:
        OnnxRecognizer(load_pack(folder), "cpu")
    assert "\n" not in str(caught.value)


def rehash(folder):
    import json

    from wordsight.runtime.pack import sha256

    manifest = json.loads((folder / "pack.json").read_text())
    manifest["files"] = {name: sha256(folder / name) for name in manifest["files"]}
    (folder / "pack.json").write_text(json.dumps(manifest))
