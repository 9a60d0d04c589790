"""What a job reads: URIs out of folders, globs, lists, Parquet files and WebDataset tars, here or at any fsspec URL.

A URI is the absolute path of a local file, a URL, or either of a tar with `#` and a member of it. A local path that is
no UTF-8, or would be taken for a chain of URLs (`::`) or a member of a tar, is written as a file URL, percent-encoded.
"""

import glob
import hashlib
import os
import tarfile
import urllib.parse
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from wordsight.errors import DataError, ImageError
from wordsight.suffixes import PICTURES

MAX_BYTES = 2**30
"""A local file that is larger is no picture that could be read."""

COLUMNS = ("uri", "url", "path")
"""The first of these that a Parquet file has is what it lists."""

_LISTS = (".txt", ".list", ".lst")


def listed(source: str | Path) -> pa.Array:
    """The URIs that `source` names, sorted and distinct, as an Arrow array; ten million take about a gigabyte.

    Args:
        source: a folder (searched recursively for pictures and tars), a glob, a picture, a tar, a text file with a path
            or URL per line, or a Parquet file with a column of them; or an fsspec URL of any of these. Paths in lists
            are relative to the working directory.

    Raises:
        DataError: it does not exist, cannot be listed, or has no pictures.
    """
    name = str(source)
    found = iter(_uris(name))
    chunks = []
    try:
        while chunk := list(islice(found, 65536)):
            chunks.append(pa.array(chunk, pa.large_string()))
    except DataError:
        raise
    except Exception as error:  # of any file system and its libraries
        raise DataError(f"{name} cannot be listed ({_reason(error)}): check the path and its permissions") from None
    if not chunks:
        raise DataError(f"{name}: holds no pictures: check the path")
    uris = pc.unique(pa.chunked_array(chunks))
    return uris.take(pc.array_sort_indices(uris))


def digest(uris: pa.Array) -> str:
    """SHA-256 of the list."""
    out = hashlib.sha256()
    for start in range(0, len(uris), 65536):
        out.update("\n".join(uris.slice(start, 65536).to_pylist()).encode() + b"\n")
    return out.hexdigest()


def fetch(uri: str) -> bytes:
    """What stands there.

    Raises:
        ImageError: it cannot be fetched; one line says why.
    """
    try:
        tar, member = _parted(uri)
        if member is None:
            return _all(uri)
        places = _members(tar)
        if member not in places:
            raise ImageError(f"{uri}: the tar has no such member: list its members again")
        return _range(tar, *places[member])
    except ImageError:
        raise
    except FileNotFoundError:
        raise ImageError(f"{uri} does not exist: check the path") from None
    except Exception as error:  # file systems raise what the libraries below them do
        raise ImageError(f"{uri} cannot be read ({_reason(error)}): check the path and its permissions") from None


# ---- listing


def _uris(source: str) -> Iterator[str]:
    path = _local(source)
    if path is None:
        yield from _remote(source)
    elif os.path.isdir(path):  # noqa: PTH112
        yield from _folder(path)
    elif os.path.exists(path):  # noqa: PTH110
        yield from _file(_uri(path))
    elif glob.has_magic(path):
        for match in glob.iglob(path, recursive=True):  # noqa: PTH207  (takes absolute patterns, too)
            yield from _folder(match) if os.path.isdir(match) else _entry(_uri(match))  # noqa: PTH112
    else:
        raise DataError(f"{source} does not exist: check the path")


def _folder(folder: str) -> Iterator[str]:
    def refused(error: OSError) -> None:
        raise error

    for parent, _, files in os.walk(folder, onerror=refused):
        for file in files:
            if Path(file).suffix.lower() in PICTURES | {".tar"}:
                yield from _entry(_uri(os.path.join(parent, file)))  # noqa: PTH118  (quicker, for millions)


def _remote(source: str) -> Iterator[str]:
    # The first URL of a chain is searched: simplecache::s3://bucket/*.jpg, zip://*.jpg::s3://bucket/photos.zip
    links = source.split("::")
    first = next((i for i, link in enumerate(links) if "://" in link), 0)
    before, after = links[:first], links[first + 1 :]
    fs, path = fsspec.core.url_to_fs("::".join([links[first], *after]))

    def whole(name: str) -> str:
        url: str = fs.unstrip_protocol(name)
        if "::" in url or _parted(url)[1] is not None:
            raise DataError(f"{url}: this name means a chain of URLs or a member of a tar: rename it")
        return "::".join([*before, url, *after])

    if glob.has_magic(path) and not fs.exists(path):
        yield from (uri for name in fs.glob(path) for uri in _entry(whole(name)))
    elif Path(path).suffix.lower() in PICTURES or not fs.isdir(path):
        yield from _file(source)
    else:
        for name in fs.find(path):
            if Path(name).suffix.lower() in PICTURES | {".tar"}:
                yield from _entry(whole(name))


