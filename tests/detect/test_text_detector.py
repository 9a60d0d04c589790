"""The detector on pictures drawn here; beside RapidOCR's own on real scenes where there are any."""

import io
import json
import logging
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from wordsight import Reader
from wordsight.detect import TextDetector, find_detector, look, on_demand, packs, write_detector
from wordsight.errors import BoxError, ConfigError, DeviceError, ImageError, ModelError
from wordsight.imaging import load_image

DATA = Path(os.environ.get("WORDSIGHT_DATA", Path(__file__).parents[2].parent / "shared" / "data"))


@pytest.fixture(scope="module")
def detector() -> TextDetector:
    return TextDetector(threads=1)


def extent(text: str, x: int, y: int) -> tuple[float, float, float, float]:
    """Where `picture` draws a text."""
    return ImageDraw.Draw(Image.new("L", (1, 1))).textbbox((x, y), text, ImageFont.load_default(28))


def picture(*lines: tuple[str, int, int], size: tuple[int, int] = (320, 160)) -> np.ndarray:
    image = Image.new("RGB", size, (250, 250, 240))
    for text, x, y in lines:
        ImageDraw.Draw(image).text((x, y), text, "black", ImageFont.load_default(28))
    return np.asarray(image)


def bounds(polygon: np.ndarray) -> tuple[float, float, float, float]:
    return (*polygon.min(axis=0), *polygon.max(axis=0))


def same(a, b) -> bool:
    return len(a) == len(b) and all(
        x.score == y.score and np.array_equal(x.polygon, y.polygon) for x, y in zip(a, b, strict=True)
    )


def test_lines_are_found_and_ordered(detector):
    boxes = detector.detect(picture(("Hello there", 60, 95), ("First line", 30, 20)))
    assert len(boxes) == 2
    for box, text in zip(boxes, [("First line", 30, 20), ("Hello there", 60, 95)], strict=True):
        assert bounds(box.polygon) == pytest.approx(extent(*text), abs=6)
        assert box.polygon.shape == (4, 2)
        assert box.polygon.dtype == np.float64
        assert 0.5 <= box.score <= 1


@pytest.mark.parametrize("angle", [-40, -20, 20, 40])
def test_a_rotated_line_starts_at_its_top_left(detector, angle):
    upright = Image.fromarray(picture(("Rotated text", 70, 140), size=(320, 320)))
    image = np.asarray(upright.rotate(angle, Image.Resampling.BICUBIC, fillcolor=(250, 250, 240)))
    (box,) = detector.detect(image)
    top = box.polygon[1] - box.polygon[0]
    side = box.polygon[3] - box.polygon[0]
    assert np.degrees(np.arctan2(-top[1], top[0])) == pytest.approx(angle, abs=5)
    assert top[0] * side[1] - top[1] * side[0] > 0  # clockwise
    assert np.linalg.norm(top) > 2 * np.linalg.norm(side)


@pytest.mark.parametrize("angle", [90, 270])
def test_text_on_its_side_comes_tall(detector, angle):
    upright = Image.fromarray(picture(("On its side", 60, 60)))
    (box,) = detector.detect(np.asarray(upright.rotate(angle, expand=True)))
    left, top, right, bottom = bounds(box.polygon)
    assert bottom - top > 2 * (right - left)
    assert box.polygon[0] == pytest.approx((left, top), abs=3)


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (31, 33), (1, 900), (3000, 40)])
def test_odd_sizes(detector, size):
    assert detector.detect(np.full((*size, 3), 255, np.uint8)) == []
    for box in detector.detect(np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)):
        left, top, right, bottom = bounds(box.polygon)
        assert 0 <= left < right <= size[1]
        assert 0 <= top < bottom <= size[0]


def test_a_picture_without_text(detector):
    assert detector.detect(np.zeros((200, 300, 3), np.uint8)) == []


@pytest.mark.parametrize("tall", [False, True])
def test_a_very_long_picture(detector, tall):
    """Padded, not blown up to 736 pixels on its short side, and the boxes still where the text is."""
    texts = [("Menu", 30, 1180), ("today", 28, 1230)] if tall else [("Long banner", 1200, 4)]
    boxes = detector.detect(picture(*texts, size=(150, 1600) if tall else (1600, 48)))
    assert len(boxes) == len(texts)
    for box, text in zip(boxes, texts, strict=True):
        assert bounds(box.polygon) == pytest.approx(extent(*text), abs=10)


def test_a_large_picture_is_scaled_down_and_back(detector):
    small = picture(("Hello there", 60, 60))
    large = np.asarray(Image.fromarray(small).resize((3200, 1600), Image.Resampling.BICUBIC))
    (a,), (b,) = detector.detect(small), detector.detect(large)
    assert bounds(b.polygon) == pytest.approx(np.array(bounds(a.polygon)) * 10, abs=60)


