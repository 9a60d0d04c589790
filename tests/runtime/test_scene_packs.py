"""Packs that are told of scenes: what is checked, and who hears what."""

import json
import shutil

import numpy as np
import onnxruntime as ort
import pytest
from plain_pack import SCENE_SIZE, SCENE_SOURCES, SCENE_TOKENS, images, write_pack, write_scene_pack

from wordsight.decoding.context import SceneContext
from wordsight.errors import ConfigError, ModelError
from wordsight.imaging import prepare
from wordsight.runtime import OnnxRecognizer, load_pack


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_scene_pack(tmp_path_factory.mktemp("packs") / "told")


@pytest.fixture(scope="module")
def recognizer(folder):
    return OnnxRecognizer(load_pack(folder), "cpu", 1)


def photos(count):
    dice = np.random.default_rng(3)
    return [dice.integers(0, 256, (20 + i, 30, 3), dtype=np.uint8) for i in range(count)]


def scenes(recognizer, index, present=None, boxes=None):
    tokens = recognizer.encode_scenes(photos(3))
    present = np.ones(len(index)) if present is None else np.array(present)
    boxes = np.zeros((len(index), 4)) if boxes is None else np.array(boxes)
    return SceneContext(tokens, np.array(index), present.astype(np.float32), boxes.astype(np.float32))


def told(readings):
    return [(reading.text, reading.confidence) for reading in readings]


def test_a_pack_says_how_scenes_are_prepared(folder):
    pack = load_pack(folder)
    assert (pack.scene, pack.scene_centre, pack.scene_tokens, pack.scene_box) == (SCENE_SIZE, False, SCENE_TOKENS, True)
    stated = json.loads((folder / "pack.json").read_text())
    assert stated["scene"] == {"preprocessing": SCENE_SIZE.to_dict(), "centre": False}
    assert stated["graphs"]["scene"]["outputs"] == {"tokens": ["scenes", *SCENE_TOKENS]}


def test_scenes_are_encoded_by_the_pack(recognizer):
    assert recognizer.encode_scenes(photos(3)) == pytest.approx(
        prepare(photos(3), SCENE_SIZE).reshape(3, *SCENE_TOKENS), abs=1e-6
    )


def test_the_square_in_the_middle_where_the_pack_says_so(folder, tmp_path):
    other = shutil.copytree(folder, tmp_path / "square")
    change(other, lambda m: m["scene"].update(centre=True))
    photo = photos(1)[0]  # 20 x 30
    found = OnnxRecognizer(load_pack(other), "cpu", 1).encode_scenes([photo])
    assert found == pytest.approx(prepare([photo[:, 5:25]], SCENE_SIZE).reshape(1, *SCENE_TOKENS), abs=1e-6)


def test_without_a_scene_a_crop_is_read_as_with_none_present(recognizer):
    none = told(recognizer.read(images(6)))
    assert told(recognizer.read(images(6), scenes(recognizer, [0, 1, 2, 2, 1, 0], present=[0] * 6))) == none


def test_every_row_hears_of_its_own_scene(recognizer):
    together = told(recognizer.read(images(6), scenes(recognizer, [0, 1, 2, 2, 1, 0], present=[1, 1, 1, 1, 0, 1])))
    alone = told(recognizer.read(images(6)))
    assert [a == b for a, b in zip(together, alone, strict=True)] == [False] * 4 + [True, False]
    for row, scene in enumerate([0, 1, 2, 2]):
        (reading,) = recognizer.read(images(6)[row : row + 1], scenes(recognizer, [scene]))
        assert (reading.text, pytest.approx(reading.confidence)) == together[row]


def test_the_box_is_handed_on(recognizer):
    here, there = (recognizer.read(images(1), scenes(recognizer, [0], boxes=[[x, 0, 0, 0]])) for x in (0.0, 9.0))
    assert told(here) != told(there)


@pytest.mark.parametrize("where", ["image", "visual"])
def test_one_graph_may_hear_alone(tmp_path, where):
    recognizer = OnnxRecognizer(load_pack(write_scene_pack(tmp_path / where, where=(where,))), "cpu", 1)
    assert told(recognizer.read(images(3), scenes(recognizer, [0, 1, 2]))) != told(recognizer.read(images(3)))


