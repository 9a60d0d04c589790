"""Pictures as they arrive: never more of them in memory than allowed, and no client for longer than allowed."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from wordsight.serve.metrics import Metrics
from wordsight.serve.refusals import Refusal, malformed, too_large
from wordsight.serve.settings import MAX_FIELDS, MAX_NAME, MAX_OPTIONS, Settings

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_CHUNK = 1 << 14  # bytes of a form that are parsed before others have their turn: at most some 0.03 s

SKIPPED = 8
"""Times the limit of a picture that may be skipped in a form of many."""


@dataclass
class Part:
    """A field of a form, or a file where it has a file name. Of a too large picture the bytes are `dropped`."""

    name: str = ""
    file_name: str | None = None
    data: bytearray = field(default_factory=bytearray)
    dropped: int = 0

    @property
    def picture_bytes(self) -> int:
        """How many it has, or had, if it is one."""
        return 0 if self.file_name is None else len(self.data) + self.dropped

    @property
    def text(self) -> str:
        """A field's value.

        Raises:
            Refusal: it is not UTF-8.
        """
        try:
            return self.data.decode()
        except UnicodeDecodeError:
            raise malformed(f"the field {self.name!r} is not UTF-8 text: encode it as UTF-8") from None


class Intake:
    """Takes in the bodies of all requests of a service."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._held = 0

    @contextmanager
    def request(self, request: Request) -> "Iterator[Body]":
        """The body of a request, whose bytes count as held until the end of the block."""
        body = Body(request, self, self._settings, self._metrics)
        try:
            yield body
        finally:
            body.release(body.held)

    def hold(self, count: int) -> None:
        """Raises Refusal, 503, where all bodies together would be too much."""
        if self._held + count > self._settings.most_bytes:
            raise Refusal(
                503, "memory", "too much is being uploaded at once: try again in a second", {"Retry-After": "1"}
            )
        self._held += count

    def release(self, count: int) -> None:
        """The opposite of `hold`."""
        self._held -= count


class Body:
    """The body of one request, read once, as a whole or part by part.

    Args:
        request: nothing of it may have been read.
        intake: counts what is held.
        settings: of the service.
        metrics: for the time that uploads take.
    """

    def __init__(self, request: Request, intake: Intake, settings: Settings, metrics: Metrics) -> None:
        self.held = 0
        self._request = request
        self._intake = intake
        self._metrics = metrics
        self._limit, self._seconds = settings.max_bytes, settings.timeout
        kind, options = parse_options_header(request.headers.get("content-type"))
        self._boundary = options.get(b"boundary") if kind.lower() == b"multipart/form-data" else None

    @property
    def is_form(self) -> bool:
        """Whether it is a form; else it is a picture, whatever its media type."""
        return self._boundary is not None

    def release(self, count: int) -> None:
        """So many bytes are needed no more."""
        self.held -= count
        self._intake.release(count)

    async def pictures(self, most: int) -> "tuple[list[tuple[str | None, bytes]], dict[str, str]]":
        """All of it: pictures with their file names, and the other fields of a form. At least one picture.

        Args:
            most: how many pictures there may be; together as large as one.

        Raises:
            Refusal: it is too large (413) or slow (408), memory is short (503), or it is no form after all (422).
        """
        self._check_length(self._limit + (MAX_FIELDS if self.is_form else 0))
        with self._metrics.stage("upload"):
            async with _in_time(self._seconds):
                return await self._form(most) if self.is_form else ([(None, await self._raw())], {})

    async def _raw(self) -> bytes:
        data = bytearray()
        async for chunk in self._request.stream():
            self._hold(len(chunk))
            if len(data) + len(chunk) > self._limit:
                raise too_large("the picture", self._limit)
            data += chunk
        return bytes(data)

    async def _form(self, most: int) -> "tuple[list[tuple[str | None, bytes]], dict[str, str]]":
        found: list[tuple[str | None, bytes]] = []
        fields: dict[str, str] = {}
        total = 0
        async for part in self._parts():
            if part.file_name is None:
                fields[part.name] = part.text
                continue
            total += len(part.data)
            if total > self._limit:
                raise too_large("all pictures together", self._limit)
            if len(found) == most:
                raise malformed(f"there are more pictures than {most}: send fewer at a time")
            found.append((part.file_name, bytes(part.data)))
        if not found:
            raise malformed("there is no picture in the form: add a file", 400)
        return found, fields

    async def parts(self) -> AsyncIterator[Part]:
        """A form part by part, each as large as a picture may be, or dropped; the consumer of a part releases it.

        Raises:
            Refusal: as `pictures`; too large is a form of which over `SKIPPED` times the limit was dropped. The time is
                that from one part to the next.
        """
        parts = self._parts(skip=True)
        while True:
            async with _in_time(self._seconds):
                part = await anext(parts, None)
            if part is None:
                return
            yield part

    async def _parts(self, *, skip: bool = False) -> AsyncIterator[Part]:
        collector = _Collector(self._limit)
        try:
            parser = MultipartParser(self._boundary or b"", collector.callbacks())
        except FormParserError as error:  # its boundary is too long
            raise _unreadable(error) from None
        other = skipped = 0  # bytes that are no picture, and of pictures that are too large
        async for chunk in self._request.stream():
            for start in range(0, len(chunk), _CHUNK):
                piece = chunk[start : start + _CHUNK]
                self._hold(len(piece))
                await asyncio.sleep(0)  # else nobody is answered while a form of thousands of tiny parts is parsed
                try:
                    parser.write(piece)
                except (FormParserError, ValueError) as error:
                    raise _unreadable(error) from None
                other += len(piece)
                done = collector.taken()
                growing = [collector.part] if collector.part else []
                if dropped := collector.dropped_since():
                    self.release(dropped)
                    skipped += dropped
                    if not skip:
                        raise too_large("the picture", self._limit)
                    if skipped > SKIPPED * self._limit:
                        raise too_large("all that was skipped", SKIPPED * self._limit)
                other -= sum(part.picture_bytes for part in done)
                if other - sum(part.picture_bytes for part in growing) > MAX_FIELDS:
                    raise too_large("the form without its pictures", MAX_FIELDS)
                for part in done:
                    yield part
        if not collector.ended:
            raise malformed("the form ends too early: send it again")

    def _hold(self, count: int) -> None:
        self._intake.hold(count)
        self.held += count

    def _check_length(self, limit: int) -> None:
        length = self._request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > limit:
            raise too_large("the request", limit)