def test_a_view_and_a_readonly_picture(detector):
    image = picture(("Hello there", 60, 60))
    view = np.repeat(image, 2, axis=1)[:, ::2]
    view.flags.writeable = False
    assert same(detector.detect(view), detector.detect(image))


def test_numbers_may_be_numpys(detector):
    image = picture(("Hello", 60, 60))
    given = {"threads": np.int64(1), "max_side": np.int32(2000), "threshold": np.float32(0.3)}
    assert len(TextDetector(**given).detect(image)) == len(detector.detect(image)) == 1
    assert len(Reader(max_side=np.int64(640), threads=np.int64(1)).read(image).words) == 1


def test_sixteen_threads_find_what_one_finds(detector):
    """RapidOCR's detector object keeps the preprocessing of the picture that another thread is detecting."""
    images = [picture((f"Picture {i}", 10 + 9 * i, 20 + 5 * i), size=(320 + 32 * i, 150 + 20 * i)) for i in range(4)]
    alone = [detector.detect(image) for image in images]
    assert all(alone)
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(detector.detect, images * 4))
    assert all(same(a, b) for a, b in zip(together, alone * 4, strict=True))


def test_it_neither_prints_nor_logs(capfd, caplog):
    with caplog.at_level(logging.DEBUG):
        TextDetector(threads=1).detect(picture(("Hello", 60, 60)))
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_a_missing_model_is_one_line(monkeypatch):
    pytest.importorskip("rapidocr")
    monkeypatch.setattr(packs, "_WHEEL", "missing.onnx")
    with pytest.raises(ModelError, match=r"missing\.onnx is missing: pip install") as caught:
        TextDetector("ppocr")
    assert "\n" not in str(caught.value)


def test_a_threshold_and_a_side_reach_it(detector):
    image = picture(("Hello there", 60, 60))
    assert len(detector.detect(image)) == 1
    assert TextDetector(threads=1, min_score=1.0).detect(image) == []
    assert TextDetector(threads=1, max_side=32).detect(image) == []  # letters of three pixels
    (tight,), (wide,) = (TextDetector(threads=1, unclip=unclip).detect(image) for unclip in (0.5, 2.0))
    assert np.ptp(wide.polygon[:, 1]) > 1.2 * np.ptp(tight.polygon[:, 1])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"model": "ppocr9"}, ModelError, "'ppocr9' is not a detector: give lines, ppocr"),
        ({"device": "abacus"}, DeviceError, "no device 'abacus'"),
        ({"max_side": 8}, ConfigError, "max_side"),
        ({"threshold": 1.5}, ConfigError, "threshold"),
        ({"min_score": -1}, ConfigError, "min_score"),
        ({"unclip": -1}, ConfigError, "unclip"),
        ({"unclip": float("nan")}, ConfigError, "unclip must be a number from 0 to 10"),
        ({"threshold": "a"}, ConfigError, "threshold must be a number"),
        ({"max_side": "640"}, ConfigError, "max_side must be a whole number"),
        ({"max_side": float("nan")}, ConfigError, "max_side must be a whole number"),
        ({"threads": 1.5}, ConfigError, "threads must be a whole number"),
        ({"threads": -1}, ConfigError, "threads must be a whole number"),
        ({"threads": 10**12}, ConfigError, "threads must be at most 1,024"),
        ({"threshold": 10**400}, ConfigError, "threshold must be a number from 0 to 1"),
    ],
)
def test_mistakes_are_one_line(options, error, message):
    with pytest.raises(error, match=message) as caught:
        TextDetector(**options)
    assert "\n" not in str(caught.value)


def test_a_reader_takes_names_packs_and_objects(detector):
    assert on_demand(detector)() is detector
    assert isinstance(on_demand("ppocr", "cpu", 1)(), TextDetector)
    assert on_demand("ppocr", "cpu", 1, 640)().max_side == 640
    with pytest.raises(ModelError, match="is not a detector"):  # told before anything is read
        on_demand("nothing")
    with pytest.raises(ConfigError, match="at least 32"):
        on_demand("ppocr", max_side=8)
    with pytest.raises(ConfigError, match="pass it to the detector itself"):
        on_demand(detector, max_side=640)
    for no_detector in (None, 5, object(), Sees):
        with pytest.raises(ConfigError, match="is no detector: give a name, a folder, or an object") as caught:
            on_demand(no_detector)
        assert type(no_detector).__name__ in str(caught.value) or no_detector is Sees
        assert " at 0x" not in str(caught.value)
    with pytest.raises(ConfigError, match=r"^an object of type function is no detector"):
        on_demand(lambda image: [])
    with pytest.raises(ConfigError, match=r"^the class Sees is no detector"):
        on_demand(Sees)
    with pytest.raises(ConfigError, match=r"max_side of an object of type Sees must be a whole number"):
        on_demand(Sees(0.1, max_side="x"))


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((40, 60), np.uint8),
        np.zeros((40, 60, 4), np.uint8),
        np.zeros((40, 60, 3), np.float32),
        np.zeros((0, 60, 3), np.uint8),
        "photo.jpg",
        None,
    ],
)
def test_what_is_no_picture_is_one_line(detector, image):
    with pytest.raises(ImageError, match="is no picture, uint8 RGB"):
        detector.detect(image)


