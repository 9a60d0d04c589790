"""Every data set in its organisers' form. The files in fixtures/ are written by us, with the traps of the real ones."""

import gzip
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from wordsight.cli.main import app
from wordsight.data import Scene, ScenesSource, importers, open_source, read_scenes
from wordsight.data.importers import DATA_SETS, import_scenes
from wordsight.data.importers.unpacked import Unpacked, script_of
from wordsight.data.scene_words import cut_word
from wordsight.errors import ConfigError, DataError

FIXTURES = Path(__file__).parent / "fixtures"
# name -> pictures that it needs; all 100 x 80 but where a test says otherwise
PICTURES = {
    "ic03": ["SceneTrialTrain/maria_01.02.2001/a1.JPG", "SceneTrialTrain/maria_01.02.2001/a2.JPG"],
    "ic13": ["Challenge2_Training_Task12_Images/100.jpg", "Challenge2_Test_Task12_Images/img_1.jpg"],
    "ic15": [f"ch4_{split}_images/img_{n}.jpg" for split in ("training", "test") for n in (1, 2, 10)],
    "svt": ["img/00_01.jpg", "img/00_02.jpg"],
    "totaltext": ["Images/Train/img11.JPG", "Images/Test/img2.jpg", "Images/Train/img2.jpg"],
    "ctw1500": ["train_images/0001.jpg", "test_images/1001.jpg"],
    "cocotext": ["train2014/COCO_train2014_000000000007.jpg", "train2014/COCO_train2014_000000000008.jpg"],
    "textocr": [f"train_images/00000000000000{i}.jpg" for i in ("a1", "b2", "c3", "d4")],
    "intelocr": ["openimages/00000000000000e5.jpg"],
    "hiertext": ["train/00000000000000f6.jpg"],
    "ubertext": ["train/1Kx1K/img_001.jpg"],
    "art": ["train_images/gt_0.jpg"],
    "lsvt": ["train_full_images_0/gt_0.jpg"],
    "rctw17": ["train/image_0.jpg", "train/image_1.jpg"],
    "rects": ["img/train_ReCTS_000001.jpg"],
    "mlt19": ["ImagesPart1/tr_img_00001.png"],
}
Unpack = Callable[[str], Path]


@pytest.fixture
def unpack(tmp_path: Path) -> Unpack:
    def unpack(name: str) -> Path:
        root = tmp_path / name
        shutil.copytree(FIXTURES / name, root)
        for picture in PICTURES[name]:
            (root / picture).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (100, 80), "grey").save(root / picture)
        return root

    return unpack


def imported(name: str, root: Path) -> tuple[list[Scene], dict[str, int]]:
    files = Unpacked(root)
    scenes = list(import_scenes(name, files))
    return scenes, {reason: kind.count for reason, kind in files.skipped.items()}


def texts(scene: Scene) -> list[str]:
    """Illegible ones in brackets."""
    return [word.text if word.legible else f"[{word.text}]" for word in scene.words]


