"""Runs the service: a socket, and signals that end it."""

import ctypes
import gc
import logging
import math
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from wordsight.errors import ConfigError
from wordsight.runtime.sessions import processors
from wordsight.serve.app import create_app
from wordsight.serve.protocol import Protocol
from wordsight.serve.service import Service

log = logging.getLogger(__name__)


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h of the GNU C library
_KEPT, _LARGEST = 2**27, 2**25  # bytes: free ones of an arena, and of what comes from one


def share_memory() -> None:
    """Keeps memory from growing with the number of threads, and from being fetched again for every picture.

    Threads share as many arenas as there are processors. By default the GNU C library has eight times as many, each of
    which keeps what its threads once held: after 500 photos the service held 0.47 GB so, and 0.85 GB otherwise. What
    the buffers of a picture took stays in its arena for the next. To be called before there are threads. Nothing
    happens with other C libraries, or if the environment decides (`MALLOC_ARENA_MAX`).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None and "MALLOC_ARENA_MAX" not in os.environ:
        mallopt(_M_ARENA_MAX, max(2, processors()))
        mallopt(_M_MMAP_THRESHOLD, _LARGEST)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there.

    Raises:
        ConfigError: it is not available.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (")[0]  # Python adds the address
        raise ConfigError(f"{host}:{port} cannot be opened ({reason}): choose another --host or --port") from None


def run(service: Service, listener: socket.socket) -> None:
    """Answers until a signal comes: then what was accepted is finished. A second signal ends the process at once."""
    gc.collect()
    gc.freeze()  # what is there now stays: looking through it would stop all threads for 40 ms, liveness among them
    config = uvicorn.Config(
        create_app(service),
        http=Protocol,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_keep_alive=30,
        timeout_graceful_shutdown=math.ceil(service.settings.timeout) + 5,  # not for ever for who reads no answer
    )
    _Server(config, service).run([listener])


class _Server(uvicorn.Server):
    """uvicorn's, with other manners: it ends with status 0 on SIGTERM, and a second one is heeded."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._end) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _end(self, number: int, _: FrameType | None) -> None:
        if self.should_exit:
            os._exit(128 + number)
        self._service.ready = False
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        log.info("shutting down: accepted requests are finished, another signal ends at once")
        await super().shutdown(sockets)
