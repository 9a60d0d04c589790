"""Where the detector looks: parts of a picture, and that looking at them finds what looking at all of it does."""

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
from PIL import Image, ImageDraw, ImageFont

from wordsight.detect import TextDetector, find_detector, write_detector
from wordsight.detect.glance import parts_with_text
from wordsight.errors import ModelError


def blocks(*spots: tuple[int, int], size: tuple[int, int] = (40, 60)) -> np.ndarray:
    out = np.zeros(size, np.float32)
    for spot in spots:
        out[spot] = 0.9
    return out


def corners(part) -> tuple[int, ...]:
    """Top, left, bottom, right in blocks."""
    return tuple(value // 16 for value in (part[0].start, part[1].start, part[0].stop, part[1].stop))


def test_nowhere_is_text():
    assert parts_with_text(np.zeros((40, 60), np.float32), 0.5) == []


def test_a_block_and_what_is_around_it():
    (part,) = parts_with_text(blocks((11, 20)), 0.5)
    assert corners(part) == (8, 18, 14, 24)  # two blocks to all sides, in steps of two
    assert parts_with_text(blocks((11, 20)), 0.95) == []


def test_parts_end_with_the_picture():
    assert [corners(part) for part in parts_with_text(blocks((0, 0), (39, 59)), 0.5)] == [
        (0, 0, 4, 4),
        (36, 56, 40, 60),
    ]


def test_parts_that_waste_little_are_one():
    (part,) = parts_with_text(blocks((11, 20), (11, 28)), 0.5)
    assert corners(part) == (8, 18, 14, 32)
    assert len(parts_with_text(blocks((11, 20), (30, 40)), 0.5)) == 2


def test_text_everywhere_is_looked_at_at_once():
    spots = [(row, column) for row in range(4, 40, 6) for column in range(4, 60, 6)]
    (part,) = parts_with_text(blocks(*spots), 0.5)
    assert corners(part) == (0, 0, 40, 60)


def test_all_that_is_suspected_is_looked_at():
    rng = np.random.default_rng(0)
    for share in (0.0005, 0.002, 0.01, 0.1, 1.0):
        probability = (rng.random((46, 80)) < share).astype(np.float32)
        seen = np.zeros((46 * 16, 80 * 16), bool)
        parts = parts_with_text(probability, 0.5)
        for rows, columns in parts:
            seen[rows, columns] = True
            assert all(0 <= s.start < s.stop and s.start % 32 == s.stop % 32 == 0 for s in (rows, columns))
        for row, column in np.argwhere(probability > 0.5):
            top, left = max(0, row - 2) * 16, max(0, column - 2) * 16
            assert seen[top : (row + 3) * 16, left : (column + 3) * 16].all()


# ---- in the detector


def sign(size: tuple[int, int] = (1280, 720)) -> np.ndarray:
    image = Image.new("RGB", size, (120, 140, 160))
    ImageDraw.Draw(image).rectangle((900, 500, 1200, 600), "white")
    ImageDraw.Draw(image).text((930, 525), "Bakery", "black", ImageFont.load_default(48))
    return np.asarray(image)


@pytest.fixture
def watched(monkeypatch):
    """A detector of one thread, and the pixels that its network has seen."""
    detector, seen = TextDetector(threads=1), []
    session = detector._session

    class Watching:
        get_inputs = session.get_inputs

        def run(self, names, values):
            rows, columns = values["images"].shape[2:]
            if (rows, columns) != (192, 352):  # the copy that is a quarter as large is seen whole
                seen.append(rows * columns)
            return session.run(names, values)

    monkeypatch.setattr(detector, "_session", Watching())
    return detector, seen


def everywhere(**options) -> TextDetector:
    detector = TextDetector(threads=1, **options)
    detector._glance = None
    return detector


def test_a_small_part_of_the_picture_is_looked_at(watched):
    detector, seen = watched
    (box,) = detector.detect(sign())
    assert 0 < sum(seen) < 0.35 * 1280 * 736
    (same,) = everywhere().detect(sign())
    assert np.abs(box.polygon - same.polygon).max() < 4
    assert abs(box.score - same.score) < 0.1


def test_a_small_picture_is_looked_at_as_a_whole(watched):
    detector, seen = watched
    detector.detect(sign()[480:620, 880:1220])  # shown as 704 x 288
    assert max(seen) == 704 * 288


def test_where_no_text_is_nothing_is_looked_at(watched):
    detector, seen = watched
    assert detector.detect(np.full((720, 1280, 3), 90, np.uint8)) == []
    assert seen == []


def test_a_page_is_looked_at_as_a_whole(watched):
    image = Image.new("RGB", (1280, 736), "white")
    for row in range(23):
        text = "All work and no play makes Jack a dull boy and his page a full one"
        ImageDraw.Draw(image).text((20, 12 + 31 * row), text, "black", ImageFont.load_default(36))
    detector, seen = watched
    boxes = detector.detect(np.asarray(image))
    assert max(seen) == 1280 * 736
    assert [tuple(box.polygon[0]) for box in boxes] == [
        tuple(box.polygon[0]) for box in everywhere().detect(np.asarray(image))
    ]


def test_a_pack_without_a_glance_looks_everywhere(tmp_path):
    """As those written before there were glances."""
    shipped = find_detector()
    (tmp_path / "map.onnx").write_bytes(shipped.file.read_bytes())
    write_detector(replace(shipped, file=tmp_path / "map.onnx", glance=None))
    manifest = json.loads((tmp_path / "detector.json").read_text())
    del manifest["glance"], manifest["suspicion"]
    (tmp_path / "detector.json").write_text(json.dumps(manifest))
    assert find_detector(tmp_path).glance is None
    ours, all_of_it = TextDetector(tmp_path, threads=1).detect(sign()), everywhere().detect(sign())
    assert [box.score for box in ours] == [box.score for box in all_of_it]


def test_its_graph_is_of_blocks():
    graph = onnx.load(find_detector().glance).graph
    assert [value.name for value in graph.output] == ["probability"]
    assert len(graph.output[0].type.tensor_type.shape.dim) == 3


@pytest.mark.parametrize("graph", ["map.onnx", "glance.onnx"])
@pytest.mark.parametrize(
    ("what", "message"), [("NaN", "outputs NaN"), ("shape", r"gives \(.*\) instead of"), ("failure", "failed")]
)
def test_what_is_no_probability_is_one_line(tmp_path, graph, what, message):
    shipped = find_detector()
    for file in (shipped.file, shipped.glance):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    model = onnx.load(tmp_path / graph)
    node = next(node for node in model.graph.node if "probability" in node.output)
    node.output[:] = ["before"]
    number = {"NaN": np.full(1, np.nan, np.float32), "failure": np.zeros(5, np.float32)}
    if what == "shape":
        last = onnx.helper.make_node("Transpose", ["before"], ["probability"])
    else:
        model.graph.initializer.append(onnx.numpy_helper.from_array(number[what], "added"))
        last = onnx.helper.make_node("Add", ["before", "added"], ["probability"])
    model.graph.node.append(last)
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    onnx.save(model, tmp_path / graph)
    write_detector(replace(shipped, file=tmp_path / "map.onnx", glance=tmp_path / "glance.onnx"))
    with pytest.raises(ModelError, match=message) as caught:
        TextDetector(tmp_path, "cpu", 1).detect(sign())
    assert "\n" not in str(caught.value)