EXPECTED: dict[str, tuple[dict[str, list[str]], dict[str, int]]] = {
    # "split/picture" -> words, and what is left out
    "ic03": ({"train/a1": ["Fenêtre & Co", "[]"], "train/a2": []}, {"polygon is empty": 1}),
    "ic13": (
        {"test/img_1": ['say "no", twice'], "train/100": ["Ferry", "café"]},
        {"line is not understood": 1, "polygon is empty": 1},
    ),
    "ic15": (
        {
            "test/img_1": ["[###]"],
            "test/img_2": ["Zoo"],
            "train/img_2": ["Open, daily", "[###]"],
            "train/img_10": ['"Quay"', "12,50 €"],
        },
        {"polygon is empty": 1, "line is not understood": 1},
    ),
    "svt": ({"test/00_02": ["GARAGE"], "train/00_01": ["BAKERY"]}, {}),
    "totaltext": (
        {"test/img2": ["END"], "train/img11": ["ROUND", "[#]", "Sam's", "café [open], x: y"]},
        {"polygon has fewer than four corners": 1, "entry is not understood": 1},
    ),
    "ctw1500": (
        {"train/0001": ["Fish & Chips", "[###]"], "test/1001": ["one, two", "[###]"]},
        {"line is not understood": 1},
    ),
    "cocotext": (
        {
            "train/COCO_train2014_000000000007": ["R&B", "réduit", "[]"],
            "validation/COCO_train2014_000000000008": ["far"],
        },
        {},
    ),
    "textocr": (
        {"train/00000000000000a1": ["Plain", "[.]"], "train/00000000000000c3": ["Turned"]},
        {"picture is not of the annotated size": 2},
    ),
    "intelocr": ({"validation/00000000000000e5": ["Museum", "Музей", "[]"]}, {}),
    "hiertext": (
        {"train/00000000000000f6": ["two", "words", "[]"]},
        {"polygon has fewer than four corners": 1},
    ),
    "ubertext": (
        {"train/img_001": ["MAIN ST, 5", "[]"]},
        {"polygon has fewer than four corners": 1, "line is not understood": 1},
    ),
    "art": (
        {"train/gt_0": ["Arc", "拱门", "[###]"]},
        {"polygon has fewer than four corners": 1, "picture is missing": 1},
    ),
    "lsvt": ({"train/gt_0": ["茶 TEA", "[###]"]}, {}),
    "rctw17": ({"train/image_0": ['a ""b"", c', "[难]", "[###]"], "train/image_1": ["店"]}, {}),
    "rects": ({"train/train_ReCTS_000001": ["饭店", "[###]"]}, {}),
    "mlt19": ({"train/tr_img_00001": ["قلب", "one, two", "[###]", "&", "সন"]}, {}),
}


@pytest.mark.parametrize("name", DATA_SETS)
def test_each_form_is_understood(unpack: Unpack, name: str) -> None:
    scenes, skipped = imported(name, unpack(name))
    words, left_out = EXPECTED[name]
    assert {f"{scene.split}/{scene.id}": texts(scene) for scene in scenes} == words
    assert skipped == left_out
    assert {scene.dataset for scene in scenes} == {name}
    assert all(scene.image.is_file() for scene in scenes)


