"""What every request passes: a line in the log, a number in the metrics, headers that keep browsers careful."""

import logging
from time import perf_counter

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wordsight.serve.metrics import Metrics

log = logging.getLogger("wordsight.access")

_STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# Swagger's page starts itself by a script inside it; nothing that a client sends is shown there.
_DOCS = _STRICT.replace("-src 'self';", "-src 'self' 'unsafe-inline';", 2)
_QUIET = ("/health/live", "/health/ready", "/metrics")  # asked every few seconds by machines


class Front:
    """Wraps an application.

    The log has who, what, which status, how long it took, how many bytes in and out; never a picture, a text or an
    option, which may be somebody's secret.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status, taken, sent = perf_counter(), 500, 0, 0  # 500 where the application fails
        method = scope["method"]
        if method == "HEAD":  # answered as GET; the server sends no body
            scope = {**scope, "method": "GET"}

        async def counted_receive() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            return message

        async def dressed_send(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
                headers["Content-Security-Policy"] = _DOCS if scope["path"].startswith("/docs") else _STRICT
                headers.setdefault("Cache-Control", "no-store")
            sent += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, counted_receive, dressed_send)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.requests.labels(route, str(status)).inc()
            level = logging.DEBUG if route in _QUIET and status < 400 else logging.INFO
            who = (scope.get("client") or ("-",))[0]
            log.log(
                level,
                "%s %s %s %d %.0fms %d bytes in, %d out",
                who,
                method,
                scope["path"].encode("unicode_escape").decode()[:200],
                status,
                1000 * (perf_counter() - start),
                taken,
                sent,
            )
