"""What processes that share a job have to know, and how each of them makes parts."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa

from wordsight.bulk.folder import Folder
from wordsight.bulk.rows import Row, empty_row
from wordsight.errors import WorkerError
from wordsight.parallel import Pool
from wordsight.spec import ReaderSpec

Item: TypeAlias = tuple[int, int, str]
"""Number of the shard, place in it, URI."""


@dataclass(frozen=True)
class Plan:
    """A job.

    Attributes:
        uris: of all pictures.
        out: the folder.
        spec: how they are read.
        shard_size: pictures of a part.
        again: shards of which only the rows with errors are read, and the others taken from their finished parts.
    """

    uris: pa.Array
    out: str
    spec: ReaderSpec
    shard_size: int
    again: frozenset[int] = frozenset()

    def __len__(self) -> int:
        return -(-len(self.uris) // self.shard_size)

    def size(self, number: int) -> int:
        """Pictures of a shard."""
        return min(self.shard_size, len(self.uris) - number * self.shard_size)

    def shard(self, number: int, folder: Folder) -> tuple[list[Row | None], list[Item]]:
        """The rows of a shard, None where they are missing, and what is to be read for that."""
        rows: list[Row | None] = [None] * self.size(number)
        if number in self.again:
            rows = [row if row["error"] is None else None for row in folder.rows(number)]
        uris = self.uris.slice(number * self.shard_size, self.shard_size).to_pylist()
        return rows, [(number, place, uri) for place, uri in enumerate(uris) if rows[place] is None]


def read_shards(plan: Plan, numbers: Iterable[int], pool: Pool[Item, Row]) -> Iterator[bool]:
    """Makes parts of the shards with these numbers. Yields for every picture that was read whether it failed.

    Pictures of the next shard are read while those of the last one are being finished; what is kept in memory are the
    rows of two or three parts.
    """
    folder = Folder(plan.out)
    begun: dict[int, list[Row | None]] = {}
    missing: dict[int, int] = {}

    def items() -> Iterator[Item]:
        for number in numbers:
            begun[number], todo = plan.shard(number, folder)
            missing[number] = len(todo)
            yield from todo

    for (number, place, uri), result in pool.each(items()):
        row = empty_row(uri, f"{uri}: {result}") if isinstance(result, WorkerError) else result
        begun[number][place] = row
        missing[number] -= 1
        if not missing[number]:
            folder.publish(number, [row for row in begun.pop(number) if row is not None])
        yield row["error"] is not None
