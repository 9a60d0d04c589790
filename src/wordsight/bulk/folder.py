"""The folder of a job: parts that appear whole, and a manifest that says whose parts they are."""

import json
import os
import re
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from wordsight.bulk.rows import SCHEMA, Row, record_batch
from wordsight.errors import ConfigError, DataError

MANIFEST = "_manifest.json"

_PART = re.compile(r"part-(\d{5,})\.parquet")


@dataclass(frozen=True)
class Part:
    """What is known of a finished part: how many rows it has, and how many of them carry an error."""

    rows: int
    failed: int


class Folder:
    """A folder here or at an fsspec URL. `root` is what others can call it.

    Raises:
        ConfigError: there is no such file system.
    """

    def __init__(self, out: str | Path) -> None:
        self.name = str(out)
        try:
            self._fs, self._path = fsspec.core.url_to_fs(self.name)
        except Exception as error:  # of any file system
            raise self._impossible(error) from None
        self._here = isinstance(self._fs, LocalFileSystem)
        self.root = self._path if self._here else self.name

    @property
    def claimed(self) -> bool:
        """Whether it is that of a job already."""
        return bool(self._fs.exists(self._of(MANIFEST)))

    def claim(self, manifest: dict[str, Any]) -> None:
        """Makes the folder, and makes it that of a job, or sees that it is so already.

        Any number of processes may at once.

        Raises:
            ConfigError: it cannot be made or looked into, or is that of another job.
            DataError: nothing can be written there.
        """
        try:
            self._fs.makedirs(self._path, exist_ok=True)
        except Exception as error:  # of any file system
            raise self._impossible(error) from None
        path = self._of(MANIFEST)
        if not self.claimed:
            if self.numbers():
                raise ConfigError(f"{self.name} has parts and no {MANIFEST}: choose another --out")
            self._put(MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False).encode())
        try:
            found = json.loads(self._fs.cat_file(path))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path} cannot be read ({_reason(error)}): choose another --out") from None
        if different := _differences(found, manifest):
            raise ConfigError(f"{self.name} is of another job ({different}): choose another --out, or run that job")

    def _impossible(self, error: Exception) -> ConfigError:
        return ConfigError(f"{self.name} cannot be created ({_reason(error)}): choose another --out")

    def parts(self) -> dict[int, Part]:
        """The finished parts by number. A damaged one does not count, so that it is made again."""
        numbers = self.numbers()
        with ThreadPoolExecutor(16) as pool:  # for object stores
            return {number: part for number, part in zip(numbers, pool.map(self._part, numbers), strict=True) if part}

    def numbers(self) -> list[int]:
        """Those of all parts, damaged or not."""
        self._fs.invalidate_cache(self._path)
        names = [Path(name).name for name in self._fs.ls(self._path, detail=False)]
        return [int(found[1]) for name in names if (found := _PART.fullmatch(name))]

    def rows(self, number: int) -> list[Row]:
        """The rows of a finished part."""
        with self._fs.open(self._of(part_name(number)), "rb") as file:
            out: list[Row] = pq.read_table(file, schema=SCHEMA).to_pylist()
        return out

    def publish(self, number: int, rows: Iterable[Row]) -> Part:
        """Writes a part, which is there as a whole or not at all.

        Raises:
            DataError: it cannot be written.
        """
        table = pa.Table.from_batches([record_batch(list(rows))])
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        self._put(part_name(number), sink.getvalue())
        return Part(table.num_rows, table.num_rows - table.column("error").null_count)

    def _put(self, name: str, content: Any) -> None:
        path = self._of(name)
        try:
            if self._here:
                _replace(Path(path), content)
            else:
                self._fs.pipe_file(path, bytes(content))  # object stores show an object when it is complete
        except Exception as error:  # of any file system
            cure = "check free space and permissions; the same command then resumes"
            raise DataError(f"{path} cannot be written ({_reason(error)}): {cure}") from None

    def sweep(self) -> None:
        """Removes what processes that were killed while they wrote have left. For a job that is finished."""
        if self._here:
            for file in Path(self._path).glob(".*.tmp"):
                file.unlink(missing_ok=True)

    def _part(self, number: int) -> Part | None:
        try:
            with self._fs.open(self._of(part_name(number)), "rb") as file:
                about = pq.read_metadata(file)
        except (OSError, pa.ArrowException):
            return None
        groups = [about.row_group(i) for i in range(about.num_row_groups)]
        columns = [group.column(i) for group in groups for i in range(group.num_columns)]
        nulls = sum(column.statistics.null_count for column in columns if column.path_in_schema == "error")
        return Part(about.num_rows, about.num_rows - nulls)

    def _of(self, name: str) -> str:
        return f"{self._path}/{name}"


def part_name(number: int) -> str:
    """The file of a part."""
    return f"part-{number:05}.parquet"


def _replace(path: Path, content: Any) -> None:
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except FileNotFoundError:
        if not path.exists():  # else another process has made the same part meanwhile, and swept up
            raise
    finally:
        beside.unlink(missing_ok=True)


def _differences(found: Any, wanted: dict[str, Any]) -> str:
    """What two manifests do not have in common, in words; empty if they are of the same job."""
    if not isinstance(found, dict):
        return f"its {MANIFEST} is none"
    names = [name for name in wanted if name != "model" and found.get(name) != wanted[name]]
    told = []
    for name in names:
        was, now = found.get(name), wanted[name]
        if isinstance(was, dict) and isinstance(now, dict):
            told += [
                f"{name} {k} {_in_short(was.get(k))}, not {_in_short(now[k])}" for k in now if was.get(k) != now[k]
            ]
        else:
            told.append(f"{name} {_in_short(was)}, not {_in_short(now)}")
    return "; ".join(told)


def _in_short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split())[:200] or type(error).__name__
