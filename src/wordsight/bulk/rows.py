"""One row for each picture, whatever it is like."""

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from io import BytesIO
from typing import Any, TypeAlias

import pyarrow as pa
from PIL import Image

from wordsight.bulk.sources import fetch
from wordsight.errors import ConfigError, DeviceError, ModelError, WordsightError
from wordsight.reader import Reader
from wordsight.spec import ReaderSpec

Row: TypeAlias = dict[str, Any]

_making = threading.Lock()

SCHEMA = pa.schema(
    [
        pa.field("uri", pa.string(), nullable=False),
        ("sha256", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("text", pa.string()),
        (
            "words",
            pa.list_(
                pa.struct(
                    [
                        ("text", pa.string()),
                        ("confidence", pa.float64()),
                        ("polygon", pa.list_(pa.list_(pa.float64()))),
                    ]
                )
            ),
        ),
        ("error", pa.string()),
        ("milliseconds", pa.int32()),
    ]
)
"""Arrow schema of the parts and of what `read_batch` returns; docs/bulk.md describes the columns."""


def read_batch(batch: pa.RecordBatch, spec: ReaderSpec | None = None) -> pa.RecordBatch:
    """Reads a batch of pictures, for any engine that passes Arrow record batches.

    Args:
        batch: has a column `uri` and, optionally, `bytes` with the picture of each row, or null for those to fetch.
        spec: the options of the reader, which is made once per process; None: the default model.

    Returns:
        A row of `SCHEMA` for each picture, in order. One without a URI has an error.

    Raises:
        ConfigError: there is no column `uri`.
        ModelError: there is no such model.
    """
    if "uri" not in batch.schema.names:
        raise ConfigError(f"a batch has the columns {', '.join(batch.schema.names)}: name the column of pictures uri")
    reader = _shared(spec or ReaderSpec())
    uris = batch.column("uri").to_pylist()
    pictures = batch.column("bytes").to_pylist() if "bytes" in batch.schema.names else [None] * len(uris)
    return record_batch([_row(reader, uri, picture) for uri, picture in zip(uris, pictures, strict=True)])


def _row(reader: Reader, uri: Any, picture: bytes | None) -> Row:
    if isinstance(uri, str):
        return read_row(reader, uri, picture)
    what = "no uri" if uri is None else f"a uri of type {type(uri).__name__}"
    return empty_row("" if uri is None else str(uri), f"this row has {what}: give a path or URL")


def _shared(spec: ReaderSpec) -> Reader:
    with _making:  # threads that want the same one at the same time shall not make two
        return _made(spec)


@lru_cache(maxsize=4)
def _made(spec: ReaderSpec) -> Reader:
    return spec.reader()


def record_batch(rows: list[Row]) -> pa.RecordBatch:
    """Rows as Arrow has them."""
    return pa.RecordBatch.from_pylist(rows, schema=SCHEMA)


def row_reader(spec: ReaderSpec) -> Callable[[tuple[int, int, str]], Row]:
    """What a process of a pool does: reads (shard, place in it, URI)."""
    reader = spec.reader()
    return lambda item: read_row(reader, item[2])


def try_out(spec: ReaderSpec) -> None:
    """Reads an empty picture, as a reader loads some of its parts when it is needed first.

    It does so on the CPU: whether the workers' machines have `spec.device` is not known here.

    Raises:
        ConfigError: an option cannot be used.
        ModelError: there is no such model or detector, or it is damaged.
    """
    picture = BytesIO()
    Image.new("RGB", (64, 64), "white").save(picture, "PNG")
    read_row(replace(spec, device="cpu").reader(), "an empty picture", picture.getvalue())


def read_row(reader: Reader, uri: str, picture: bytes | None = None) -> Row:
    """The row of one picture, fetched unless it is given. Errors of the picture are in the row."""
    begun = time.perf_counter()
    row = empty_row(uri)
    try:
        picture = fetch(uri) if picture is None else picture
        row["sha256"] = hashlib.sha256(picture).hexdigest()
        photo = reader.read(picture, name=uri)
    except (ConfigError, DeviceError, ModelError):
        raise  # these are of no single picture: a million rows would say the same
    except WordsightError as error:
        row["error"] = _clean(str(error))
    except Exception as error:  # a job of millions does not end because of one
        row["error"] = _clean(f"{uri}: unexpected {type(error).__name__}: {' '.join(str(error).split())}")
    else:
        row |= {"width": photo.width, "height": photo.height, "text": photo.text}
        words = [word.to_dict() for word in photo.words]
        row["words"] = [{key: word[key] for key in ("text", "confidence", "polygon")} for word in words]
    row["milliseconds"] = round(1000 * (time.perf_counter() - begun))
    return row


def empty_row(uri: str, error: str | None = None) -> Row:
    """Of a picture in which nothing was read."""
    return {**dict.fromkeys(SCHEMA.names), "uri": uri, "words": [], "error": error}


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
