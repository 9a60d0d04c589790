"""A finished job of a million rows: started once more it has nothing to do, and finds that out quickly."""

import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from plain_spec import PlainSpec

from wordsight.bulk import SCHEMA, listed, run
from wordsight.bulk.folder import part_name
from wordsight.bulk.rows import empty_row, record_batch

pytestmark = pytest.mark.slow

ROWS, SIZE = 1_000_000, 1000
SQUARE = [[12.34, 5.6], [112.34, 5.6], [112.34, 45.6], [12.34, 45.6]]


def rows() -> pa.Table:
    """A part of pictures with eight words each."""
    words = [{"text": f"word{k}", "confidence": 0.9876, "polygon": SQUARE} for k in range(8)]
    read = {"sha256": "0" * 64, "width": 1280, "height": 720, "text": "some words", "words": words, "milliseconds": 300}
    return pa.Table.from_batches([record_batch([{**empty_row(""), **read}] * SIZE)])


def test_resuming_a_finished_million_takes_under_a_minute(tmp_path: Path) -> None:
    source, out = tmp_path / "photos.parquet", tmp_path / "words"
    uris = [f"s3://a-bucket/photos/2026/{k // SIZE:05}/{k:08}.jpg" for k in range(ROWS)]
    pq.write_table(pa.table({"uri": uris[::-1]}), source)
    begun = time.process_time()  # what others take on a busy machine does not count
    assert len(listed(source)) == ROWS
    print(f"listed in {time.process_time() - begun:.1f} s")

    with pytest.raises(KeyboardInterrupt):
        run(source, out, PlainSpec(), workers=1, watch=interrupt)  # which has made the manifest
    part = rows()
    for number in range(ROWS // SIZE):
        mine = pa.array(uris[number * SIZE : (number + 1) * SIZE])
        pq.write_table(part.set_column(0, SCHEMA.field("uri"), mine), out / part_name(number))

    begun = time.process_time()
    progress = run(source, out, PlainSpec())
    seconds = time.process_time() - begun
    print(f"resumed in {seconds:.1f} s")
    assert (progress.done, progress.read) == (ROWS, 0)
    assert seconds < 60


def interrupt(_: object) -> None:
    raise KeyboardInterrupt
