import json
import multiprocessing
import pickle
import re
from dataclasses import replace
from pathlib import Path

import lmdb
import numpy as np
import pytest
from PIL import Image

from wordsight.data import FolderSource, JoinedSource, LmdbSource, ScenesSource, Source, open_source, read_scenes
from wordsight.data.folder import natural_key
from wordsight.data.scenes import write_scenes
from wordsight.errors import DataError


def save(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (20, 10)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def folder(path: Path, labels: str | bytes) -> Path:
    path.mkdir(exist_ok=True)
    (path / "labels.tsv").write_bytes(labels.encode() if isinstance(labels, str) else labels)
    return path


def archive(path: Path, words: list[str]) -> Path:
    environment = lmdb.open(str(path), map_size=1 << 20)
    with environment.begin(write=True) as transaction:
        transaction.put(b"num-samples", str(len(words)).encode())
        for i, word in enumerate(words, start=1):
            save(path.parent / "picture.png", (i, 0, 0))
            transaction.put(f"image-{i:09d}".encode(), (path.parent / "picture.png").read_bytes())
            transaction.put(f"label-{i:09d}".encode(), word.encode())
    environment.close()
    return path


def scenes(path: Path, *, jitter: float = 0.0) -> ScenesSource:
    """Two scenes of 60 x 40: one with a red and a green word and an illegible one, one with a blue word."""
    for name, spots in (("a", {(10, 5): (255, 0, 0), (10, 20): (0, 255, 0)}), ("b", {(30, 20): (0, 0, 255)})):
        pixels = np.zeros((40, 60, 3), dtype=np.uint8)
        for (x, y), colour in spots.items():
            pixels[y : y + 10, x : x + 20] = colour
        path.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path / f"{name}.png")

    def word(x: int, y: int, text: str, **more: bool) -> dict[str, object]:
        return {"polygon": [[x, y], [x + 20, y], [x + 20, y + 10], [x, y + 10]], "text": text, **more}

    first = [word(10, 5, "red"), word(0, 0, "###", legible=False), word(10, 20, "green", legible=True)]
    lines = [{"image": "a.png", "words": first}, {"image": "b.png", "words": [word(30, 20, "blue")]}]
    (path / "scenes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return ScenesSource(path, jitter=jitter, seed=7)


def test_natural_order() -> None:
    names = ["word_10.jpg", "word_2.jpg", "10_1.jpg", "9_12.jpg", "9_3.jpg"]
    assert sorted(names, key=natural_key) == ["9_3.jpg", "9_12.jpg", "10_1.jpg", "word_2.jpg", "word_10.jpg"]


def test_a_folder_yields_its_crops_in_natural_order(tmp_path: Path) -> None:
    source = FolderSource(folder(tmp_path / "set", "w_10.png\tten\nw_2.png\ttwo words\n"))
    save(tmp_path / "set" / "w_10.png", (10, 0, 0))
    save(tmp_path / "set" / "w_2.png", (2, 0, 0))
    assert isinstance(source, Source)
    assert [source.text(i) for i in range(len(source))] == ["two words", "ten"]
    sample = source[0]
    assert (sample.id, sample.text, sample.dataset) == ("w_2.png", "two words", "set")
    assert sample.image.shape == (10, 20, 3)
    assert sample.image[0, 0].tolist() == [2, 0, 0]


def test_labels_keep_tabs_line_separators_and_emptiness(tmp_path: Path) -> None:
    labels = "\ufeffa.png\tone\ttwo\r\n\nb.png\t\nc.png\tx\u2028y\x85z\n".encode()
    source = FolderSource(folder(tmp_path / "set", labels))
    assert source.names == ["a.png", "b.png", "c.png"]
    assert [source.text(i) for i in range(3)] == ["one\ttwo", "", "x\u2028y\x85z"]


@pytest.mark.parametrize(
    ("labels", "complaint"),
    [
        ("a.png\tone\nb.png two\n", "line 2 has no tab"),
        ("a.png\tone\na.png\ttwo\n", "line 2 repeats 'a.png'"),
        ("a.png\tCafé\n".encode("latin-1"), "is not UTF-8"),
    ],
)
def test_a_bad_label_file_is_refused(tmp_path: Path, labels: str | bytes, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint) as caught:
        FolderSource(folder(tmp_path / "set", labels))
    assert "labels.tsv" in str(caught.value)


def test_missing_and_corrupt_images_are_named(tmp_path: Path) -> None:
    source = FolderSource(folder(tmp_path / "set", "a.png\tone\nb.png\ttwo\n"))
    (tmp_path / "set" / "b.png").write_bytes(b"\x89PNG\r\n\x1a\nand then nothing")
    for i, name in enumerate(("a.png", "b.png")):
        with pytest.raises(DataError, match=re.escape(name)):
            source[i]


def test_an_archive_yields_its_words(tmp_path: Path) -> None:
    source = LmdbSource(archive(tmp_path / "words", ["one", "zwölf"]))
    assert isinstance(source, Source)
    assert [source.text(i) for i in range(len(source))] == ["one", "zwölf"]
    assert source[1].image[0, 0].tolist() == [2, 0, 0]
    assert (source[1].id, source[1].dataset) == ("image-000000002", "words")
    with pytest.raises(IndexError):
        source[2]


def read_label(source: LmdbSource | JoinedSource) -> tuple[str, int]:
    return source.text(1), int(source[0].image[0, 0, 0])


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_an_archive_goes_to_other_processes(tmp_path: Path, method: str) -> None:
    source = LmdbSource(archive(tmp_path / "words", ["one", "two"]))
    assert read_label(source) == ("two", 1)  # opened here first
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map(read_label, [source] * 4) == [("two", 1)] * 4


def test_two_sources_share_an_archive_and_pickles_hold_no_handle(tmp_path: Path) -> None:
    first = LmdbSource(archive(tmp_path / "words", ["one", "two"]))
    second = LmdbSource(tmp_path / "words" / "data.mdb")
    assert first.text(0) == second.text(0) == "one"
    assert len(pickle.dumps(first)) < 500


def test_a_broken_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "data.mdb").write_bytes(b"no database" * 1000)
    with pytest.raises(DataError, match="not an LMDB archive"):
        LmdbSource(tmp_path / "bad")
    environment = lmdb.open(str(tmp_path / "empty"), map_size=1 << 20)
    environment.close()
    with pytest.raises(DataError, match="has no num-samples"):
        LmdbSource(tmp_path / "empty")


