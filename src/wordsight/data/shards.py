"""Scenes in a few large files: WebDataset shards, read scene by scene from disk, or streamed from disk or over HTTP.

A folder of shards has `000000.tar`, ... (members 000000000.jpg and 000000000.json, ...), `shards.json` (the shards and
their numbers of scenes) and `scenes.jsonl`, which locates each picture in them, so that the folder opens like any other
data set. Pictures are packed as they are, in random order. This uses `tarfile`, as the webdataset library cannot resume
in the middle of what a worker has read.
"""

import contextlib
import io
import json
import re
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wordsight.data.folder import check_below, filling_data_set
from wordsight.data.mixing import permuted
from wordsight.data.scenes import Scene, read_file, read_picture, scene_from_json
from wordsight.errors import ConfigError, DataError

_VERSION = 1
_HEADER = tarfile.BLOCKSIZE  # before each member's content: one block, as their names are short
_ATTEMPTS = 4
_WAIT = 0.5  # seconds before the second attempt, doubled each time
_TIMEOUT = 60.0  # seconds without a byte
_LARGEST = 2 << 30  # bytes of a shard, which is held in memory
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")  # of a shard: in its folder, neither a path nor hidden
_SUFFIXES = {b"\xff\xd8\xff": "jpg", b"\x89PN": "png", b"RIF": "webp", b"GIF": "gif", b"II*": "tif", b"MM\0": "tif"}


def pack_scenes(
    scenes: Sequence[Scene], out: Path, *, below: Sequence[Path], seed: int = 0, shard_bytes: int = 128 << 20
) -> Iterator[Scene | DataError]:
    """Writes shards of at most `shard_bytes` (at least one scene) into the folder `out`.

    Shards are given to others, so only pictures in the folders `below`, links resolved, are packed, whatever a
    scenes.jsonl names.

    Yields each scene as it is in its shard, or the reason why it was left out, in a random order set by the seed. The
    folder can be read once all have been yielded.

    Raises:
        DataError: the folder holds a data set already, or cannot be written.
    """
    for name in ("shards.json", "scenes.jsonl"):
        if (out / name).exists():
            raise DataError(f"{out}: already holds a data set ({name}): choose another folder")
    places = [place.resolve() for place in below]
    with filling_data_set(out, last="shards.json") as folder, contextlib.ExitStack() as opened:
        packed: list[Scene] = []
        shards: list[dict[str, Any]] = []
        tar: tarfile.TarFile | None = None
        for number in np.random.default_rng(seed).permutation(len(scenes)):
            scene = scenes[number]
            try:
                if scene.data is None:
                    check_below(scene.image, places)
                picture = scene.read()
                read_picture(picture, str(scene.image))  # or it is none
            except DataError as error:
                yield error
                continue
            if tar is None or (tar.offset and tar.offset + len(picture) > shard_bytes):
                opened.close()  # the shard before
                shards.append({"name": f"{len(shards):06d}.tar", "scenes": 0})
                shard = folder / shards[-1]["name"]
                tar = opened.enter_context(tarfile.open(shard, "w", format=tarfile.USTAR_FORMAT))
            key = f"{len(packed):09d}"
            name = f"{key}.{_SUFFIXES.get(picture[:3], 'jpg')}"
            at = (tar.offset + _HEADER, len(picture))
            _add(tar, name, picture)
            path = out / shards[-1]["name"]
            stored = Scene(path, scene.words, scene.id or scene.image.name, scene.dataset, scene.split, at)
            line = stored.as_json(out) | {"image": name}
            del line["at"]
            _add(tar, f"{key}.json", json.dumps(line, ensure_ascii=False).encode())
            shards[-1]["scenes"] += 1
            packed.append(stored)
            yield stored
        opened.close()
        lines = (json.dumps(scene.as_json(out), ensure_ascii=False) + "\n" for scene in packed)
        (folder / "scenes.jsonl").write_text("".join(lines), encoding="utf-8", newline="\n")
        (folder / "shards.json").write_text(json.dumps({"version": _VERSION, "shards": shards}, indent=1))


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


