"""Millions of pictures into Parquet: jobs that resume where they were stopped, on one machine or many.

    from wordsight.bulk import ReaderSpec, run

    run("photos", "words", ReaderSpec(pattern="[A-Z0-9 ]+"))

Needs the extra `[bulk]`. See docs/bulk.md.
"""

from wordsight.bulk.job import Progress, run
from wordsight.bulk.rows import SCHEMA, read_batch
from wordsight.bulk.sources import listed
from wordsight.spec import ReaderSpec

__all__ = ["SCHEMA", "Progress", "ReaderSpec", "listed", "read_batch", "run"]