def _file(uri: str) -> Iterator[str]:
    """The pictures of a single file: those it lists, or itself."""
    suffix = _suffix(uri)
    if suffix in _LISTS:
        with _opened(uri) as file:
            for line in file:
                if text := line.decode("utf-8-sig").strip():
                    yield from _entry(_named(text))
    elif suffix == ".parquet":
        yield from _table(uri)
    else:
        yield from _entry(uri)


def _table(uri: str) -> Iterator[str]:
    with _opened(uri) as file:
        table = pq.ParquetFile(file)
        column = next((name for name in COLUMNS if name in table.schema_arrow.names), None)
        if column is None:
            raise DataError(f"{uri} has no column {', '.join(COLUMNS)}: give that name to the column of paths")
        for batch in table.iter_batches(columns=[column]):
            for text in batch.column(0).to_pylist():
                if not isinstance(text, str) or not text:
                    raise DataError(f"{uri} has {text!r} in its column {column}: it must be a path or URL in every row")
                yield from _entry(_named(text))


def _entry(uri: str) -> Iterable[str]:
    """A picture, or all pictures of a tar."""
    if _suffix(uri) != ".tar" or _parted(uri)[1] is not None:
        return (uri,)
    return (f"{uri}#{member}" for member in _members(uri) if Path(member).suffix.lower() in PICTURES)


def _named(text: str) -> str:
    """The URI of a path or URL as people write it, of a member of a tar, too."""
    tar, member = _parted(text)
    if member is not None and (text.startswith("file://") or not os.path.lexists(text)):
        path = _local(tar)
        return text if path is None else f"{_uri(path)}#{member}"
    path = _local(text)
    return text if path is None else _uri(path)


def _suffix(uri: str) -> str:
    if "://" in uri:
        uri = next(link for link in uri.split("::") if "://" in link).partition("?")[0]
    return os.path.splitext(uri)[1].lower()  # noqa: PTH122  (quicker, for millions)


# ---- reading


def _parted(uri: str) -> tuple[str, str | None]:
    """A tar and its member, or what is none and None."""
    at = uri.find("#")
    while at >= 0:
        if _suffix(uri[:at]) == ".tar":
            return uri[:at], uri[at + 1 :]
        at = uri.find("#", at + 1)
    return uri, None


@lru_cache(maxsize=4)  # members of one tar come one after the other
def _members(tar: str) -> dict[str, tuple[int, int]]:
    """Where each file of a tar begins, and its size in bytes."""
    with _opened(tar) as file, tarfile.open(fileobj=file, mode="r:", errors="replace") as archive:
        found = {}
        for member in archive:
            if member.isreg():
                found[member.name] = (member.offset_data, member.size)
            archive.members = []  # type: ignore[attr-defined]  # else it keeps them all, ten times as large
        return found


def _all(uri: str) -> bytes:
    path = _local(uri)
    if path is None:
        fs, name = fsspec.core.url_to_fs(uri)
        out: bytes = fs.cat_file(name)
        return out
    if not os.path.isfile(path):  # noqa: PTH113
        if os.path.exists(path):  # noqa: PTH110
            raise ImageError(f"{uri} is not a regular file: name an image file")
        raise FileNotFoundError
    with open(path, "rb") as file:  # noqa: PTH123
        if os.fstat(file.fileno()).st_size > MAX_BYTES:
            raise ImageError(f"{uri} has over {MAX_BYTES >> 20} MB: make it smaller")
        return file.read()


def _range(uri: str, start: int, size: int) -> bytes:
    path = _local(uri)
    if path is None:
        fs, name = fsspec.core.url_to_fs(uri)
        out: bytes = fs.cat_file(name, start, start + size)
        if len(out) > size:  # a server that knows no ranges sends all
            out = out[start : start + size]
        if len(out) != size:
            raise ImageError(f"{uri} has changed, or was not sent as a whole: list its members again")
        return out
    with open(path, "rb") as file:  # noqa: PTH123
        file.seek(start)
        return file.read(size)


@contextmanager
def _opened(uri: str) -> Iterator[Any]:
    path = _local(uri)
    if path is None:
        fs, name = fsspec.core.url_to_fs(uri)  # which archives need as long as their files
        with fs.open(name, "rb") as file:
            yield file
    else:
        with open(path, "rb") as file:  # noqa: PTH123
            yield file


def _local(text: str) -> str | None:
    """The path of a local file; None for what is elsewhere."""
    if text.startswith("file://"):
        return os.fsdecode(urllib.parse.unquote_to_bytes(text.removeprefix("file://").removeprefix("localhost")))
    if "://" in text:
        return None
    first, mark, _ = text.partition("::")
    chain = mark and first in fsspec.available_protocols() and not os.path.lexists(text)
    return None if chain else text


def _uri(path: str) -> str:
    whole = os.path.abspath(path)  # noqa: PTH100  (follows no links)
    try:
        whole.encode()
    except UnicodeEncodeError:
        return _file_url(whole)
    return _file_url(whole) if "::" in whole or _parted(whole)[1] is not None else whole


def _file_url(path: str) -> str:
    return "file://" + urllib.parse.quote(os.fsencode(path))


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split())[:200] or type(error).__name__