@pytest.mark.parametrize("name", DATA_SETS)
def test_the_command_writes_what_loaders_read(unpack: Unpack, tmp_path: Path, name: str) -> None:
    result = CliRunner().invoke(app, ["data", "import", name, str(unpack(name)), "-o", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    words, left_out = EXPECTED[name]
    for reason, count in left_out.items():
        assert f"left out, {reason}: {count} " in result.output
    assert DATA_SETS[name].licence in result.output
    legible = []
    for split in dict.fromkeys(scene.partition("/")[0] for scene in words):
        source = open_source(tmp_path / "out" / split)
        assert isinstance(source, ScenesSource)
        assert (source.dataset, source[0].split) == (name, split)
        legible += [sample.text for sample in (source[i] for i in range(len(source)))]  # all crops can be cut
    assert legible == [word for scene in words.values() for word in scene if not word.startswith("[")]
    assert f"{len(legible)} words" in result.output or len(dict.fromkeys(s.partition("/")[0] for s in words)) > 1


def test_icdar_2015_words_have_the_names_of_the_organisers_crops(unpack: Unpack) -> None:
    scenes, _ = imported("ic15", unpack("ic15"))
    ids = {scene.id: [word.id for word in scene.words] for scene in scenes if scene.split == "train"}
    assert ids == {"img_2": ["word_1", ""], "img_10": ["word_2", "word_4"]}  # word_3 is empty
    test = [scene for scene in scenes if scene.split == "test"]
    assert [(scene.image.parent.name, word.id) for scene in test for word in scene.words] == [
        ("ch4_test_images", ""),
        ("ch4_test_images", "word_1"),
    ]


@pytest.mark.parametrize("name", ["ic13", "ic15"])
def test_annotations_for_two_tasks_give_every_scene_once(unpack: Unpack, name: str) -> None:
    """Task 1 (localisation) and task 4 (end to end) come with the same files."""
    root = unpack(name)
    alone, _ = imported(name, root)
    for path in list(root.rglob("gt_*.txt")):
        other = root / "Task4" / path.relative_to(root)
        other.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, other)
    both, skipped = imported(name, root)
    assert [(scene.id, scene.split, len(scene.words)) for scene in both] == [
        (scene.id, scene.split, len(scene.words)) for scene in alone
    ]
    assert [word.id for scene in both for word in scene.words] == [word.id for scene in alone for word in scene.words]
    assert skipped["annotations are there twice"] == len(list(root.rglob("gt_*.txt"))) // 2


def test_the_other_form_of_total_text_is_named(unpack: Unpack) -> None:
    root = unpack("totaltext")
    for path in list(root.rglob("*gt_img*.txt")):
        path.rename(path.with_suffix(".mat"))
    with pytest.raises(DataError, match=r"MATLAB format of Total-Text is not supported: download the \.txt format"):
        imported("totaltext", root)


def test_scripts_are_said_or_seen(unpack: Unpack) -> None:
    (mlt,), _ = imported("mlt19", unpack("mlt19"))
    assert [word.script for word in mlt.words] == ["Arab", "Latn", "", "", "Beng"]
    assert [script_of(t) for t in ("Ω café", "カタカナ漢字", "漢字", "123", "Музей", "한글")] == [
        "Latn", "Jpan", "Hani", "", "Cyrl", "Kore",
    ]  # fmt: skip


def test_splits_are_read_from_names(tmp_path: Path) -> None:
    files = Unpacked(tmp_path)
    for path, split in (
        ("SceneTrialTest/words.xml", "test"),
        ("ch4_training_images/img_1.jpg", "train"),
        ("train/TextOCR_0.1_val.json", "validation"),
        ("train2014/latest/festival.jpg", "train"),
        ("trains/contest.txt", ""),
    ):
        assert files.split(tmp_path / path) == split


def spot(path: Path, polygon: np.ndarray, orientation: int = 1) -> None:
    """A picture with a red top left corner of a word and a green top right one, on white."""
    with Image.open(path) as picture:
        size = picture.size
    pixels = np.full((size[1], size[0], 3), 255, np.uint8)
    top_left, top_right, *_, bottom_left = polygon.astype(int)
    for corner, colour, other in ((top_left, (255, 0, 0), top_right), (top_right, (0, 255, 0), top_left)):
        inside = corner + np.sign(other - corner) * 4 + np.sign(bottom_left - top_left) * 4
        pixels[inside[1] - 3 : inside[1] + 4, inside[0] - 3 : inside[0] + 4] = colour
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, quality=95, subsampling=0, exif=exif)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_polygons_turn_with_pictures_that_are_stored_on_their_side(unpack: Unpack, orientation: int) -> None:
    root = unpack("ic15")
    path = root / "ch4_test_images" / "img_2.jpg"
    spot(path, np.array([[5, 5], [40, 5], [40, 20], [5, 20]]), orientation)
    scene = next(scene for scene in imported("ic15", root)[0] if scene.image == path)
    crop = cut_word(scene, 0, scene.load()).image
    assert crop.shape == (15, 35, 3)
    assert np.abs(crop[4, 4].astype(int) - (255, 0, 0)).max() < 60
    assert np.abs(crop[4, -5].astype(int) - (0, 255, 0)).max() < 60


