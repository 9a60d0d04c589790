"""uvicorn's HTTP over httptools, for strangers: heads of requests have limits in size and time, too."""

import asyncio
import json
from http import HTTPStatus
from time import monotonic
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD = 1 << 17
"""Bytes of a request's line and headers. One read from the socket, of 256 KiB at most, may come on top."""

MAX_ADDRESS = (1 << 16) - 1
"""Bytes of an address, which httptools keeps places in as 16 bits."""

MAX_SECONDS = 30.0
"""For which a connection may say nothing, and in which a head must be complete."""


class Protocol(HttpToolsProtocol):
    """One connection. Without these limits a client that sends heads without end takes memory and open files."""

    _head_begun: float | None = None
    _head_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        super().connection_made(cast(asyncio.Transport, transport))
        self._wait()

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        begun = self._head_begun
        super().data_received(data)
        if self._head_begun is None or self.transport.is_closing():
            return
        self._wait()
        if begun != self._head_begun:  # it is another one: how much of `data` is of it is not known
            return
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD:
            self._refuse(431, f"the address and the headers are over {MAX_HEAD} bytes: send options in a form")
        elif monotonic() - self._head_begun > MAX_SECONDS:
            self._refuse(408, "the request took too long to arrive: send it over a faster line")

    def on_message_begin(self) -> None:
        """See httptools."""
        super().on_message_begin()
        self._head_begun, self._head_bytes = monotonic(), 0

    def on_headers_complete(self) -> None:
        """See httptools."""
        self._head_begun = None
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """For what is not HTTP, and for addresses that the parser finds too long."""
        if len(getattr(self, "url", b"")) > MAX_ADDRESS:
            self._refuse(414, f"the address is over {MAX_ADDRESS} bytes: send options in a form")
            return
        self._refuse(400, f"this cannot be understood ({msg.rstrip('.').lower()}): send HTTP/1.1")

    def _wait(self) -> None:
        """Closes the connection if it stays silent."""
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(MAX_SECONDS, self.timeout_keep_alive_handler)

    def _refuse(self, status: int, message: str) -> None:
        body = json.dumps({"error": message}).encode()
        head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n"
        self.transport.write(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        self.transport.close()