def test_scenes_that_do_not_fit_are_refused(recognizer, tmp_path):
    good = scenes(recognizer, [0, 1])
    with pytest.raises(ConfigError, match="scene tokens 3x3x9 for 2 crops: this pack takes scenesx3x16"):
        recognizer.read(images(2), SceneContext(good.tokens[:, :, :9], good.index, good.present, good.boxes))
    with pytest.raises(ConfigError, match="for 4 crops"):
        recognizer.read(images(4), good)
    with pytest.raises(ConfigError, match=r"must lie in 0\.\.2"):
        recognizer.read(images(2), SceneContext(good.tokens, np.array([0, 3]), good.present, good.boxes))
    with pytest.raises(ConfigError, match="give boxes"):
        recognizer.read(images(2), SceneContext(good.tokens, good.index, good.present))
    plain = OnnxRecognizer(load_pack(write_pack(tmp_path / "plain")), "cpu", 1)
    assert plain.scene_encoder is None
    with pytest.raises(ConfigError, match="takes no scenes"):
        plain.read(images(2), good)
    with pytest.raises(ConfigError, match="takes no scenes"):
        plain.encode_scenes(photos(1))


def test_the_encoder_is_loaded_when_it_is_needed(folder, monkeypatch):
    opened = []
    session = ort.InferenceSession
    monkeypatch.setattr(
        ort, "InferenceSession", lambda path, *a, **k: opened.append(path.name) or session(path, *a, **k)
    )
    recognizer = OnnxRecognizer(load_pack(folder), "cpu", 1)
    recognizer.read(images(1))
    assert opened == ["image.onnx", "visual.onnx"]
    recognizer.encode_scenes(photos(1))
    recognizer.encode_scenes(photos(2))
    assert opened == ["image.onnx", "visual.onnx", "scene.onnx"]


def change(folder, edit):
    path = folder / "pack.json"
    manifest = json.loads(path.read_text())
    edit(manifest)
    path.write_text(json.dumps(manifest))


def shape_of(graph, side, name, shape):
    return lambda m: m["graphs"][graph][side].update({name: shape})


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (shape_of("image", "inputs", "scene", ["scenes", 3, 17]), "graph 'image' states inputs .* not .*scenesx3x16"),
        (shape_of("visual", "inputs", "scene", ["scenes", 4, 16]), "graph 'visual' states inputs"),
        (shape_of("image", "inputs", "scene_index", ["batch", 1]), "graph 'image' states inputs"),
        (shape_of("image", "inputs", "scene_box", ["batch", 2]), "graph 'image' states inputs"),
        (lambda m: m["graphs"]["visual"]["inputs"].pop("scene_box"), "graph 'visual' states inputs"),
        (lambda m: m["graphs"]["image"]["inputs"].pop("has_scene"), "graph 'image' states inputs"),
        (shape_of("scene", "outputs", "tokens", ["scenes", "tokens", 16]), r"states tokens of shape \(scenes, tokens"),
        (shape_of("scene", "inputs", "image", ["scenes", 3, 4, 5]), "graph 'scene' states inputs"),
        (lambda m: m["graphs"].pop("scene"), "no graph 'scene'"),
        (lambda m: m.pop("scene"), "it has the graphs image, scene, visual, not image, visual"),
        (lambda m: m["scene"].pop("centre"), "'centre' is missing"),
        (lambda m: m["scene"]["preprocessing"].update(std=[1, 1]), "inconsistent"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_line(folder, tmp_path, edit, reason):
    other = shutil.copytree(folder, tmp_path / "other")
    change(other, edit)
    with pytest.raises(ModelError, match=reason) as caught:
        load_pack(other)
    assert "\n" not in str(caught.value)
    assert str(other) in str(caught.value)


def test_a_scene_graph_that_nobody_hears_of_is_refused(folder, tmp_path):
    other = shutil.copytree(folder, tmp_path / "deaf")

    def silence(manifest):
        for name in ("image", "visual"):
            for given in ("scene", "scene_index", "has_scene", "scene_box"):
                del manifest["graphs"][name]["inputs"][given]

    change(other, silence)
    with pytest.raises(ModelError, match="no graph that takes scenes"):
        load_pack(other)


def test_a_scene_graph_unlike_the_stated_one_is_refused(tmp_path):
    source = SCENE_SOURCES["scene"].replace("scenes,3,16", "scenes,4,12").replace("{0, 3, 16}", "{0, 4, 12}")
    recognizer = OnnxRecognizer(load_pack(write_scene_pack(tmp_path / "odd", scene=source)), "cpu", 1)
    with pytest.raises(ModelError, match=r"scene\.onnx has outputs tokens .*x4x12, the pack states"):
        recognizer.encode_scenes(photos(1))