def test_open_images_are_matched_by_size_and_rotation(unpack: Unpack) -> None:
    root = unpack("textocr")
    folder = root / "train_images"
    # Stored lying, shown upright by its EXIF orientation, and annotated as it is shown
    spot(folder / "00000000000000b2.jpg", np.array([[10, 10], [60, 10], [60, 30], [10, 30]]), 6)
    # A smaller copy of what was annotated
    Image.new("RGB", (50, 40)).save(folder / "00000000000000a1.jpg")
    # Annotated as turned by 90 degrees: (x, y) of the stored 100 x 80 is at (y, 100 - x) of 80 x 100
    spot(folder / "00000000000000c3.jpg", np.array([[80, 10], [80, 50], [70, 50], [70, 10]]))
    scenes = {scene.id[-2:]: scene for scene in imported("textocr", root)[0]}
    assert set(scenes) == {"a1", "b2", "c3"}
    assert scenes["b2"].words[0].polygon.tolist() == [[20, 90], [20, 40], [30, 40], [30, 90]]
    assert scenes["a1"].words[0].polygon.tolist() == [[5, 5], [30, 5], [30, 15], [5, 15]]
    assert scenes["c3"].words[0].polygon.tolist() == [[80, 10], [80, 50], [70, 50], [70, 10]]
    crop = cut_word(scenes["c3"], 0, scenes["c3"].load()).image
    assert crop.shape == (10, 40, 3)
    assert np.abs(crop[4, 4].astype(int) - (255, 0, 0)).max() < 60


def test_pictures_may_lie_elsewhere_and_stay_where_they_are(unpack: Unpack, tmp_path: Path) -> None:
    root = unpack("svt")
    (tmp_path / "elsewhere").mkdir()
    shutil.move(root / "img", tmp_path / "elsewhere")
    arguments = ["data", "import", "svt", str(root), "-o", str(tmp_path / "out" / "svt")]
    without = CliRunner().invoke(app, arguments)
    assert isinstance(without.exception, DataError)
    assert "left out, picture is missing: 2 (such as img/00_02.jpg)" in without.output
    found = CliRunner().invoke(app, [*arguments, "--images", str(tmp_path / "elsewhere")])
    assert found.exit_code == 0
    line = json.loads((tmp_path / "out" / "svt" / "train" / "scenes.jsonl").read_text())
    assert line["image"] == "../../../elsewhere/img/00_01.jpg"
    (scene,) = read_scenes(tmp_path / "out" / "svt" / "train")
    assert scene.load().shape == (80, 100, 3)


def test_two_pictures_of_one_name_are_not_guessed_at(unpack: Unpack) -> None:
    root = unpack("lsvt")
    shutil.copytree(root / "train_full_images_0", root / "train_full_images_1")
    scenes, skipped = imported("lsvt", root)
    assert scenes == []
    assert skipped == {"several pictures have this name": 1}


def test_unreadable_pictures_are_counted(unpack: Unpack) -> None:
    root = unpack("lsvt")
    (root / "train_full_images_0" / "gt_0.jpg").write_bytes(b"not a picture")
    assert imported("lsvt", root) == ([], {"picture is unreadable": 1})


