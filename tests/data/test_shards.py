"""Packed scenes: the same as before, on disk and over HTTP; every reader its own, none twice; runs that go on."""

import functools
import io
import json
import os
import tarfile
import threading
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import wordsight.data.shards
from wordsight.cli.main import app
from wordsight.data import ScenesSource, open_source, read_scenes
from wordsight.data.scene_words import cut_word
from wordsight.data.shards import ShardStream, pack_scenes
from wordsight.errors import ConfigError, DataError

COUNT = 23


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    lines = []
    for number in range(COUNT):
        name = f"photo {number}.{'png' if number % 2 else 'jpg'}"
        pixels = np.random.default_rng(number).integers(0, 256, (40, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
        words = [
            {
                "polygon": [[5, 5], [35, 5], [35, 15], [5, 15.25]],
                "text": f"wörd {number}",
                "script": "Latn",
                "id": f"w{number}",
            },
            {"polygon": [[5, 25], [35, 25], [35, 35], [5, 35]], "text": "###", "legible": False},
        ]
        lines.append(json.dumps({"image": name, "dataset": "made", "split": "train", "words": words}))
    (folder / "scenes.jsonl").write_text("\n".join(lines))
    return folder


@pytest.fixture(scope="module")
def shards(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """About three scenes a shard."""
    folder = tmp_path_factory.mktemp("packed") / "shards"
    assert len(list(pack_scenes(read_scenes(scenes), folder, below=[scenes], shard_bytes=30_000))) == COUNT
    return folder


class Quiet(SimpleHTTPRequestHandler):
    failures = 0  # how many requests fail before the rest is answered

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        if Quiet.failures and self.path.endswith(".tar"):
            Quiet.failures -= 1
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            self.wfile.write(b"cut off")
            self.close_connection = True
        else:
            super().do_GET()


@pytest.fixture
def address(shards: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(shards)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def ids(stream: ShardStream, count: int | None = None) -> list[str]:
    return [scene.id for scene in islice(stream, count)]


def test_a_folder_of_shards_opens_like_its_scenes(scenes: Path, shards: Path) -> None:
    packed, loose = open_source(shards), ScenesSource(scenes)
    assert isinstance(packed, ScenesSource)
    assert len(list(shards.glob("*.tar"))) > 4
    by_id = {loose[i].id: loose[i] for i in range(len(loose))}
    found = [packed[i] for i in range(len(packed))]
    assert [sample.id for sample in found] != list(by_id)  # packed in another order
    assert {sample.id for sample in found} == set(by_id)
    for sample in found:
        same = by_id[sample.id]
        assert np.array_equal(sample.image, same.image)
        assert (sample.text, sample.script, sample.dataset, sample.split) == (same.text, "Latn", "made", "train")
    assert packed.illegible == COUNT


def test_what_streams_is_what_was_packed(scenes: Path, shards: Path) -> None:
    original = {scene.id: scene for scene in read_scenes(scenes)}
    streamed = list(ShardStream(shards, rounds=1))
    assert Counter(scene.id for scene in streamed) == Counter(list(original))
    for scene in streamed:
        same = original[scene.id]
        assert scene.read() == same.image.read_bytes()
        assert np.array_equal(scene.load(), same.load())
        for word, other in zip(scene.words, same.words, strict=True):
            assert np.array_equal(word.polygon, other.polygon)
            assert (word.text, word.legible, word.script, word.id) == (
                other.text,
                other.legible,
                other.script,
                other.id,
            )
    sample = cut_word(streamed[0], 0, streamed[0].load())
    assert sample.text.startswith("wörd")


def test_members_are_named_as_the_format_wants(shards: Path) -> None:
    with tarfile.open(shards / "000000.tar") as tar:
        names = tar.getnames()
    assert len(names) % 2 == 0
    for picture, label in zip(names[::2], names[1::2], strict=True):
        assert picture.partition(".")[0] == label.partition(".")[0]
        assert label.endswith(".json")


@pytest.mark.slow
def test_the_webdataset_library_can_read_them(shards: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    data = webdataset.WebDataset(str(shards / "000000.tar"), shardshuffle=False, empty_check=False)
    first = next(iter(data))
    assert json.loads(first["json"])["words"][0]["text"].startswith("wörd")


def test_the_order_is_a_function_of_seed_and_round(shards: Path) -> None:
    first = ids(ShardStream(shards, seed=1, rounds=2))
    assert first == ids(ShardStream(shards, seed=1, rounds=2))
    assert first[:COUNT] != first[COUNT:]
    assert Counter(first[:COUNT]) == Counter(first[COUNT:])
    assert first[:COUNT] != ids(ShardStream(shards, seed=2, rounds=1))
    assert first[:COUNT] == ids(ShardStream(shards, seed=1), COUNT)  # without end


@pytest.mark.parametrize("readers", [1, 3, 40])
def test_readers_share_every_round_without_loss_or_repetition(shards: Path, readers: int) -> None:
    for rounds in (1, 3):
        parts = [ids(ShardStream(shards, seed=5, reader=r, readers=readers, rounds=rounds)) for r in range(readers)]
        found = Counter(name for part in parts for name in part)
        assert len(found) == COUNT
        assert set(found.values()) == {rounds}


@pytest.mark.parametrize("position", [0, 1, 7, COUNT, COUNT + 4, 3 * COUNT])
def test_a_reader_goes_on_where_it_stopped(shards: Path, position: int) -> None:
    for reader in range(2):
        whole = ids(ShardStream(shards, seed=9, reader=reader, readers=2), position + 10)
        assert ids(ShardStream(shards, seed=9, reader=reader, readers=2, position=position), 10) == whole[position:]


def test_going_on_reads_no_shard_that_lies_before(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    fetch = wordsight.data.shards._fetch
    monkeypatch.setattr(wordsight.data.shards, "_fetch", lambda place: read.append(place) or fetch(place))
    next(iter(ShardStream(shards, position=100 * COUNT)))
    assert [place.rpartition(".")[2] for place in read] == ["json", "tar"]


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_two_ranks_of_two_workers_stream_over_http(address: str) -> None:
    data = pytest.importorskip("torch.utils.data")

    class Rank(data.IterableDataset):  # as docs/data.md shows it
        def __init__(self, rank: int) -> None:
            self.rank = rank

        def __iter__(self) -> Iterator[str]:
            worker = data.get_worker_info()
            reader = self.rank * worker.num_workers + worker.id
            for scene in ShardStream(address, seed=3, reader=reader, readers=2 * worker.num_workers, rounds=2):
                scene.load()
                yield scene.id

    ranks = [list(data.DataLoader(Rank(rank), batch_size=None, num_workers=2)) for rank in range(2)]
    assert all(ranks)
    assert Counter(name for names in ranks for name in names) == Counter(
        {f"photo {n}.{'png' if n % 2 else 'jpg'}": 2 for n in range(COUNT)}
    )


def test_a_cut_connection_is_tried_again(address: str, shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wordsight.data.shards, "_WAIT", 0.01)
    Quiet.failures = 2
    assert ids(ShardStream(address, rounds=1)) == ids(ShardStream(shards, rounds=1))
    Quiet.failures = 4
    with pytest.raises(DataError, match=r"\.tar: cannot be fetched \(99993 bytes are missing"):
        next(iter(ShardStream(address)))
    Quiet.failures = 0


def test_what_is_no_folder_of_shards_is_refused(tmp_path: Path, address: str, shards: Path) -> None:
    with pytest.raises(DataError, match=r"shards\.json: cannot be read"):
        ShardStream(tmp_path)
    with pytest.raises(DataError, match=r"cannot be fetched \(404"):
        ShardStream(address + "nowhere")
    with pytest.raises(ConfigError, match="no reader 2 of 2"):
        ShardStream(shards, reader=2, readers=2)
    (tmp_path / "shards.json").write_text('{"version": 1, "shards": [{"name": "000000.tar", "scenes": 3}]}')
    (tmp_path / "000000.tar").write_bytes((shards / "000000.tar").read_bytes()[:5000])
    with pytest.raises(DataError, match=r"000000\.tar: "):
        next(iter(ShardStream(tmp_path)))


def test_the_command_packs_and_says_what_is_missing(scenes: Path, tmp_path: Path) -> None:
    folder = tmp_path / "loose"
    folder.mkdir()
    lines = (scenes / "scenes.jsonl").read_text().split("\n")[:3]
    (folder / "scenes.jsonl").write_text("\n".join(lines))
    for name in ("photo 0.jpg", "photo 1.png"):
        (folder / name).write_bytes((scenes / name).read_bytes())
    out = tmp_path / "shards"
    result = CliRunner().invoke(app, ["data", "pack", str(folder), "-o", str(out)])
    assert result.exit_code == 1
    assert f"{out}: 2 scenes in 1 shards, 1 left out" in result.output
    assert "photo 2.jpg" in result.output
    assert len(open_source(out)) == 2
    again = CliRunner().invoke(app, ["data", "pack", str(folder), "-o", str(out)])
    assert isinstance(again.exception, DataError)
    assert "already holds a data set" in str(again.exception)


def named(folder: Path, image: str, **more: object) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "scenes.jsonl").write_text(json.dumps({"image": image, "words": [], **more}))
    return folder


def packed(folder: Path, *options: object) -> tuple[str, set[bytes]]:
    """What the command says, and the pictures that it packs."""
    out = folder.with_name(f"packed-{len(list(folder.parent.iterdir()))}")
    said = CliRunner().invoke(app, ["data", "pack", str(folder), "-o", str(out), *map(str, options)]).output
    return said, {scene.read() for scene in read_scenes(out)} if (out / "scenes.jsonl").exists() else set()


def test_nothing_is_packed_but_pictures_of_the_data_set(scenes: Path, tmp_path: Path) -> None:
    """Shards are given to others, and a scenes.jsonl may name any file of this machine."""
    private = tmp_path / "private"
    private.mkdir()
    picture = private / "passport.png"
    picture.write_bytes((scenes / "photo 1.png").read_bytes())
    (private / "shadow").write_text("root:secret")
    link = tmp_path / "data" / "link.png"
    link.parent.mkdir()
    link.symlink_to(picture)
    for name in (str(picture), "../private/passport.png", "link.png"):
        said, found = packed(named(link.parent, name))
        assert found == set()
        assert "lies outside" in said
        assert "add --images FOLDER" in said
    said, found = packed(named(link.parent, str(private / "shadow")), "--images", private)
    assert found == set()
    assert "not an image" in said
    said, found = packed(named(tmp_path / "at", str(private / "shadow"), at=[0, 5]), "--images", private)
    assert found == set()
    said, found = packed(named(tmp_path / "other", str(picture)), "--images", private)
    assert found == {picture.read_bytes()}


@pytest.mark.parametrize("kind", ["pipe", "/dev/zero", "/dev/stdin"])
def test_a_pipe_or_device_in_place_of_a_picture_is_refused(tmp_path: Path, kind: str) -> None:
    """It would be waited for, or read for ever."""
    folder = named(tmp_path / "data", kind)
    os.mkfifo(folder / "pipe")
    said, found = packed(folder, "--images", "/dev")
    assert found == set()
    assert "not a regular file" in said
    (scene,) = read_scenes(folder)
    with pytest.raises(DataError, match="regular file"):
        _ = scene.digest
    (folder / "scenes.jsonl").unlink()
    os.mkfifo(folder / "scenes.jsonl")
    with pytest.raises(DataError, match="not a regular file"):
        read_scenes(folder)


@pytest.mark.parametrize("name", ["a\0.png", "loop", "a" * 5000])
def test_a_picture_whose_name_leads_nowhere_is_left_out(tmp_path: Path, name: str) -> None:
    """The others are packed."""
    folder = named(tmp_path / "data", name)
    (folder / "loop").symlink_to("loop")
    good = folder / "good.png"
    Image.new("RGB", (8, 8)).save(good)
    with (folder / "scenes.jsonl").open("a") as file:
        file.write("\n" + json.dumps({"image": good.name, "words": []}))
    said, found = packed(folder)
    assert "cannot be read" in said
    assert "unexpected" not in said
    assert found == {good.read_bytes()}


def test_a_picture_beyond_the_end_of_its_file_is_refused(tmp_path: Path) -> None:
    """And no memory is taken for the length that is stated."""
    folder = named(tmp_path / "data", "good.png", at=[0, 1 << 62])
    Image.new("RGB", (8, 8)).save(folder / "good.png")
    (scene,) = read_scenes(folder)
    with pytest.raises(DataError, match="ends before byte"):
        scene.read()


@pytest.mark.parametrize("count", [0, -5])
def test_a_shard_without_scenes_is_refused(tmp_path: Path, count: int) -> None:
    """A stream without end would look for its next scene for ever."""
    (tmp_path / "shards.json").write_text(json.dumps({"version": 1, "shards": [{"name": "0.tar", "scenes": count}]}))
    with pytest.raises(DataError, match="scenes: pack them again"):
        ShardStream(tmp_path)


def shard_of(folder: Path, content: bytes) -> ShardStream:
    folder.mkdir()
    (folder / "0.tar").write_bytes(content)
    (folder / "shards.json").write_text(json.dumps({"version": 1, "shards": [{"name": "0.tar", "scenes": 1}]}))
    return ShardStream(folder, rounds=1)


def test_a_shard_that_unpacks_to_more_than_it_is_is_refused(tmp_path: Path) -> None:
    """Compressed ones, files of holes, links: none is what we write."""
    zeros = io.BytesIO()
    with tarfile.open(fileobj=zeros, mode="w:gz") as tar:
        member = tarfile.TarInfo("0.jpg")
        member.size = 50_000_000
        tar.addfile(member, io.BytesIO(bytes(member.size)))
    holes = tarfile.TarInfo("0.jpg")
    holes.size = 1 << 40
    holes.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(1 << 40)}
    link = tarfile.TarInfo("0.jpg")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    for number, content in enumerate((zeros.getvalue(), holes.tobuf(tarfile.PAX_FORMAT), link.tobuf())):
        tracemalloc.start()
        with pytest.raises(DataError, match="is not a shard of scenes"):
            list(shard_of(tmp_path / str(number), content))
        assert tracemalloc.get_traced_memory()[1] < 10e6
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["../other/0.tar", "/etc/passwd", ".hidden.tar", "a/b.tar", ""])
def test_shards_lie_in_their_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "shards.json").write_text(json.dumps({"version": 1, "shards": [{"name": name, "scenes": 1}]}))
    with pytest.raises(DataError, match="not a plain file name"):
        ShardStream(tmp_path)


def test_a_packing_that_is_stopped_leaves_nothing(scenes: Path, tmp_path: Path) -> None:
    stream = pack_scenes(read_scenes(scenes), tmp_path / "shards", below=[scenes], shard_bytes=30_000)
    assert len(list(islice(stream, 10))) == 10
    stream.close()  # type: ignore[attr-defined]
    assert list((tmp_path / "shards").iterdir()) == []