@dataclass(eq=False)
class ShardStream:
    """The scenes of a folder of shards, in shuffled order, for one of several readers.

    In each round, every scene goes to exactly one reader. Shards are dealt to them in turn, in a new order each round,
    and the scenes of a shard are shuffled; both are functions of the seed. One shard at a time is in memory. The scenes
    carry their encoded pictures.

    Args:
        place: the folder, or its address (http:// or https://).
        seed: of the order.
        reader: which of the `readers` (ranks * workers) this one is, from 0: rank * workers + worker.
        position: how many scenes this reader has had: it continues after them, if seed and readers are the same.
            Earlier shards are not read.
        rounds: how often to go through the scenes; None: endless, as synchronous training needs, since readers get
            different numbers of scenes in a round.

    Raises:
        ConfigError: there is no such reader.
        DataError: the folder has no shards, or cannot be reached.
    """

    place: str | Path
    _: KW_ONLY
    seed: int = 0
    reader: int = 0
    readers: int = 1
    position: int = 0
    rounds: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.reader < self.readers:
            raise ConfigError(f"there is no reader {self.reader} of {self.readers}: count from 0")
        self.place = str(self.place).rstrip("/")
        try:
            index = json.loads(_fetch(f"{self.place}/shards.json"))
            if index["version"] != _VERSION:
                raise DataError(f"{self.place}: is of version {index['version']}: install a newer wordsight")
            self.shards = [(str(shard["name"]), int(shard["scenes"])) for shard in index["shards"]]
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise DataError(f"{self.place}/shards.json: is not an index of shards: pack them again") from error
        if not self.shards:
            raise DataError(f"{self.place}: has no shards")
        for name, count in self.shards:
            if count < 1:  # without scenes, the next one would be looked for without end
                raise DataError(
                    f"{self.place}/shards.json: says that {name[:60]!r} holds {count} scenes: pack them again"
                )
            if not _NAME.fullmatch(name):
                raise DataError(f"{self.place}/shards.json: names {name[:60]!r}, which is not a plain file name")

    def __len__(self) -> int:
        """Number of scenes, for all readers together."""
        return sum(count for _, count in self.shards)

    def __iter__(self) -> Iterator[Scene]:
        """Scenes from `position` on."""
        skip, visit = self.position, self.reader
        while self.rounds is None or visit < self.rounds * len(self.shards):
            turn, place = divmod(visit, len(self.shards))
            key = int(np.random.default_rng((self.seed, turn)).integers(1 << 62))
            number = permuted(place, len(self.shards), key)
            name, count = self.shards[number]
            if skip >= count:
                skip -= count
            else:
                scenes = self._read(name, count)
                order = np.random.default_rng((self.seed, turn, number)).permutation(count)
                for i in order[skip:]:
                    yield scenes[i]
                skip = 0
            visit += self.readers

    def _read(self, name: str, count: int) -> list[Scene]:
        place = f"{self.place}/{name}"
        pictures: dict[str, bytes] = {}
        scenes = []
        try:
            whole = _fetch(place)
            with tarfile.open(fileobj=io.BytesIO(whole), mode="r:") as tar:  # uncompressed, as we write them
                for member in tar:
                    if not member.isreg() or member.size > len(whole):  # a link, or a sparse file
                        raise ValueError(f"{member.name} is not a plain file")
                    content = tar.extractfile(member)
                    data = content.read() if content else b""
                    if not member.name.endswith(".json"):
                        pictures[member.name] = data
                        continue
                    line = json.loads(data)
                    scenes.append(scene_from_json(Path(name), line, data=pictures.pop(line["image"])))
        except (tarfile.TarError, EOFError, ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
            raise DataError(f"{place}: is not a shard of scenes ({type(error).__name__}): pack them again") from error
        if len(scenes) != count:
            raise DataError(f"{place}: holds {len(scenes)} scenes and not {count}: copy it again")
        return scenes


def _fetch(place: str) -> bytes:
    """The content of a file or address; failed transfers are repeated."""
    if not place.startswith(("http://", "https://")):
        return read_file(place, _LARGEST)
    problem = ""
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_WAIT * 2 ** (attempt - 1))
        try:
            with urllib.request.urlopen(place, timeout=_TIMEOUT) as answer:  # noqa: S310 http or https, see above
                data: bytes = answer.read(_LARGEST + 1)
                if len(data) > _LARGEST:
                    problem = f"over {_LARGEST >> 20} MB"
                    break
                if left := getattr(answer, "length", None):  # read(n) does not report a short answer
                    raise EOFError(f"{left} bytes are missing")
                return data
        except urllib.error.HTTPError as error:
            problem = f"{error.code} {error.reason}"
            if error.code < 500 and error.code not in (408, 429):
                break
        except (OSError, EOFError, ValueError) as error:
            problem = str(error)
        except Exception as error:  # http.client's own, such as IncompleteRead
            problem = f"{type(error).__name__}: {error}"
    raise DataError(f"{place}: cannot be fetched ({' '.join(problem.split())}): check the address")