def test_what_is_no_such_data_set_is_refused_in_one_line(unpack: Unpack, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is it this data set\?"):
        imported("mlt19", unpack("svt"))
    with pytest.raises(ConfigError, match="choose from ic03, svt"):
        imported("icdar", tmp_path)
    with pytest.raises(DataError, match="is not a folder"):
        imported("svt", tmp_path / "nowhere")
    root = unpack("hiertext")
    (root / "gt" / "train.jsonl").write_text('{"annotations": [{"image_id": "x"}]}')
    with pytest.raises(DataError, match=r"not in the format of HierText .KeyError"):
        imported("hiertext", root)
    (root / "gt" / "train.jsonl").write_text('{"annotations": [')
    with pytest.raises(DataError, match="is not JSON"):
        imported("hiertext", root)
    (tmp_path / "svt" / "train.xml").write_text("<tagset><image>")
    with pytest.raises(DataError, match="is not XML"):
        imported("svt", tmp_path / "svt")


def test_numbers_that_no_picture_has_are_left_out(unpack: Unpack) -> None:
    root = unpack("lsvt")
    file = root / "train_full_labels.json"
    (words,) = json.loads(file.read_text(encoding="utf-8")).values()
    kept = texts(imported("lsvt", root)[0][0])[1:]
    for number, reason in ((10**400, "polygon is not numbers"), (1e300, "polygon is far outside any picture")):
        words[0]["points"][0] = [number, 1]
        file.write_text(json.dumps({"gt_0": words}), encoding="utf-8")
        scenes, skipped = imported("lsvt", root)
        assert (texts(scenes[0]), skipped) == (kept, {reason: 1})


def test_broken_files_are_refused_in_one_line(unpack: Unpack) -> None:
    root = unpack("textocr")
    file = root / "TextOCR_0.1_train.json"
    file.write_text(file.read_text(encoding="utf-8").replace('"width": 100', '"width": 1e999'), encoding="utf-8")
    with pytest.raises(DataError, match=r"not in the format of TextOCR .OverflowError"):
        imported("textocr", root)
    root = unpack("hiertext")
    packed = bytearray(gzip.compress((root / "gt" / "train.jsonl").read_bytes()))
    packed[20:40] = bytes(20)
    (root / "gt" / "train.jsonl").unlink()
    (root / "gt" / "train.jsonl.gz").write_bytes(packed)
    with pytest.raises(DataError, match="is not JSON"):
        imported("hiertext", root)


def test_the_list_names_licences_and_addresses() -> None:
    result = CliRunner().invoke(app, ["data", "import", "--list"])
    assert result.exit_code == 0
    for name in DATA_SETS:
        assert f"│ {name} " in result.output
    assert "rrc.cvc.uab.es/?ch=4" in result.output


# On the organisers' files


def linked(folder: Path, pictures: Path, name: Callable[[str], str]) -> None:
    folder.mkdir(parents=True)
    for picture in pictures.iterdir():
        (folder / name(picture.name)).symlink_to(picture.resolve())


@pytest.mark.data
def test_icdar_2015_gives_the_2077_test_words_in_the_official_order(real_data: Path, tmp_path: Path) -> None:
    (tmp_path / "Challenge4_Test_Task1_GT").symlink_to((real_data / "formats" / "ic15_test").resolve())
    linked(
        tmp_path / "ch4_test_images",
        real_data / "scenes/test/ic15/images",
        lambda n: n.removeprefix("ch4_test_images_"),
    )
    scenes, skipped = imported("ic15", tmp_path)
    assert (len(scenes), skipped) == (500, {})
    words = [word for scene in scenes for word in scene.words if word.legible]
    assert [word.id for word in words] == [f"word_{n}" for n in range(1, 2078)]
    labels = open_source(real_data / "words/test/ic15")
    assert [word.text for word in words] == [labels.text(i) for i in range(len(labels))]


def completed(xml: str) -> str:
    """The beginning of an XML file with the elements closed that are open at its end."""
    return xml[: xml.rindex("</image>")] + "</image></tagset>"


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "count"),
    [("ic15", 5), ("svt", 3)],
)
def test_beginnings_of_the_organisers_training_files(real_data: Path, tmp_path: Path, name: str, count: int) -> None:
    formats, known = real_data / "formats" / name, real_data / "scenes/train" / name
    names = {
        "ic15": lambda n: n.removeprefix("ch4_training_images_"),
        "svt": lambda n: n.removeprefix("img_"),
    }
    (tmp_path / "train").mkdir()
    for path in formats.iterdir():
        if path.suffix == ".xml":
            file = tmp_path / "train" / ("train.xml" if name == "svt" else "words.xml")
            file.write_bytes(completed(path.read_bytes().decode("latin-1")).encode("latin-1"))
        else:
            shutil.copy(path, tmp_path / "train")
    linked(tmp_path / "train" / "images", known / "images", names[name])
    expected = {names[name](scene.image.name): scene for scene in read_scenes(known)}
    scenes, skipped = imported(name, tmp_path)
    assert len(scenes) == count
    assert set(skipped) <= {"picture is missing"}
    for scene in scenes:
        given = expected[scene.image.name]
        assert texts(scene) == texts(given)
        for word, other in zip(scene.words, given.words, strict=True):
            assert np.abs(word.polygon - other.polygon).max() < 0.6  # ours are scaled, to whole pixels