def _unreadable(error: Exception) -> Refusal:
    return malformed(f"the form cannot be read ({' '.join(str(error).split())[:200]}): send multipart/form-data")


class _Collector:
    """Puts parts together from what the parser calls out, pictures of at most `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._dropped = 0
        self.part: Part | None = None
        self.ended = False
        self._done: list[Part] = []
        self._header = self._value = b""
        self._options = 0

    def callbacks(self) -> "MultipartCallbacks":
        """For the parser."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._add_header(data[start:end]),
            "on_header_value": lambda data, start, end: self._add_value(data[start:end]),
            "on_header_end": self._end_header,
            "on_part_data": lambda data, start, end: self._add(data[start:end]),
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def taken(self) -> list[Part]:
        """Those that are complete, once."""
        done, self._done = self._done, []
        return done

    def dropped_since(self) -> int:
        """How many bytes of too large pictures were dropped since the last call."""
        dropped, self._dropped = self._dropped, 0
        return dropped

    def _begin(self) -> None:
        self.part = Part()

    def _add_header(self, piece: bytes) -> None:
        self._header += piece

    def _add_value(self, piece: bytes) -> None:
        self._value += piece

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition" and self.part is not None:
            options = parse_options_header(self._value)[1]
            self.part.name = options.get(b"name", b"").decode("utf-8", "replace")[:MAX_NAME]
            if b"filename" in options or self.part.name in ("file", "files"):
                self.part.file_name = _file_name(options.get(b"filename", b""))
        self._header = self._value = b""

    def _add(self, piece: bytes) -> None:
        part = self.part
        if part is None:
            return
        part.data += piece
        if part.picture_bytes > self._limit:
            self._dropped += len(part.data)
            part.dropped += len(part.data)
            part.data.clear()

    def _end(self) -> None:
        if self.part is not None:
            self._options += self.part.file_name is None
            if self._options > MAX_OPTIONS:
                raise malformed(f"the form has more than {MAX_OPTIONS} fields that are no pictures: leave some out")
            if self.part.file_name is None and not self.part.name:
                raise malformed("a part of the form has no name: give it a header Content-Disposition with one")
            self._done.append(self.part)
        self.part = None

    def _finish(self) -> None:
        self.ended = True


def _file_name(name: bytes) -> str:
    """As it is returned: whole, or not at all."""
    try:
        text = name.decode()
    except UnicodeDecodeError:
        raise malformed("a file name is not UTF-8 text: encode it as UTF-8") from None
    if len(text) > MAX_NAME:
        raise malformed(f"a file name has {len(text)} characters: give {MAX_NAME} at most")
    return text


@asynccontextmanager
async def _in_time(seconds: float) -> AsyncIterator[None]:
    """At most so many seconds, else Refusal, 408."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        message = "the request took too long to arrive: send less, or use a faster connection"
        raise Refusal(408, "slow", message, {"Connection": "close"}) from None