@pytest.mark.parametrize("polygon", [[(9, 9), (99, 9), (99, 50)], np.full((4, 2), np.nan), np.zeros((4, 2))])
def test_boxes_that_cannot_be_read_are_problems(polygon):
    found = [type("Found", (), {"polygon": points}) for points in ([(5, 5), (90, 5), (90, 40), (5, 40)], polygon)]
    reader = Reader(detector=type("Finds", (), {"detect": lambda self, image: found})(), threads=1)
    (problem,) = reader.read(picture()).problems
    assert problem.startswith("box 2 of the detector: ")


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("step", [1, -1])
def test_words_of_a_line_are_where_they_are_whatever_the_order_of_its_corners(turns, step):
    image = picture(("Hello market", 20, 10), size=(300, 60))
    corners = np.roll([(12, 5), (240, 5), (240, 50), (12, 50)], turns, axis=0)[::step]
    found = [type("Found", (), {"polygon": corners})]
    photo = Reader(detector=type("Finds", (), {"detect": lambda self, image: found})(), threads=1).read(image)
    (line,) = photo.lines
    assert line.text == "Hello market"
    for word, left in zip(line.words, (20, 20 + ImageFont.load_default(28).getlength("Hello ")), strict=True):
        assert word.box[0] == pytest.approx(left, abs=8)
        assert word.box[3] - word.box[1] == pytest.approx(45, abs=5)


def test_too_many_boxes_are_one_line():
    boxes = [type("Found", (), {"polygon": np.zeros((4, 2))})] * 10_001
    reader = Reader(detector=type("Finds", (), {"detect": lambda self, image: boxes})(), threads=1)
    with pytest.raises(BoxError, match="more than 10,000 boxes"):
        reader.read(picture())


@pytest.mark.parametrize("number", [1000.0, np.inf, -1.0])
def test_what_is_no_probability_is_one_line(number, monkeypatch):
    def run(session, inputs, what, cure):
        (batch,) = inputs.values()
        return [np.full((1, 1, *batch.shape[2:]), number, np.float32)]

    monkeypatch.setattr("wordsight.detect.detector.run_session", run)
    with pytest.raises(ModelError, match="instead of probabilities"):
        TextDetector("ppocr", threads=1).detect(picture())


def test_a_side_beyond_all_pictures_is_that_of_the_picture(detector):
    image = picture(("Hotel", 60, 60))
    assert same(TextDetector(threads=1, max_side=10**400).detect(image), detector.detect(image))


def test_boxes_without_polygons_are_one_line():
    reader = Reader(detector=type("Finds", (), {"detect": lambda self, image: [object()]})(), threads=1)
    with pytest.raises(ModelError, match="the detector gives no boxes with polygons"):
        reader.read(picture())


def _changed(folder, **values):
    manifest = json.loads((folder / "detector.json").read_text())
    (folder / "detector.json").write_text(json.dumps(manifest | values))


@pytest.fixture
def pack(tmp_path):
    shipped = find_detector()
    file, glance = (Path(shutil.copy(graph, tmp_path)) for graph in (shipped.file, shipped.glance))
    write_detector(replace(shipped, name="other", file=file, glance=glance, min_score=0.9, about={"a": 1}))
    return tmp_path


def test_a_pack_comes_back(pack, detector):
    found = find_detector(pack)
    assert found == replace(
        find_detector(), name="other", file=found.file, glance=found.glance, min_score=0.9, about={"a": 1}
    )
    image = picture(("Hello there", 60, 60))
    assert same(TextDetector(pack, threads=1, min_score=0.4).detect(image), detector.detect(image))


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "map.onnx").write_bytes(b"other"),
        lambda folder: (folder / "map.onnx").unlink(),
        lambda folder: (folder / "glance.onnx").write_bytes(b"other"),
        lambda folder: (folder / "glance.onnx").unlink(),
        lambda folder: (folder / "detector.json").write_text("{}"),
        lambda folder: (folder / "detector.json").write_text("["),
        lambda folder: (folder / "detector.json").write_text("[" * 100_000),
        lambda folder: _changed(folder, threshold=10**400),
        lambda folder: (folder / "detector.json").write_text(
            (folder / "detector.json").read_text().replace('"format": 1', '"format": 2')
        ),
        lambda folder: _changed(folder, suspicion="often"),
        lambda folder: _changed(folder, suspicion=-1),
        lambda folder: _changed(folder, threshold=1.7),
        lambda folder: _changed(folder, unclip=float("nan")),
        lambda folder: _changed(folder, unclip=1e9),
        lambda folder: _changed(folder, std=[0, 0, 0]),
        lambda folder: _changed(folder, mean=["a", 0, 0]),
        lambda folder: _changed(folder, blue_first="yes"),
    ],
)
def test_a_damaged_pack_is_one_line(pack, damage):
    damage(pack)
    with pytest.raises(ModelError, match="export it again") as caught:
        find_detector(pack)
    assert "\n" not in str(caught.value)