@pytest.mark.data
def test_icdar_2003(real_data: Path, tmp_path: Path) -> None:
    given = (real_data / "formats/ic03/words_head.xml").read_bytes().decode("latin-1")
    (tmp_path / "words.xml").write_bytes(completed(given).encode("latin-1"))
    for name, width, height in re.findall(r'<imageName>(.*)</imageName>\s+<resolution x="(\d+)" y="(\d+)"', given):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (int(width), int(height))).save(tmp_path / name, "JPEG")
    scenes, skipped = imported("ic03", tmp_path)
    assert skipped == {}
    assert sum(len(scene.words) for scene in scenes) == given.count("<tag>")
    scene = scenes[0]
    assert texts(scene)[:4] == ["311", "4", "ANALYSIS", "DATA"]
    assert scene.words[0].polygon.tolist() == [[196, 901], [307, 901], [307, 968], [196, 968]]


@pytest.mark.data
def test_icdar_2013_in_both_forms(real_data: Path, tmp_path: Path) -> None:
    for path in (real_data / "formats/ic13").iterdir():
        shutil.copy(path, tmp_path / path.name.replace("_test_style", ""))
    for picture in ("100", "101", "102", "img_1"):
        Image.new("RGB", (1280, 960)).save(tmp_path / f"{picture}.jpg")
    scenes, skipped = imported("ic13", tmp_path)
    assert skipped == {}
    lines = sum(bool(line) for path in tmp_path.glob("*.txt") for line in path.read_text().split("\n"))
    assert sum(word.legible for scene in scenes for word in scene.words) == lines
    assert texts(scenes[0])[:4] == ["Footpath", "To", "Colchester", "and"]
    assert scenes[0].words[0].polygon.tolist() == [[158, 128], [411, 128], [411, 181], [158, 181]]
    assert texts(scenes[-1])[:3] == ["Tiredness", "kills", "A"]


TOY = '''
"""Toy: a line of x, y, width, height and text for each word, in a file beside the picture."""

from wordsight.data.importers.unpacked import DataSet, box, lines


def read(files):
    for path in files.once(files.find(r".+\\.toy")):
        words = []
        for where, line in lines(path):
            x, y, width, height, text = line.split(" ", 4)
            words.append(files.word(where, box(*map(int, (x, y, width, height))), text))
        yield from files.scene(path.stem, words, split=files.split(path))


DATA_SETS = {"toy": DataSet("Toy", "public domain", "nowhere", True, read)}
'''


def test_an_importer_is_one_file_and_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "toy.py").write_text(TOY)
    monkeypatch.setattr(importers, "__path__", [*importers.__path__, str(tmp_path / "code")])
    monkeypatch.setattr(importers, "DATA_SETS", importers.collect((*importers.MODULES, "toy")))  # the line
    source = tmp_path / "source" / "train"
    source.mkdir(parents=True)
    Image.new("RGB", (200, 100), "grey").save(source / "shop.png")
    (source / "shop.toy").write_text("10 20 80 30 Fresh bread\n")
    result = CliRunner().invoke(app, ["data", "import", "toy", str(tmp_path / "source"), "-o", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    (scene,) = read_scenes(tmp_path / "out" / "train")
    (word,) = scene.words
    assert (word.text, word.polygon.tolist()) == ("Fresh bread", [[10, 20], [90, 20], [90, 50], [10, 50]])
    assert "public domain" in CliRunner().invoke(app, ["data", "import", "--list"]).stdout