def test_scene_words_are_cut_from_their_polygons(tmp_path: Path) -> None:
    source = scenes(tmp_path / "set")
    assert isinstance(source, Source)
    assert [source.text(i) for i in range(len(source))] == ["red", "green", "blue"]
    assert source.illegible == 1
    for i, colour in enumerate(([255, 0, 0], [0, 255, 0], [0, 0, 255])):
        crop = source[i].image
        assert crop.shape == (10, 20, 3)
        assert crop[5, 10].tolist() == colour
    assert source[1].id == "a.png#2"


def test_a_scene_is_decoded_once_for_consecutive_words(tmp_path: Path) -> None:
    source = scenes(tmp_path / "set")
    assert source[0].text == "red"
    (tmp_path / "set" / "a.png").unlink()
    assert source[1].image[5, 10].tolist() == [0, 255, 0]
    copy = pickle.loads(pickle.dumps(source))
    with pytest.raises(DataError, match=r"a\.png"):
        copy[1]


def test_box_jitter_is_a_function_of_seed_and_index(tmp_path: Path) -> None:
    calm, shaky = scenes(tmp_path / "set"), scenes(tmp_path / "set", jitter=0.1)
    shifts = [shaky.polygon(i) - calm.polygon(i) for i in range(3)]
    assert all(0 < np.abs(shift).max() < 5 for shift in shifts)  # a tenth of a height of 10 pixels, times five at most
    assert not np.array_equal(shifts[0], shifts[1])
    again = ScenesSource(tmp_path / "set", jitter=0.1, seed=7)
    other = ScenesSource(tmp_path / "set", jitter=0.1, seed=8)
    assert np.array_equal(again.polygon(2), shaky.polygon(2))
    assert not np.array_equal(other.polygon(2), shaky.polygon(2))
    assert np.array_equal(again[2].image, shaky[2].image)


@pytest.mark.parametrize(
    "line",
    [
        "no json",
        "[]",
        '{"words": []}',
        '{"image": "a.png", "words": [{"polygon": [[0, 0], [1, 0], [1, 1]], "text": "x"}]}',
        '{"image": "a.png", "words": [{"polygon": [[0, 0], [1, 0], [1, 1], [0, NaN]], "text": "x"}]}',
        '{"image": "a.png", "words": [{"polygon": [[0, 0], [1, 0], [1, 1], [0, 1]]}]}',
        '{"image": "a.png", "words": [{"polygon": [[0, 0], [1, 0], [1, 1], [0, 1e300]], "text": "x"}]}',
        f'{{"image": "a.png", "words": [{{"polygon": [[0, 0], [1, 0], [1, 1], [0, {10**400}]], "text": "x"}}]}}',
        '{"image": "a.png", "words": [{"polygon": [[0, 0], [1, 0], [1, 1], [0, 1]], "text": "\\ud800"}]}',
        '{"image": "a.png", "words": [], "at": [1e30, 1]}',
        '{"image": "a.png", "words": [], "at": [1]}',
        '{"image": 5, "words": []}',
    ],
)
def test_a_bad_scene_line_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "scenes.jsonl").write_text('{"image": "a.png", "words": []}\n' + line + "\n")
    with pytest.raises(DataError, match="line 2 is not a scene"):
        read_scenes(tmp_path)


