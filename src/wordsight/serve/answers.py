"""Results as bytes to send."""

import json
from collections.abc import Mapping
from typing import Any

from wordsight.errors import WordsightError
from wordsight.export import FORMATS, find_format
from wordsight.results import Photo, Word, bounds
from wordsight.serve.refusals import malformed

JSON = "application/json"
_TYPES = {"json": JSON, "jsonl": "application/x-ndjson", "csv": "text/csv", "tsv": "text/tab-separated-values"}
_MARKUP = {"hocr": "application/xhtml+xml", "alto": "application/xml", "page": "application/xml"}

_SERVED = [name for name in FORMATS if name != "html"]
"""HTML embeds the file that a photo names, and here the client names it."""

Answer = tuple[bytes, str]
"""What to send, and its media type."""


def as_json(value: Any) -> bytes:
    """One line of JSON."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


def photo(result: Photo, form: str, *, characters: bool) -> Answer:
    """A photo in a format of `wordsight.export`; as JSON, one object and not a list of one."""
    if form == "json":
        return as_json(_without(result.to_dict(), characters)), JSON
    text = find_format(form).document([result])
    return text.encode("utf-8", "replace"), (_TYPES | _MARKUP).get(form, "text/plain") + "; charset=utf-8"


def check_format(form: str) -> None:
    """Raises Refusal where results cannot be written so."""
    if form not in _SERVED:
        raise malformed(f"there is no format {form[:60]!r}: choose one of {', '.join(_SERVED)}")


def crops(results: list[Word | WordsightError], *, characters: bool) -> bytes:
    """Words of crops, in their order."""
    return as_json(
        {
            "words": [
                {"error": str(result)} if isinstance(result, WordsightError) else _word(result.to_dict(), characters)
                for result in results
            ]
        }
    )


def line(number: int, result: Photo, *, characters: bool) -> bytes:
    """A line of a batch: which picture it was, counted from 0, and its photo."""
    return as_json({"index": number} | _without(result.to_dict(), characters)) + b"\n"


def liteparse(result: Photo) -> bytes:
    """LiteParse's OCR_API_SPEC: upright boxes around words, and their polygons where these have four corners."""
    return as_json({"results": [_liteparse_word(word) for word in result.words]})


def _liteparse_word(word: Word) -> Mapping[str, Any]:
    plain = word.to_dict()
    item = {
        "text": word.text,
        "bbox": [round(side, 2) for side in bounds(word.polygon)],
        "confidence": plain["confidence"],
    }
    return item | ({"polygon": plain["polygon"]} if len(word.polygon) == 4 else {})


def _without(values: dict[str, Any], characters: bool) -> dict[str, Any]:
    for each in values["lines"]:
        for word in each["words"]:
            _word(word, characters)
    return values


def _word(values: dict[str, Any], characters: bool) -> dict[str, Any]:
    if not characters:
        del values["chars"]
    return values
