"""`wordsight bench`: times of stages, memory, operations."""

import json

import pytest
from typer.testing import CliRunner

from wordsight.cli.bench import _count
from wordsight.cli.main import app

STAGES = ("photo: open", "photo: find text", "photo: recognize", "photo: the rest")


def test_stages_add_up(tmp_path):
    command = ["bench", "latin", "--rounds", "2", "--threads", "1", "--json", str(tmp_path / "times.json")]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "times.json").read_text())
    assert (found["model"], found["threads"]) == ("latin", 1)
    seconds = found["seconds"]
    assert {len(each) for each in seconds.values()} == {2}
    for number, whole in enumerate(seconds["photo: all"]):
        assert sum(seconds[stage][number] for stage in STAGES) == pytest.approx(whole)
    assert seconds["photo: find text"][0] > 0
    assert "peak memory of this process" in result.output
    for stage in (*seconds, "median, ms", "p95, ms"):
        assert stage in result.output


def test_operations_of_a_network_are_counted():
    onnx = pytest.importorskip("onnx")
    helper, real = onnx.helper, onnx.TensorProto.FLOAT
    weights = {"kernel": [4, 3, 3, 3], "matrix": [6, 5]}
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "kernel"], ["seen"], pads=[1, 1, 1, 1]),
            helper.make_node("MatMul", ["seen", "matrix"], ["out"]),
        ],
        "small",
        [helper.make_tensor_value_info("image", real, [1, 3, 8, 6])],
        [helper.make_tensor_value_info("out", real, [1, 4, 8, 5])],
        [_zeros(onnx, name, shape) for name, shape in weights.items()],
    )
    model = onnx.shape_inference.infer_shapes(helper.make_model(graph))
    assert _count(model) == 2 * (4 * 8 * 6) * (3 * 3 * 3) + 2 * (4 * 8 * 5) * 6


def _zeros(onnx, name, shape):
    import numpy as np

    return onnx.numpy_helper.from_array(np.zeros(shape, np.float32), name)


def test_a_model_that_has_to_be_got_first_is_said_so():
    result = CliRunner().invoke(app, ["bench", "parseq"])
    assert "wordsight models pull parseq --out weights" in str(result.exception)
