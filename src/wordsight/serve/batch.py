"""Many pictures in one request: read while others still arrive, and answered as they are done."""

import asyncio
import logging
from functools import partial

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from wordsight.serve import answers
from wordsight.serve.body import Body, Part
from wordsight.serve.options import BatchOptions, parse
from wordsight.serve.refusals import Refusal, departed, malformed, too_large
from wordsight.serve.service import Service, disconnected
from wordsight.serve.settings import MAX_BATCH

log = logging.getLogger(__name__)


class Batch(Response):
    """The pictures of one request, and the answer to it: a line of JSON for each, the first done first.

    As many pictures are in memory as there are threads: then the form is read on only when one is done. A picture that
    is too large is skipped as it arrives, with a line that says so. Where the form breaks off, a last line says so.
    Fields before the pictures are options for all of them.

    Args:
        service: reads them.
        request: a form, of which nothing was read.
        options: those in its address.
    """

    media_type = "application/x-ndjson"

    def __init__(self, service: Service, request: Request, options: BatchOptions) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._service = service
        self._request = request
        self._options = options
        self._fields: dict[str, str] = {}
        self._room = asyncio.Semaphore(service.settings.workers)
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._first: bytes | None = None
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Reads until there is a line.

        Raises:
            Refusal: the form is invalid or the queue is full.
        """
        self._reading = asyncio.create_task(self._read_all())
        self._first = await self._lines.get()
        if self._first is None:
            await self._reading

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the lines. (`StreamingResponse` would read the request, too, to learn when the client is gone.)"""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        line = self._first
        while line is not None:
            await send({"type": "http.response.body", "body": line, "more_body": True})
            line = await self._lines.get()
        await send({"type": "http.response.body", "body": b""})

    async def _read_all(self) -> None:
        try:
            with self._service.body(self._request) as body:
                if not body.is_form:
                    raise malformed("/v1/batch takes a form with pictures: send multipart/form-data", 400)
                tasks: set[asyncio.Task[None]] = set()
                try:
                    await self._take_in(body, tasks)
                    gone = asyncio.create_task(disconnected(self._request))
                    gone.add_done_callback(partial(self._leave, tasks))
                    await asyncio.gather(*tasks)
                    gone.cancel()
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)  # they release what they hold of the body
        except ClientDisconnect:
            self._count(departed())
        finally:
            self._lines.put_nowait(None)

    def _leave(self, tasks: set[asyncio.Task[None]], gone: asyncio.Task[None]) -> None:
        """The client is gone, or all is done."""
        if not gone.cancelled():
            self._count(departed())
            for task in tasks:
                task.cancel()

    async def _take_in(self, body: Body, tasks: set[asyncio.Task[None]]) -> None:
        number = 0
        try:
            async for part in body.parts():
                if part.file_name is None:
                    self._set(part, number)
                    continue
                if number >= MAX_BATCH:
                    raise malformed(f"there are more pictures than {MAX_BATCH}: send fewer at a time")
                if part.dropped:
                    about = {"index": number, "source": part.file_name or "image"}
                    self._refuse(about, too_large("the picture", self._service.settings.max_bytes))
                    number += 1
                    continue
                await self._room.acquire()
                tasks.add(asyncio.create_task(self._read(number, part, body)))
                number += 1
            if number == 0:
                raise malformed("there is no picture in the form: add files", 400)
        except Refusal as refusal:
            if number == 0:
                raise
            self._refuse({"index": number}, refusal)

    def _set(self, part: Part, number: int) -> None:
        if number:
            raise malformed("an option comes after a picture: put it before all of them, or in the query string")
        self._fields[part.name] = part.text
        self._options = parse(BatchOptions, self._options.model_dump(exclude_unset=True) | self._fields)

    async def _read(self, number: int, part: Part, body: Body) -> None:
        picture, size = bytes(part.data), len(part.data)
        part.data.clear()
        about = {"index": number, "source": part.file_name or "image"}
        options = self._options
        try:
            line = await self._service.do_patiently(
                lambda: self._service.line(number, picture, options, part.file_name)
            )
            self._lines.put_nowait(line)
        except Refusal as refusal:
            self._refuse(about, refusal)
        except Exception:
            log.exception("a picture of a batch failed")
            self._refuse(about, Refusal(500, "error", "this picture could not be read: the service's log says why"))
        finally:
            body.release(size)
            self._room.release()

    def _refuse(self, about: dict[str, object], refusal: Refusal) -> None:
        self._count(refusal)
        self._lines.put_nowait(answers.as_json({**about, "error": str(refusal), "status": refusal.status}) + b"\n")

    def _count(self, refusal: Refusal) -> None:
        self._service.metrics.rejected.labels(refusal.reason).inc()
