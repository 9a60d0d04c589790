"""Requests that are not answered with a reading: their status, a reason to count them by, one line that says why."""

from collections.abc import Mapping

from wordsight.errors import BoxError, ConfigError, ImageError, WordsightError


class Refusal(Exception):
    """An answer other than a reading.

    Attributes:
        status: of HTTP.
        reason: a word for metrics.
        headers: that go with it.
    """

    def __init__(self, status: int, reason: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.headers = dict(headers or {})


def too_large(what: str, limit: int) -> Refusal:
    """For a body over `limit` bytes."""
    return Refusal(413, "bytes", f"{what} is over the limit of {limit / 1e6:.3g} MB: make it smaller")


def busy() -> Refusal:
    """For a full queue."""
    return Refusal(503, "queue", "too much is waiting to be read: try again in a second", {"Retry-After": "1"})


def late() -> Refusal:
    """For a deadline that has passed."""
    return Refusal(504, "deadline", "this took too long and was given up: send less at a time, or try again later")


def departed() -> Refusal:
    """For a client that is gone; 499 is what proxies write into their logs."""
    return Refusal(499, "gone", "the client is gone")


def malformed(message: str, status: int = 422) -> Refusal:
    """For invalid options and forms."""
    return Refusal(status, "options", message)


def of_error(error: WordsightError) -> Refusal:
    """For what the library refuses."""
    if isinstance(error, ImageError):
        what, absent, _ = str(error).partition(", which needs an extra")
        if absent:  # a format that this installation cannot read; how it could is no client's affair
            return Refusal(415, "format", f"{what}, which this service cannot read: send JPEG or PNG")
        return Refusal(422, "image", str(error))
    if isinstance(error, BoxError | ConfigError):
        return malformed(str(error))
    return Refusal(500, "error", str(error))
