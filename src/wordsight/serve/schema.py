"""What /docs says of bodies and answers, with examples."""

from typing import Any

_CHARS = [{"text": "H", "probability": 0.9987, "alternatives": [["N", 0.0006], ["M", 0.0003], ["", 0.0001]]}]
_WORD = {
    "text": "HOTEL",
    "confidence": 0.9862,
    "polygon": [[60.5, 118.0], [251.3, 118.0], [251.3, 166.2], [60.5, 166.2]],
    "chars": _CHARS,
}
_PHOTO = {
    "schema": 1,
    "source": "street.jpg",
    "width": 640,
    "height": 480,
    "lines": [{"text": "HOTEL", "confidence": 0.9862, "polygon": _WORD["polygon"], "words": [_WORD]}],
    "problems": [],
}
_FILE = {"type": "string", "format": "binary"}
_STATUSES = {
    400: "A form, or a picture in it, is missing, or a language cannot be written.",
    401: "The API key is missing or wrong.",
    408: "The request arrived too slowly.",
    413: "The body is too large.",
    415: "A picture format that this installation cannot read.",
    422: "The picture cannot be read, or an option is invalid; one line says which.",
    503: "Too many requests are waiting: try again after `Retry-After` seconds.",
    504: "It took longer than the time limit.",
}


def body(file: str, *, many: bool = False, raw: bool = True, fields: dict[str, Any] | None = None) -> dict[str, Any]:
    """A request body for FastAPI's `openapi_extra`: a form with one file or many, or the picture itself."""
    files: dict[str, Any] = {"type": "array", "items": _FILE} if many else _FILE
    form = {"type": "object", "required": [file], "properties": {file: files, **(fields or {})}}
    content: dict[str, Any] = {"multipart/form-data": {"schema": form}}
    if raw:
        content["application/octet-stream"] = {"schema": _FILE}
    return {"requestBody": {"required": True, "content": content}}


def responses(example: Any, media_type: str = "application/json") -> dict[int | str, dict[str, Any]]:
    """What comes back, for FastAPI's `responses`."""
    out: dict[int | str, dict[str, Any]] = {
        status: {"description": text, "content": {"application/json": {"example": {"error": text}}}}
        for status, text in _STATUSES.items()
    }
    return {200: {"description": "What was read.", "content": {media_type: {"example": example}}}} | out


READ = responses(_PHOTO)
CROPS = responses({"words": [_WORD, {"error": "2.png is empty: download or save it again"}]})
BATCH = responses('{"index": 0, "schema": 1, "source": "street.jpg", ...}\n', "application/x-ndjson")
OCR = responses({"results": [{"text": "HOTEL", "bbox": [60.5, 118.0, 251.3, 166.2], "confidence": 0.9862}]})