def test_a_scene_whose_file_cannot_be_named_is_one_line(tmp_path: Path) -> None:
    line = '{"image": "a\\u0000.png", "words": []}'
    (tmp_path / "scenes.jsonl").write_text(line, encoding="utf-8")
    (scene,) = read_scenes(tmp_path)
    with pytest.raises(DataError, match="cannot be read"):
        scene.read()
    with pytest.raises(DataError, match="is not in Unicode"):
        write_scenes(tmp_path / "again.jsonl", [replace(scene, image=tmp_path / "\udcff.png")])
    assert not (tmp_path / "again.jsonl").exists()


def test_sources_are_told_apart_by_content(tmp_path: Path) -> None:
    assert isinstance(open_source(folder(tmp_path / "f", "a.png\tone\n")), FolderSource)
    assert isinstance(open_source(tmp_path / "f" / "labels.tsv"), FolderSource)
    assert isinstance(open_source(archive(tmp_path / "l", ["one"])), LmdbSource)
    scenes(tmp_path / "s")
    assert isinstance(open_source(tmp_path / "s"), ScenesSource)
    with pytest.raises(DataError, match="does not exist"):
        open_source(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"labels\.tsv, scenes\.jsonl, data\.mdb"):
        open_source(tmp_path / "empty")


def test_a_tree_of_archives_opens_as_one_source(tmp_path: Path) -> None:
    for name, words in (("real/b/val", ["five"]), ("real/a", ["one", "two"]), ("real/b/train", ["three", "four"])):
        (tmp_path / name).mkdir(parents=True)
        archive(tmp_path / name, words)
    (tmp_path / "real" / "a" / "again").symlink_to(tmp_path)  # a circle
    (tmp_path / "linked").symlink_to(tmp_path / "real" / "b")
    source = open_source(tmp_path / "real")
    assert isinstance(source, JoinedSource)
    assert isinstance(source, Source)
    assert [source.text(i) for i in range(len(source))] == ["one", "two", "three", "four", "five"]
    assert [source[i].dataset for i in (1, 2, 4)] == ["a", "b/train", "b/val"]
    assert source[3].image[0, 0].tolist() == [2, 0, 0]
    with pytest.raises(IndexError):
        source[5]
    assert [open_source(tmp_path / "linked").text(i) for i in range(3)] == ["three", "four", "five"]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(read_label, [source]) == ("two", 1)


def test_an_archive_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "words", ["one"] * 200)
    whole = (path / "data.mdb").read_bytes()
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "data.mdb").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="is truncated"):
        LmdbSource(tmp_path / "cut")


def test_one_walk_yields_all_readable_labels(tmp_path: Path) -> None:
    path = archive(tmp_path / "words", ["one", "two", "three", "four"])
    environment = lmdb.open(str(path), map_size=1 << 20)
    with environment.begin(write=True) as transaction:
        transaction.put(b"label-000000002", b"\xff\xfe")
        transaction.delete(b"label-000000003")
        transaction.put(b"label-000000009", b"beyond num-samples")
        transaction.put(b"zzz", b"after all labels")
    environment.close()
    source = LmdbSource(path)
    assert list(source.labels()) == [(0, "one"), (3, "four")]
    for i in (1, 2):
        with pytest.raises(DataError, match=f"label-00000000{i + 1}"):
            source.text(i)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("words/train/iiit5k", 2000),
        ("words/train/svt", 257),
        ("words/train/ic15", 4468),
        ("words/train/ic03", 960),
        ("words/test/ic15", 2077),
        ("scenes/train/ic15", 4468),
    ],
)
def test_real_sets_open(real_data: Path, name: str, count: int) -> None:
    source = open_source(real_data / name)
    assert len(source) == count
    sample = source[count // 2]
    assert sample.text == source.text(count // 2)
    assert sample.image.dtype == np.uint8
    assert min(sample.image.shape[:2]) >= 4
