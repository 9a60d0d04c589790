"""What a job reads, wherever it stands: lists, and what is fetched for their entries."""

import glob
import http.server
import io
import os
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wordsight.bulk import listed
from wordsight.bulk.sources import digest, fetch
from wordsight.errors import DataError, ImageError

PICTURES = {"b.jpg": b"of b", "a.PNG": b"of a", "deeper/c.tiff": b"of c"}


def fill(folder: Path) -> Path:
    for name, content in (PICTURES | {"notes.txt": b"no picture"}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return path


def contents(source: object) -> dict[str, bytes]:
    return {uri: fetch(uri) for uri in listed(str(source)).to_pylist()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fill(tmp_path / "photos")


@pytest.fixture
def memory() -> Iterator[str]:
    files = fsspec.filesystem("memory")
    for name, content in PICTURES.items():
        files.pipe_file(f"/photos/{name}", content)
    yield "memory://photos"
    files.rm("/photos", recursive=True)


@pytest.fixture
def server(folder: Path) -> Iterator[str]:
    """The folder over HTTP."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()


def test_a_folder_is_searched_through_sorted_and_other_files_left_alone(folder: Path) -> None:
    assert listed(folder).to_pylist() == [f"{folder}/{name}" for name in ("a.PNG", "b.jpg", "deeper/c.tiff")]
    assert contents(folder) == {f"{folder}/{name}": content for name, content in PICTURES.items()}
    assert listed(f"file://{folder}").equals(listed(folder))


def test_a_relative_path_is_made_absolute(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    assert listed("photos").equals(listed(folder))


def test_globs_and_single_pictures(folder: Path) -> None:
    assert list(contents(f"{folder}/*.jpg").values()) == [b"of b"]
    assert list(contents(f"{folder}/**/*.tiff").values()) == [b"of c"]
    assert list(contents(folder / "b.jpg").values()) == [b"of b"]
    (folder / "odd[1].jpg").write_bytes(b"odd")
    assert list(contents(folder / "odd[1].jpg").values()) == [b"odd"]


def test_lists_of_paths_and_urls_name_each_once(folder: Path, memory: str, tmp_path: Path) -> None:
    paths = [str(folder / "b.jpg"), f"{memory}/a.PNG", str(folder / "b.jpg"), f"file://{folder}/deeper/c.tiff"]
    text = tmp_path / "list.txt"
    text.write_text("\n".join(["", *paths, ""]), encoding="utf-8-sig")
    wanted = {str(folder / "b.jpg"): b"of b", f"{memory}/a.PNG": b"of a", str(folder / "deeper/c.tiff"): b"of c"}
    assert contents(text) == wanted
    for column in ("uri", "url", "path"):
        pq.write_table(pa.table({"other": range(4), column: paths}), tmp_path / "list.parquet")
        assert contents(tmp_path / "list.parquet") == wanted
    fsspec.filesystem("memory").put_file(str(text), "/photos/list.txt")
    assert contents("memory://photos/list.txt") == wanted


def test_members_of_tars(folder: Path, tmp_path: Path, memory: str) -> None:
    shards = tmp_path / "shards"
    shards.mkdir()
    first = tar(shards / "0.tar", {"1.jpg": b"one", "1.txt": b"label", "deep/2.jpg": b"two", "empty.png": b""})
    second = tar(shards / "1.tar", {"1.jpg": b"another one"})
    wanted = {
        f"{first}#1.jpg": b"one",
        f"{first}#deep/2.jpg": b"two",
        f"{first}#empty.png": b"",
        f"{second}#1.jpg": b"another one",
    }
    assert contents(shards) == contents(f"{shards}/*.tar") == wanted
    assert contents(second) == {f"{second}#1.jpg": b"another one"}
    (tmp_path / "tars.txt").write_text(f"{first}\n{second}\n")
    assert contents(tmp_path / "tars.txt") == wanted
    fsspec.filesystem("memory").put_file(str(first), "/photos/0.tar")
    assert contents("memory://photos/0.tar")["memory://photos/0.tar#deep/2.jpg"] == b"two"
    with pytest.raises(ImageError, match=r"0\.tar#3\.jpg: the tar has no such member"):
        fetch(f"{first}#3.jpg")


def test_names_that_look_like_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tars in capitals, `::` as in chains of URLs, `.tar#` as in members of tars."""
    folder = tmp_path / "odd::folder.tar#x"
    folder.mkdir()
    (folder / "a::b.jpg").write_bytes(b"colons")
    (folder / "simplecache::c.jpg").write_bytes(b"a protocol")
    (folder / "x.tar#1.jpg").write_bytes(b"no member")
    (folder / "#hash.jpg").write_bytes(b"hash")
    (folder / "100%3A.jpg").write_bytes(b"percent")
    tar(folder / "x.tar", {"1.jpg": b"member", "a::b.jpg": b"colons in it", "in.tar#2.jpg": b"mark in it"})
    tar(folder / "B.TAR", {"1.jpg": b"capitals"})
    wanted = {
        *(b"colons", b"a protocol", b"no member", b"hash", b"percent", b"member"),
        *(b"colons in it", b"mark in it", b"capitals"),
    }
    found = contents(folder)
    assert set(found.values()) == wanted
    assert len(found) == 9
    assert set(contents(f"{glob.escape(str(folder))}/*").values()) == wanted
    (tmp_path / "again.txt").write_text("\n".join(found))
    assert contents(tmp_path / "again.txt") == found
    pq.write_table(pa.table({"uri": list(found)}), tmp_path / "again.parquet")
    assert contents(tmp_path / "again.parquet") == found

    monkeypatch.chdir(folder)
    (tmp_path / "names.txt").write_text("\n".join(["a::b.jpg", "x.tar#1.jpg", "simplecache::c.jpg", "B.TAR"]))
    assert set(contents(tmp_path / "names.txt").values()) == {b"colons", b"no member", b"a protocol", b"capitals"}
    assert list(contents("a::b.jpg").values()) == [b"colons"]
    assert fetch("a::b.jpg") == b"colons"
    monkeypatch.chdir(tmp_path)
    assert contents("odd::folder.tar#x") == found
    plain = tmp_path / "plain"
    plain.mkdir()
    tar(plain / "B.Tar", {"1.jpg": b"one", "2.jpg": b"two"})
    (tmp_path / "one.txt").write_text("plain/B.Tar#2.jpg\n")
    assert contents(tmp_path / "one.txt") == {f"{plain}/B.Tar#2.jpg": b"two"}
    with pytest.raises(ImageError, match="does not exist"):
        fetch(f"{plain}/none::x.jpg")


def test_members_of_tars_behind_urls_with_more_to_them(folder: Path, server: str, tmp_path: Path) -> None:
    tar(folder / "0.tar", {"1.jpg": b"one"})
    url = f"{server}/0.tar?signature=1"
    assert contents(url) == {f"{url}#1.jpg": b"one"}
    (tmp_path / "list.txt").write_text(f"{url}#1.jpg\n")
    assert contents(tmp_path / "list.txt") == {f"{url}#1.jpg": b"one"}
    with zipfile.ZipFile(tmp_path / "tars.zip", "w") as file:
        file.write(folder / "0.tar", "0.TAR")
    assert contents(f"zip://*.TAR::{tmp_path}/tars.zip") == {f"zip://0.TAR::{tmp_path}/tars.zip#1.jpg": b"one"}


@pytest.mark.parametrize("name", ["a::b.jpg", "x.tar#1.jpg", "deep::er/c.jpg"])
def test_names_elsewhere_that_look_like_something_else_are_refused(memory: str, name: str) -> None:
    fsspec.filesystem("memory").pipe_file(f"/photos/{name}", b"odd")
    with pytest.raises(DataError, match="this name means") as caught:
        listed(memory)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_urls(folder: Path, memory: str, server: str, tmp_path: Path) -> None:
    assert contents(memory) == {f"memory:///photos/{name}": content for name, content in PICTURES.items()}
    assert list(contents(f"{memory}/*.jpg").values()) == [b"of b"]
    assert contents(f"{server}/b.jpg?size=large") == {f"{server}/b.jpg?size=large": b"of b"}
    archive = tmp_path / "photos.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for name, content in PICTURES.items():
            file.writestr(name, content)
    assert contents(f"zip://*.jpg::{archive}") == {f"zip://b.jpg::{archive}": b"of b"}
    assert list(contents(f"zip://::{archive}").values()) == [b"of a", b"of b", b"of c"]
    assert contents(f"simplecache::{server}/b.jpg") == {f"simplecache::{server}/b.jpg": b"of b"}


def test_a_name_that_is_no_text(folder: Path) -> None:
    odd = os.fsencode(folder) + b"/caf\xe9 1.jpg"
    try:
        Path(os.fsdecode(odd)).write_bytes(b"odd")
    except (OSError, UnicodeEncodeError):
        pytest.skip("this file system knows no such names")
    uri = f"file://{folder}/caf%E9%201.jpg"
    assert contents(folder)[uri] == b"odd"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("nowhere", None, "does not exist"),
        ("no*.jpg", None, "does not exist|no picture"),
        ("empty.txt", b"\n\n", "holds no pictures"),
        ("empty.tar", b"", "cannot be listed"),
        ("cut.tar", b"x" * 700, "cannot be listed"),
        ("bad.parquet", b"x", "cannot be listed"),
        ("latin.txt", b"caf\xe9.jpg", "cannot be listed"),
    ],
)
def test_sources_of_nothing_are_one_line(tmp_path: Path, name: str, content: bytes | None, says: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=says) as caught:
        listed(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_a_tar_that_was_cut_off_is_no_shorter_list(tmp_path: Path) -> None:
    whole = tar(tmp_path / "x.tar", {"1.jpg": b"1" * 5000, "2.jpg": b"2" * 5000})
    whole.write_bytes(whole.read_bytes()[:7000])
    with pytest.raises(DataError, match="cannot be listed"):
        listed(whole)


def test_a_table_without_paths_is_one_line(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": ["a.jpg"]}), tmp_path / "x.parquet")
    with pytest.raises(DataError, match="no column uri, url, path"):
        listed(tmp_path / "x.parquet")
    pq.write_table(pa.table({"uri": ["a.jpg", None]}), tmp_path / "x.parquet")
    with pytest.raises(DataError, match="has None in its column uri"):
        listed(tmp_path / "x.parquet")


def test_what_cannot_be_fetched_is_one_line(folder: Path, server: str) -> None:
    os.mkfifo(folder / "pipe.jpg")
    for uri in (f"{folder}/none.jpg", f"{folder}/pipe.jpg", str(folder), f"{server}/none.jpg", "nonsense://x/y.jpg"):
        with pytest.raises(ImageError) as caught:
            fetch(uri)
        assert uri in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_digest_is_of_the_list_alone(folder: Path) -> None:
    uris = listed(folder)
    assert digest(uris) == digest(listed(f"{folder}/**/*.*[gGf]"))
    assert digest(uris) != digest(uris[1:])
