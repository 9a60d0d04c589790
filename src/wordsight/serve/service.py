"""What the routes share: the model, the queue and the limits of one service, and what its threads do."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from fastapi import FastAPI, Request

from wordsight.errors import WordsightError
from wordsight.results import Photo, Word
from wordsight.serve import answers
from wordsight.serve.body import Body, Intake
from wordsight.serve.desk import Desk
from wordsight.serve.engine import Engine
from wordsight.serve.metrics import Metrics
from wordsight.serve.options import BatchOptions, Constrained, ReadOptions
from wordsight.serve.refusals import busy, of_error
from wordsight.serve.settings import Settings

log = logging.getLogger(__name__)

T = TypeVar("T")


class Service:
    """One service.

    Raises:
        ModelError: there is no such model, or its pack is damaged.
        DeviceError: the device is not available.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.desk = Desk(settings.workers, settings.queue, settings.timeout, self.metrics)
        self.engine = Engine(settings, self.metrics, self.desk.running)
        self.intake = Intake(settings, self.metrics)
        self.ready = False

    @asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        """Reads a picture when the service starts, and finishes what it does before it ends."""
        start = asyncio.get_running_loop().run_in_executor(None, self._start)
        yield
        self.ready = False
        await start
        self.desk.close()

    def _start(self) -> None:
        try:
            self.engine.try_out()
        except Exception:
            log.exception("the first reading failed: the service stays not ready")
        else:
            self.ready = True

    async def do(self, request: Request, work: Callable[[], T]) -> T:
        """Work in a thread, for as long as the client waits. Its body must have been read."""
        gone = asyncio.ensure_future(disconnected(request))
        try:
            return await self.desk.do(work, gone)
        finally:
            gone.cancel()

    async def do_patiently(self, work: Callable[[], T]) -> T:
        """`do` for one of many pictures, which waits where the queue is full."""
        while self.desk.full:
            await asyncio.sleep(0.02)
        return await self.desk.do(work)

    @contextmanager
    def body(self, request: Request) -> Iterator[Body]:
        """The body of a request, unless the queue is full: then nothing of it is read."""
        if self.desk.full:
            raise busy()
        with self.intake.request(request) as body:
            yield body

    def read(self, picture: bytes, options: ReadOptions, name: str | None) -> answers.Answer:
        """A photo as it goes back; called in a thread."""
        answers.check_format(options.format)
        photo = self._read(picture, options.name or name, options, options.polygons())
        return answers.photo(photo, options.format, characters=options.characters)

    def ocr(self, picture: bytes) -> bytes:
        """The same in LiteParse's form."""
        return answers.liteparse(self._read(picture, None, BatchOptions()))

    def read_crops(self, files: list[tuple[str | None, bytes]], options: Constrained) -> bytes:
        """Crops as they go back; called in a thread. A request whose only crop cannot be read is refused."""
        with _refusing():
            found = self.engine.read_crops([picture for _, picture in files], options)
        results = [_named(result, name) for result, (name, _) in zip(found, files, strict=True)]
        if len(results) == 1 and isinstance(results[0], WordsightError):
            raise of_error(results[0])
        return answers.crops(results, characters=options.characters)

    def line(self, number: int, picture: bytes, options: BatchOptions, name: str | None) -> bytes:
        """A line of a batch; called in a thread."""
        return answers.line(number, self._read(picture, name, options), characters=options.characters)

    def _read(self, picture: bytes, name: str | None, options: BatchOptions, boxes: list[Any] | None = None) -> Photo:
        with _refusing():
            return self.engine.read(picture, name or "image", options, boxes)


def _named(result: Word | WordsightError, name: str | None) -> Word | WordsightError:
    """An error with the name of the crop that it is about."""
    if isinstance(result, WordsightError):
        return type(result)(str(result).replace("<bytes>", name or "image", 1))
    return result


@contextmanager
def _refusing() -> Iterator[None]:
    """The library's errors as refusals."""
    try:
        yield
    except WordsightError as error:
        raise of_error(error) from None


async def disconnected(request: Request) -> None:
    """Waits until the client is."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