class Sees:
    """A detector that finds the same box, a share of the picture, everywhere."""

    def __init__(self, height: float, **options):
        self.height, self.shapes = height, []
        vars(self).update(options)

    def detect(self, image):
        rows, columns = image.shape[:2]
        self.shapes.append(image.shape[:2])
        corners = np.array([[0.1, 0.2], [0.5, 0.2], [0.5, 0.2 + self.height], [0.1, 0.2 + self.height]])
        return [type("Found", (), {"polygon": corners * (columns, rows)})()]


def test_a_large_photo_is_decoded_as_far_as_is_needed():
    out = io.BytesIO()
    Image.fromarray(np.full((1200, 1600, 3), 200, np.uint8)).save(out, "JPEG")
    jpeg = out.getvalue()
    for height, max_side, decoded in ((0.2, 800, 600), (0.02, 800, 1200), (0.2, None, 1200)):
        detector = Sees(height, max_side=max_side)
        image, size, (polygon,) = look(detector, jpeg, None, 10**8)
        assert size == (1200, 1600)
        assert image.shape[0] == decoded  # text that is too low is cut out of the whole photo
        assert detector.shapes == [(600, 800) if max_side else (1200, 1600)]
        assert polygon[2] == pytest.approx([0.5 * image.shape[1], (0.2 + height) * decoded])
    assert look(Sees(0.2), jpeg, None, 10**8)[0].shape == (1200, 1600, 3)


def test_it_keeps_no_threads_busy_while_it_waits(detector):
    """Like our recognizers' sessions; ONNX Runtime's own threads would spin for milliseconds."""
    options = detector._session.get_session_options()
    assert options.get_session_config_entry("session.intra_op.spin_duration_us") == "20"


@pytest.mark.data
@pytest.mark.skipif(not (DATA / "scenes" / "train").is_dir(), reason="no real images")
def test_the_boxes_are_rapidocrs(tmp_path):
    """Seen as RapidOCR shows pictures to it, and unclipped as there."""
    RapidOCR = pytest.importorskip("rapidocr").RapidOCR
    wheel = find_detector("ppocr")
    shutil.copy(wheel.file, tmp_path)
    half = (0.5, 0.5, 0.5)
    write_detector(replace(wheel, file=tmp_path / wheel.file.name, mean=half, std=half, unclip=1.6))
    detector = TextDetector(tmp_path, threads=1)
    engine = RapidOCR(params={"Global.log_level": "error", "EngineConfig.onnxruntime.intra_op_num_threads": 1})
    found, overlaps = 0, []
    for dataset, count in (("ic15", 3), ("ic03", 1), ("svt", 1)):
        folder = DATA / "scenes" / "train" / dataset
        for line in (folder / "scenes.jsonl").read_text().splitlines()[:count]:
            image = load_image(folder / json.loads(line)["image"])
            theirs = engine(image[:, :, ::-1].copy(), use_det=True, use_cls=False, use_rec=False).boxes
            ours = [box.polygon for box in detector.detect(image)]
            found += len(ours)
            overlaps += [max(overlap(quad, polygon) for polygon in ours) for quad in ([] if theirs is None else theirs)]
    assert len(overlaps) > 15
    assert abs(found - len(overlaps)) <= 2  # RapidOCR drops boxes at its smallest size after rounding
    # it rounds to whole pixels, twice; a box of 12 pixels of height loses more than a tenth by that
    # and pulls pictures to a multiple of 32, to which ours are padded
    assert np.mean(np.array(overlaps) > 0.85) > 0.9
    assert np.mean(overlaps) > 0.92
    assert min(overlaps) > 0.8


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    import cv2

    shared, _ = cv2.intersectConvexConvex(a.astype(np.float32), b.astype(np.float32))
    areas = cv2.contourArea(a.astype(np.float32)) + cv2.contourArea(b.astype(np.float32))
    return shared / (areas - shared)
